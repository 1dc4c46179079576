"""Bootstrap actions: fetched by the node, checked as far as can be without running them, their logs left in S3.

Fails as a real node does on what is not there, what is no executable text, and what bash cannot parse. It must never run a
script: it is written for the root of an EMR node, not for this machine.
"""

import asyncio
import tempfile
from pathlib import Path

from . import node
from .logs import Logs
from .model import Cluster

DOWNLOADED = "/emr/instance-controller/lib/bootstrap-actions"
CHECK_SECONDS = 20


async def perform(c: Cluster, number: int, to: Logs, at: float) -> str | None:
    """Performs the action of that index at that moment; EMR's words for its failure, or None."""
    action, count, instance = c.bootstrap[number], number + 1, c.primary.ec2_id
    logs = f"node/{instance}/bootstrap-actions/{count}"
    if action.path.startswith("file:"):
        await leave(c, to, at, logs, "", f"Executed {action.path} (our model: not run)\n")
        return None
    uri = "s3://" + action.path.partition("://")[2]
    status, script = await node.get(c, to.endpoint, uri)
    if status != 200:
        await leave(c, to, at, logs, "", f"Failed to download {uri}: S3 answered {status}\n")
        return f"On the master instance ({instance}), failed attempting to download bootstrap action {count} file from S3"
    path = f"{DOWNLOADED}/{count}/{uri.rpartition('/')[2]}"
    code, stderr = await check(script, path)
    words = f"Downloaded {uri} to {path}\nbootstrap action {count} ended with exit code {code}\n"
    await leave(c, to, at, logs, stderr, words)
    return f"On the master instance ({instance}), bootstrap action {count} returned a non-zero return code" if code else None


async def leave(c: Cluster, to: Logs, at: float, logs: str, stderr: str, controller: str) -> None:
    for name, text in (("stderr", stderr), ("stdout", ""), ("controller", controller)):
        await to.put(c, f"{logs}/{name}", text.encode(), at)


async def check(script: bytes, path: str) -> tuple[int, str]:
    """Exit code and stderr: what the kernel and bash say of the script before its first command."""
    first = script.split(b"\n", 1)[0]
    if not first.startswith(b"#!"):
        return 126, f"{path}: cannot execute: Exec format error\n"
    if first.endswith(b"\r"):
        shell = first[2:].decode("utf-8", "replace").strip()
        return 126, f"bash: {path}: {shell}^M: bad interpreter: No such file or directory\n"
    if not any(shell in first for shell in (b"bash", b"/sh", b" sh")):
        return 0, ""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "script")
        copy.write_bytes(script)
        bash = await asyncio.create_subprocess_exec(
            "bash", "-n", str(copy), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
        )
        _, stderr = await asyncio.wait_for(bash.communicate(), CHECK_SECONDS)
        return bash.returncode, stderr.decode("utf-8", "replace").replace(str(copy), path)
