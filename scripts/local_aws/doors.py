"""Control paths that only this model has, because they show or set what its services hold:

- GET `schedules`: Scheduler's, of all accounts, and what became of those that fired.
- POST `activity`, {"cluster": "j-1", "from": 0, "until": null, "apps_running": 1, "apps_pending": 0, "containers": 3,
  "yarn_memory": 40, "hdfs": 2, "is_idle": false}: what YARN and HDFS do beside the steps, from a moment (now, if left out) until
  another (without end), as CloudWatch and EMR's idle policy see it. All but the cluster may be left out.

They stand beside those of `control`. They must never do what a call to AWS could.
"""

from .emr.model import Activity

ACTIVITY = {"apps_running": int, "apps_pending": int, "containers": int, "yarn_memory": float, "hdfs": float, "is_idle": bool}


class Doors:
    def __init__(self, emr, firing):
        self._emr, self._firing = emr, firing

    async def get_schedules(self, _query, _body) -> dict:
        return self._firing.show()

    async def post_activity(self, _query, body) -> dict:
        async with self._emr.lifecycle.lock:
            await self._emr.lifecycle.settle_locked()
            self._emr.find(body.pop("cluster")).activity.append(activity(body, self._emr.clock.now()))
        return {"ok": True}


def activity(body: dict, now: float) -> Activity:
    unknown = set(body) - {*ACTIVITY, "from", "until"}
    if unknown:
        raise ValueError(f"an activity has no {', '.join(sorted(unknown))}")
    until = body.get("until")
    values = {name: kind(body[name]) for name, kind in ACTIVITY.items() if name in body}
    return Activity(since=float(body.get("from", now)), until=None if until is None else float(until), **values)
