"""Instance groups, instances in EC2, and the security groups between them."""

import pytest

PRIMARY, CORE = (
    {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1},
    {"InstanceRole": "CORE", "InstanceType": "m5.xlarge", "InstanceCount": 2},
)
TASK = {"Name": "extra", "InstanceRole": "TASK", "InstanceType": "m5.xlarge", "InstanceCount": 2, "Market": "SPOT"}


def groups(emr, cluster: str) -> dict[str, dict]:
    return {g["InstanceGroupType"]: g for g in emr.client.list_instance_groups(ClusterId=cluster)["InstanceGroups"]}


def modify(emr, cluster: str, group: dict, **change) -> None:
    emr.client.modify_instance_groups(ClusterId=cluster, InstanceGroups=[{"InstanceGroupId": group["Id"], **change}])


def test_core_grows_and_shrinks(emr, refused):
    cluster = emr.waiting()
    core = groups(emr, cluster)["CORE"]
    modify(emr, cluster, core, InstanceCount=3)
    assert groups(emr, cluster)["CORE"]["Status"]["State"] == "RESIZING"
    assert refused(modify, emr, cluster, core, InstanceCount=4)[0] == "ValidationException"
    emr.server.advance(100)
    core = groups(emr, cluster)["CORE"]
    assert (core["Status"]["State"], core["RequestedInstanceCount"], core["RunningInstanceCount"]) == ("RUNNING", 3, 3)
    modify(emr, cluster, core, InstanceCount=1)
    emr.server.advance(100)
    assert groups(emr, cluster)["CORE"]["RunningInstanceCount"] == 1
    assert refused(modify, emr, cluster, core, InstanceCount=0)[0] == "ValidationException"
    assert refused(modify, emr, cluster, groups(emr, cluster)["MASTER"], InstanceCount=2)[0] == "ValidationException"


def test_a_task_group_comes_and_goes_to_nothing(emr, refused):
    cluster = emr.waiting()
    added = emr.client.add_instance_groups(JobFlowId=cluster, InstanceGroups=[TASK])
    emr.server.advance(100)
    task = groups(emr, cluster)["TASK"]
    assert [task["Id"]] == added["InstanceGroupIds"]
    assert (task["Name"], task["Market"], task["RunningInstanceCount"]) == ("extra", "SPOT", 2)
    modify(emr, cluster, task, InstanceCount=0)
    emr.server.advance(100)
    assert groups(emr, cluster)["TASK"]["RunningInstanceCount"] == 0
    assert refused(emr.client.add_instance_groups, JobFlowId=cluster, InstanceGroups=[CORE])[0] == "ValidationException"


def test_configurations_of_a_group(emr):
    cluster = emr.waiting()
    changed = [{"Classification": "yarn-site", "Properties": {"a": "1"}}]
    modify(emr, cluster, groups(emr, cluster)["CORE"], Configurations=changed)
    emr.server.advance(100)
    core = groups(emr, cluster)["CORE"]
    assert (core["Configurations"], core["ConfigurationsVersion"]) == (changed, 1)


def test_managed_scaling_forbids_counts(emr, refused):
    cluster = emr.waiting()
    limits = {"UnitType": "Instances", "MinimumCapacityUnits": 1, "MaximumCapacityUnits": 4}
    emr.client.put_managed_scaling_policy(ClusterId=cluster, ManagedScalingPolicy={"ComputeLimits": limits})
    got = emr.client.get_managed_scaling_policy(ClusterId=cluster)
    assert got["ManagedScalingPolicy"]["ComputeLimits"] == limits
    core = groups(emr, cluster)["CORE"]
    assert refused(modify, emr, cluster, core, InstanceCount=3)[0] == "ValidationException"
    emr.client.remove_managed_scaling_policy(ClusterId=cluster)
    assert "ManagedScalingPolicy" not in emr.client.get_managed_scaling_policy(ClusterId=cluster)
    modify(emr, cluster, core, InstanceCount=3)


def test_instances_are_seen_in_ec2(emr):
    ec2 = emr.account.client("ec2")
    cluster = emr.waiting(Tags=[{"Key": "project", "Value": "p8"}])
    of_cluster = [{"Name": "tag:aws:elasticmapreduce:job-flow-id", "Values": [cluster]}]
    seen = [i for r in ec2.describe_instances(Filters=of_cluster)["Reservations"] for i in r["Instances"]]
    listed = emr.client.list_instances(ClusterId=cluster)["Instances"]
    assert {i["InstanceId"] for i in seen} == {i["Ec2InstanceId"] for i in listed}
    assert len(seen) == 3
    assert len(emr.client.list_instances(ClusterId=cluster, InstanceGroupTypes=["CORE"])["Instances"]) == 2
    for instance in seen:
        assert instance["State"]["Name"] == "running"
        assert instance["PublicIpAddress"] and instance["SubnetId"].startswith("subnet-")
        assert instance["IamInstanceProfile"]["Arn"].endswith("instance-profile/nodes")
        assert {"Key": "project", "Value": "p8"} in instance["Tags"]
    emr.client.terminate_job_flows(JobFlowIds=[cluster])
    emr.server.advance(100)
    after = [i for r in ec2.describe_instances(Filters=of_cluster)["Reservations"] for i in r["Instances"]]
    assert {i["State"]["Name"] for i in after} == {"terminated"}


def test_managed_security_groups_stay_behind_and_hold_each_other(emr, refused):
    ec2 = emr.account.client("ec2")
    cluster = emr.waiting()
    emr.client.terminate_job_flows(JobFlowIds=[cluster])
    emr.server.advance(100)
    left = {g["GroupName"]: g for g in ec2.describe_security_groups()["SecurityGroups"]}
    assert {"ElasticMapReduce-master", "ElasticMapReduce-slave"} <= set(left)
    primary = left["ElasticMapReduce-master"]
    assert refused(ec2.delete_security_group, GroupId=primary["GroupId"])[0] == "DependencyViolation"


def test_own_groups_get_default_rules_and_cannot_go_while_used(emr, refused):
    ec2 = emr.account.client("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    primary, core = (
        ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"] for name in ("primary", "core")
    )
    named = {"EmrManagedMasterSecurityGroup": primary, "EmrManagedSlaveSecurityGroup": core}
    cluster = emr.run(Instances=named)
    assert refused(ec2.delete_security_group, GroupId=core)[0] == "DependencyViolation"
    emr.server.advance(1000)
    for group in ec2.describe_security_groups(GroupIds=[primary, core])["SecurityGroups"]:
        rules = {(r["IpProtocol"], r["FromPort"], r["ToPort"], p["GroupId"]) for r in group["IpPermissions"]
                 for p in r["UserIdGroupPairs"]}
        assert rules == {(p, low, high, source) for source in (primary, core)
                         for p, low, high in (("tcp", 0, 65535), ("udp", 0, 65535), ("icmp", -1, -1))}
    emr.client.terminate_job_flows(JobFlowIds=[cluster])
    emr.server.advance(100)
    assert refused(ec2.delete_security_group, GroupId=core)[0] == "DependencyViolation"  # the other's rules name it
    for group in ec2.describe_security_groups(GroupIds=[primary, core])["SecurityGroups"]:
        ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=group["IpPermissions"])
    for group in (primary, core):
        ec2.delete_security_group(GroupId=group)


@pytest.mark.parametrize("port, allowed", [(22, True), (8888, False)])
def test_the_world_is_shut_out(emr, port, allowed):
    ec2 = emr.account.client("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    group = ec2.create_security_group(GroupName="open", Description="open", VpcId=vpc)["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=port, ToPort=port, CidrIp="0.0.0.0/0")
    named = {"EmrManagedMasterSecurityGroup": group, "EmrManagedSlaveSecurityGroup": group}
    cluster = emr.run(Instances=named)
    emr.server.advance(1000)
    status = emr.describe(cluster)["Status"]
    assert (status["State"] == "WAITING") is allowed
    assert allowed or "allow public access" in status["StateChangeReason"]["Message"]


def test_types_and_zones(emr, refused):
    ec2 = emr.account.client("ec2")
    by_type = [{"Name": "instance-type", "Values": ["m5.xlarge", "m7i.xlarge", "x.none"]}]
    offered = ec2.describe_instance_type_offerings(LocationType="availability-zone", Filters=by_type)
    zones = {}
    for offer in offered["InstanceTypeOfferings"]:
        zones.setdefault(offer["InstanceType"], []).append(offer["Location"])
    assert zones["m5.xlarge"] == ["eu-west-3a", "eu-west-3b", "eu-west-3c"]
    assert "x.none" not in zones
    [kind] = ec2.describe_instance_types(InstanceTypes=["m5.xlarge"])["InstanceTypes"]
    assert (kind["VCpuInfo"]["DefaultVCpus"], kind["MemoryInfo"]["SizeInMiB"]) == (4, 16384)
    assert kind["ProcessorInfo"]["SupportedArchitectures"] == ["x86_64"]
    assert refused(ec2.describe_instance_types, InstanceTypes=["x.none"])[0] == "InvalidInstanceType"
    regions = {r["RegionName"]: r["OptInStatus"] for r in ec2.describe_regions()["Regions"]}
    assert (regions["eu-west-3"], regions["eu-south-2"]) == ("opt-in-not-required", "opted-in")
    assert len(ec2.describe_subnets()["Subnets"]) == 3


def group(ec2, name: str) -> str:
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    return ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]


@pytest.mark.parametrize("way", ["ingress", "egress"])
def test_a_group_in_a_foreign_groups_rules_cannot_go(account, refused, way):
    ec2 = account.client("ec2")
    ours, foreign = group(ec2, "ours"), group(ec2, "foreign")
    rules = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [{"GroupId": ours}]}]
    getattr(ec2, f"authorize_security_group_{way}")(GroupId=foreign, IpPermissions=rules)
    assert refused(ec2.delete_security_group, GroupId=ours) == (
        "DependencyViolation", f"resource {ours} has a dependent object")
    getattr(ec2, f"revoke_security_group_{way}")(GroupId=foreign, IpPermissions=rules)
    ec2.delete_security_group(GroupId=ours)


def test_a_group_in_its_own_rules_can_go(account):
    ec2 = account.client("ec2")
    ours = group(ec2, "ours")
    rules = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": ours}]}]
    ec2.authorize_security_group_ingress(GroupId=ours, IpPermissions=rules)
    ec2.delete_security_group(GroupId=ours)


def test_a_group_that_a_network_interface_wears_cannot_go(account, refused):
    ec2 = account.client("ec2")
    ours, subnet = group(ec2, "ours"), ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    worn = ec2.create_network_interface(SubnetId=subnet, Groups=[ours])["NetworkInterface"]["NetworkInterfaceId"]
    assert refused(ec2.delete_security_group, GroupId=ours)[0] == "DependencyViolation"
    ec2.delete_network_interface(NetworkInterfaceId=worn)
    ec2.delete_security_group(GroupId=ours)


def test_interface_endpoints(server, account, refused):
    ec2 = account.client("ec2")
    ours, subnet = group(ec2, "ours"), ec2.describe_subnets()["Subnets"][0]
    made = ec2.create_vpc_endpoint(
        VpcEndpointType="Interface", VpcId=subnet["VpcId"], ServiceName="com.amazonaws.eu-west-3.sts", SecurityGroupIds=[ours],
        SubnetIds=[subnet["SubnetId"]], TagSpecifications=[{"ResourceType": "vpc-endpoint", "Tags": [{"Key": "a", "Value": "b"}]}],
    )["VpcEndpoint"]
    assert made["Groups"] == [{"GroupId": ours, "GroupName": "ours"}]
    other = ec2.create_vpc_endpoint(
        VpcEndpointType="Interface", VpcId=subnet["VpcId"], ServiceName="com.amazonaws.eu-west-3.kms")["VpcEndpoint"]
    assert [g["GroupName"] for g in other["Groups"]] == ["default"]

    def found(**filters) -> list[str]:
        asked = [{"Name": name.replace("_", "-"), "Values": [value]} for name, value in filters.items()]
        return [one["VpcEndpointId"] for one in ec2.describe_vpc_endpoints(Filters=asked)["VpcEndpoints"]]

    ids = [made["VpcEndpointId"], other["VpcEndpointId"]]
    assert found(vpc_id=subnet["VpcId"], vpc_endpoint_type="Interface", vpc_endpoint_state="available") == ids
    assert found(vpc_id="vpc-none") == []
    assert found(service_name="*.kms") == ids[1:]
    assert found(**{"tag:a": "b"}) == ids[:1]
    assert ec2.describe_vpc_endpoints(VpcEndpointIds=ids[:1])["VpcEndpoints"][0]["Tags"] == [{"Key": "a", "Value": "b"}]
    assert refused(ec2.delete_security_group, GroupId=ours)[0] == "DependencyViolation"
    assert ec2.delete_vpc_endpoints(VpcEndpointIds=ids)["Unsuccessful"] == []
    assert found(vpc_endpoint_state="deleting") == ids
    assert refused(ec2.delete_security_group, GroupId=ours)[0] == "DependencyViolation"
    server.advance(100)
    assert found() == []
    ec2.delete_security_group(GroupId=ours)
    [gone] = ec2.delete_vpc_endpoints(VpcEndpointIds=ids[:1])["Unsuccessful"]
    assert (gone["ResourceId"], gone["Error"]["Code"]) == (ids[0], "InvalidVpcEndpointId.NotFound")
    assert refused(ec2.describe_vpc_endpoints, VpcEndpointIds=ids[:1])[0] == "InvalidVpcEndpointId.NotFound"
