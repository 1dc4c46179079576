"""What EMR does in EC2: finds subnets, makes and opens security groups, launches and ends instances, leaves an endpoint behind.

It works on ministack's own records, within `request_scope`, so that a client sees them as it sees its own. It must never
remove a security group or an endpoint: EMR leaves those that it made behind.
"""

import time

from .. import endpoints
from ..clock import iso
from . import describe, facts
from .model import Cluster, Group, Instance, new_id

MANAGED = {"primary": "ElasticMapReduce-master", "core": "ElasticMapReduce-slave"}
# As the managed policy AmazonEMRServicePolicy_v2 lets EMR create, tag and modify it; that EMR does so from 7.5 on and leaves it is
# what users report. Which service it leads to is not documented: EMR's own API is assumed here, so know it by its tags.
ENDPOINT_TAGS = {"Name": "emr-service-vpce", "for-use-with-amazon-emr-managed-policies": "true"}
ENDPOINT_SINCE = (7, 5, 0)
IMAGE = "ami-0e3a4d4e5f6a7b8c9"


def subnet(subnet_id: str) -> dict | None:
    return subnets().get(subnet_id)


def default_subnets() -> list[dict]:
    return [s for s in subnets().values() if s.get("DefaultForAz")]


def choose_subnet(c: Cluster) -> str | None:
    """A default subnet whose zone offers every type asked for, or any."""
    homes = [s for s in default_subnets() if c.zone in (None, s["AvailabilityZone"])]
    fitting = [s for s in homes if all(s["AvailabilityZone"] in facts.zones_with(g.type, c.scope.region) for g in c.groups)]
    return next((s["SubnetId"] for s in fitting or homes), None)


def subnets() -> dict:
    from ministack.services import ec2

    ec2._ensure_defaults_initialized()  # ministack makes a region's default VPC at the first call to EC2 there
    return ec2._subnets


def security_group(group_id: str) -> dict | None:
    from ministack.services import ec2

    return ec2._security_groups.get(group_id)


def tags(resource_id: str) -> dict[str, str]:
    from ministack.services import ec2

    return {tag["Key"]: tag.get("Value", "") for tag in ec2._tags.get(resource_id, [])}


def world_open(group_ids: list[str], permitted: list[tuple[int, int]]) -> list[str]:
    """The groups that let the whole world in at a port outside the permitted ranges."""
    return [g for g in group_ids if any(open_rule(rule, permitted) for rule in security_group(g)["IpPermissions"])]


def open_rule(rule: dict, permitted: list[tuple[int, int]]) -> bool:
    everywhere = [r.get("CidrIp") for r in rule.get("IpRanges", [])] + [r.get("CidrIpv6") for r in rule.get("Ipv6Ranges", [])]
    if not {"0.0.0.0/0", "::/0"} & set(everywhere):
        return False
    low, high = rule.get("FromPort", 0), rule.get("ToPort", 65535)
    return not any(first <= low and high <= last for first, last in permitted)


def managed_groups(vpc: str, cluster_id: str) -> tuple[str, str]:
    """EMR's own groups of a VPC, made where they are missing, for a cluster that names none."""
    from ministack.services import ec2

    found = []
    for role, name in MANAGED.items():
        group = next((g for g in ec2._security_groups.values() if (g["GroupName"], g["VpcId"]) == (name, vpc)), None)
        if group is None:
            ec2._create_security_group({
                "GroupName": [name], "VpcId": [vpc],
                "GroupDescription": [f"{role.capitalize()} group for Elastic MapReduce created on behalf of {cluster_id}"],
            })
            group = next(g for g in ec2._security_groups.values() if (g["GroupName"], g["VpcId"]) == (name, vpc))
        found.append(group["GroupId"])
    return found[0], found[1]


def open_between(primary: str, core: str) -> None:
    """EMR's default inbound rules, which it adds to custom groups as well: everything between the two groups."""
    for group_id in {primary, core}:
        rules = security_group(group_id)["IpPermissions"]
        for source in sorted({primary, core}):
            for protocol, low, high in (("tcp", 0, 65535), ("udp", 0, 65535), ("icmp", -1, -1)):
                if not any(covers(rule, protocol, low, high, source) for rule in rules):
                    rules.append({
                        "IpProtocol": protocol, "FromPort": low, "ToPort": high, "IpRanges": [], "Ipv6Ranges": [],
                        "PrefixListIds": [], "UserIdGroupPairs": [{"GroupId": source, "UserId": owner(group_id)}],
                    })


def leave_endpoint(c: Cluster, at: float) -> None:
    """An interface endpoint in the cluster's VPC that wears its primary's group; one that is there is modified."""
    from ministack.services import ec2

    if (facts.version(c.release) or (0,)) < ENDPOINT_SINCE:
        return
    vpc = subnet(c.subnet)["VpcId"]
    there = [
        one for one in ec2._vpc_endpoints.values()
        if one["VpcId"] == vpc and one["State"] == "available" and tags(one["VpcEndpointId"]).items() >= ENDPOINT_TAGS.items()
    ]
    if not there:
        service = f"com.amazonaws.{c.scope.region}.elasticmapreduce"
        endpoints.make(at, vpc, service, [c.subnet], [c.primary_group], ENDPOINT_TAGS)
    for one in there[:1]:
        one["SubnetIds"] = sorted({*one["SubnetIds"], c.subnet})
        one["GroupIds"] = sorted({*one["GroupIds"], c.primary_group})


def covers(rule: dict, protocol: str, low: int, high: int, source: str) -> bool:
    same = (rule.get("IpProtocol"), rule.get("FromPort"), rule.get("ToPort")) == (protocol, low, high)
    return same and any(pair.get("GroupId") == source for pair in rule.get("UserIdGroupPairs", []))


def owner(group_id: str) -> str:
    return security_group(group_id)["OwnerId"]


def launch_all(c: Cluster, at: float) -> None:
    for group in c.groups:
        for market, count in group.lots():
            launch(c, group, market, count, at)


def launch(c: Cluster, group: Group, market: str, count: int, at: float) -> None:
    """Adds `count` instances to a group of a cluster, seen in EC2 with the cluster's tags."""
    from ministack.services import ec2

    named, more = (
        (c.primary_group, c.more_primary_groups) if group.role == "MASTER" else (c.core_group, c.more_core_groups)
    )
    profile, _ = ec2._resolve_iam_instance_profile(iam_name=c.instance_profile, allow_missing=True)
    records = ec2._launch_instances_internal(
        image_id=c.custom_ami or IMAGE, instance_type=group.type, subnet_id=c.subnet, count=count,
        key_name=c.key_name or "", sg_ids=[named, *more], iam_profile=profile,
    )
    for record in records:
        place(record, c, at)
        if market == "SPOT":
            record["InstanceLifecycle"] = "spot"
        ec2._tags[record["InstanceId"]] = instance_tags(c, group)
        c.instances.append(Instance(
            id=new_id("ci-"), ec2_id=record["InstanceId"], group_id=group.id, type=group.type, market=market,
            created=at, private_ip=record["PrivateIpAddress"], public_ip=record["PublicIpAddress"] or None,
            private_dns=record["PrivateDnsName"], public_dns=record["PublicDnsName"] or None,
            volumes=[{"Device": describe.device(n), "VolumeId": ec2._new_volume_id()} for n, _ in enumerate(group.volumes)],
        ))


def place(record: dict, c: Cluster, at: float) -> None:
    """Corrects what ministack makes up about an instance's place: zone, names, public address, time."""
    home = subnet(c.subnet)
    network = ".".join(home["CidrBlock"].split(".")[:2])
    private = network + "." + record["PrivateIpAddress"].split(".", 2)[2]
    public = record["PublicIpAddress"] if home.get("MapPublicIpOnLaunch") else ""
    region = c.scope.region
    record.update(
        PrivateIpAddress=private, PublicIpAddress=public, LaunchTime=iso(at),
        PrivateDnsName=f"ip-{private.replace('.', '-')}.{region}.compute.internal",
        PublicDnsName=f"ec2-{public.replace('.', '-')}.{region}.compute.amazonaws.com" if public else "",
    )
    record["Placement"]["AvailabilityZone"] = home["AvailabilityZone"]


def instance_tags(c: Cluster, group: Group) -> list[dict]:
    own = {"aws:elasticmapreduce:job-flow-id": c.id, "aws:elasticmapreduce:instance-group-role": group.role}
    return [*c.tags, *({"Key": key, "Value": value} for key, value in own.items())]


def retag(c: Cluster) -> None:
    """Carries a change of the cluster's tags to its living instances."""
    from ministack.services import ec2

    groups = {group.id: group for group in c.groups}
    for node in c.instances:
        if node.state != "TERMINATED" and node.ec2_id in ec2._instances:
            ec2._tags[node.ec2_id] = instance_tags(c, groups[node.group_id])


def terminate(nodes: list[Instance], at: float) -> None:
    """As ministack's TerminateInstances, which looks through all instances for each."""
    from ministack.services import ec2

    for node in nodes:
        node.state, node.ended = "TERMINATED", at
        if record := ec2._instances.get(node.ec2_id):
            for mapping in record.get("BlockDeviceMappings", []):
                ec2._volumes.pop(mapping["Ebs"]["VolumeId"], None)
            record.update(State={"Code": 48, "Name": "terminated"}, _terminated_at=time.time())
            profile = ec2._iam_instance_profile_associations.get(record.get("IamInstanceProfileAssociationId"))
            if profile:
                ec2._mark_iam_instance_profile_association_disassociated(profile)
