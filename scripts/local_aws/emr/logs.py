"""When a cluster's logs reach S3: at once, or late, and on and on while it ends, as the world says.

Each is written with the nodes' own role. It must never know what a log says, nor write for a cluster that has no log URI.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from . import node
from .model import Cluster

REFILL = 10.0  # simulated seconds between two objects of a log writer that goes on while its cluster ends
AT_ONCE = 30  # objects at most that it puts when the clock has leapt: the rest would only cost time


@dataclass
class Late:
    due: float
    cluster: Cluster
    path: str
    text: bytes


@dataclass
class Writer:
    """Goes on until some time after its cluster's end."""

    due: float
    cluster: Cluster
    lingers: float

    def over(self) -> bool:
        return self.due > self.end()

    def end(self) -> float:
        return math.inf if self.cluster.ended is None else self.cluster.ended + self.lingers

    def path(self) -> str:
        moment = datetime.fromtimestamp(self.due, UTC).strftime("%Y-%m-%d-%H-%M-%S")
        return f"node/{self.cluster.primary.ec2_id}/daemons/instance-state/instance-state.log-{moment}"


class Logs:
    def __init__(self, endpoint: str, world):
        self.endpoint, self._world = endpoint, world
        self._late: list[Late] = []
        self._writers: list[Writer] = []

    async def put(self, c: Cluster, path: str, text: bytes, at: float) -> None:
        """What was logged at that moment is in S3 as soon as the world lets it."""
        due = at + self._world.log_delay
        if due <= self._world.now():
            await node.put_log(c, self.endpoint, path, text)
        else:
            self._late.append(Late(due, c, path, text))

    def ending(self, c: Cluster, at: float) -> None:
        """A cluster begins to end: the world says whether its log writer notices."""
        if self._world.refill and c.primary:
            self._writers.append(Writer(at, c, self._world.refill["seconds"]))

    def pending(self) -> bool:
        return bool(self._late or self._writers)

    async def settle(self) -> None:
        """Writes all that has come due."""
        now = self._world.now()
        ready = sorted((one for one in self._late if one.due <= now), key=lambda one: one.due)
        self._late = [one for one in self._late if one.due > now]
        for one in ready:
            await node.put_log(one.cluster, self.endpoint, one.path, one.text)
        if not self._world.refill:
            self._writers.clear()
        for writer in self._writers:
            last = min(now, writer.end())
            writer.due = max(writer.due, last - AT_ONCE * REFILL)
            while writer.due <= last:
                await node.put_log(writer.cluster, self.endpoint, writer.path(), b"the instance ends\n")
                writer.due += REFILL
        self._writers = [writer for writer in self._writers if not writer.over()]
