"""Runs a program and writes what it took: `timed.py FILE PROGRAM ARGUMENT...`, as JSON into FILE, ending as the program did.

Seconds by the clock, seconds of all its processes by the processor, and the most memory that it and its children held at one
time, in MB. A process of its own, and a small one: Linux tells a child's peak no lower than what its parent held when it was
started. A page that two processes share is counted twice.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

EVERY = 0.02  # seconds between two looks at the children


class Run(NamedTuple):
    code: int
    stdout: str
    stderr: str
    seconds: float
    cpu: float
    memory_mb: float


def run(command: list, environment: dict, folder: Path, at_most: float) -> Run:
    """By a process of this file."""
    with tempfile.NamedTemporaryFile("r") as told:
        own = [sys.executable, "-I", "-S", __file__, told.name]
        ran = subprocess.run([*own, *command], env=environment, cwd=folder, capture_output=True, text=True, timeout=at_most)
        text = told.read()
    if not text:
        raise RuntimeError(f"{command[0]} could not be measured: {ran.stderr[-1000:]}")
    return Run(ran.returncode, ran.stdout, ran.stderr, **json.loads(text))


def main(into: str, *command: str) -> int:
    began = time.monotonic()
    process = subprocess.Popen(command)
    look = Look(process.pid)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    look.over.set()
    told = {"seconds": seconds, "cpu": used.ru_utime + used.ru_stime, "memory_mb": max(look.most, used.ru_maxrss) / 1000}
    Path(into).write_text(json.dumps(told))
    return os.waitstatus_to_exitcode(status)


class Look(threading.Thread):
    """The most that a process and its children hold together, in kB, as far as looks now and then show it."""

    def __init__(self, process: int):
        super().__init__(daemon=True)
        self._process, self.most, self.over = process, 0, threading.Event()
        self.start()

    def run(self) -> None:
        while not self.over.wait(EVERY):
            self.most = max(self.most, held(self._process))


def held(process: int) -> int:
    try:
        status = Path(f"/proc/{process}/status").read_text()
        lists = [(task / "children").read_text() for task in Path(f"/proc/{process}/task").iterdir()]
    except OSError:  # it has ended
        return 0
    own = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")), 0)
    return own + sum(held(int(child)) for children in lists for child in children.split())


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
