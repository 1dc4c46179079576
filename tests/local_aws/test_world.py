"""AWS as it is when no call fails: late, and with clusters that meet their fate."""

import json

import pytest
from conftest import Account, policy, trust, until, with_emr


@pytest.fixture
def world(server):
    """Sets the world as its members say; it is as before afterwards."""
    yield lambda **settings: server.local("POST", "world", settings)
    server.local("DELETE", "world")


@pytest.fixture
def slowly(server):
    """Simulated time is real time, but for what is advanced: a busy machine moves no moment."""
    server.local("POST", "clock", {"rate": 1})
    yield
    server.local("POST", "clock", {"rate": 60})


def listed(emr, *states: str) -> dict[str, str]:
    found = emr.client.list_clusters(ClusterStates=list(states))["Clusters"]
    return {c["Id"]: c["Status"]["State"] for c in found}


def test_the_world_is_set_shown_and_reset(server, world):
    before = server.local("GET", "world")
    assert not any(before.values())
    assert world(listing_lag={"iam": 2.5})["listing_lag"] == {"iam": 2.5}
    assert server.local("GET", "world")["listing_lag"] == {"iam": 2.5}
    server.local("DELETE", "world")
    assert server.local("GET", "world") == before


@pytest.mark.parametrize("wrong", [
    {"nope": 1}, {"listing_lag": 3}, {"listing_lag": {"s3": 1}}, {"listing_lag": {"emr": -1}}, {"listing_lag": {"emr": True}},
    {"past_schedules": "soon"}, {"regions_off": ["eu-west-3"]}, {"regions_off": "eu-south-1"}, {"price_page": 0},
    {"metrics": {"late": -1}}, {"metrics": {"page": 0}}, {"metrics": {"gaps": [{"from": 1}]}}, {"metrics": {"other": 1}},
    {"service_endpoint": 1}, {"refill": 3}, {"refill": {}}, {"log_delay": None},
    {"fates": {}}, {"fates": [{"fate": "other"}]}, {"fates": [{"fate": "ends"}]},
    {"fates": [{"fate": "capacity", "seconds": 1}]},
    {"iam_propagation": "long"}, [], {"listing_lag": {"emr": 1}, "iam_propagation": -1},
])
def test_what_the_world_does_not_have(server, wrong):
    with pytest.raises(Exception, match="400"):
        server.local("POST", "world", wrong)
    assert not any(server.local("GET", "world").values())


def test_a_young_cluster_is_not_listed_but_described(emr, world):
    world(listing_lag={"emr": 3000})
    cluster = emr.run()
    assert cluster not in listed(emr)
    assert emr.state(cluster) == "STARTING"
    emr.server.advance(3000)
    assert cluster in listed(emr)


def test_a_listing_shows_and_selects_by_the_state_of_a_while_ago(emr, world):
    cluster = emr.waiting()
    emr.server.advance(4000)
    world(listing_lag={"emr": 3000})
    emr.client.terminate_job_flows(JobFlowIds=[cluster])
    emr.server.advance(100)
    assert emr.state(cluster) == "TERMINATED"
    assert listed(emr, "WAITING") == {cluster: "WAITING"}
    assert listed(emr, "TERMINATED", "TERMINATING") == {}
    [shown] = emr.client.list_clusters()["Clusters"]
    assert set(shown["Status"]["Timeline"]) == {"CreationDateTime", "ReadyDateTime"}
    emr.server.advance(3000)
    assert listed(emr, "TERMINATED") == {cluster: "TERMINATED"}


def test_each_state_is_shown_for_as_long_as_it_lasted(emr, world, slowly):
    cluster = emr.run(BootstrapActions=emr.bootstrap("good.sh") * 3)
    emr.server.advance(10_000)  # starting for 180 s, bootstrapping for 3 x 60 s
    age = emr.server.local("GET", "clock")["now"] - emr.describe(cluster)["Status"]["Timeline"]["CreationDateTime"].timestamp()
    for moment, state in ((100, "STARTING"), (200, "BOOTSTRAPPING"), (300, "BOOTSTRAPPING"), (400, "WAITING")):
        world(listing_lag={"emr": age - moment})
        assert listed(emr) == {cluster: state}, moment


def test_a_young_step_is_not_listed_but_described(emr, world):
    cluster = emr.waiting()
    world(listing_lag={"emr": 3000})
    jar = {"Jar": "command-runner.jar", "Args": ["spark-submit", "true"]}
    [step] = emr.client.add_job_flow_steps(JobFlowId=cluster, Steps=[{"Name": "s", "HadoopJarStep": jar}])["StepIds"]
    assert emr.client.list_steps(ClusterId=cluster)["Steps"] == []
    assert emr.client.list_steps(ClusterId=cluster, StepIds=[step])["Steps"] == []
    assert emr.client.describe_step(ClusterId=cluster, StepId=step)["Step"]["Id"] == step
    emr.server.advance(3000)
    assert [s["Id"] for s in emr.client.list_steps(ClusterId=cluster)["Steps"]] == [step]


def test_young_roles_and_profiles_are_not_listed_but_got(server, account, world):
    iam = account.client("iam")
    iam.create_role(RoleName="old", AssumeRolePolicyDocument=trust("ec2"), Tags=[{"Key": "a", "Value": "b"}])
    server.advance(3000)
    world(listing_lag={"iam": 3000})
    iam.create_role(RoleName="young", AssumeRolePolicyDocument=trust("ec2"))
    iam.create_instance_profile(InstanceProfileName="young")

    def seen() -> tuple[list, list, list]:
        details = iam.get_account_authorization_details(Filter=["Role"])["RoleDetailList"]
        roles, profiles = iam.list_roles()["Roles"], iam.list_instance_profiles()["InstanceProfiles"]
        return [r["RoleName"] for r in roles], [p["InstanceProfileName"] for p in profiles], [d["RoleName"] for d in details]

    assert seen() == (["old"], [], ["old"])
    assert iam.get_role(RoleName="young")["Role"]["RoleName"] == "young"
    assert iam.get_instance_profile(InstanceProfileName="young")["InstanceProfile"]["Roles"] == []
    assert iam.get_role(RoleName="old")["Role"]["Tags"] == [{"Key": "a", "Value": "b"}]
    server.advance(3000)
    assert seen() == (["old", "young"], ["young"], ["old", "young"])


def test_a_role_made_again_is_young_again(server, account, world):
    iam = account.client("iam")
    iam.create_role(RoleName="twice", AssumeRolePolicyDocument=trust("ec2"))
    server.advance(3000)
    world(listing_lag={"iam": 3000})
    assert iam.list_roles()["Roles"]
    iam.delete_role(RoleName="twice")
    iam.create_role(RoleName="twice", AssumeRolePolicyDocument=trust("ec2"))
    assert iam.list_roles()["Roles"] == []


def test_a_young_security_group_is_found_by_id_alone(server, account, world):
    ec2 = account.client("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    world(listing_lag={"ec2": 3000})
    tags = [{"ResourceType": "security-group", "Tags": [{"Key": "mark", "Value": "m"}]}]
    made = ec2.create_security_group(GroupName="young", Description="d", VpcId=vpc, TagSpecifications=tags)["GroupId"]
    by_tag = [{"Name": "tag:mark", "Values": ["m"]}]

    def seen(**asked) -> list[str]:
        return [g["GroupName"] for g in ec2.describe_security_groups(**asked)["SecurityGroups"]]

    assert seen(Filters=by_tag) == []
    assert "young" not in seen()
    assert seen(GroupIds=[made]) == ["young"]
    server.advance(3000)
    assert seen(Filters=by_tag) == ["young"]
    [group] = ec2.describe_security_groups(Filters=by_tag)["SecurityGroups"]
    assert group["Tags"] == [{"Key": "mark", "Value": "m"}]


def aged(emr, world) -> None:
    """IAM takes a while, and all that was made up to now is old enough."""
    world(iam_propagation=3000)
    emr.server.advance(3000)


def test_a_fresh_profile_is_invalid(emr, world, refused):
    aged(emr, world)
    iam = emr.account.client("iam")
    iam.create_instance_profile(InstanceProfileName="fresh")
    iam.add_role_to_instance_profile(InstanceProfileName="fresh", RoleName="nodes")
    asked = emr.request(JobFlowRole="fresh")
    assert refused(emr.client.run_job_flow, **asked) == ("ValidationException", "Invalid InstanceProfile: fresh.")
    emr.server.advance(3000)
    emr.client.run_job_flow(**asked)


@pytest.mark.parametrize("fresh", ["role", "association"])
def test_a_profile_with_a_fresh_role_is_not_authorized(emr, world, refused, fresh):
    iam = emr.account.client("iam")
    iam.create_instance_profile(InstanceProfileName="old")
    if fresh == "association":
        iam.create_role(RoleName="its", AssumeRolePolicyDocument=trust("ec2"))
    aged(emr, world)
    if fresh == "role":
        iam.create_role(RoleName="its", AssumeRolePolicyDocument=trust("ec2"))
    iam.add_role_to_instance_profile(InstanceProfileName="old", RoleName="its")
    code, message = refused(emr.client.run_job_flow, **emr.request(JobFlowRole="old"))
    assert (code, message.startswith("Failed to authorize instance profile arn:")) == ("AccessDeniedException", True)
    emr.server.advance(3000)
    emr.run(JobFlowRole="old")


@pytest.mark.parametrize("age, alive", [(0, False), (2960, False), (2975, True)])
def test_with_a_fresh_service_role_it_starts_and_ends(emr, world, slowly, age, alive):
    aged(emr, world)
    iam = emr.account.client("iam")
    iam.create_role(RoleName="fresh", AssumeRolePolicyDocument=trust("elasticmapreduce"))
    iam.put_role_policy(RoleName="fresh", PolicyName="own", PolicyDocument=policy({"Action": ["ec2:*", "iam:PassRole"]}))
    emr.server.advance(age)
    cluster = emr.run(ServiceRole="fresh")
    assert emr.state(cluster) == "STARTING"
    emr.server.advance(100_000)  # EMR looks 30 s after the start, however late that is noticed
    status = emr.describe(cluster)["Status"]
    if alive:
        assert status["State"] == "WAITING"
    else:
        assert (status["State"], status["StateChangeReason"]["Code"]) == ("TERMINATED_WITH_ERRORS", "VALIDATION_ERROR")
        assert status["StateChangeReason"]["Message"].endswith("role/fresh is invalid")


def trusting(*arns: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": list(arns)}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_trust_policy_cannot_name_who_is_fresh(server, account, world, refused):
    iam = account.client("iam")
    iam.create_role(RoleName="old", AssumeRolePolicyDocument=trust("ec2"))
    server.advance(3000)
    world(iam_propagation=3000)
    fresh = iam.create_role(RoleName="fresh", Path="/a/b/", AssumeRolePolicyDocument=trust("ec2"))["Role"]["Arn"]
    old = iam.get_role(RoleName="old")["Role"]["Arn"]
    malformed = ("MalformedPolicyDocument", f'Invalid principal in policy: "AWS":"{fresh}"')
    assert refused(iam.create_role, RoleName="third", AssumeRolePolicyDocument=trusting(old, fresh)) == malformed
    assert refused(iam.update_assume_role_policy, RoleName="old", PolicyDocument=trusting(fresh)) == malformed
    iam.create_role(RoleName="fourth", AssumeRolePolicyDocument=trusting(old))
    server.advance(3000)
    iam.create_role(RoleName="third", AssumeRolePolicyDocument=trusting(old, fresh))


def end(emr, cluster: str) -> tuple[str, str, str]:
    status = emr.describe(cluster)["Status"]
    return status["State"], status["StateChangeReason"].get("Code"), status["StateChangeReason"]["Message"]


@pytest.mark.parametrize("fate, code, words", [
    ("service_role", "VALIDATION_ERROR", "role/service is invalid"),
    ("validation", "VALIDATION_ERROR", "instance type m5.xlarge is not supported in the requested availability zone"),
    ("capacity", "INSTANCE_FAILURE", "Insufficient Instance Capacity"),
    ("bootstrap", "BOOTSTRAP_FAILURE", "application provisioning failed"),
])
def test_a_cluster_fails_as_it_is_fated_to(emr, world, fate, code, words):
    world(fates=[{"fate": fate}])
    cluster = emr.run()
    assert emr.state(cluster) == "STARTING"
    emr.server.advance(1000)
    state, because, message = end(emr, cluster)
    assert (state, because) == ("TERMINATED_WITH_ERRORS", code)
    assert words in message
    launched = emr.client.list_instances(ClusterId=cluster)["Instances"]
    assert bool(launched) == (fate == "bootstrap")


def test_a_fated_bootstrap_fails_in_its_action_and_leaves_its_log(emr, world):
    world(fates=[{"fate": "bootstrap"}])
    cluster = emr.run(BootstrapActions=emr.bootstrap("good.sh"))
    emr.server.advance(1000)
    _, _, message = end(emr, cluster)
    node = message.split("(")[1].split(")")[0]
    assert message == f"On the master instance ({node}), bootstrap action 1 returned a non-zero return code"
    assert emr.log(cluster, f"node/{node}/bootstrap-actions/1/stderr") == "fated to fail\n"


@pytest.mark.parametrize("after, begun", [(100, "STARTING"), (200, "BOOTSTRAPPING"), (5000, "WAITING")])
def test_a_cluster_ends_by_itself(emr, world, slowly, after, begun):
    world(fates=[{"fate": "ends", "seconds": after}])
    cluster = emr.run(Instances={"TerminationProtected": True})
    emr.server.advance(after - 15)
    assert emr.state(cluster) == begun
    emr.server.advance(100)
    assert end(emr, cluster) == ("TERMINATED_WITH_ERRORS", "INSTANCE_FAILURE", "The master node was terminated.")
    lived = emr.describe(cluster)["Status"]["Timeline"]
    assert (lived["EndDateTime"] - lived["CreationDateTime"]).total_seconds() == pytest.approx(after + 60)


def test_fates_are_used_in_order_one_a_run_that_is_accepted(emr, world, refused):
    world(fates=[{"fate": "capacity"}, None, {"fate": None}, {"fate": "validation"}])
    assert refused(emr.client.run_job_flow, **emr.request(ReleaseLabel="emr-0.0.0"))[0] == "ValidationException"
    clusters = [emr.run() for _ in range(5)]
    assert emr.server.local("GET", "world")["fates"] == []
    emr.server.advance(1000)
    codes = [end(emr, cluster)[1] for cluster in clusters]
    assert codes == ["INSTANCE_FAILURE", None, None, "VALIDATION_ERROR", None]


def keys(emr, cluster: str) -> list[str]:
    found = emr.account.client("s3").list_objects_v2(Bucket=emr.bucket, Prefix=f"emr/{cluster}/")
    return [o["Key"].partition(f"{cluster}/")[2] for o in found.get("Contents", [])]


def test_logs_come_late_and_after_the_end(emr, world, slowly):
    world(log_delay=3000)
    cluster = emr.run(BootstrapActions=emr.bootstrap("bad.sh"))
    emr.server.advance(1000)
    assert end(emr, cluster)[:2] == ("TERMINATED_WITH_ERRORS", "BOOTSTRAP_FAILURE")
    assert keys(emr, cluster) == []
    emr.server.advance(2300)  # 240 s to the failure, 3000 to its log
    assert [key.rpartition("/")[2] for key in keys(emr, cluster)] == ["controller.gz", "stderr.gz", "stdout.gz"]


def test_a_leap_past_the_delay_leaves_the_log(emr, world):
    world(log_delay=300)
    cluster = emr.run(BootstrapActions=emr.bootstrap("bad.sh"))
    emr.server.advance(10_000)
    assert len(keys(emr, cluster)) == 3


def test_a_steps_logs_come_late(emr, world, slowly):
    cluster = emr.waiting()
    world(log_delay=3000)
    jar = {"Jar": "command-runner.jar", "Args": ["spark-submit", "echo out"]}
    [step] = emr.client.add_job_flow_steps(JobFlowId=cluster, Steps=[{"Name": "s", "HadoopJarStep": jar}])["StepIds"]
    until(lambda: emr.client.describe_step(ClusterId=cluster, StepId=step)["Step"]["Status"]["State"] == "COMPLETED")
    assert keys(emr, cluster) == []
    emr.server.advance(3000)
    assert emr.log(cluster, f"steps/{step}/stdout") == "out\n"


def empty(emr, cluster: str) -> int:
    """Deletes the cluster's logs; how many there were."""
    found = keys(emr, cluster)
    for key in found:
        emr.account.client("s3").delete_object(Bucket=emr.bucket, Key=f"emr/{cluster}/{key}")
    return len(found)


def test_the_log_writer_refills_a_bucket_while_the_cluster_ends_and_after(emr, world, slowly):
    world(refill={"seconds": 500})
    cluster = emr.waiting()
    assert empty(emr, cluster) == 0
    emr.client.terminate_job_flows(JobFlowIds=[cluster])
    emr.server.advance(30)
    assert emr.state(cluster) == "TERMINATING"
    assert empty(emr, cluster) in (3, 4, 5)  # one each ten seconds
    emr.server.advance(250)
    assert emr.state(cluster) == "TERMINATED"
    assert empty(emr, cluster) > 20
    emr.server.advance(2000)
    assert empty(emr, cluster) > 20
    emr.server.advance(2000)
    assert empty(emr, cluster) == 0


def test_a_deny_stops_the_log_writer(emr, world):
    world(refill={"seconds": 100_000})
    cluster = emr.waiting()
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{emr.bucket}/*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    emr.account.client("s3").put_bucket_policy(Bucket=emr.bucket, Policy=document)
    emr.client.terminate_job_flows(JobFlowIds=[cluster])
    emr.server.advance(1000)
    assert keys(emr, cluster) == []
    emr.account.client("s3").delete_bucket_policy(Bucket=emr.bucket)
    emr.server.advance(100)
    assert keys(emr, cluster)


def test_a_cluster_without_instances_has_no_log_writer(emr, world):
    world(refill={"seconds": 100}, fates=[{"fate": "capacity"}])
    cluster = emr.run()
    emr.server.advance(1000)
    assert keys(emr, cluster) == []


def test_a_log_writer_of_one_account_disturbs_no_other(emr, world, slowly):
    other = with_emr(Account(emr.server, f"9{emr.account.number[1:]}"))
    cluster = emr.waiting()
    world(refill={"seconds": 100_000})
    emr.client.terminate_job_flows(JobFlowIds=[cluster])
    emr.server.local("POST", "clock", {"rate": 600})  # something is due whenever anybody calls
    for _ in range(10):
        own = other.run()
        assert other.describe(own)["ClusterArn"].split(":")[4] == other.account.number


def test_a_start_leaves_an_endpoint_that_holds_a_group(emr, world, slowly, refused):
    world(service_endpoint=True)
    ec2 = emr.account.client("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    primary, core = (
        ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"] for name in ("primary", "core")
    )
    named = {"EmrManagedMasterSecurityGroup": primary, "EmrManagedSlaveSecurityGroup": core}
    cluster = emr.waiting(Instances=named)
    emr.client.terminate_job_flows(JobFlowIds=[cluster])
    emr.server.advance(100)
    [left] = ec2.describe_vpc_endpoints(Filters=[{"Name": "tag:Name", "Values": ["emr-service-vpce"]}])["VpcEndpoints"]
    assert (left["VpcId"], left["VpcEndpointType"], left["State"]) == (vpc, "Interface", "available")
    assert {"Key": "for-use-with-amazon-emr-managed-policies", "Value": "true"} in left["Tags"]
    assert [g["GroupId"] for g in left["Groups"]] == [primary]
    for group in ec2.describe_security_groups(GroupIds=[primary, core])["SecurityGroups"]:
        ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=group["IpPermissions"])
    ec2.delete_security_group(GroupId=core)
    assert refused(ec2.delete_security_group, GroupId=primary)[0] == "DependencyViolation"
    ec2.delete_vpc_endpoints(VpcEndpointIds=[left["VpcEndpointId"]])
    assert refused(ec2.delete_security_group, GroupId=primary)[0] == "DependencyViolation"
    emr.server.advance(100)
    ec2.delete_security_group(GroupId=primary)


def test_one_endpoint_a_vpc_and_none_before_its_release(emr, world):
    world(service_endpoint=True)
    ec2 = emr.account.client("ec2")
    emr.waiting(ReleaseLabel="emr-7.0.0")
    assert ec2.describe_vpc_endpoints()["VpcEndpoints"] == []
    subnets = [s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]][:2]
    for subnet in subnets:
        emr.waiting(Instances={"Ec2SubnetId": subnet})
    [left] = ec2.describe_vpc_endpoints()["VpcEndpoints"]
    assert sorted(left["SubnetIds"]) == sorted(subnets)
