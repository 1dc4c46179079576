"""Instance fleets: how they are asked for, told, filled and resized, and what EMR refuses of them."""

import pytest
from conftest import policy


def of_type(name: str, weight: int | None = None, **more) -> dict:
    return {"InstanceType": name, **({} if weight is None else {"WeightedCapacity": weight}), **more}


def fleet(role: str, on_demand: int = 0, spot: int = 0, types=(of_type("m5.xlarge"),), **more) -> dict:
    return {"Name": role.lower(), "InstanceFleetType": role, "TargetOnDemandCapacity": on_demand, "TargetSpotCapacity": spot,
            "InstanceTypeConfigs": list(types), **more}


WAIT = {"TimeoutDurationMinutes": 20, "TimeoutAction": "SWITCH_TO_ON_DEMAND", "AllocationStrategy": "price-capacity-optimized"}
PRIMARY = fleet("MASTER", 1)
CORE = fleet("CORE", 2, 3, [of_type("m5.xlarge"), of_type("m5.2xlarge", 2)], LaunchSpecifications={"SpotSpecification": WAIT})
TASK = fleet("TASK", spot=4, types=[of_type("m5.2xlarge", 2)])


def of_fleets(*fleets, **more) -> dict:
    return {"InstanceFleets": list(fleets), "InstanceGroups": [], "KeepJobFlowAliveWhenNoSteps": True, **more}


@pytest.fixture(autouse=True)
def spot(emr) -> None:
    """EMR may make the role that is linked to Spot."""
    may = policy({"Action": ["iam:CreateServiceLinkedRole"]})
    emr.account.client("iam").put_role_policy(RoleName="service", PolicyName="spot", PolicyDocument=may)


def fleets(emr, cluster: str) -> dict[str, dict]:
    return {f["InstanceFleetType"]: f for f in emr.client.list_instance_fleets(ClusterId=cluster)["InstanceFleets"]}


def running(emr, cluster: str, **which) -> list[tuple[str, str]]:
    found = emr.client.list_instances(ClusterId=cluster, InstanceStates=["RUNNING"], **which)["Instances"]
    return sorted((i["InstanceType"], i["Market"]) for i in found)


def modify(emr, cluster: str, of: dict, **capacity) -> None:
    emr.client.modify_instance_fleet(ClusterId=cluster, InstanceFleet={"InstanceFleetId": of["Id"], **capacity})


def test_a_cluster_of_fleets_is_told_by_its_fleets(emr, refused):
    cluster = emr.waiting(Instances=of_fleets(PRIMARY, CORE, TASK))
    assert emr.describe(cluster)["InstanceCollectionType"] == "INSTANCE_FLEET"
    core = fleets(emr, cluster)["CORE"]
    assert (core["TargetOnDemandCapacity"], core["TargetSpotCapacity"]) == (2, 3)
    assert (core["ProvisionedOnDemandCapacity"], core["ProvisionedSpotCapacity"]) == (2, 3)
    assert core["LaunchSpecifications"]["SpotSpecification"] == WAIT
    assert [(t["InstanceType"], t["WeightedCapacity"]) for t in core["InstanceTypeSpecifications"]] == [("m5.xlarge", 1), ("m5.2xlarge", 2)]
    assert running(emr, cluster, InstanceFleetType="CORE") == [("m5.xlarge", "ON_DEMAND")] * 2 + [("m5.xlarge", "SPOT")] * 3
    # Four units are two instances that count for two.
    assert running(emr, cluster, InstanceFleetId=fleets(emr, cluster)["TASK"]["Id"]) == [("m5.2xlarge", "SPOT")] * 2
    code, words = refused(emr.client.list_instance_groups, ClusterId=cluster)
    assert (code, "uses instance fleets" in words) == ("InvalidRequestException", True)
    assert refused(emr.client.list_instance_fleets, ClusterId=emr.waiting())[0] == "InvalidRequestException"


def test_a_fleet_grows_and_shrinks_in_either_market(emr, refused):
    cluster = emr.waiting(Instances=of_fleets(PRIMARY, CORE))
    core = fleets(emr, cluster)["CORE"]
    modify(emr, cluster, core, TargetOnDemandCapacity=1, TargetSpotCapacity=5)
    assert fleets(emr, cluster)["CORE"]["Status"]["State"] == "RESIZING"
    assert refused(modify, emr, cluster, core, TargetSpotCapacity=6)[0] == "ValidationException"
    emr.server.advance(100)
    assert fleets(emr, cluster)["CORE"]["Status"]["State"] == "RUNNING"
    assert running(emr, cluster, InstanceFleetType="CORE") == [("m5.xlarge", "ON_DEMAND")] + [("m5.xlarge", "SPOT")] * 5
    assert refused(modify, emr, cluster, core, TargetOnDemandCapacity=0, TargetSpotCapacity=0)[0] == "ValidationException"
    assert refused(modify, emr, cluster, fleets(emr, cluster)["MASTER"], TargetOnDemandCapacity=2)[0] == "ValidationException"


def test_one_task_fleet_comes_later(emr, refused):
    cluster = emr.waiting(Instances=of_fleets(PRIMARY, CORE))
    added = emr.client.add_instance_fleet(ClusterId=cluster, InstanceFleet=TASK)
    emr.server.advance(100)
    assert fleets(emr, cluster)["TASK"]["Id"] == added["InstanceFleetId"]
    assert fleets(emr, cluster)["TASK"]["ProvisionedSpotCapacity"] == 4
    assert refused(emr.client.add_instance_fleet, ClusterId=cluster, InstanceFleet=TASK)[0] == "ValidationException"
    group = {"InstanceRole": "TASK", "InstanceType": "m5.xlarge", "InstanceCount": 1}
    assert refused(emr.client.add_instance_groups, JobFlowId=cluster, InstanceGroups=[group])[0] == "ValidationException"


def test_the_preferred_type_is_the_first(emr):
    types = [of_type("m5.xlarge", Priority=1.0), of_type("m5.2xlarge", Priority=0.0)]
    cluster = emr.waiting(Instances=of_fleets(PRIMARY, fleet("CORE", 1, types=types)))
    assert running(emr, cluster, InstanceFleetType="CORE") == [("m5.2xlarge", "ON_DEMAND")]


LIMITS = {"MinimumCapacityUnits": 1, "MaximumCapacityUnits": 4}
MANY = [of_type(name) for name in ("m5.xlarge", "m5.2xlarge", "m5.4xlarge", "m5a.xlarge", "m5a.2xlarge", "m5a.4xlarge")]


@pytest.mark.parametrize("instances, more, words", [
    (of_fleets(CORE), {}, "Exactly one MASTER"),
    (of_fleets(fleet("MASTER", 2)), {}, "exactly one"),
    (of_fleets(PRIMARY, CORE, CORE), {}, "At most one CORE"),
    (of_fleets(PRIMARY, CORE, TASK, TASK), {}, "At most one TASK"),
    (of_fleets(PRIMARY, TASK), {}, "needs a CORE"),
    (of_fleets(PRIMARY, fleet("CORE")), {}, "above zero"),
    (of_fleets(PRIMARY, fleet("CORE", 1, types=MANY)), {}, "from 1 to 5"),
    (of_fleets(PRIMARY, fleet("CORE", 1, types=[])), {}, "from 1 to 5"),
    (of_fleets(PRIMARY, fleet("CORE", 1, types=MANY[:1] * 2)), {}, "twice"),
    (of_fleets(PRIMARY, fleet("CORE", 1, types=[of_type("m5.huge")])), {}, "not supported"),
    (of_fleets(PRIMARY, fleet("CORE", 1, types=[of_type("m5.xlarge", 0)])), {}, "weighted capacity"),
    (of_fleets(PRIMARY, {**CORE, "LaunchSpecifications": {"SpotSpecification": {**WAIT, "TimeoutDurationMinutes": 4}}}), {}, "from 5 to 1440"),
    (of_fleets(PRIMARY, {**CORE, "LaunchSpecifications": {"OnDemandSpecification": {"AllocationStrategy": "diversified"}}}), {}, "strategy"),
    (of_fleets(PRIMARY, CORE), {"AutoScalingRole": "some"}, "not for instance fleets"),
    (of_fleets(PRIMARY, CORE), {"ManagedScalingPolicy": {"ComputeLimits": {"UnitType": "Instances", **LIMITS}}}, "cannot use Instances"),
    (of_fleets(PRIMARY, CORE) | {"InstanceGroups": [{"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1}]}, {}, "exclusive"),
])
def test_what_is_no_fleet(emr, refused, instances, more, words):
    code, told = refused(emr.run, Instances=instances, **more)
    assert code == "ValidationException" and words in told, told


def test_fleets_are_scaled_by_their_units(emr, refused):
    cluster = emr.waiting(Instances=of_fleets(PRIMARY, CORE))
    policy = {"ComputeLimits": {"UnitType": "InstanceFleetUnits", **LIMITS}}
    emr.client.put_managed_scaling_policy(ClusterId=cluster, ManagedScalingPolicy=policy)
    code, _ = refused(modify, emr, cluster, fleets(emr, cluster)["CORE"], TargetOnDemandCapacity=4)
    assert code == "ValidationException"
    assert refused(emr.client.put_managed_scaling_policy, ClusterId=emr.waiting(), ManagedScalingPolicy=policy)[0] == "ValidationException"
