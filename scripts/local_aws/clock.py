"""Simulated time. Unless a rate is asked for, it hurries only while a cluster starts or ends, and is real time otherwise: a
person who thinks for a minute loses no cluster to its idle policy. While a step's process runs it is never faster than real
time. It must never go back.
"""

import time
from datetime import UTC, datetime


HURRY = 60.0  # an EMR cluster's four minutes in four seconds


class Clock:
    def __init__(self, rate: float | None):
        """Runs at this rate throughout, or by itself where none is given."""
        self._wanted = rate
        self._hurried = False
        self._held = 0
        self._sim = time.time()
        self._real = time.monotonic()

    def now(self) -> float:
        """Simulated seconds since the epoch."""
        return self._sim + (time.monotonic() - self._real) * self.rate

    @property
    def rate(self) -> float:
        """Simulated seconds in a real one, at this moment."""
        wanted = self._wanted or (HURRY if self._hurried else 1.0)
        return min(wanted, 1.0) if self._held else wanted

    def set_rate(self, rate: float) -> None:
        self._rebase()
        self._wanted = rate

    def advance(self, seconds: float) -> None:
        self._rebase()
        self._sim += seconds

    def hurry(self, hurried: bool) -> None:
        """Whether somebody waits for nothing but time to pass."""
        if hurried != self._hurried:
            self._rebase()
            self._hurried = hurried

    def hold(self) -> None:
        """A real process starts: run no faster than it until `release`."""
        self._rebase()
        self._held += 1

    def release(self) -> None:
        self._rebase()
        self._held -= 1

    def real_seconds(self, simulated: float) -> float:
        return simulated / self.rate

    def _rebase(self) -> None:
        self._sim, self._real = self.now(), time.monotonic()


def iso(seconds: float) -> str:
    """As EC2 writes a moment: 2026-01-31T08:00:00.000Z."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
