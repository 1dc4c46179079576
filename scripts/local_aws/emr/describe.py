"""Clusters and their parts in the shapes of AWS's answers: numbers for moments, only the members that have a value.

It must never change what it describes.
"""

from .model import Cluster, Group, Instance, Reason, Step


def present(**members) -> dict:
    """Members that are there: AWS leaves out what is not set."""
    return {key: value for key, value in members.items() if value is not None}


def reason(given: Reason) -> dict:
    return present(Code=given.code, Message=given.message)


def moment(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def status(state: str, why: Reason, **moments) -> dict:
    timeline = present(**{key: moment(value) for key, value in moments.items()})
    return {"State": state, "StateChangeReason": reason(why), "Timeline": timeline}


def cluster_status(c: Cluster) -> dict:
    return status(c.state, c.reason, CreationDateTime=c.created, ReadyDateTime=c.ready, EndDateTime=c.ended)


def summary(c: Cluster, now: float, until: float) -> dict:
    """As a listing shows it that knows what happened up to the moment `until`."""
    state, why = c.state_at(until)
    ready, ended = (moment if moment is not None and moment <= until else None for moment in (c.ready, c.ended))
    shown = status(state, why, CreationDateTime=c.created, ReadyDateTime=ready, EndDateTime=ended)
    return {
        "Id": c.id, "Name": c.name, "Status": shown, "ClusterArn": c.arn,
        "NormalizedInstanceHours": normalized_hours(c, now),
    }


def cluster(c: Cluster, now: float) -> dict:
    return present(
        Id=c.id, Name=c.name, Status=cluster_status(c), Ec2InstanceAttributes=ec2_attributes(c),
        InstanceCollectionType="INSTANCE_FLEET" if c.has_fleets else "INSTANCE_GROUP",
        LogUri=c.log_uri, LogEncryptionKmsKeyId=c.log_key, ReleaseLabel=c.release,
        AutoTerminate=not c.keep_alive, TerminationProtected=c.protected, UnhealthyNodeReplacement=c.replace_unhealthy,
        VisibleToAllUsers=c.visible, Applications=c.applications, Tags=c.tags, ServiceRole=c.service_role,
        NormalizedInstanceHours=normalized_hours(c, now), MasterPublicDnsName=public_name(c), Configurations=c.configurations,
        SecurityConfiguration=c.security_configuration, AutoScalingRole=c.auto_scaling_role, ScaleDownBehavior=c.scale_down,
        CustomAmiId=c.custom_ami, EbsRootVolumeSize=c.root_size, KerberosAttributes={}, ClusterArn=c.arn,
        StepConcurrencyLevel=c.step_concurrency, PlacementGroups=[], OSReleaseLabel=c.os_release,
        MonitoringConfiguration=c.monitoring,
    )


def ec2_attributes(c: Cluster) -> dict:
    return present(
        Ec2KeyName=c.key_name, Ec2SubnetId=c.subnet, RequestedEc2SubnetIds=[c.subnet] if c.subnet else [],
        Ec2AvailabilityZone=c.zone, RequestedEc2AvailabilityZones=[], IamInstanceProfile=c.instance_profile,
        EmrManagedMasterSecurityGroup=c.primary_group, EmrManagedSlaveSecurityGroup=c.core_group,
        ServiceAccessSecurityGroup=c.service_group, AdditionalMasterSecurityGroups=c.more_primary_groups,
        AdditionalSlaveSecurityGroups=c.more_core_groups,
    )


def public_name(c: Cluster) -> str | None:
    node = c.primary
    return (node.public_dns or node.private_dns) if node and c.ready else None


def normalized_hours(c: Cluster, now: float) -> int:
    """Instance hours weighted by size, as EMR approximates them: m1.small is 1, an xlarge 8."""
    total = 0.0
    for i in c.instances:
        total += weight(i.type) * max(1, round(((i.ended or now) - i.created) / 3600 + 0.5))
    return int(total)


def weight(type_name: str) -> int:
    size = type_name.rpartition(".")[2]
    if size.endswith("xlarge"):
        return 8 * int(size.removesuffix("xlarge") or 1)
    return {"small": 1, "medium": 2, "large": 4}.get(size, 8)


def group(g: Group, instances: list[Instance]) -> dict:
    running = sum(1 for i in instances if i.group_id == g.id and i.state == "RUNNING")
    return present(
        Id=g.id, Name=g.name, Market=g.market, InstanceGroupType=g.role, BidPrice=g.bid_price, InstanceType=g.type,
        RequestedInstanceCount=g.requested, RunningInstanceCount=running,
        Status=status(g.state, g.reason, CreationDateTime=g.created, ReadyDateTime=g.ready, EndDateTime=g.ended),
        Configurations=g.configurations, ConfigurationsVersion=g.configurations_version,
        LastSuccessfullyAppliedConfigurations=g.configurations,
        LastSuccessfullyAppliedConfigurationsVersion=g.configurations_version,
        EbsBlockDevices=devices(g.volumes),
        EbsOptimized=g.ebs_optimized, ShrinkPolicy={}, CustomAmiId=g.custom_ami,
    )


def devices(volumes: list[dict]) -> list[dict]:
    return [{"VolumeSpecification": v, "Device": device(n)} for n, v in enumerate(volumes)]


def device(number: int) -> str:
    return f"/dev/sd{chr(ord('b') + number)}"


def instance(i: Instance) -> dict:
    return present(
        Id=i.id, Ec2InstanceId=i.ec2_id, PublicDnsName=i.public_dns, PublicIpAddress=i.public_ip,
        PrivateDnsName=i.private_dns, PrivateIpAddress=i.private_ip, Market=i.market,
        **{"InstanceFleetId" if i.group_id.startswith("if-") else "InstanceGroupId": i.group_id},
        Status=status(i.state, Reason(), CreationDateTime=i.created, ReadyDateTime=i.ready, EndDateTime=i.ended),
        InstanceType=i.type, EbsVolumes=i.volumes,
    )


def step(s: Step) -> dict:
    state = status(s.state, s.reason, CreationDateTime=s.created, StartDateTime=s.started, EndDateTime=s.ended)
    if s.failure:
        state["FailureDetails"] = s.failure
    return {
        "Id": s.id, "Name": s.name, "ActionOnFailure": s.on_failure, "Status": state,
        "Config": present(Jar=s.jar, Properties=s.properties, MainClass=s.main_class, Args=s.args),
    }
