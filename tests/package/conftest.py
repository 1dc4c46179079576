"""What the tests of packages stand on: the packages themselves, made once, and a root that has nothing."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
WANTS = {"tarball": (), "deb": ("dpkg-deb", "dpkg"), "wheel": ()}


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Callable[[str], Path]:
    """The folder of one part, by its name."""
    folder = tmp_path_factory.mktemp("made")

    def make(part: str) -> Path:
        needs(*WANTS[part])
        out = folder / part
        if not out.exists():
            package(out, part)
        return out
    return make


@pytest.fixture
def bare(tmp_path) -> Callable[..., str]:
    """Runs a program with an empty root around it: no libc, no shell, no /etc, no environment. What it prints is returned."""
    needs("chroot")
    if os.geteuid() != 0:
        pytest.skip("only root may change the root")

    def run(root: Path, *command: str, ends: int = 0) -> str:
        ran = subprocess.run([shutil.which("chroot"), root, *command], env={}, capture_output=True, text=True, timeout=60)
        assert ran.returncode == ends, f"{command}: {ran.stdout}{ran.stderr}"
        return ran.stdout + ran.stderr
    return run


def needs(*tools: str) -> None:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not here: {', '.join(missing)}")


def package(out: Path, *parts: str) -> None:
    ran = subprocess.run([sys.executable, ROOT / "scripts" / "package", "--out", out, *parts], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
