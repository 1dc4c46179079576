"""An embedded AWS of a measurement's own, and programs run against it behind a fence: neither credentials, nor settings, nor a
network of the caller's reach them, and what they ask of AWS is counted.
"""

import datetime
import json
import os
import re
import subprocess
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import timed
from served import served

AT_MOST = 900  # seconds a run may take
MOVED = re.compile(r"^(\S+ \S+) INFO local_aws\.emr: (j-\w+) \w+ -> (\w+)", re.MULTILINE)
READY, ENDED = ("WAITING", "RUNNING"), ("TERMINATED", "TERMINATED_WITH_ERRORS")
FENCE = {
    "HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1,localhost",
    "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}


class Broken(Exception):
    """A measurement that could not be made, in words."""


class Aws:
    """Of this tree's scripts, whichever program asks it."""

    def __init__(self, folder: Path):
        self.folder, self._open = folder, ExitStack()
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "FRUITSINFRA_LOCAL": str(folder / "aws"),
            "FRUITSINFRA_CACHE": os.environ["FRUITSINFRA_CACHE"], "PYTHONDONTWRITEBYTECODE": "1", **FENCE,
        }

    def __enter__(self) -> "Aws":
        (self.folder / "aws").mkdir(parents=True)
        self.endpoint = self._open.enter_context(served(Path(os.environ["FRUITSINFRA_CACHE"]), self.folder / "aws"))
        self.environment["AWS_ENDPOINT_URL"] = self.endpoint
        return self

    def __exit__(self, *_) -> None:
        self._open.close()

    def filled(self, python: Path, script: Path, *arguments: str) -> dict:
        """What a script tells that fills it."""
        command = [python, script, *arguments]
        made = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=AT_MOST)
        if made.returncode != 0:
            raise Broken(f"{script.name} did not fill it: {made.stderr[-2000:]}")
        return json.loads(made.stdout)

    def control(self, method: str, path: str, body: object = None) -> dict:
        data = json.dumps({} if body is None else body).encode()
        asked = urllib.request.Request(f"{self.endpoint}/_local/{path}", data=data, method=method)
        with urllib.request.urlopen(asked, timeout=120) as answer:
            return json.load(answer)

    def pace(self, rate: float) -> None:
        """How many of its seconds pass in a real one, from now on."""
        self.control("POST", "clock", {"rate": rate})

    def run(self, command: list, more: dict | None = None, folder: Path | None = None) -> tuple[timed.Run, list[dict]]:
        """Runs a program against it: what it took, and the calls that it made."""
        self.control("DELETE", "calls")
        ran = timed.run(command, self.environment | (more or {}), folder or self.folder, AT_MOST)
        if ran.code != 0:
            raise Broken(f"{Path(command[0]).name} ended {ran.code}: {ran.stdout[-1000:]}{ran.stderr[-2000:]}")
        return ran, self.control("GET", "calls")["calls"]

    def only_asks(self, command: list, more: dict | None = None, folder: Path | None = None) -> tuple[str, dict, list[dict]]:
        """The same of one that must change nothing: what it said, its figures, its calls. `answering` is AWS's own part."""
        ran, calls = self.run(command, more, folder)
        if changed := [call["operation"] for call in calls if call["mutating"]]:
            raise Broken(f"{Path(command[0]).name} changed something: {changed}")
        return ran.stdout, figures(ran, calls) | {"answering": sum(call["ms"] for call in calls) / 1000}, calls

    def moment(self, states: tuple[str, ...], within: float = 60) -> float:
        """When the latest cluster came into one of these states, in seconds since the epoch; it is waited for."""
        until = time.monotonic() + within
        while time.monotonic() < until:
            moves = MOVED.findall((self.folder / "aws/server.log").read_text())
            if moves and (found := [at for at, cluster, to in moves if cluster == moves[-1][1] and to in states]):
                return datetime.datetime.strptime(found[0], "%Y-%m-%d %H:%M:%S,%f").timestamp()
            time.sleep(0.05)
        raise Broken(f"no cluster is {' or '.join(states)} within {within:.0f} s")


def figures(ran: timed.Run, calls: list[dict]) -> dict:
    return {"seconds": ran.seconds, "cpu": ran.cpu, "memory_mb": ran.memory_mb, "calls": len(calls)}
