"""What cargo builds, and where it is. Everything is built as the tests are: with the same features, nothing is compiled twice."""

import json
import os
import subprocess
import sys
from pathlib import Path


def binary(where: Path) -> Path:
    """The program itself."""
    return next(Path(message["executable"]) for message in artifacts(where, "build"))


def integration(where: Path) -> Path:
    """The integration tests."""
    return next(Path(m["executable"]) for m in artifacts(where, "test", "--no-run", "--test", "integration") if m["target"]["name"] == "integration")


def installed(where: Path, name: str) -> Path:
    """The Python of a set of scripts/local_aws/install.py, which is installed unless it is."""
    command = [sys.executable, where / "scripts/local_aws/install.py", name, "--cache", os.environ["FRUITSINFRA_CACHE"]]
    return Path(json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)["python"])


def artifacts(where: Path, *what: str) -> list[dict]:
    command = ["cargo", *what, "--locked", "--message-format", "json", "--quiet"]
    built = subprocess.run(command, cwd=where, stdout=subprocess.PIPE, text=True, check=True)
    messages = map(json.loads, built.stdout.splitlines())
    return [message for message in messages if message.get("executable")]
