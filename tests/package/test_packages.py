"""Each package is put where nothing else is, and the program in it does there what needs no network: it says its version,
writes a stack, checks it and plans it.
"""

import gzip
import hashlib
import os
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

import pytest
from conftest import ROOT, needs, package

PARTS = ("tarball", "deb", "wheel")
# As a person would, in the folder where they are. A plan that compares with nothing has all to make.
JOURNEY = (("--version",), ("init", "my-fruits"), ("validate", "my-fruits.yaml"), ("plan", "--offline", "my-fruits.yaml"))


def only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


def test_a_tarball_is_unpacked_and_runs(made, bare, tmp_path):
    with tarfile.open(only(made("tarball"), "*.tar.gz")) as tar:
        tar.extractall(tmp_path / "root", filter="data")
    root = only(tmp_path / "root", "fruitsinfra-*-linux")
    files = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert files >= {"fruitsinfra", "LICENSE", "THIRD-PARTY", "README.md", "CHANGELOG.md", "man/man1/fruitsinfra.1",
                     "completions/fruitsinfra.bash", "completions/_fruitsinfra", "completions/fruitsinfra.fish"}
    said = [bare(root, "/fruitsinfra", *step) for step in JOURNEY]
    assert said[0].split()[1] in root.name
    assert "0 to delete" in said[-1]


def test_a_program_of_one_file_asks_for_no_library(made, tmp_path):
    needs("ldd")
    with tarfile.open(only(made("tarball"), "*.tar.gz")) as tar:
        tar.extractall(tmp_path, filter="data")
    ran = subprocess.run(["ldd", only(tmp_path, "*/fruitsinfra")], capture_output=True, text=True)
    assert "statically linked" in ran.stdout or "not a dynamic executable" in ran.stderr


def test_without_names_and_without_authorities_aws_is_not_reached_and_that_is_told(made, bare, tmp_path):
    with tarfile.open(only(made("tarball"), "*.tar.gz")) as tar:
        tar.extractall(tmp_path / "root", filter="data")
    root = only(tmp_path / "root", "fruitsinfra-*-linux")
    bare(root, "/fruitsinfra", "init", "my-fruits")
    environment = ("AWS_ACCESS_KEY_ID=nobody", "AWS_SECRET_ACCESS_KEY=nothing", "AWS_EC2_METADATA_DISABLED=true")
    (root / "bin").mkdir()
    ran = subprocess.run(["chroot", root, "/fruitsinfra", "status", "my-fruits.yaml"], env=dict(each.split("=") for each in environment),
                         capture_output=True, text=True, timeout=120)
    assert ran.returncode == 1
    assert "panicked" not in ran.stderr and "amazonaws.com" in ran.stderr


def test_a_debian_package_is_installed_runs_and_goes(made, bare, tmp_path):
    root, deb = tmp_path / "root", only(made("deb"), "*.deb")
    for folder in ("info", "updates", "triggers"):
        (root / "var/lib/dpkg" / folder).mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    dpkg = ["dpkg", f"--root={root}", "--log=/dev/null"]
    subprocess.run([*dpkg, "--install", deb], check=True)
    assert subprocess.run([*dpkg, "--verify", "fruitsinfra"], capture_output=True, text=True).stdout == ""
    (root / "home").mkdir()
    (root / "home" / "my-fruits.yaml").write_text(bare(root, "/usr/bin/fruitsinfra", "--version"))
    subprocess.run([*dpkg, "--purge", "fruitsinfra"], check=True)
    assert not [path for path in (root / "usr").rglob("*") if path.is_file()]


def test_debians_own_linter_has_nothing_to_say(made):
    deb = only(made("deb"), "*.deb")
    needs("lintian")
    ran = subprocess.run(["lintian", "--allow-root", "--pedantic", "--fail-on", "error,warning,info,pedantic", deb], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(("shell", "file", "check"), [
    ("bash", "usr/share/bash-completion/completions/fruitsinfra", ["-n"]),
    ("zsh", "usr/share/zsh/vendor-completions/_fruitsinfra", ["-n"]),
    ("fish", "usr/share/fish/vendor_completions.d/fruitsinfra.fish", ["--no-execute"]),
])
def test_shells_can_read_what_they_complete_by(made, tmp_path, shell, file, check):
    deb = only(made("deb"), "*.deb")
    needs(shell)
    subprocess.run(["dpkg", "-x", deb, tmp_path], check=True)
    subprocess.run([shell, *check, tmp_path / file], check=True)


def test_a_wheel_is_installed_without_an_index_and_runs(made, tmp_path):
    wheel = only(made("wheel"), "*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    environment = {"PIP_CONFIG_FILE": os.devnull}
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-index", wheel], env=environment, check=True)
    for step in JOURNEY:
        subprocess.run([python.parent / "fruitsinfra", *step], cwd=tmp_path, env={}, check=True, capture_output=True, timeout=60)
    subprocess.run([python, "-m", "pip", "uninstall", "--quiet", "--yes", "fruitsinfra"], env=environment, check=True)
    assert not (python.parent / "fruitsinfra").exists()


@pytest.mark.parametrize("part", PARTS)
def test_the_same_commit_is_the_same_bytes_and_the_sums_say_so(made, tmp_path, part):
    first, again = made(part), tmp_path / "again"
    package(again, part)
    assert {path.name: path.read_bytes() for path in first.iterdir()} == {path.name: path.read_bytes() for path in again.iterdir()}
    for line in (first / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((first / name).read_bytes()).hexdigest() == digest
