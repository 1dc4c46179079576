"""An embedded AWS as a process of one's own, for what is run with the Python of a test or a bench."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local_aws import install

SCRIPTS = Path(__file__).resolve().parent
STARTS_WITHIN = 120  # seconds


@contextmanager
def served(cache: Path, folder: Path) -> Iterator[str]:
    """Its endpoint, for as long as it is wanted. What it keeps lies in the folder."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SCRIPTS), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [install.ensure("aws", cache)["python"], "-m", "local_aws", "--dir", folder, "--port", "0"]
    server, status, until = subprocess.Popen(command, env=environment), folder / "status.json", time.monotonic() + STARTS_WITHIN
    try:
        while not status.exists():
            if server.poll() is not None or time.monotonic() > until:
                log = folder / "server.log"
                raise RuntimeError(f"the embedded AWS does not start: {log.read_text() if log.exists() else 'it wrote no log'}")
            time.sleep(0.1)
        yield json.loads(status.read_text())["endpoint"]
    finally:
        server.terminate()
        server.wait(30)
