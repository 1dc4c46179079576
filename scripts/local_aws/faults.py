"""Rules that make chosen calls fail, as AWS and networks do: errors, lost replies, resets, hangs, delays.

A rule fires on the `nth` matching call from when it was set (0: on every one), `count` times. A hang `when` "replied" lets
its call be done and answered, and every call that comes later hang undone: the caller has had its answer, and gets no
further. It must never change what a call does once it is let through.
"""

import asyncio
from dataclasses import asdict, dataclass, field

KINDS = ("error", "reset", "hang", "delay")
WHENS = ("before", "after", "replied")


@dataclass
class Rule:
    service: str = "*"
    operation: str = "*"
    environment: str = "*"  # the caller's AWS_EXECUTION_ENV
    nth: int = 1
    count: int = 1
    when: str = "before"  # "before": the call is not done; "after": it is, and its reply is replaced; "replied": see above
    kind: str = "error"
    code: str = "ThrottlingException"
    status: int = 400
    message: str = "Rate exceeded"
    seconds: float = 0.0
    seen: int = field(default=0, compare=False)
    fired: int = field(default=0, compare=False)

    def __post_init__(self):
        if self.kind not in KINDS or self.when not in WHENS:
            raise ValueError(f"kind is one of {', '.join(KINDS)}, when is one of {', '.join(WHENS)}")
        if self.when == "replied" and self.kind != "hang":
            raise ValueError("what was replied to can only be followed by a hang")

    def matches(self, call) -> bool:
        pairs = ((self.service, call.service), (self.operation, call.operation), (self.environment, call.environment))
        return all(wanted in ("*", found) for wanted, found in pairs)

    def due(self) -> bool:
        if self.nth == 0:
            return True
        return self.nth <= self.seen < self.nth + self.count


class Faults:
    def __init__(self):
        self._rules: list[Rule] = []
        self._released = asyncio.Event()
        self.frozen = False  # every further call hangs
        self.hanging = 0  # calls that hang now

    def add(self, rules: list[dict]) -> None:
        settable = set(Rule.__dataclass_fields__) - {"seen", "fired"}
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

    def match(self, call) -> Rule | None:
        """The first rule that fires on this call. Every rule that matches counts it."""
        hit = None
        for rule in self._rules:
            if rule.matches(call):
                rule.seen += 1
                if hit is None and rule.due():
                    rule.fired += 1
                    hit = rule
        return hit

    async def hang(self) -> None:
        self.hanging += 1
        try:
            await self._released.wait()
        finally:
            self.hanging -= 1
