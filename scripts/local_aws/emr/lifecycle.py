"""How clusters live, on the simulated clock: STARTING, BOOTSTRAPPING, RUNNING or WAITING, TERMINATING, ended ("our model").

Each change happens at the moment it was due, however late it is noticed, so that a clock that leaps leaves the history of one
that walked. Everything here runs under one lock, on one loop. It must never sleep while it holds the lock.
"""

import asyncio
import logging
import math
from collections.abc import Callable
from functools import partial

from . import bootstrap, checks, fates, network, permissions
from .logs import Logs
from .model import USABLE, Cluster, Group, Reason, Scope, Step
from .steps import Outcome, Runner

# Simulated seconds. EMR itself takes 1-5 minutes to end.
CHECKING = 30
BOOTSTRAP_ACTION = 60
RESIZING = 60
TERMINATING = 60

TICK = 0.1  # real seconds between two looks at the clock
UNDERWAY = ("STARTING", "BOOTSTRAPPING", "TERMINATING")
NORMAL_ENDS = ("USER_REQUEST", "ALL_STEPS_COMPLETED")
log = logging.getLogger("local_aws.emr")


class Lifecycle:
    def __init__(self, clock, runner: Runner, logs: Logs, permitted_ports, world):
        self.clock, self.runner, self.logs, self.permitted_ports = clock, runner, logs, permitted_ports
        self.world = world
        self.schedules = None  # what ends clusters at moments that others set
        self.clusters: dict[Scope, dict[str, Cluster]] = {}
        self.lock = asyncio.Lock()
        self._ticker: asyncio.Task | None = None

    def start(self) -> None:
        self._ticker = asyncio.create_task(self._tick())

    async def stop(self) -> None:
        if self._ticker:
            self._ticker.cancel()
        await self.runner.stop()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            try:
                await self.settle()
                self.clock.hurry(self._underway())
            except Exception:
                log.exception("a cluster could not be moved on")

    async def settle(self) -> None:
        """Does all that has come due. Takes the lock."""
        waits = self.logs.pending() or (self.schedules and self.schedules.pending())
        if waits or any(c.alive for of in self.clusters.values() for c in of.values()):
            async with self.lock:
                await self.settle_locked()

    def _underway(self) -> bool:
        """Whether any cluster moves by time alone."""
        return any(c.state in UNDERWAY and not c.planted for of in self.clusters.values() for c in of.values())

    async def settle_locked(self) -> None:
        from ministack.core.responses import request_scope

        await self._keep_schedules()
        for scope, of in list(self.clusters.items()):
            with request_scope(*scope):
                for c in [c for c in of.values() if c.alive and not resting(c)]:
                    await self._move(c, self.clock.now)
                    if c.state in USABLE:
                        self._start_steps(c)
        await self.logs.settle()

    async def _keep_schedules(self) -> None:
        """Lets each schedule that is due find its clusters as they were at its moment."""
        from ministack.core.responses import request_scope

        for due in self.schedules.due(self.clock.now()) if self.schedules else ():
            of = self.clusters.get(due.scope, {})
            with request_scope(*due.scope):
                for c in [of[name] for name in due.clusters if name in of and of[name].alive]:
                    await self._move(c, lambda: due.moment)
            self.schedules.fire(due)

    async def _move(self, c: Cluster, until: Callable[[], float]) -> None:
        while (found := self._next(c)) and found[0] <= until():
            at, act = found
            await act(c, at)

    def _next(self, c: Cluster):
        """When something is next due for the cluster, and what; None if only an event can move it."""
        return min([*self._course(c), *self._fated_end(c)], key=lambda due: due[0], default=None)

    def _course(self, c: Cluster):
        if c.state == "STARTING":
            yield (c.created + c.start_seconds, self._begin_bootstrap) if c.launched else (c.created + CHECKING, self._check)
        elif c.state == "BOOTSTRAPPING":
            yield c.entered + BOOTSTRAP_ACTION * (c.bootstrapped + 1), self._bootstrap
        elif c.state == "TERMINATING" and not c.running():
            yield c.entered + TERMINATING, self._end
        elif c.state in USABLE:
            yield from self._resizes(c)
            yield from self._idle_end(c)

    # --- start

    async def _check(self, c: Cluster, at: float) -> None:
        problem = fates.invalid(c) or checks.problem(c, self.permitted_ports(c.scope), self.world, at)
        if problem:
            self.terminate(c, at, Reason("VALIDATION_ERROR", problem))
            return
        if c.buys_spot:
            permissions.link(c.scope, permissions.SPOT)
        if not c.primary_group:
            c.primary_group, c.core_group = network.managed_groups(network.subnet(c.subnet)["VpcId"], c.id)
        network.open_between(c.primary_group, c.core_group)
        if shortage := fates.shortage(c):
            self.terminate(c, at, Reason("INSTANCE_FAILURE", shortage))
            return
        if self.world.service_endpoint:
            network.leave_endpoint(c, at)
        network.launch_all(c, at)
        c.launched = True

    async def _begin_bootstrap(self, c: Cluster, at: float) -> None:
        self._enter(c, "BOOTSTRAPPING", at, Reason(None, "Running bootstrap actions"))
        for part in (*c.groups, *c.instances):
            part.state = "BOOTSTRAPPING"

    async def _bootstrap(self, c: Cluster, at: float) -> None:
        """One action, or none: the software takes as long."""
        if c.fate["fate"] == "bootstrap":
            self.terminate(c, at, Reason("BOOTSTRAP_FAILURE", await fates.bootstrap(c, self.logs, at)))
            return
        if c.bootstrapped < len(c.bootstrap):
            failure = await bootstrap.perform(c, c.bootstrapped, self.logs, at)
            c.bootstrapped += 1
            if failure:
                self.terminate(c, at, Reason("BOOTSTRAP_FAILURE", failure))
                return
        if c.bootstrapped < len(c.bootstrap):
            return
        c.ready = at
        for part in (*c.groups, *c.instances):
            part.state, part.ready = "RUNNING", at
        self.rest(c, at, "Cluster ready to run steps.")

    # --- life

    def rest(self, c: Cluster, at: float, waiting: str) -> None:
        """Whichever state fits the steps there are."""
        if c.pending() or c.running():
            if c.state != "RUNNING":
                self._enter(c, "RUNNING", at, Reason(None, "Running step"))
            c.idle_since = None
        elif c.keep_alive or c.protected:
            self._enter(c, "WAITING", at, Reason(None, waiting))
            c.idle_since = at
        else:
            self.terminate(c, at, Reason("ALL_STEPS_COMPLETED", "Steps completed"))

    def _start_steps(self, c: Cluster) -> None:
        free = 0 if c.planted else c.step_concurrency - len(c.running())
        for step in c.pending()[:max(free, 0)]:
            step.state, step.started = "RUNNING", self.clock.now()
            self.rest(c, step.started, "")
            self.runner.start(c, step, self._step_ended)

    async def _step_ended(self, c: Cluster, step: Step, outcome: Outcome) -> None:
        async with self.lock:
            now = self.clock.now()
            step.ended = now
            if step.state == "CANCEL_PENDING" or c.state not in USABLE:
                step.state, step.reason = "CANCELLED", Reason(None, "Job terminated")
            elif outcome.ok:
                step.state = "COMPLETED"
            else:
                step.state, step.failure = "FAILED", outcome.failure
            if c.state in USABLE:
                self._after(c, step, now)
            await self.settle_locked()

    def _after(self, c: Cluster, step: Step, now: float) -> None:
        """What a step's end means for its cluster, by its ActionOnFailure."""
        words = {"COMPLETED": "completed", "FAILED": "failed"}.get(step.state, "cancelled")
        if step.state == "FAILED" and step.on_failure == "TERMINATE_CLUSTER":
            self.terminate(c, now, Reason("STEP_FAILURE", "Shut down as step failed"))
            return
        if step.state == "FAILED" and step.on_failure == "CANCEL_AND_WAIT":
            self.cancel_pending(c, now)
        self.rest(c, now, f"Cluster ready after last step {words}.")

    def cancel_pending(self, c: Cluster, now: float) -> None:
        for step in c.pending():
            step.state, step.ended = "CANCELLED", now

    def cancel(self, c: Cluster, step: Step) -> None:
        """Cancels one step: at once if it waits, when its process is gone if it runs."""
        if step.state == "PENDING":
            step.state, step.ended = "CANCELLED", self.clock.now()
            if c.state in USABLE and not c.pending() and not c.running():
                self.rest(c, step.ended, "Cluster ready after last step cancelled.")
        else:
            step.state = "CANCEL_PENDING"
            self._kill(c, step, self.clock.now())
            if c.planted:
                self._after(c, step, step.ended)

    def _kill(self, c: Cluster, step: Step, now: float) -> None:
        """Ends what a step runs, whose end is told later; one that runs nothing has ended."""
        if c.planted:
            step.state, step.ended, step.reason = "CANCELLED", now, Reason(None, "Job terminated")
        else:
            self.runner.kill(step)

    def _resizes(self, c: Cluster):
        """When each group that changes is done with it."""
        for group in c.groups:
            if group.changed_at is not None:
                yield group.changed_at, partial(self._fit, group=group)

    def resize(self, group: Group, state: str, now: float) -> None:
        """A group begins to change; `_resizes` ends it."""
        group.state, group.changed_at = state, now + RESIZING

    async def _fit(self, c: Cluster, at: float, group: Group) -> None:
        """Brings a group to the number of instances that it should have."""
        for market, count in group.lots():
            living = [i for i in c.instances if (i.group_id, i.market) == (group.id, market) and i.state != "TERMINATED"]
            if len(living) < count:
                network.launch(c, group, market, count - len(living), at)
            network.terminate(living[count:], at)
        for fresh in c.instances:
            if fresh.group_id == group.id and fresh.state == "PROVISIONING":
                fresh.state, fresh.ready = "RUNNING", at
        group.state, group.changed_at, group.ready = "RUNNING", None, group.ready or at

    def _idle_end(self, c: Cluster):
        """When the idle policy ends the cluster, if it idles under one."""
        if c.idle_timeout and c.idle_since is not None and not c.protected:
            end = c.idle_since + c.idle_timeout
            for one in sorted((one for one in c.activity if one.busy), key=lambda one: one.since):
                if one.since < end:
                    end = max(end, math.inf if one.until is None else one.until + c.idle_timeout)
            yield end, self._end_idle

    async def _end_idle(self, c: Cluster, at: float) -> None:
        words = f"Cluster was idle for {c.idle_timeout} seconds, which its auto-termination policy allows at most"
        self.terminate(c, at, Reason("ALL_STEPS_COMPLETED", words))

    # --- end

    def terminate(self, c: Cluster, at: float, why: Reason) -> None:
        """Begins the end: steps that wait are cancelled, those that run are killed."""
        self._enter(c, "TERMINATING", at, why)
        self.cancel_pending(c, at)
        self.logs.ending(c, at)
        for step in c.running():
            self._kill(c, step, at)
        for group in c.groups:
            group.state, group.changed_at = "SHUTTING_DOWN", None

    def _fated_end(self, c: Cluster):
        if c.fate["fate"] == "ends" and c.alive and c.state != "TERMINATING":
            yield c.created + c.fate["seconds"], self._lose_primary

    async def _lose_primary(self, c: Cluster, at: float) -> None:
        self.terminate(c, at, Reason("INSTANCE_FAILURE", fates.PRIMARY_LOST))

    async def _end(self, c: Cluster, at: float) -> None:
        self._enter(c, "TERMINATED" if c.reason.code in NORMAL_ENDS else "TERMINATED_WITH_ERRORS", at, c.reason)
        c.ended = at
        network.terminate([i for i in c.instances if i.state != "TERMINATED"], at)
        for group in c.groups:
            group.state, group.ended, group.reason = "TERMINATED", at, Reason("CLUSTER_TERMINATED", "Job flow terminated")

    def _enter(self, c: Cluster, state: str, at: float, why: Reason) -> None:
        log.info("%s %s -> %s %s", c.id, c.state, state, why.message or "")
        c.past.append((c.entered, c.state, c.reason))
        c.state, c.entered, c.reason = state, at, why


def resting(c: Cluster) -> bool:
    """Whether time alone changes nothing of it. Thousands that are planted for a crowd would be asked at every call."""
    return c.planted and c.state in USABLE and not c.idle_timeout and all(group.changed_at is None for group in c.groups)
