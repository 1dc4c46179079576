"""IAM and EC2 as they are seen while AWS has not caught up with itself: listings without what is young, trust policies that
cannot name who is fresh.

Wraps a handler of ministack's, or another wrapper, and notes when things are made. It must never hide from whoever asks for one
thing by its name or id, nor change what is there.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import parse_qs
from xml.etree import ElementTree

from . import envelopes
from .world import World


class Listing(NamedTuple):
    container: str  # the element that holds the things
    kind: str
    name: str  # the element in each that says which it is
    asks_for_one: Callable[[dict], bool] = lambda params: False


PRINCIPAL = re.compile(r"arn:[\w-]+:iam::(\d{12}):(role|user)/(?:.*/)?([^/]+)")
TRUSTS = {"CreateRole": "AssumeRolePolicyDocument", "UpdateAssumeRolePolicy": "PolicyDocument"}
CREATIONS = {
    "CreateUser": ("user", "UserName"),
    "CreateRole": ("role", "RoleName"),
    "CreateInstanceProfile": ("instance-profile", "InstanceProfileName"),
    "AddRoleToInstanceProfile": ("role-in-instance-profile", "InstanceProfileName"),
}
LISTINGS = {
    "ListRoles": Listing("Roles", "role", "RoleName"),
    "ListInstanceProfiles": Listing("InstanceProfiles", "instance-profile", "InstanceProfileName"),
    "ListInstanceProfilesForRole": Listing("InstanceProfiles", "instance-profile", "InstanceProfileName"),
    "GetAccountAuthorizationDetails": Listing("RoleDetailList", "role", "RoleName"),
    "DescribeSecurityGroups": Listing(
        "securityGroupInfo", "security-group", "groupId", lambda params: "GroupId.1" in params or "GroupName.1" in params
    ),
}


class Handler:
    def __init__(self, inner, service: str, world: World):
        self._inner, self._service, self._world = inner, service, world

    async def __call__(self, method, path, headers, body, query):
        params = {**query, **parse_qs(body.decode("utf-8", "replace"))} if body else dict(query)
        action = one(params, "Action")
        if action in TRUSTS and (unknown := self._unknown(one(params, TRUSTS[action]))):
            words = f'Invalid principal in policy: "AWS":"{unknown}"'
            return envelopes.for_ministack(envelopes.error("query", 400, "MalformedPolicyDocument", words))
        status, head, answer = await self._inner(method, path, headers, body, query)
        if status < 300:
            self._note(action, params, answer)
            answer = self._shown(action, params, answer)
        return status, head, answer

    def _unknown(self, document: str) -> str | None:
        """Whom the policy names that IAM itself does not know yet."""
        for principal in principals(document):
            found = PRINCIPAL.fullmatch(principal)
            if found and self._world.fresh(*found.groups()):
                return principal
        return None

    def _note(self, action: str, params: dict, answer: bytes) -> None:
        if action in CREATIONS:
            kind, name = CREATIONS[action]
            self._world.born(account(), kind, one(params, name))
        elif action == "CreateSecurityGroup":
            self._world.born(account(), "security-group", ElementTree.fromstring(answer).findtext("{*}groupId"))

    def _shown(self, action: str, params: dict, answer: bytes) -> bytes:
        listing, until = LISTINGS.get(action), self._world.seen_until(self._service)
        if listing is None or not self._world.listing_lag.get(self._service) or listing.asks_for_one(params):
            return answer
        root = ElementTree.fromstring(answer)
        for container in root.findall(f".//{{*}}{listing.container}"):
            for item in list(container):
                if self._world.birth(account(), listing.kind, item.findtext(f"{{*}}{listing.name}")) > until:
                    container.remove(item)
        ElementTree.register_namespace("", root.tag.partition("}")[0].removeprefix("{"))
        return ElementTree.tostring(root, "utf-8", xml_declaration=True)


def principals(document: str) -> Iterator[str]:
    """The AWS principals of a policy; none where it is no policy, which ministack says better."""
    try:
        statements = json.loads(document).get("Statement", [])
    except (json.JSONDecodeError, AttributeError):
        return
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal") if isinstance(statement, dict) else None
        named = principal.get("AWS", []) if isinstance(principal, dict) else []
        yield from [named] if isinstance(named, str) else named


def one(params: dict, key: str) -> str:
    return (params.get(key) or [""])[0]


def account() -> str:
    from ministack.core.responses import get_account_id

    return get_account_id()
