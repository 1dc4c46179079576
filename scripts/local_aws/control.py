"""The server's own paths under /_local/: health, calls (the log), clock, faults (rules: `faults`), world (settings: `world`),
shutdown; and those of the model (`doors`). They are never logged as calls to AWS.
"""

import json
from urllib.parse import parse_qsl

PREFIX = "/_local/"


class Control:
    def __init__(self, clock, calls, faults, world, settle, stop, doors=None):
        """`world` and `doors` are None where the model has none."""
        self.clock, self.calls, self.faults, self.world = clock, calls, faults, world
        self._settle, self._stop, self._doors = settle, stop, doors

    async def answer(self, method: str, path: str, query: str, body: bytes) -> tuple[int, dict]:
        name = f"{method.lower()}_{path.removeprefix(PREFIX)}"
        door = getattr(self, name, None) or getattr(self._doors, name, None)
        if door is None:
            return 404, {"error": f"there is no {method} {path}"}
        try:
            return 200, await door(dict(parse_qsl(query)), json.loads(body or b"{}"))
        except (ValueError, TypeError, KeyError) as problem:
            return 400, {"error": str(problem)}

    async def get_health(self, _query, _body) -> dict:
        return {"ok": True}

    async def get_calls(self, query, _body) -> dict:
        return {"calls": self.calls.since(int(query.get("since", 0)))}

    async def delete_calls(self, _query, _body) -> dict:
        self.calls.clear()
        return {"ok": True}

    async def get_clock(self, _query, _body) -> dict:
        return {"now": self.clock.now(), "rate": self.clock.rate}

    async def post_clock(self, query, body) -> dict:
        rate, advance = body.get("rate"), body.get("advance", 0)
        if (rate is not None and not float(rate) > 0) or float(advance) < 0:
            raise ValueError("rate is above 0, advance is not below 0: time never goes back")
        if rate is not None:
            self.clock.set_rate(float(rate))
        self.clock.advance(float(advance))
        await self._settle()
        return await self.get_clock(query, body)

    async def get_faults(self, _query, _body) -> dict:
        return {"rules": self.faults.show(), "hanging": self.faults.hanging}

    async def post_faults(self, query, body) -> dict:
        self.faults.add(body["rules"])
        return await self.get_faults(query, body)

    async def delete_faults(self, _query, _body) -> dict:
        self.faults.clear()
        return {"ok": True}

    async def get_world(self, _query, _body) -> dict:
        return self.world.show() if self.world else {}

    async def post_world(self, query, body) -> dict:
        if self.world is None:
            raise ValueError("moto is neither late nor fateful: settings of the world are for --model ministack")
        self.world.set(body)
        return await self.get_world(query, body)

    async def delete_world(self, _query, _body) -> dict:
        if self.world:
            self.world.reset()
        return {"ok": True}

    async def post_shutdown(self, _query, _body) -> dict:
        self._stop()
        return {"ok": True}
