"""EMR's door: JSON 1.1 requests to operations, and their answers ("our model", from AWS's API reference).

It must never hold more than what a request needs: clusters live in `lifecycle`, what they are in `model`.
"""

import json
from pathlib import Path

from ..world import World
from . import commands, queries
from .errors import Refused, invalid
from .lifecycle import Lifecycle
from .logs import Logs
from .model import Cluster, Scope
from .steps import Runner

# AWS's default since 2019: nothing is open to the world but SSH.
DEFAULT_BLOCK = {
    "BlockPublicSecurityGroupRules": True,
    "PermittedPublicSecurityGroupRuleRanges": [{"MinRange": 22, "MaxRange": 22}],
}
EVERY_PORT = [(0, 65535)]


class Emr:
    def __init__(self, clock, endpoint: str, cache: Path | None, world: World):
        self.clock, self.world = clock, world
        logs = Logs(endpoint, world)
        self.lifecycle = Lifecycle(clock, Runner(clock, logs, cache), logs, self.permitted_ports, world)
        self.block_public: dict[Scope, tuple[dict, float, str]] = {}
        self.start, self.stop, self.settle = self.lifecycle.start, self.lifecycle.stop, self.lifecycle.settle

    def clusters(self, scope: Scope) -> dict[str, Cluster]:
        return self.lifecycle.clusters.setdefault(scope, {})

    def find(self, cluster_id: str) -> Cluster:
        """A cluster of any account; ids are random, so no two share one."""
        for of in self.lifecycle.clusters.values():
            if cluster_id in of:
                return of[cluster_id]
        raise ValueError(f"there is no cluster {cluster_id}")

    def using(self, scope: Scope, group_id: str) -> list[Cluster]:
        """Live clusters that use a security group."""
        return [c for c in self.clusters(scope).values() if c.alive and group_id in c.security_groups()]

    def permitted_ports(self, scope: Scope) -> list[tuple[int, int]]:
        block = self.block_public.get(scope, (DEFAULT_BLOCK,))[0]
        if not block["BlockPublicSecurityGroupRules"]:
            return EVERY_PORT
        ranges = block.get("PermittedPublicSecurityGroupRuleRanges") or []
        return [(r["MinRange"], r.get("MaxRange", r["MinRange"])) for r in ranges]

    async def handle(self, _method, _path, headers, body, query):
        """In the shape of ministack's handlers: status, headers, body."""
        from ministack.core.responses import get_account_id, get_region
        from ministack.core.router import extract_access_key_id

        action = headers.get("x-amz-target", "").rpartition(".")[2]
        scope = Scope(get_account_id(), get_region())
        try:
            act = queries.OPERATIONS.get(action) or commands.OPERATIONS.get(action)
            if act is None:
                raise Refused("UnknownOperationException", f"Our model of EMR has no {action}.")
            data = parse(body)
            async with self.lifecycle.lock:
                await self.lifecycle.settle_locked()
                answer = act(Request(self, scope, extract_access_key_id(headers, query), action, data))
                if action in commands.OPERATIONS:
                    await self.lifecycle.settle_locked()
        except Refused as refusal:
            members = {"__type": refusal.code, "message": refusal.message}
            if refusal.code == "InvalidRequestException":
                members["Message"] = members.pop("message")
            return reply(400, members, {"x-amzn-errortype": refusal.code})
        return reply(200, answer, {})


class Request:
    """One call: who asks, where, and what."""

    def __init__(self, emr: Emr, scope: Scope, access_key: str, action: str, data: dict):
        self.emr, self.scope, self.access_key, self.action, self.data = emr, scope, access_key, action, data
        self.lifecycle = emr.lifecycle
        self.now = round(emr.clock.now(), 3)  # milliseconds, as AWS tells moments: a filter finds what it was told

    def clusters(self) -> dict[str, Cluster]:
        return self.emr.clusters(self.scope)


def parse(body: bytes) -> dict:
    try:
        data = json.loads(body or b"{}")
    except json.JSONDecodeError as problem:
        raise Refused("SerializationException", str(problem)) from None
    if not isinstance(data, dict):
        raise invalid("The request is not an object.")
    return data


def reply(status: int, members: dict, headers: dict) -> tuple[int, dict, bytes]:
    return status, {"Content-Type": "application/x-amz-json-1.1", **headers}, json.dumps(members).encode()
