"""The call log: every call to AWS that reached the gateway, in order. It must never hold bodies or credentials."""

import time
from collections import deque

KEPT = 200_000


class Calls:
    def __init__(self):
        self._log: deque[dict] = deque(maxlen=KEPT)
        self._last = 0

    def add(self, call, path: str, request: str, status: int, error: str | None, started: float) -> None:
        self._last += 1
        self._log.append({
            "n": self._last,
            "at": round(time.time(), 3),
            "service": call.service,
            "operation": call.operation,
            "path": path,  # of S3: bucket and key
            "request": request,  # a fingerprint of all that was asked
            "region": call.region,
            "status": status,
            "error": error,
            "mutating": call.mutating,
            "caller": call.caller,
            "environment": call.environment,
            "ms": round((time.perf_counter() - started) * 1000, 2),
        })

    def since(self, n: int) -> list[dict]:
        """Calls numbered above `n`."""
        return [call for call in self._log if call["n"] > n]

    def clear(self) -> None:
        self._log.clear()
