"""EMR's reading operations. They must never change anything."""

import base64
import re

from . import describe, facts, fleets
from .errors import bad_request
from .model import Cluster

PAGE = 50
INSTANCE_PAGE = 200
FLEET_FILTERS, GROUP_FILTERS = ("InstanceFleetId", "InstanceFleetType"), ("InstanceGroupId", "InstanceGroupTypes")


def cluster_of(request, key: str = "ClusterId") -> Cluster:
    cluster_id = request.data.get(key) or ""
    found = request.clusters().get(cluster_id)
    if found is None:
        raise bad_request(f"Cluster id '{cluster_id}' is not valid.")
    return found


def paged(request, key: str, items: list, size: int = PAGE, token: str = "Marker") -> dict:
    """One page of `items` under `key`, with a marker where more follow."""
    start = offset(request.data.get(token))
    answer = {key: items[start:start + size]}
    if start + size < len(items):
        answer[token] = base64.b64encode(f"after-{start + size}".encode()).decode()
    return answer


def offset(marker: str | None) -> int:
    if not marker:
        return 0
    try:
        found = re.fullmatch(rb"after-(\d+)", base64.b64decode(marker, validate=True))
    except ValueError:
        found = None
    if not found:
        raise bad_request(f"Marker '{marker}' is not valid.")
    return int(found[1])


def describe_cluster(request) -> dict:
    return {"Cluster": describe.cluster(cluster_of(request), request.now)}


def list_clusters(request) -> dict:
    data = request.data
    after, before = data.get("CreatedAfter", 0), data.get("CreatedBefore", float("inf"))
    states, until = data.get("ClusterStates"), request.emr.world.seen_until("emr")
    # By id, which is random: AWS promises no order, so none can be relied upon.
    found = [
        c for _, c in sorted(request.clusters().items())
        if after <= c.created <= min(before, until) and (not states or c.state_at(until)[0] in states)
    ]
    page = paged(request, "Clusters", found)
    return page | {"Clusters": [describe.summary(c, request.now, until) for c in page["Clusters"]]}


def list_instance_groups(request) -> dict:
    c = cluster_of(request)
    if c.has_fleets:
        raise fleets_and_groups(c, "ListInstanceGroups")
    return paged(request, "InstanceGroups", [describe.group(g, c.instances) for g in c.groups])


def list_instances(request) -> dict:
    c, data = cluster_of(request), request.data
    by_fleet, by_group = (any(data.get(key) for key in keys) for keys in (FLEET_FILTERS, GROUP_FILTERS))
    if by_group if c.has_fleets else by_fleet:
        raise fleets_and_groups(c, "ListInstances")
    kinds, states = data.get("InstanceGroupTypes") or [data.get("InstanceFleetType")], data.get("InstanceStates")
    wanted = {g.id for g in c.groups if kinds == [None] or g.role in kinds}
    if one := data.get("InstanceGroupId") or data.get("InstanceFleetId"):
        wanted &= {one}
    found = [i for i in c.instances if i.group_id in wanted and (not states or i.state in states)]
    return paged(request, "Instances", [describe.instance(i) for i in found], INSTANCE_PAGE)


def list_instance_fleets(request) -> dict:
    c = cluster_of(request)
    if not c.has_fleets:
        raise fleets_and_groups(c, "ListInstanceFleets")
    return paged(request, "InstanceFleets", [fleets.described(f, c.instances) for f in c.groups])


def fleets_and_groups(c: Cluster, operation: str):
    uses = "instance fleets" if c.has_fleets else "instance groups"
    return bad_request(
        f"Instance fleets and instance groups are mutually exclusive. The EMR cluster specified in the request uses {uses}. "
        f"The {operation} request does not support clusters that use {uses}."
    )


def list_bootstrap_actions(request) -> dict:
    actions = [{"Name": a.name, "ScriptPath": a.path, "Args": a.args} for a in cluster_of(request).bootstrap]
    return paged(request, "BootstrapActions", actions)


def list_steps(request) -> dict:
    c, data = cluster_of(request), request.data
    states, ids = data.get("StepStates"), data.get("StepIds")
    if states and ids:
        raise bad_request("StepStates and StepIds cannot be given together.")
    if ids and len(ids) > 10:
        raise bad_request("At most 10 StepIds may be given.")
    until = request.emr.world.seen_until("emr")
    newest_first = [s for s in reversed(c.steps) if s.created <= until]
    found = [s for s in newest_first if (not states or s.state in states) and (not ids or s.id in ids)]
    return paged(request, "Steps", [describe.step(s) for s in found])


def describe_step(request) -> dict:
    c, step_id = cluster_of(request), request.data.get("StepId")
    found = next((s for s in c.steps if s.id == step_id), None)
    if found is None:
        raise bad_request(f"Step id '{step_id}' is not valid.")
    return {"Step": describe.step(found)}


def get_auto_termination_policy(request) -> dict:
    timeout = cluster_of(request).idle_timeout
    return {"AutoTerminationPolicy": {"IdleTimeout": timeout}} if timeout else {}


def get_managed_scaling_policy(request) -> dict:
    policy = cluster_of(request).managed_scaling
    return {"ManagedScalingPolicy": policy} if policy else {}


def get_block_public_access_configuration(request) -> dict:
    from .api import DEFAULT_BLOCK

    root = f"arn:aws:iam::{request.scope.account}:root"
    block, made, by = request.emr.block_public.get(request.scope, (DEFAULT_BLOCK, 0.0, root))
    return {
        "BlockPublicAccessConfiguration": block,
        "BlockPublicAccessConfigurationMetadata": {"CreationDateTime": made, "CreatedByArn": by},
    }


def list_release_labels(request) -> dict:
    wanted = request.data.get("Filters") or {}
    prefix = (wanted.get("Prefix") or "").lower()
    found = [r for r, at in facts.releases().items() if request.scope.region in at and r.startswith(prefix)]
    return paged(request, "ReleaseLabels", found, 100, "NextToken")


def describe_release_label(request) -> dict:
    label = request.data.get("ReleaseLabel") or next(iter(facts.releases()))
    if request.scope.region not in facts.releases().get(label, ()):
        raise bad_request(f"The supplied release label is invalid: {label}.")
    return {
        "ReleaseLabel": label,
        "Applications": [{"Name": name, "Version": facts.application_version(name, label)} for name in facts.APPLICATIONS],
        "AvailableOSReleases": [{"Label": facts.os_release(label)}],
    }


def list_supported_instance_types(request) -> dict:
    label = request.data.get("ReleaseLabel") or ""
    if request.scope.region not in facts.releases().get(label, ()):
        raise bad_request(f"The supplied release label is invalid: {label}.")
    found = [
        {
            "Type": kind.name, "VCPU": kind.vcpu, "MemoryGB": kind.memory_gib, "Architecture": kind.arch.upper(),
            "Is64BitsOnly": True, "InstanceFamilyId": kind.name.partition(".")[0],
            "EbsStorageOnly": bool(facts.default_volumes(kind.name, label)),
        }
        for kind in facts.instance_types().values()
        if request.scope.region in kind.regions and facts.supported(kind.name, label)
    ]
    return paged(request, "SupportedInstanceTypes", found, 100)


def describe_security_configuration(request) -> dict:
    raise bad_request(f"Security configuration with name '{request.data.get('Name')}' does not exist.")


def list_security_configurations(_request) -> dict:
    return {"SecurityConfigurations": []}


OPERATIONS = {
    "DescribeCluster": describe_cluster,
    "DescribeReleaseLabel": describe_release_label,
    "DescribeSecurityConfiguration": describe_security_configuration,
    "DescribeStep": describe_step,
    "GetAutoTerminationPolicy": get_auto_termination_policy,
    "GetBlockPublicAccessConfiguration": get_block_public_access_configuration,
    "GetManagedScalingPolicy": get_managed_scaling_policy,
    "ListBootstrapActions": list_bootstrap_actions,
    "ListClusters": list_clusters,
    "ListInstanceFleets": list_instance_fleets,
    "ListInstanceGroups": list_instance_groups,
    "ListInstances": list_instances,
    "ListReleaseLabels": list_release_labels,
    "ListSecurityConfigurations": list_security_configurations,
    "ListSteps": list_steps,
    "ListSupportedInstanceTypes": list_supported_instance_types,
}
