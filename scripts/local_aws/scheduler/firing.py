"""Schedules that have come due: a one-off one that ends clusters calls EMR as its role, once, at its simulated moment.

The role's policies are asked as for any caller. What is refused ends nothing and is not tried again: it is remembered, as in a
dead-letter queue, and told by the control path `schedules`. Scheduler's retries, its precision of a minute and flexible time
windows are not modelled, nor is any other target. It must never fire a schedule before its moment, nor twice.
"""

import contextvars
import logging
from collections import deque
from typing import NamedTuple

from ..emr import commands, permissions
from ..emr.errors import Refused
from ..emr.model import Scope
from . import request as asked

SESSION = "EventBridgeScheduler"
KEPT = 10_000
log = logging.getLogger("local_aws.scheduler")


class Due(NamedTuple):
    moment: float
    scope: Scope
    key: str
    clusters: list[str]


class Firing:
    def __init__(self, emr, world):
        self._emr, self._world = emr, world
        self._told: deque[dict] = deque(maxlen=KEPT)

    def show(self) -> dict:
        """All schedules of all accounts, and what became of those that fired, oldest first."""
        there = [
            {"account": account, "region": region, "group": one["GroupName"], "name": one["Name"], "state": one["State"],
             "at": one["At"], "fired": one["Fired"]}
            for (account, region, _), one in sorted(self._records().items())
        ]
        return {"schedules": there, "fired": list(self._told)}

    def due(self, now: float) -> list[Due]:
        """What is to be fired by now, in the order of its moments."""
        return sorted(
            Due(one["At"], Scope(account, region), key, asked.clusters(one["Target"]) or [])
            for (account, region, key), one in self._records().items() if self._waits(one) and one["At"] <= now
        )

    def pending(self) -> bool:
        return any(self._waits(one) for one in self._records().values())

    def _waits(self, one: dict) -> bool:
        if one["State"] != "ENABLED" or one["Fired"] or one["At"] is None:
            return False
        # What becomes of a moment that was past when it was said is not documented: see the world's past_schedules.
        return one["At"] >= one["Since"] or self._world.past_schedules == "at_once"

    def fire(self, due: Due) -> None:
        """In a context of its own, so that whoever happens to call meanwhile is not taken for the role."""
        contextvars.Context().run(self._fire, due)

    def _fire(self, due: Due) -> None:
        from ministack.core.iam_evaluator import pin_request_origin
        from ministack.core.responses import request_scope

        records = self._records()
        one = records[(*due.scope, due.key)]
        one["Fired"] = True
        at = max(due.moment, one["Since"])
        with request_scope(*due.scope):
            pin_request_origin(asked.SERVICE, True)
            try:
                self._call(one, due, at)
                outcome = {"error": None, "message": None}
            except Refused as refusal:
                outcome = {"error": refusal.code, "message": refusal.message}
        log.log(
            logging.WARNING if outcome["error"] else logging.INFO, "schedule %s of %s fired: %s %s",
            due.key, due.scope.account, outcome["error"] or "done", outcome["message"] or "",
        )
        self._told.append({
            "account": due.scope.account, "region": due.scope.region, "group": one["GroupName"], "name": one["Name"], "at": at,
            "target": one["Target"]["Arn"], "role": one["Target"]["RoleArn"], "clusters": due.clusters, **outcome,
        })
        if one["ActionAfterCompletion"] == "DELETE":
            del records[(*due.scope, due.key)]

    def _call(self, one: dict, due: Due, at: float) -> None:
        from ..emr.api import Request

        if asked.clusters(one["Target"]) is None:
            raise Refused("Unsupported", f"our model calls TerminateJobFlows with JobFlowIds only, not {one['Target']['Arn']}")
        role = asked.assumed(one["Target"]["RoleArn"], one["GroupName"], due.scope)
        if role is None:
            raise Refused("AccessDeniedException", asked.UNTRUSTED)
        key = permissions.session(role, due.scope, SESSION)["access_key"]
        request = Request(self._emr, due.scope, key, "TerminateJobFlows", {"JobFlowIds": due.clusters})
        request.now = at
        for cluster_id in due.clusters[:1]:  # further ones are asked for by the operation, as for any caller
            arn = f"arn:aws:elasticmapreduce:{due.scope.region}:{due.scope.account}:cluster/{cluster_id}"
            permissions.demand(key, due.scope, "elasticmapreduce:TerminateJobFlows", arn)
        commands.terminate_job_flows(request)

    def _records(self) -> dict:
        """All accounts' schedules by account, region, group and name."""
        from ministack.services import scheduler

        return scheduler._schedules._data
