"""Scheduler's door: REST requests to schedules, and their answers ("our model", from AWS's API reference). Schedule groups and
their tags stay ministack's.

It must never call a target: `firing` does.
"""

import base64
import json
import re
from urllib.parse import unquote

from .. import envelopes
from ..emr.errors import Refused, invalid
from ..emr.model import Scope
from . import request as asked
from .firing import Firing

STATUS = {"AccessDeniedException": 403, "ResourceNotFoundException": 404, "ConflictException": 409}
PAGE = 100
OWN = ("ClientToken", "Content", "At", "Since", "Fired")  # of a record, and never told


class Scheduler:
    def __init__(self, inner, emr, world):
        """`inner` is ministack's handler, which keeps the groups."""
        self._inner, self._emr, self._world = inner, emr, world
        self.firing = Firing(emr, world)

    async def __call__(self, method, path, headers, body, query):
        from ministack.core.responses import get_account_id, get_region
        from ministack.core.router import extract_access_key_id

        found = re.fullmatch(r"/schedules(?:/([^/]+))?/?", path)
        if found is None:
            return await self._inner(method, path, headers, body, query)
        act = OPERATIONS.get((method, found[1] is not None))
        scope = Scope(get_account_id(), get_region())
        try:
            if act is None:
                raise invalid(f"Our model of Scheduler has no {method} {path}.")
            async with self._emr.lifecycle.lock:
                await self._emr.lifecycle.settle_locked()
                call = Call(self, scope, extract_access_key_id(headers, query), unquote(found[1] or ""), query, parse(body))
                answer = act(call)
                await self._emr.lifecycle.settle_locked()
        except Refused as refusal:
            status = STATUS.get(refusal.code, 400)
            return envelopes.for_ministack(envelopes.error("rest", status, refusal.code, refusal.message))
        return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()


class Call:
    """One request: who asks, where, and what."""

    def __init__(self, scheduler: Scheduler, scope: Scope, access_key: str, name: str, query: dict, body: dict):
        self.scope, self.access_key, self.name, self.body = scope, access_key, name, body
        self.query = {key: value[0] if isinstance(value, list) else value for key, value in query.items()}
        self.world = scheduler._world
        self.now = round(self.world.now(), 3)

    def key(self) -> str:
        return f"{self.query.get('groupName') or asked.group_of(self.body)}/{self.name}"

    def record(self) -> dict:
        if self.key() not in schedules():
            raise Refused("ResourceNotFoundException", f"Schedule {self.name} does not exist.")
        return schedules()[self.key()]

    def said(self) -> dict:
        """What the request says, after all that it is refused for."""
        content = asked.said(self.name, self.body)
        at = moment(content)
        if at is not None and at < self.now and self.world.past_schedules == "refused":
            raise invalid(f"Invalid Schedule Expression {content['ScheduleExpression']}: it is in the past.")
        group = content["GroupName"]
        if group != asked.DEFAULT_GROUP and group not in groups():
            raise Refused("ResourceNotFoundException", f"Schedule group {group} does not exist.")
        asked.check_role(content["Target"], group, self.scope, self.access_key, self.world)
        return content


def create_schedule(call: Call) -> dict:
    token, there = call.body.get("ClientToken"), schedules().get(call.key())
    content = call.said()
    if there is None:
        arn = f"arn:aws:scheduler:{call.scope.region}:{call.scope.account}:schedule/{call.key()}"
        there = {"Arn": arn, "CreationDate": call.now, "ClientToken": token, "Content": content}
        keep(call, there, content)
    elif not token or (token, content) != (there["ClientToken"], there["Content"]):
        raise Refused("ConflictException", f"Schedule {call.name} already exists.")
    return {"ScheduleArn": there["Arn"]}


def update_schedule(call: Call) -> dict:
    """All of it is said anew, and a moment that was past counts again."""
    there = call.record()
    made = {key: there[key] for key in ("Arn", "CreationDate", "ClientToken", "Content")}
    keep(call, made, call.said())
    return {"ScheduleArn": made["Arn"]}


def keep(call: Call, made: dict, content: dict) -> None:
    own = {"LastModificationDate": call.now, "At": moment(content), "Since": call.now, "Fired": False}
    schedules()[call.key()] = {**made, **content, **own}


def moment(content: dict) -> float | None:
    return asked.moment(content["ScheduleExpression"], content["ScheduleExpressionTimezone"])


def get_schedule(call: Call) -> dict:
    return {key: value for key, value in call.record().items() if key not in OWN}


def delete_schedule(call: Call) -> dict:
    call.record()
    del schedules()[call.key()]
    return {}


def list_schedules(call: Call) -> dict:
    wanted = call.query
    found = [
        {**{key: one[key] for key in ("Arn", "CreationDate", "GroupName", "LastModificationDate", "Name", "State")},
         "Target": {"Arn": one["Target"]["Arn"]}}
        for _, one in sorted(schedules().items())
        if wanted.get("ScheduleGroup") in (None, one["GroupName"]) and wanted.get("State") in (None, one["State"])
        and one["Name"].startswith(wanted.get("NamePrefix") or "")
    ]
    size, start = int(wanted.get("MaxResults") or PAGE), after(wanted.get("NextToken"))
    answer: dict = {"Schedules": found[start:start + size]}
    if start + size < len(found):
        answer["NextToken"] = base64.b64encode(str(start + size).encode()).decode()
    return answer


def after(token: str | None) -> int:
    try:
        return int(base64.b64decode(token, validate=True)) if token else 0
    except ValueError:
        raise invalid("Invalid NextToken.") from None


def parse(body: bytes) -> dict:
    try:
        data = json.loads(body or b"{}")
    except json.JSONDecodeError as problem:
        raise invalid(str(problem)) from None
    if not isinstance(data, dict):
        raise invalid("The request is not an object.")
    return data


def schedules():
    """Records of the caller's account and region, by group and name."""
    from ministack.services import scheduler

    return scheduler._schedules


def groups():
    from ministack.services import scheduler

    return scheduler._schedule_groups


OPERATIONS = {
    ("POST", True): create_schedule, ("GET", True): get_schedule, ("PUT", True): update_schedule,
    ("DELETE", True): delete_schedule, ("GET", False): list_schedules,
}
