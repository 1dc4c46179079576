"""Control paths that only this model has, because they show or set what its services hold:

- GET `schedules`: Scheduler's, of all accounts, and what became of those that fired.
- GET `published`: what was published to SNS, in all accounts; DELETE forgets it.
- POST `activity`, {"cluster": "j-1", "from": 0, "until": null, "apps_running": 1, "apps_pending": 0, "containers": 3,
  "yarn_memory": 40, "hdfs": 2, "is_idle": false}: what YARN and HDFS do beside the steps, from a moment (now, if left out) until
  another (without end), as CloudWatch and EMR's idle policy see it. All but the cluster may be left out; "started" and "ended",
  in seconds ago, may stand in the place of "from" and "until".
- POST `crowd`, [{"region": "eu-west-3", "name": "old", "age": 7200}, ...]: clusters that have been there for so many seconds,
  whose ids it answers in order. Each may say more: "account", "release", "tags" {"owner": "me"}, "state" (WAITING, RUNNING or
  STARTING), "ready_after" (seconds from its creation; a STARTING one without it stays so), "primary" (a type), "core" {"type":
  "m5.xlarge", "count": 2, "market": "SPOT"}, "protected", "idle_timeout", "steps" [{"name": "s", "state": "RUNNING", "started":
  3600, "ended": null}] (seconds ago), and "activity", a list of what the door of that name takes.

They stand beside those of `control`. They must never do what a call to AWS could.
"""

from .emr import crowd
from .emr.errors import Refused
from .emr.model import Activity, Scope

ACTIVITY = {"apps_running": int, "apps_pending": int, "containers": int, "yarn_memory": float, "hdfs": float, "is_idle": bool}


class Doors:
    def __init__(self, emr, firing, published, account: str):
        self._emr, self._firing, self._published, self._account = emr, firing, published, account

    async def get_schedules(self, _query, _body) -> dict:
        return self._firing.show()

    async def get_published(self, _query, _body) -> dict:
        return {"published": self._published.show()}

    async def delete_published(self, _query, _body) -> dict:
        self._published.clear()
        return {"ok": True}

    async def post_activity(self, _query, body) -> dict:
        lifecycle = self._emr.lifecycle
        async with lifecycle.lock:
            await lifecycle.settle_locked()
            cluster = self._emr.find(body["cluster"])
            cluster.activity.append(activity({k: v for k, v in body.items() if k != "cluster"}, self._emr.clock.now()))
        return {"ok": True}

    async def post_crowd(self, _query, body) -> dict:
        async with self._emr.lifecycle.lock:
            return {"clusters": [self._plant(one) for one in body]}

    def _plant(self, said: dict) -> str:
        from ministack.core.responses import request_scope

        now = self._emr.clock.now()
        scope = Scope(said.get("account", self._account), said["region"])
        active = [activity(one, now) for one in said.get("activity", [])]
        with request_scope(*scope):
            try:
                cluster = crowd.plant({k: v for k, v in said.items() if k != "activity"}, scope, now)
            except Refused as refusal:
                raise ValueError(refusal.message) from None
        cluster.activity = active
        self._emr.clusters(scope)[cluster.id] = cluster
        return cluster.id


def activity(body: dict, now: float) -> Activity:
    unknown = set(body) - {*ACTIVITY, "from", "until", "started", "ended"}
    if unknown:
        raise ValueError(f"an activity has no {', '.join(sorted(unknown))}")
    values = {name: kind(body[name]) for name, kind in ACTIVITY.items() if name in body}
    since = moment(body, "from", "started", now)
    return Activity(since=now if since is None else since, until=moment(body, "until", "ended", now), **values)


def moment(body: dict, itself: str, ago: str, now: float) -> float | None:
    if body.get(ago) is not None:
        return now - float(body[ago])
    return None if body.get(itself) is None else float(body[itself])
