"""What the tests of packages stand on: the packages themselves, each made once, and a root that has nothing."""

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
WANTS = {"tarball": [], "deb": ["dpkg", "dpkg-deb"], "wheel": []}


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Callable[[str], Path]:
    """The folder that a part was made into."""
    folder = tmp_path_factory.mktemp("made")

    def make(part: str) -> Path:
        needs(*WANTS[part])
        if not (folder / part).exists():
            package(folder / part, part)
        return folder / part
    return make


@pytest.fixture
def unpacked(made, tmp_path) -> Path:
    """What the tarball unpacks to."""
    with tarfile.open(only(made("tarball"), "*.tar.gz")) as tar:
        tar.extractall(tmp_path, filter="data")
    return only(tmp_path, "fruitsinfra-*-linux")


@pytest.fixture
def within() -> Callable[..., str]:
    """Runs a program in a root where there is nothing else: no libc, no shell, no environment. What it says is returned."""
    if os.geteuid() != 0:
        pytest.skip("only root may change the root")
    needs("chroot")

    def run(root: Path, *command: str, environment: dict[str, str] | None = None, ends: int = 0) -> str:
        command = [shutil.which("chroot"), root, *command]
        ran = subprocess.run(command, env=environment or {}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
        assert ran.returncode == ends, f"{command}: {ran.stdout}"
        return ran.stdout
    return run


def needs(*tools: str) -> None:
    if missing := [tool for tool in tools if shutil.which(tool) is None]:
        pytest.skip(f"not here: {', '.join(missing)}")


def only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


def package(out: Path, part: str) -> None:
    ran = subprocess.run([sys.executable, ROOT / "scripts" / "package", "--out", out, part], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
