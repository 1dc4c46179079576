"""Rules that make chosen calls fail, as AWS and networks do: errors, lost replies, resets, hangs, delays.

A rule is a JSON object; what it leaves out matches everything. Which calls it is about: `service` (as signed for: s3, iam, ec2,
elasticmapreduce), `operation`, `environment` (the caller's AWS_EXECUTION_ENV), `mutating` (true: only calls that change something, false: only those that do not), `path` (a
part of the request's path: of S3, /bucket/key). When it fires: on the `nth` such call from when it was set (0: on every one),
`count` times; or, with a `rate` above 0 and up to 1, by a draw that depends on nothing but `seed`, the rule's own fault, the
service, the operation and how often the rule has seen that operation: runs with the same calls fail alike, and two rules of one
seed draw apart. What happens: `kind` (error, reset, hang, delay of `seconds`), `when` (before: the call is not done; after: it
is, and its reply is replaced; replied, for a hang: it is done and answered, and every call that comes later hangs undone, so
that the caller has its answer and gets no further). An error says `code`, `status` and `message`; with the code "throttled", "unavailable" or
"disabled" (the region is off) it says what that service says then (`envelopes.worded`). The first rule that fires decides. It must never change what a call does once
it is let through.
"""

import asyncio
import hashlib
from collections import Counter
from dataclasses import asdict, dataclass, field

KINDS = ("error", "reset", "hang", "delay")
WHENS = ("before", "after", "replied")
COUNTED = ("seen", "fired")


@dataclass
class Rule:
    service: str = "*"
    operation: str = "*"
    environment: str = "*"
    mutating: bool | None = None
    path: str | None = None
    nth: int = 1
    count: int = 1
    rate: float | None = None
    seed: int = 0
    when: str = "before"
    kind: str = "error"
    code: str = "ThrottlingException"
    status: int = 400
    message: str = "Rate exceeded"
    seconds: float = 0.0
    seen: int = field(default=0, compare=False)
    fired: int = field(default=0, compare=False)

    def __post_init__(self):
        self._seen_of = Counter()
        if self.kind not in KINDS or self.when not in WHENS:
            raise ValueError(f"kind is one of {', '.join(KINDS)}, when is one of {', '.join(WHENS)}")
        if self.when == "replied" and self.kind != "hang":
            raise ValueError("what was replied to can only be followed by a hang")
        if self.rate is not None and not 0 < self.rate <= 1:
            raise ValueError("a rate is above 0 and at most 1")
        if self.mutating not in (None, True, False) or not isinstance(self.path, str | None):
            raise ValueError("mutating is true, false or null, path is a text or null")

    def matches(self, call, path: str) -> bool:
        return (
            self.service in ("*", call.service) and self.operation in ("*", call.operation)
            and self.environment in ("*", call.environment) and self.mutating in (None, call.mutating) and (self.path is None or self.path in path)
        )

    def fires(self, call) -> bool:
        """Whether on this call, which matches. Asked once a call."""
        self.seen += 1
        if self.rate is not None:
            return self._draw(call) < self.rate
        return self.nth == 0 or self.nth <= self.seen < self.nth + self.count

    def _draw(self, call) -> float:
        """From 0 up to 1, the same in every run."""
        of = f"{call.service} {call.operation}"
        self._seen_of[of] += 1
        drawn = hashlib.sha256(f"{self.seed} {self.when} {self.kind} {self.code} {of} {self._seen_of[of]}".encode()).digest()
        return int.from_bytes(drawn[:8]) / (1 << 64)


class Faults:
    def __init__(self):
        self._rules: list[Rule] = []
        self._released = asyncio.Event()
        self.frozen = False  # every further call hangs
        self.hanging = 0  # calls that hang now

    def add(self, rules: list[dict]) -> None:
        settable = set(Rule.__dataclass_fields__) - set(COUNTED)
        for rule in rules:
            unknown = set(rule) - settable
            if unknown:
                raise ValueError(f"a rule has no {', '.join(sorted(unknown))}")
        self._rules += [Rule(**rule) for rule in rules]

    def show(self) -> list[dict]:
        return [asdict(rule) for rule in self._rules]

    def clear(self) -> None:
        """Forgets all rules and lets go of what hangs."""
        self._rules.clear()
        self.frozen = False
        self._released.set()
        self._released = asyncio.Event()

    def match(self, call, path: str) -> Rule | None:
        """The first rule that fires on this call. Every rule that matches counts it."""
        hit = None
        for rule in self._rules:
            if rule.matches(call, path) and rule.fires(call) and hit is None:
                rule.fired += 1
                hit = rule
        return hit

    async def hang(self) -> None:
        self.hanging += 1
        try:
            await self._released.wait()
        finally:
            self.hanging -= 1
