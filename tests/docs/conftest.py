"""What a reader has: the program, an AWS, and a folder as a fresh checkout is, with images in it. No network beyond loopback."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import built  # noqa: E402
from local_aws import install  # noqa: E402

# Every request that leaves loopback would go there, where nobody listens.
FENCE = "http://127.0.0.1:9"
AT_MOST = 240  # seconds that one line may take


class Ran(NamedTuple):
    code: int
    out: str
    said: str


class Reader:
    """Somebody at a terminal in a folder, who says yes."""

    def __init__(self, folder: Path, environment: dict[str, str]):
        self.folder, self.environment = folder, environment

    def types(self, line: str) -> Ran:
        """Runs one line. Its questions come from a terminal and are answered there; what it prints is read from a pipe."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(["bash", "-euo", "pipefail", "-c", line], cwd=self.folder, env=self.environment,
                                   stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, text=True,
                                   start_new_session=True)
        os.close(theirs)
        said = bytearray()
        answering = threading.Thread(target=answer, args=(ours, said))
        answering.start()
        try:
            out, _ = process.communicate(timeout=AT_MOST)
        finally:
            with suppress(ProcessLookupError):  # what hangs ends with all that it started
                os.killpg(process.pid, signal.SIGKILL)
            answering.join(5)
            os.close(ours)
        return Ran(process.returncode, out, said.decode(errors="replace").replace("\r\n", "\n"))


def answer(terminal: int, said: bytearray) -> None:
    """Says yes where that is asked, and what is usual to all else, until the terminal is left."""
    while True:
        try:
            heard = os.read(terminal, 4096)
        except OSError:  # nobody is at the other end any more
            return
        if not heard:
            return
        said += heard
        if said.endswith(b"] "):
            os.write(terminal, b"y\n" if said.endswith(b"[y/N] ") else b"\n")


class Aws(NamedTuple):
    endpoint: str
    environment: dict[str, str]

    def afternoon(self) -> None:
        """Lets time pass to the next 15:40, so that an end at 18:00 lies ahead, and half an hour more within three hours."""
        now = datetime.fromtimestamp(self.clock({})["now"], UTC)
        then = now.replace(hour=15, minute=40, second=0)
        self.clock({"advance": ((then if then > now else then + timedelta(days=1)) - now).total_seconds()})

    def clock(self, change: dict) -> dict:
        asked = urllib.request.Request(f"{self.endpoint}/_local/clock", data=json.dumps(change).encode(), method="POST")
        with urllib.request.urlopen(asked, timeout=60) as answered:
            return json.load(answered)


@pytest.fixture(scope="session")
def binary() -> Path:
    """The program. FRUITSINFRA_BINARY names one that is built already."""
    named = os.environ.get("FRUITSINFRA_BINARY")
    return Path(named).resolve() if named else built.binary(ROOT)


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    """What is installed, in a cache of its own: what a line keeps there (prices, indexes) changes nobody else's."""
    for needed in ("aws", "spark", "seeded"):
        install.ensure(needed, install.usual_cache())
    own = tmp_path_factory.mktemp("cache")
    for folder in ("venvs", "weights"):
        (own / folder).symlink_to(install.usual_cache().resolve() / folder)
    return own


@pytest.fixture(scope="session")
def samples(cache, tmp_path_factory) -> Path:
    """Three classes of eight images, in the layout of Fruits-360."""
    folder = tmp_path_factory.mktemp("samples") / "images"
    subprocess.run([ROOT / "scripts/sample-images", folder, "--classes", "3", "--per-class", "8"], check=True)
    return folder


@pytest.fixture(scope="session")
def aws(binary, cache, tmp_path_factory) -> Iterator[Aws]:
    """One embedded AWS for all documents, started and stopped as a reader would."""
    own = tmp_path_factory.mktemp("aws")
    path = tmp_path_factory.mktemp("bin")
    (path / "fruitsinfra").symlink_to(binary)
    # A Mac has it: what was copied comes out of it.
    (path / "pbpaste").write_text('#!/bin/sh\ncat "$PASTED"\n')
    (path / "pbpaste").chmod(0o755)
    environment = {
        "PATH": f"{path}{os.pathsep}{os.environ['PATH']}", "HOME": str(own), "TZ": "UTC", "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1", "COLUMNS": "120", "TERM": "dumb", "PYTHONDONTWRITEBYTECODE": "1",
        "FRUITSINFRA_CACHE": str(cache), "FRUITSINFRA_LOCAL": str(own),
        "HTTP_PROXY": FENCE, "HTTPS_PROXY": FENCE, "NO_PROXY": "127.0.0.1,localhost",
        "GIT_CONFIG_GLOBAL": "/dev/null", "PASTED": str(ROOT / "tests/import/cases/create-cluster.sh"),
    } | {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "a"), ("EMAIL", "a@b.example"))}
    command = [binary, "local", "start", "--port", "0", "--output", "json"]
    started = subprocess.run(command, env=environment, cwd=own, stdout=subprocess.PIPE, text=True, check=True)
    endpoint = json.loads(started.stdout)["endpoint"]
    # Lines without `--local` are typed as they stand: for them this is AWS.
    keys = {"AWS_ENDPOINT_URL": endpoint, "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}
    yield Aws(endpoint, environment | keys)
    subprocess.run([binary, "local", "stop"], env=environment, cwd=own, stdout=subprocess.DEVNULL, check=True)
