"""What cargo builds, and where it is. Everything is built as the tests are: with the same features, nothing is compiled twice."""

import json
import subprocess
from pathlib import Path


def binary(where: Path) -> Path:
    """The program itself."""
    found = artifacts(where)
    return next(Path(m["executable"]) for m in found if m["target"]["kind"] == ["bin"] and not m["profile"]["test"])


def integration(where: Path) -> Path:
    """The integration tests."""
    return next(Path(m["executable"]) for m in artifacts(where, "--test", "integration") if m["target"]["name"] == "integration")


def artifacts(where: Path, *more: str) -> list[dict]:
    command = ["cargo", "test", "--locked", "--no-run", *more, "--message-format", "json", "--quiet"]
    built = subprocess.run(command, cwd=where, stdout=subprocess.PIPE, text=True, check=True)
    messages = map(json.loads, built.stdout.splitlines())
    return [message for message in messages if message.get("executable")]
