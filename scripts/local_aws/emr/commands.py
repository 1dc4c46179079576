"""EMR's changing operations. They must never touch a cluster that is ending, nor wait for what they begin."""

from . import checks, facts, fleets, network, permissions, tags
from . import request as asked
from .errors import bad_request, invalid
from .model import ENDED, Cluster, Fleet, Group, Reason
from .queries import cluster_of

TERMINATED_AT_ONCE = 10  # ids in one TerminateJobFlows
NO_SUCH = "Specified job flow ID does not exist."
ENDING = "A job flow that is shutting down, terminated, or finished may not be modified."


def job_flow(request, cluster_id: str | None) -> Cluster:
    found = request.clusters().get(cluster_id or "")
    if found is None:
        raise invalid(NO_SUCH)
    return found


def modifiable(c: Cluster) -> Cluster:
    if c.state == "TERMINATING" or c.state in ENDED:
        raise invalid(ENDING)
    return c


def job_flows(request, limit: int | None = None) -> list[Cluster]:
    ids = request.data.get("JobFlowIds") or []
    if not ids or (limit and len(ids) > limit):
        raise invalid(f"JobFlowIds must hold from 1 to {limit or 'any number of'} ids.")
    flows = [job_flow(request, cluster_id) for cluster_id in ids]
    for c in flows[1:]:  # the first was asked for with the call itself
        permissions.demand(request.access_key, request.scope, f"elasticmapreduce:{request.action}", c.arn)
    return flows


def run_job_flow(request) -> dict:
    checks.node_role_is_known(request.data.get("JobFlowRole") or "", request.scope, request.emr.world)
    c = asked.cluster(request.data, request.scope, request.access_key, request.now)
    if c.subnet is None:
        c.subnet = network.choose_subnet(c)
    home = network.subnet(c.subnet) if c.subnet else None
    c.zone = home["AvailabilityZone"] if home else c.zone
    c.fate = request.emr.world.next_fate()
    request.clusters()[c.id] = c
    return {"JobFlowId": c.id, "ClusterArn": c.arn}


def terminate_job_flows(request) -> dict:
    flows = job_flows(request, TERMINATED_AT_ONCE)
    for c in flows:
        if c.alive and c.state != "TERMINATING" and not c.protected:
            request.lifecycle.terminate(c, request.now, Reason("USER_REQUEST", "Terminated by user request"))
    if any(c.protected and c.alive for c in flows):
        raise invalid("Could not shut down one or more job flows since they are termination protected.")
    return {}


def set_termination_protection(request) -> dict:
    for c in job_flows(request):
        modifiable(c).protected = bool(request.data.get("TerminationProtected"))
    return {}


def set_keep_job_flow_alive_when_no_steps(request) -> dict:
    for c in job_flows(request):
        modifiable(c).keep_alive = bool(request.data.get("KeepJobFlowAliveWhenNoSteps"))
        if c.state == "WAITING":
            request.lifecycle.rest(c, request.now, c.reason.message)
    return {}


def set_unhealthy_node_replacement(request) -> dict:
    for c in job_flows(request):
        modifiable(c).replace_unhealthy = bool(request.data.get("UnhealthyNodeReplacement"))
    return {}


def set_visible_to_all_users(request) -> dict:
    for c in job_flows(request):
        modifiable(c).visible = bool(request.data.get("VisibleToAllUsers"))
    return {}


def add_job_flow_steps(request) -> dict:
    c = modifiable(job_flow(request, request.data.get("JobFlowId")))
    wanted = request.data.get("Steps") or []
    if not wanted:
        raise invalid("At least one step must be given.")
    added = asked.steps(wanted, c, request.now)
    c.steps += added
    if c.state == "WAITING":
        request.lifecycle.rest(c, request.now, "")
    return {"StepIds": [s.id for s in added]}


def cancel_steps(request) -> dict:
    c = cluster_of(request)
    told = []
    for step_id in request.data.get("StepIds") or []:
        step = next((s for s in c.steps if s.id == step_id), None)
        if step is None:
            raise bad_request(f"Step id '{step_id}' is not valid.")
        if step.state in ("PENDING", "RUNNING"):
            request.lifecycle.cancel(c, step)
            told.append({"StepId": step_id, "Status": "SUBMITTED"})
        else:
            told.append({"StepId": step_id, "Status": "FAILED", "Reason": f"The step is {step.state}."})
    return {"CancelStepsInfoList": told}


def add_instance_groups(request) -> dict:
    c = modifiable(job_flow(request, request.data.get("JobFlowId")))
    if c.has_fleets:
        raise invalid("Instance groups cannot be added to a cluster that uses instance fleets.")
    added = [asked.group(one, c.release, request.now) for one in request.data.get("InstanceGroups") or []]
    if not added or any(g.role != "TASK" for g in added):
        raise invalid("Only TASK instance groups can be added to a running cluster.")
    if c.managed_scaling and any(g.requested for g in added):
        raise invalid("Instance groups cannot be resized while a managed scaling policy is attached.")
    for g in added:
        c.groups.append(g)
        if c.launched:
            request.lifecycle.resize(g, "PROVISIONING", request.now)
    return {"JobFlowId": c.id, "InstanceGroupIds": [g.id for g in added], "ClusterArn": c.arn}


def modify_instance_groups(request) -> dict:
    changes = request.data.get("InstanceGroups") or []
    cluster_id = request.data.get("ClusterId")
    flows = [cluster_of(request)] if cluster_id else list(request.clusters().values())
    found = [(owner_of(flows, change.get("InstanceGroupId")), change) for change in changes]
    for (c, group), change in found:
        check_change(modifiable(c), group, change)
    for (_, group), change in found:
        apply_change(request, group, change)
    return {}


def owner_of(flows: list[Cluster], group_id: str | None) -> tuple[Cluster, Group]:
    for c in flows:
        for group in c.groups:
            if group.id == group_id:
                return c, group
    raise invalid(f"Instance group id '{group_id}' is not valid.")


def check_change(c: Cluster, group: Group, change: dict) -> None:
    count = change.get("InstanceCount")
    if count is not None:
        if c.managed_scaling:
            raise invalid("Instance groups cannot be resized while a managed scaling policy is attached.")
        if group.role == "MASTER":
            raise invalid("The MASTER instance group cannot be resized.")
        if count < (1 if group.role == "CORE" else 0):
            raise invalid(f"Invalid instance count for the {group.role} instance group: {count}.")
    if change.get("Configurations") is not None and (facts.version(c.release) or (0,)) < (5, 21, 0):
        raise invalid("Instance groups can be reconfigured from release 5.21.0 on.")
    if group.state not in ("RUNNING", "ARRESTED", "SUSPENDED"):
        raise invalid(f"An instance group may only be modified when it is running or suspended; {group.id} is {group.state}.")


def apply_change(request, group: Group, change: dict) -> None:
    if change.get("InstanceCount") is not None:
        group.requested = change["InstanceCount"]
        request.lifecycle.resize(group, "RESIZING", request.now)
    if change.get("Configurations") is not None:
        group.configurations = asked.configurations(change["Configurations"])
        group.configurations_version += 1
        request.lifecycle.resize(group, "RECONFIGURING", request.now)


def modify_instance_fleet(request) -> dict:
    c = modifiable(cluster_of(request))
    change = request.data.get("InstanceFleet") or {}
    fleet = next((g for g in c.groups if isinstance(g, Fleet) and g.id == change.get("InstanceFleetId")), None)
    if fleet is None:
        raise invalid(f"Instance fleet id '{change.get('InstanceFleetId')}' is not valid.")
    if c.managed_scaling:
        raise invalid("Instance fleets cannot be resized while a managed scaling policy is attached.")
    if fleet.role == "MASTER":
        raise invalid("The MASTER instance fleet cannot be resized.")
    if fleet.state not in ("RUNNING", "SUSPENDED"):
        raise invalid(f"An instance fleet may only be modified when it is running or suspended; {fleet.id} is {fleet.state}.")
    on_demand, spot = change.get("TargetOnDemandCapacity", fleet.on_demand), change.get("TargetSpotCapacity", fleet.spot)
    if min(on_demand, spot) < 0 or (fleet.role == "CORE" and on_demand + spot == 0):
        raise invalid(f"Invalid target capacity for the {fleet.role} instance fleet: {on_demand + spot}.")
    fleet.on_demand, fleet.spot, fleet.requested = on_demand, spot, on_demand + spot
    request.lifecycle.resize(fleet, "RESIZING", request.now)
    return {}


def add_instance_fleet(request) -> dict:
    c = modifiable(cluster_of(request))
    if not c.has_fleets:
        raise invalid("Instance fleets cannot be added to a cluster that uses instance groups.")
    added = fleets.fleet(request.data.get("InstanceFleet") or {}, c.release, request.now)
    if added.role != "TASK" or c.group("TASK"):
        raise invalid("Only one TASK instance fleet can be added to a running cluster.")
    c.groups.append(added)
    if c.launched:
        request.lifecycle.resize(added, "PROVISIONING", request.now)
    return {"ClusterId": c.id, "InstanceFleetId": added.id, "ClusterArn": c.arn}


def modify_cluster(request) -> dict:
    c = cluster_of(request)
    level = request.data.get("StepConcurrencyLevel")
    if level is not None:
        modifiable(c).step_concurrency = asked.concurrency(level)
    return {"StepConcurrencyLevel": c.step_concurrency}


def put_auto_termination_policy(request) -> dict:
    c = modifiable(cluster_of(request))
    c.idle_timeout = asked.idle_timeout(request.data.get("AutoTerminationPolicy"), c)
    if c.idle_since is not None:
        c.idle_since = request.now
    return {}


def remove_auto_termination_policy(request) -> dict:
    modifiable(cluster_of(request)).idle_timeout = None
    return {}


def put_managed_scaling_policy(request) -> dict:
    policy = request.data.get("ManagedScalingPolicy") or {}
    limits = policy.get("ComputeLimits") or {}
    if not {"UnitType", "MinimumCapacityUnits", "MaximumCapacityUnits"} <= set(limits):
        raise invalid("A managed scaling policy needs a unit type, a minimum and a maximum of capacity.")
    if limits["MinimumCapacityUnits"] > limits["MaximumCapacityUnits"]:
        raise invalid("The minimum of capacity must not be above the maximum.")
    c = modifiable(cluster_of(request))
    fleets.scaling_fits(c, policy)
    c.managed_scaling = policy
    return {}


def remove_managed_scaling_policy(request) -> dict:
    modifiable(cluster_of(request)).managed_scaling = None
    return {}


def put_block_public_access_configuration(request) -> dict:
    block = request.data.get("BlockPublicAccessConfiguration") or {}
    if "BlockPublicSecurityGroupRules" not in block:
        raise bad_request("BlockPublicSecurityGroupRules must be given.")
    by = f"arn:aws:iam::{request.scope.account}:root"
    request.emr.block_public[request.scope] = (block, request.now, by)
    return {}


def add_tags(request) -> dict:
    c = taggable(request)
    c.tags = tags.checked(c.tags, request.data.get("Tags") or [])
    network.retag(c)
    return {}


def remove_tags(request) -> dict:
    c = taggable(request)
    c.tags = tags.without(c.tags, request.data.get("TagKeys") or [])
    network.retag(c)
    return {}


def taggable(request) -> Cluster:
    c = cluster_of(request, "ResourceId")
    if c.state in ENDED:
        raise bad_request("Tags cannot be modified on terminated clusters.")
    return c


OPERATIONS = {
    "AddInstanceFleet": add_instance_fleet,
    "AddInstanceGroups": add_instance_groups,
    "AddJobFlowSteps": add_job_flow_steps,
    "AddTags": add_tags,
    "CancelSteps": cancel_steps,
    "ModifyCluster": modify_cluster,
    "ModifyInstanceFleet": modify_instance_fleet,
    "ModifyInstanceGroups": modify_instance_groups,
    "PutAutoTerminationPolicy": put_auto_termination_policy,
    "PutBlockPublicAccessConfiguration": put_block_public_access_configuration,
    "PutManagedScalingPolicy": put_managed_scaling_policy,
    "RemoveAutoTerminationPolicy": remove_auto_termination_policy,
    "RemoveManagedScalingPolicy": remove_managed_scaling_policy,
    "RemoveTags": remove_tags,
    "RunJobFlow": run_job_flow,
    "SetKeepJobFlowAliveWhenNoSteps": set_keep_job_flow_alive_when_no_steps,
    "SetTerminationProtection": set_termination_protection,
    "SetUnhealthyNodeReplacement": set_unhealthy_node_replacement,
    "SetVisibleToAllUsers": set_visible_to_all_users,
    "TerminateJobFlows": terminate_job_flows,
}
