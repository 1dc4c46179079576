"""The static program and what it says of itself, which every package carries.

With glibc, in the profile of the tests; with musl where Rust's musl target and musl's compiler are
installed, which compiles the crates once more.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import licences

NAMES = Path(__file__).parent / "names.c"
# For the program's own link alone: crates below it do not see them, so none is compiled again.
STATIC = ("-C", "target-feature=+crt-static", "-C", "strip=symbols")
SHELLS = {"bash": "fruitsinfra.bash", "zsh": "_fruitsinfra", "fish": "fruitsinfra.fish"}


class Program(NamedTuple):
    source: Path                   # the repository
    version: str
    about: str                     # a line
    arch: str
    binary: Path
    cargo: tuple[str, ...]         # how cargo was asked for it
    rustc: tuple[str, ...]         # and, of its last link, rustc
    manual: dict[str, bytes]       # by file
    completions: dict[str, bytes]  # by shell
    licences: bytes                # of what is linked into it
    epoch: int                     # the one time that every file of every package bears

    def dated(self) -> dict[str, str]:
        """The environment of what reads that time there."""
        return os.environ | {"SOURCE_DATE_EPOCH": str(self.epoch)}


def build(source: Path, scratch: Path, epoch: int) -> Program:
    arch, binary = platform.machine(), scratch / "fruitsinfra"
    target, libc = libc_of(source, arch)
    metadata = json.loads(told(source, "cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target))
    package = next(each for each in metadata["packages"] if each["id"] == metadata["resolve"]["root"])
    cargo = ("--locked", *(("--target", target) if libc == "musl" else ()))
    rustc = STATIC if libc == "musl" else (*STATIC, "-C", f"link-arg={names(Path(metadata['target_directory']))}")
    shutil.copy(linked(source, cargo, rustc), binary)
    # The name by which people know their own build is their own build's again.
    subprocess.run(["cargo", "build", "--locked", "--quiet"], cwd=source, check=True)
    said(binary, "man", "--out", str(scratch / "manual"))
    return Program(
        source, package["version"], package["description"], arch, binary, cargo, rustc,
        manual={page.name: page.read_bytes() for page in (scratch / "manual").iterdir()},
        completions={shell: said(binary, "completions", shell) for shell in SHELLS},
        licences=licences.text(metadata).encode(), epoch=epoch,
    )


def libc_of(source: Path, arch: str) -> tuple[str, str]:
    musl = f"{arch}-unknown-linux-musl"
    there = Path(told(source, "rustc", "--print", "sysroot"), "lib", "rustlib", musl).exists()
    return (musl, "musl") if there and shutil.which("musl-gcc") else (f"{arch}-unknown-linux-gnu", "glibc")


def names(target: Path) -> Path:
    """names.c, compiled. What it says is in its name, so that cargo links again when it says something else."""
    made = target / "package" / f"names-{hashlib.sha256(NAMES.read_bytes()).hexdigest()[:12]}.o"
    made.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-fPIE", "-c", NAMES, "-o", made], check=True)
    return made


def linked(source: Path, cargo: tuple[str, ...], rustc: tuple[str, ...]) -> Path:
    command = ["cargo", "rustc", *cargo, "--bin", "fruitsinfra", "--message-format", "json", "--quiet", "--", *rustc]
    messages = map(json.loads, told(source, *command).splitlines())
    return next(Path(message["executable"]) for message in messages if message.get("executable"))


def told(where: Path, *command: str) -> str:
    return subprocess.run(command, cwd=where, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def said(binary: Path, *arguments: str) -> bytes:
    """What the program prints, whoever's terminal it is."""
    return subprocess.run([binary, *arguments], env={"LC_ALL": "C.UTF-8"}, stdout=subprocess.PIPE, check=True).stdout
