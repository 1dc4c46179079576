"""The Python wheel, so that `pip install` puts the program on the PATH: maturin's way for programs, which asks cargo for the
very link that is already there. What maturin wants to read beside Cargo.toml is written into a folder of its own.
"""

import json
import shutil
import subprocess
from pathlib import Path

import built
from program import Program

PYPROJECT = """\
[build-system]
requires = ["maturin>=1.16,<2"]
build-backend = "maturin"

[project]
name = "fruitsinfra"
dynamic = ["version", "description", "license", "readme"]
license-files = ["LICENSE", "THIRD-PARTY"]

[tool.maturin]
bindings = "bin"
data = "data"
manifest-path = {manifest}
sbom.rust = false  # THIRD-PARTY says it, without where this machine has its folders
"""
# From the environment's own folder, as shells and man look there.
SHARE = {
    "bash": "data/data/share/bash-completion/completions/fruitsinfra",
    "zsh": "data/data/share/zsh/site-functions/_fruitsinfra",
    "fish": "data/data/share/fish/vendor_completions.d/fruitsinfra.fish",
}
# A program that brings its own libc runs beside either; maturin itself takes one kind of name at a time.
GLIBC, MUSL = "manylinux2014", "musllinux_1_1"


def make(program: Program, out: Path, scratch: Path) -> Path:
    tools = built.installed(program.source, "package").parent
    project, made = scratch / "wheel", scratch / "wheels"
    files = {
        "pyproject.toml": PYPROJECT.format(manifest=json.dumps(str(program.source / "Cargo.toml"))).encode(),
        "LICENSE": (program.source / "LICENSE").read_bytes(),
        "THIRD-PARTY": program.licences,
        **{f"data/data/share/man/man1/{page}": text for page, text in program.manual.items()},
        **{SHARE[shell]: text for shell, text in program.completions.items()},
    }
    for name, content in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_bytes(content)
    first, other = (MUSL, f"{GLIBC}_{program.arch}") if "--target" in program.cargo else (GLIBC, f"{MUSL}_{program.arch}")
    build = [tools / "maturin", "build", "--profile", "dev", *program.cargo, "--compatibility", first, "--quiet", "--out", made]
    subprocess.run([*build, "--", *program.rustc], cwd=project, check=True)
    (wheel,) = made.iterdir()
    tag = [tools / "wheel", "tags", "--remove", f"--platform-tag=+{other}", wheel]
    subprocess.run(tag, env=program.dated(), stdout=subprocess.DEVNULL, check=True)
    (wheel,) = made.iterdir()
    return Path(shutil.copy(wheel, out))
