"""SNS as ministack has it, and what was published to it. It must never deliver anything itself."""

from collections import deque
from urllib.parse import parse_qs

from .query import first

KEPT = 10_000


class Handler:
    def __init__(self, inner, clock):
        self._inner, self._clock = inner, clock
        self._published: deque[dict] = deque(maxlen=KEPT)

    def show(self) -> list[dict]:
        """Oldest first."""
        return list(self._published)

    def clear(self) -> None:
        self._published.clear()

    async def __call__(self, method, path, headers, body, query):
        from ministack.core.responses import get_account_id, get_region

        status, head, answer = await self._inner(method, path, headers, body, query)
        params = {**query, **parse_qs(body.decode("utf-8", "replace"))} if body else dict(query)
        if status < 300 and first(params, "Action") == "Publish":
            self._published.append({
                "account": get_account_id(), "region": get_region(), "at": self._clock.now(),
                "topic": first(params, "TopicArn") or first(params, "TargetArn"), "subject": first(params, "Subject") or None,
                "message": first(params, "Message"),
            })
        return status, head, answer
