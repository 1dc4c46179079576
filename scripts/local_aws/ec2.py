"""Mends to ministack's EC2: groups in use cannot be deleted, interface endpoints use some, instances come in pages, regions may be
off, a default network leads to the internet, and instance types are those of EMR's lists, by zone.

All else passes through to ministack unchanged. It must never know one client from another.
"""

from urllib.parse import parse_qs

from . import authorisation, endpoints, instances, regions, routes
from .emr import facts
from .emr.model import Scope
from .query import answer, filters, first, listed, meets, refuse


class Handler:
    def __init__(self, inner, emr):
        self._inner, self._emr = inner, emr

    async def __call__(self, method, path, headers, body, query):
        await self._emr.settle()
        endpoints.settle(self._emr.clock.now())
        params = {**query, **parse_qs(body.decode("utf-8", "replace"))} if body else dict(query)
        refused = authorisation.refusal("ec2", headers, query, authorisation.ec2_checks(authorisation.Params(params, b"")))
        if refused:
            return refused
        own = OPERATIONS.get(first(params, "Action"))
        answer = own(params, self._emr) if own else None
        return answer or await self._inner(method, path, headers, body, query)


def delete_security_group(params: dict, emr):
    """AWS's DependencyViolation, where another group's rules, an instance, a network interface, an endpoint or a live cluster need
    the group; else ministack decides.
    """
    from ministack.core.responses import get_account_id, get_region
    from ministack.services import ec2

    group_id = first(params, "GroupId")
    referring = any(
        pair.get("GroupId") == group_id
        for other in ec2._security_groups.values() if other["GroupId"] != group_id
        for rule in [*other["IpPermissions"], *other["IpPermissionsEgress"]]
        for pair in rule.get("UserIdGroupPairs", [])
    )
    worn = [
        *(group for one in ec2._instances.values() if one["State"]["Name"] != "terminated"
          for group in one.get("SecurityGroups", [])),
        *(group for one in ec2._network_interfaces.values() for group in one["Groups"]),
        *(group for one in ec2._vpc_endpoints.values() for group in endpoints.groups(one)),
    ]
    worn_here = any(group["GroupId"] == group_id for group in worn)
    if referring or worn_here or emr.using(Scope(get_account_id(), get_region()), group_id):
        return refuse("DependencyViolation", f"resource {group_id} has a dependent object")
    return None


def describe_instance_type_offerings(params: dict, _emr):
    from ministack.core.responses import get_region

    region, by = get_region(), first(params, "LocationType") or "region"
    wanted = filters(params)
    patterns, places = wanted.get("instance-type", ["*"]), wanted.get("location", ["*"])
    items = []
    for name in sorted(facts.instance_types()):
        zones = facts.zones_with(name, region)
        for place in zones if by.startswith("availability-zone") else [region] if zones else []:
            if meets(name, patterns) and meets(place, places):
                items.append(
                    f"<item><instanceType>{name}</instanceType><locationType>{by}</locationType>"
                    f"<location>{place}</location></item>"
                )
    return answer("DescribeInstanceTypeOfferings", f"<instanceTypeOfferingSet>{''.join(items)}</instanceTypeOfferingSet>")


def describe_instance_types(params: dict, _emr):
    from ministack.core.responses import get_region

    here = {name: kind for name, kind in facts.instance_types().items() if facts.zones_with(name, get_region())}
    asked = listed(params, "InstanceType")
    unknown = [name for name in asked if name not in here]
    if unknown:
        return refuse("InvalidInstanceType", f"The following supplied instance types do not exist: [{', '.join(unknown)}]")
    patterns = filters(params).get("instance-type", ["*"])
    items = "".join(
        instance_type(here[name]) for name in asked or sorted(here) if meets(name, patterns)
    )
    return answer("DescribeInstanceTypes", f"<instanceTypeSet>{items}</instanceTypeSet>")


def instance_type(kind: facts.InstanceType) -> str:
    threads = 1 if kind.arch == "arm64" else 2
    cores = max(1, kind.vcpu // threads)
    return (
        f"<item><instanceType>{kind.name}</instanceType><currentGeneration>true</currentGeneration>"
        "<supportedUsageClasses><item>on-demand</item><item>spot</item></supportedUsageClasses>"
        f"<processorInfo><supportedArchitectures><item>{kind.arch}</item></supportedArchitectures></processorInfo>"
        f"<vCpuInfo><defaultVCpus>{kind.vcpu}</defaultVCpus><defaultCores>{cores}</defaultCores>"
        f"<defaultThreadsPerCore>{threads}</defaultThreadsPerCore></vCpuInfo>"
        f"<memoryInfo><sizeInMiB>{int(kind.memory_gib * 1024)}</sizeInMiB></memoryInfo></item>"
    )


OPERATIONS = {
    **endpoints.OPERATIONS,
    **instances.OPERATIONS,
    **regions.OPERATIONS,
    **routes.OPERATIONS,
    "DeleteSecurityGroup": delete_security_group,
    "DescribeInstanceTypeOfferings": describe_instance_type_offerings,
    "DescribeInstanceTypes": describe_instance_types,
}
