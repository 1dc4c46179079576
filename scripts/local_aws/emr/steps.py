"""Runs steps for real: spark-submit through command-runner.jar becomes local Spark, in a process group of its own.

Logs go to the cluster's log URI as on EMR. It must never hand on this server's environment, nor leave a process behind: not even
when the server itself is killed.
"""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from . import node
from .logs import Logs
from .model import Cluster, Step

UPLOAD_SECONDS = 10.0  # real, between two uploads of a running step's stderr
GRACE_SECONDS = 5.0  # real, between SIGTERM and SIGKILL
RUNNER_JAR = "command-runner.jar"
# Becomes the step's command, beside a watcher in the same process group that reads what nobody writes: when it ends, the server
# that holds the other end is gone, and so is the group. PR_SET_PDEATHSIG would reach the first process alone.
GUARDED = 'exec 3<&0 </dev/null; (read -r _ <&3; kill -KILL 0) & exec "$@" 3<&-'
log = logging.getLogger("local_aws.steps")


@dataclass
class Outcome:
    ok: bool
    failure: dict | None = None


class Runner:
    def __init__(self, clock, logs: Logs, cache: Path | None):
        self._clock, self._logs, self._cache = clock, logs, cache
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._killed: set[str] = set()
        self._tasks: set[asyncio.Task] = set()

    def start(self, c: Cluster, step: Step, ended: Callable[[Cluster, Step, Outcome], Awaitable[None]]) -> None:
        task = asyncio.create_task(self._run(c, step, ended))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def kill(self, step: Step) -> None:
        """Ends the step's process group, politely first. Its end is told as any other."""
        self._killed.add(step.id)
        process = self._processes.get(step.id)
        if process:
            signal_group(process, signal.SIGTERM)
            asyncio.get_running_loop().call_later(GRACE_SECONDS, signal_group, process, signal.SIGKILL)

    async def stop(self) -> None:
        for process in self._processes.values():
            signal_group(process, signal.SIGKILL)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, c: Cluster, step: Step, ended) -> None:
        work = Path(tempfile.mkdtemp(prefix="local-aws-step-"))
        record = Controller(step)
        self._clock.hold()
        try:
            try:
                code = await self._process(c, step, work, record)
            except Exception as problem:
                log.exception("step %s could not be run", step.id)
                code = record.refuse(f"our model could not run the step: {problem}")
            record.ended(code)
            await self._upload(c, step, work, record)
        finally:
            self._clock.release()
            self._processes.pop(step.id, None)
            shutil.rmtree(work, ignore_errors=True)
        await ended(c, step, Outcome(code == 0, failure(c, step, code)))

    async def _process(self, c: Cluster, step: Step, work: Path, record) -> int:
        """Runs the step's command to its end; its exit code."""
        if Path(step.jar).name != RUNNER_JAR or step.args[:1] != ["spark-submit"]:
            return record.refuse(f"our model runs spark-submit through {RUNNER_JAR} only, not {step.jar} {step.args[:1]}")
        if self._cache is None:
            return record.refuse("no step can run: the server was started without a cache folder that holds Spark")
        from .. import spark

        held = node.credentials(c)
        try:
            argv, environment = await asyncio.to_thread(
                spark.command, self._cache, work, self._logs.endpoint, c.scope.region, held, step.args[1:]
            )
        except (spark.NotInstalled, ValueError) as refusal:
            return record.refuse(str(refusal))
        if step.id in self._killed:
            return -signal.SIGTERM
        watched, held_open = os.pipe()
        try:
            with open(work / "stdout", "wb") as out, open(work / "stderr", "wb") as err:
                process = await asyncio.create_subprocess_exec(
                    "/bin/sh", "-c", GUARDED, "step", *argv, stdin=watched, stdout=out, stderr=err, cwd=work, env=environment,
                    start_new_session=True,
                )
            return await self._to_its_end(c, step, work, record, process)
        finally:
            os.close(watched)
            os.close(held_open)

    async def _to_its_end(self, c: Cluster, step: Step, work: Path, record, process) -> int:
        self._processes[step.id] = process
        record.started(process.pid)
        if step.id in self._killed:
            signal_group(process, signal.SIGKILL)
        try:
            while True:
                try:
                    return await asyncio.wait_for(process.wait(), UPLOAD_SECONDS)
                except TimeoutError:
                    await self._put(c, step, "stderr", (work / "stderr").read_bytes())
        finally:
            signal_group(process, signal.SIGKILL)  # what it started may outlive it

    async def _upload(self, c: Cluster, step: Step, work: Path, record) -> None:
        for name in ("stdout", "stderr"):
            path = work / name
            await self._put(c, step, name, path.read_bytes() if path.exists() else b"")
        await self._put(c, step, "controller", record.text())

    async def _put(self, c: Cluster, step: Step, name: str, text: bytes) -> None:
        try:
            await self._logs.put(c, f"steps/{step.id}/{name}", text, self._clock.now())
        except Exception:
            log.exception("the %s of step %s could not be uploaded", name, step.id)


class Controller:
    """The step's controller log, in EMR's manner."""

    def __init__(self, step: Step):
        self._began = time.monotonic()
        self._lines: list[str] = []
        self._say("INFO", f"Ensure step jar file {step.jar}")
        self._say("INFO", f"startExec 'hadoop jar {step.jar} {' '.join(step.args)}'")

    def started(self, pid: int) -> None:
        self._say("INFO", f"ProcessRunner started child process : {pid}")

    def refuse(self, why: str) -> int:
        self._say("ERROR", why)
        return 1

    def ended(self, code: int) -> None:
        self._say("INFO", f"waitProcessCompletion ended with exit code {code}")
        took = round(time.monotonic() - self._began)
        level, word = ("INFO", "succeeded") if code == 0 else ("WARN", "failed")
        self._say(level, f"Step {word} with exitCode {code} and took {took} seconds")

    def text(self) -> bytes:
        return "".join(self._lines).encode()

    def _say(self, level: str, words: str) -> None:
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        self._lines.append(f"{moment} {level} {words}\n")


def failure(c: Cluster, step: Step, code: int) -> dict | None:
    if code == 0:
        return None
    details = {"Reason": "Unknown Error."}
    if c.log_uri:
        details["LogFile"] = f"{c.log_uri.replace('s3n://', 's3://', 1)}{c.id}/steps/{step.id}/stderr.gz"
    return details


def signal_group(process: asyncio.subprocess.Process, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
