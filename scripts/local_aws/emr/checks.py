"""What EMR finds wrong with a cluster, but for the request itself: what IAM has not told it yet, at once; the rest only after
RunJobFlow has answered: the cluster starts, then ends with VALIDATION_ERROR.

The words are AWS's, as its users report them. It must never change anything.
"""

from collections.abc import Iterator

from . import facts, network, permissions
from .errors import Refused, denied, invalid
from .model import Cluster, Scope

TAG = permissions.MANAGED_TAG


def node_role_is_known(profile: str, scope: Scope, world) -> None:
    """Raises what RunJobFlow answers where EMR does not know the instance profile yet, or its role, or that it holds it."""
    name = profile.rpartition("/")[2]
    if world.fresh(scope.account, "instance-profile", name):
        raise invalid(f"Invalid InstanceProfile: {name}.")
    found = permissions.instance_profile(name)
    roles = found["Roles"] if found else []
    parts = [("role-in-instance-profile", name), *(("role", role) for role in roles)]
    if any(world.fresh(scope.account, *part) for part in parts):
        raise denied(f"Failed to authorize instance profile {found['Arn']}.")


def problem(c: Cluster, permitted_ports: list[tuple[int, int]], world, at: float) -> str | None:
    """The first thing that is wrong with a cluster as asked for, at that moment, or None."""
    try:
        found = place(c) or cleanup_role() or service_role(c, world, at) or key_pair(c) or log_bucket(c)
    except Refused as lost:  # the profile was deleted since it was named
        found = lost.message
    if found:
        return found
    open_groups = network.world_open(c.security_groups(), permitted_ports)
    if open_groups:
        ports = ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in permitted_ports)
        return (
            f"The EC2 Security Groups [{', '.join(open_groups)}] contain one or more ingress rules to ports other than "
            f"[{ports}] which allow public access."
        )
    return None


def place(c: Cluster) -> str | None:
    home = network.subnet(c.subnet) if c.subnet else None
    if home is None:
        return (
            "The VPC/subnet configuration was invalid: The subnet configuration was invalid: "
            f"The subnet {c.subnet} does not exist."
        )
    for group_id in c.security_groups():
        group = network.security_group(group_id)
        if group is None or group["VpcId"] != home["VpcId"]:
            return (
                "The VPC/subnet configuration was invalid: The security group configuration was invalid: "
                f"The security group '{group_id}' does not exist"
            )
    for group in c.groups:
        if home["AvailabilityZone"] not in facts.zones_with(group.type, c.scope.region):
            return (
                f"The requested instance type {group.type} is not supported in the requested availability zone. "
                "Learn more at https://docs.aws.amazon.com/console/elasticmapreduce/ERROR_noinstancetype"
            )
    return None


def cleanup_role() -> str | None:
    if permissions.linked(permissions.EMR):
        return None
    return (
        f"Service-linked role '{permissions.LINKED[permissions.EMR]}' for EMR is required. Please create this role directly or "
        "add permission to create it in your IAM entity."
    )


def service_role(c: Cluster, world, at: float) -> str | None:
    role = permissions.role(c.service_role)
    behalf = {"aws:SourceAccount": c.scope.account, "aws:SourceArn": c.arn}
    fresh = role is not None and world.fresh(c.scope.account, "role", role["RoleName"], at=at)
    if role is None or fresh or not permissions.trusts(role, permissions.EMR, behalf):
        return f"EMR service role {role['Arn'] if role else c.service_role} is invalid"
    for action, resource, keys in needed(c):
        if not permissions.allows(role, c.scope, action, resource, keys):
            return (
                f"Service role {role['Arn']} has insufficient EC2 permissions. EC2 Message: You are not authorized to "
                f"perform this operation. User is not authorized to perform: {action} on resource: {resource}"
            )
    return None


def needed(c: Cluster) -> Iterator[tuple[str, str, dict]]:
    """Action, resource and condition keys of what EMR does in the service role's name for such a cluster."""
    ec2 = f"arn:aws:ec2:{c.scope.region}:{c.scope.account}"
    asked = {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in c.tags}
    born = {f"aws:ResourceTag/{tag['Key']}": tag["Value"] for tag in c.tags}
    for action in ("ec2:DescribeSubnets", "ec2:DescribeSecurityGroups", "ec2:DescribeInstances"):
        yield action, "*", {}
    yield "ec2:RunInstances", f"{ec2}:subnet/{c.subnet}", resource_tags(c.subnet)
    for group in c.security_groups():
        yield "ec2:RunInstances", f"{ec2}:security-group/{group}", resource_tags(group)
    for kind in ("instance", "volume"):
        yield "ec2:RunInstances", f"{ec2}:{kind}/*", asked
        yield "ec2:CreateTags", f"{ec2}:{kind}/*", {**asked, "ec2:CreateAction": "RunInstances"}
    yield "ec2:RunInstances", f"{ec2}:network-interface/*", {}
    yield "ec2:RunInstances", f"arn:aws:ec2:{c.scope.region}::image/{c.custom_ami or network.IMAGE}", {}
    yield "ec2:TerminateInstances", f"{ec2}:instance/*", born
    if c.primary_group:
        for group in (c.primary_group, c.core_group):
            yield "ec2:AuthorizeSecurityGroupIngress", f"{ec2}:security-group/{group}", resource_tags(group)
    else:
        vpc = network.subnet(c.subnet)["VpcId"]
        yield "ec2:CreateSecurityGroup", f"{ec2}:vpc/{vpc}", resource_tags(vpc)
        yield "ec2:CreateSecurityGroup", f"{ec2}:security-group/*", {f"aws:RequestTag/{TAG}": "true"}
        yield "ec2:AuthorizeSecurityGroupIngress", f"{ec2}:security-group/*", {f"aws:ResourceTag/{TAG}": "true"}
    if c.buys_spot and not permissions.linked(permissions.SPOT):
        yield "iam:CreateServiceLinkedRole", permissions.linked_arn(c.scope, permissions.SPOT), {"iam:AWSServiceName": permissions.SPOT}
    nodes = permissions.node_role(c.instance_profile)["Arn"]
    yield "iam:PassRole", nodes, {"iam:PassedToService": permissions.EC2}


def resource_tags(resource_id: str) -> dict[str, str]:
    return {f"aws:ResourceTag/{key}": value for key, value in network.tags(resource_id).items()}


def key_pair(c: Cluster) -> str | None:
    from ministack.services import ec2

    return "The given SSH key name was invalid" if c.key_name and c.key_name not in ec2._key_pairs else None


def log_bucket(c: Cluster) -> str | None:
    from ministack.services import s3

    if c.log_uri is None:
        return None
    name = c.log_uri.removeprefix("s3n://").partition("/")[0]
    if name not in s3._buckets:
        return f"The S3 bucket {name} of the log URI does not exist."
    region = s3._buckets[name]["region"]
    if region != c.scope.region:
        return f"The S3 bucket {name} of the log URI is in {region}, not in {c.scope.region}."
    return None
