"""What meets whoever looks after an account: many clusters of any age, in pages, in regions of which some are off."""

import time

import pytest
from conftest import REGION, policy


@pytest.fixture
def world(server):
    yield lambda **settings: server.local("POST", "world", settings)
    server.local("DELETE", "world")


@pytest.fixture(autouse=True)
def slowly(server):
    """Simulated time is real time, but for what is advanced: a busy machine moves no moment."""
    server.local("POST", "clock", {"rate": 1})
    yield
    server.local("POST", "clock", {"rate": 60})


@pytest.fixture
def plant(account):
    """Plants clusters in the test's account, and gives their ids."""
    plain = {"account": account.number, "region": REGION, "age": 7200}

    def planted(*crowd: dict) -> list[str]:
        said = [plain | {"name": f"c{n}"} | one for n, one in enumerate(crowd)]
        return account.server.local("POST", "crowd", said)["clusters"]

    return planted


# --- regions

def regions(account, **asked) -> dict[str, str]:
    return {one["RegionName"]: one["OptInStatus"] for one in account.client("ec2").describe_regions(**asked)["Regions"]}


def test_regions_are_on_unless_a_test_says_otherwise(account, world):
    every = regions(account, AllRegions=True)
    assert every == regions(account)
    assert {every[name] for name in ("us-east-1", "eu-west-2", "eu-west-3", "eu-central-1")} == {"opt-in-not-required"}
    assert {every[name] for name in ("eu-south-1", "eu-south-2", "eu-central-2")} == {"opted-in"}
    world(regions_off=["eu-south-2"])
    assert regions(account, AllRegions=True) == every | {"eu-south-2": "not-opted-in"}
    assert set(every) - set(regions(account)) == {"eu-south-2"}
    wanted = [{"Name": "opt-in-status", "Values": ["not-opted-in"]}]
    assert list(regions(account, AllRegions=True, Filters=wanted)) == ["eu-south-2"]


def test_a_region_that_is_off_answers_nobody(account, world, server, refused):
    world(regions_off=["eu-south-2"])
    for service, call, code in (
        ("ec2", "describe_instances", "AuthFailure"), ("emr", "list_clusters", "UnrecognizedClientException"),
        ("scheduler", "list_schedules", "UnrecognizedClientException"), ("sts", "get_caller_identity", "InvalidClientTokenId"),
        ("s3", "list_buckets", "InvalidAccessKeyId"), ("cloudwatch", "list_metrics", "UnrecognizedClientException"),
    ):
        assert refused(getattr(account.client(service, region="eu-south-2"), call))[0] == code
        getattr(account.client(service, region="eu-south-1"), call)
    account.client("iam", region="eu-south-2").list_roles()
    last = [c for c in server.local("GET", "calls")["calls"] if c["service"] == "ec2" and c["region"] == "eu-south-2"][-1]
    assert (last["operation"], last["error"]) == ("DescribeInstances", "AuthFailure")
    with pytest.raises(Exception, match="400"):
        world(regions_off=["eu-west-3"])


# --- instances

def instances(account, **asked) -> list[dict]:
    found = account.client("ec2").describe_instances(**asked)
    return [one for reservation in found["Reservations"] for one in reservation["Instances"]]


def matching(account, **wanted: list[str]) -> set[str]:
    named = [{"Name": name.replace("__", ":").replace("_", "-"), "Values": values} for name, values in wanted.items()]
    return {tag(one, "aws:elasticmapreduce:job-flow-id") for one in instances(account, Filters=named)}


def tag(instance: dict, key: str) -> str | None:
    return next((one["Value"] for one in instance["Tags"] if one["Key"] == key), None)


def test_instances_say_whose_they_are(emr):
    core = {"InstanceRole": "CORE", "InstanceType": "m5.2xlarge", "InstanceCount": 2, "Market": "SPOT"}
    primary = {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1}
    emr.account.client("iam").put_role_policy(RoleName="service", PolicyName="own", PolicyDocument=policy(
        {"Action": ["ec2:*", "iam:PassRole", "iam:CreateServiceLinkedRole"]}))
    cluster = emr.waiting(Instances={"InstanceGroups": [primary, core]}, Tags=[{"Key": "owner", "Value": "me"}])
    found = instances(emr.account)
    assert {tag(one, "aws:elasticmapreduce:job-flow-id") for one in found} == {cluster}
    assert {tag(one, "owner") for one in found} == {"me"}
    created = emr.describe(cluster)["Status"]["Timeline"]["CreationDateTime"]
    told = sorted((tag(one, "aws:elasticmapreduce:instance-group-role"), one["InstanceType"], one.get("InstanceLifecycle"))
                  for one in found)
    assert told == [("CORE", "m5.2xlarge", "spot")] * 2 + [("MASTER", "m5.xlarge", None)]
    for one in found:
        assert one["Placement"]["AvailabilityZone"].startswith(REGION)
        assert one["State"]["Name"] == "running"
        assert 0 <= (one["LaunchTime"] - created).total_seconds() < 60


def test_instances_are_filtered(account, plant, refused):
    mine, spot, ended = plant(
        {"tags": {"owner": "me", "stack": "a"}},
        {"tags": {"owner": "you"}, "core": {"type": "r5.xlarge", "count": 1, "market": "SPOT"}},
        {"tags": {"stack": "b"}},
    )
    account.client("emr").terminate_job_flows(JobFlowIds=[ended])
    account.server.advance(100)
    assert matching(account, tag__owner=["me", "none"]) == {mine}
    assert matching(account, tag_key=["stack"]) == {mine, ended}
    assert matching(account, tag_key=["own*"]) == {mine, spot}
    assert matching(account, instance_state_name=["pending", "running"]) == {mine, spot}
    assert matching(account, instance_state_name=["terminated"]) == {ended}
    assert matching(account, tag_key=["aws:elasticmapreduce:job-flow-id"], instance_state_name=["running"]) == {mine, spot}
    assert matching(account, instance_lifecycle=["spot"]) == {spot}
    assert matching(account, instance_type=["r5.*"]) == {spot}
    assert refused(instances, account, Filters=[{"Name": "colour", "Values": ["red"]}])[0] == "InvalidParameterValue"


def test_instances_come_in_pages(account, plant, refused):
    plant(*[{"core": {"type": "m5.xlarge", "count": 2}}] * 7)
    pages = list(account.client("ec2").get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 10}))
    assert [sum(len(r["Instances"]) for r in page["Reservations"]) for page in pages] == [10, 10, 1]
    told = [one["InstanceId"] for page in pages for r in page["Reservations"] for one in r["Instances"]]
    assert len(set(told)) == 21 == len(instances(account))
    assert refused(instances, account, MaxResults=4)[0] == "InvalidParameterValue"
    assert refused(instances, account, MaxResults=5, InstanceIds=told[:1])[0] == "InvalidParameterCombination"


# --- the crowd

def test_a_thousand_clusters(account, plant):
    began = time.monotonic()
    crowd = [{"age": 600 + n, "state": "RUNNING" if n % 2 else "WAITING", "core": {"type": "m5.xlarge", "count": 1},
              "steps": [{"name": "s", "state": "RUNNING", "started": 500}] if n % 2 else []} for n in range(1000)]
    ids = plant(*crowd)
    took = time.monotonic() - began
    assert len(set(ids)) == 1000 and took < 3, took
    emr = account.client("emr")
    pages = list(emr.get_paginator("list_clusters").paginate(ClusterStates=["WAITING", "RUNNING", "STARTING"]))
    assert [len(page["Clusters"]) for page in pages] == [50] * 20
    assert {c["Id"] for page in pages for c in page["Clusters"]} == set(ids)
    waiting = emr.get_paginator("list_clusters").paginate(ClusterStates=["WAITING"])
    assert sum(len(page["Clusters"]) for page in waiting) == 500
    began = time.monotonic()
    for start in range(0, 1000, 10):
        emr.terminate_job_flows(JobFlowIds=ids[start:start + 10])
    account.server.advance(100)
    assert emr.list_clusters(ClusterStates=["WAITING", "RUNNING", "TERMINATING"])["Clusters"] == []
    assert time.monotonic() - began < 20


def test_a_planted_cluster_has_its_past(account, plant):
    emr, now = account.client("emr"), account.server.local("GET", "clock")["now"]
    [old] = plant({
        "name": "old", "age": 90_000, "ready_after": 600, "tags": {"owner": "me"}, "primary": "m5.2xlarge",
        "core": {"type": "r5.xlarge", "count": 3}, "protected": True, "idle_timeout": 7200,
        "steps": [{"name": "a", "state": "COMPLETED", "started": 80_000, "ended": 70_000},
                  {"name": "b", "state": "RUNNING", "started": 60_000}, {"name": "c", "state": "PENDING"}],
        "state": "RUNNING",
    })
    told = emr.describe_cluster(ClusterId=old)["Cluster"]
    assert (told["Name"], told["TerminationProtected"], told["AutoTerminate"]) == ("old", True, False)
    assert told["Tags"] == [{"Key": "owner", "Value": "me"}]
    times = told["Status"]["Timeline"]
    assert times["CreationDateTime"].timestamp() == pytest.approx(now - 90_000, abs=5)
    assert times["ReadyDateTime"].timestamp() == pytest.approx(now - 89_400, abs=5)
    steps = emr.list_steps(ClusterId=old)["Steps"]
    assert [(s["Name"], s["Status"]["State"]) for s in steps] == [("c", "PENDING"), ("b", "RUNNING"), ("a", "COMPLETED")]
    assert steps[1]["Status"]["Timeline"]["StartDateTime"].timestamp() == pytest.approx(now - 60_000, abs=5)
    groups = emr.list_instance_groups(ClusterId=old)["InstanceGroups"]
    assert [(g["InstanceType"], g["RunningInstanceCount"]) for g in groups] == [("m5.2xlarge", 1), ("r5.xlarge", 3)]
    assert emr.get_auto_termination_policy(ClusterId=old)["AutoTerminationPolicy"] == {"IdleTimeout": 7200}
    assert all(abs(one["LaunchTime"].timestamp() - (now - 90_000)) < 5 for one in instances(account))
    emr.cancel_steps(ClusterId=old, StepIds=[steps[1]["Id"], steps[0]["Id"]])
    assert emr.describe_cluster(ClusterId=old)["Cluster"]["Status"]["State"] == "WAITING"
    emr.set_termination_protection(JobFlowIds=[old], TerminationProtected=False)
    emr.terminate_job_flows(JobFlowIds=[old])
    account.server.advance(100)
    assert emr.describe_cluster(ClusterId=old)["Cluster"]["Status"]["State"] == "TERMINATED"


def test_a_planted_cluster_starts_or_never_does(account, plant):
    emr = account.client("emr")
    stuck, slow = plant({"state": "STARTING"}, {"state": "STARTING", "age": 100, "ready_after": 900})

    def states() -> list[str]:
        return [emr.describe_cluster(ClusterId=one)["Cluster"]["Status"]["State"] for one in (stuck, slow)]

    assert states() == ["STARTING", "STARTING"]
    account.server.advance(760)
    assert states() == ["STARTING", "BOOTSTRAPPING"]
    account.server.advance(100)
    assert states() == ["STARTING", "WAITING"]


def test_a_planted_cluster_is_idle_or_active(account, plant):
    emr = account.client("emr")
    idle, stuck, wrong = plant(
        {"idle_timeout": 9000, "age": 8000, "ready_after": 300},
        {"idle_timeout": 9000, "age": 8000, "ready_after": 300, "activity": [{"started": 7000, "apps_pending": 1}]},
        {"steps": [{"name": "s", "state": "PENDING"}], "state": "RUNNING"},
    )
    emr.terminate_job_flows(JobFlowIds=[wrong])
    account.server.advance(1000)
    assert emr.describe_cluster(ClusterId=idle)["Cluster"]["Status"]["State"] == "WAITING"
    account.server.advance(1000)
    reason = emr.describe_cluster(ClusterId=idle)["Cluster"]["Status"]["StateChangeReason"]
    assert reason["Code"] == "ALL_STEPS_COMPLETED"
    assert emr.describe_cluster(ClusterId=stuck)["Cluster"]["Status"]["State"] == "WAITING"
    for unclear in ({"state": "ASLEEP"}, {"colour": "red"}, {"primary": "m5.large"},
                    {"steps": [{"name": "s", "state": "COMPLETED", "started": 5}]}):
        with pytest.raises(Exception, match="400"):
            plant(unclear)
