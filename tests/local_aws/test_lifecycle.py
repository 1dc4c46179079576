"""How clusters live and end, on the simulated clock."""

import pytest
from conftest import until


def test_passes_through_the_states_with_a_true_timeline(emr):
    cluster = emr.run(BootstrapActions=emr.bootstrap("good.sh"))
    assert emr.state(cluster) == "STARTING"
    emr.server.advance(185)
    assert emr.state(cluster) == "BOOTSTRAPPING"
    emr.server.advance(10_000)
    status = emr.describe(cluster)["Status"]
    assert status["State"] == "WAITING"
    assert status["StateChangeReason"] == {"Message": "Cluster ready to run steps."}
    took = status["Timeline"]["ReadyDateTime"] - status["Timeline"]["CreationDateTime"]
    assert took.total_seconds() == pytest.approx(240)  # when it was due, not when the clock was looked at


def test_moves_by_itself(emr):
    cluster = emr.run()
    until(lambda: emr.state(cluster) == "WAITING")


def test_terminate_is_asynchronous(emr):
    cluster = emr.waiting()
    emr.client.terminate_job_flows(JobFlowIds=[cluster])
    assert emr.state(cluster) == "TERMINATING"
    emr.server.advance(70)
    status = emr.describe(cluster)["Status"]
    assert status["State"] == "TERMINATED"
    assert status["StateChangeReason"] == {"Code": "USER_REQUEST", "Message": "Terminated by user request"}
    groups = emr.client.list_instance_groups(ClusterId=cluster)["InstanceGroups"]
    assert {g["Status"]["State"] for g in groups} == {"TERMINATED"}
    emr.client.terminate_job_flows(JobFlowIds=[cluster])  # of what has ended: nothing, and no error


def test_protection(emr, refused):
    cluster, other = emr.waiting(Instances={"TerminationProtected": True}), emr.run()
    code, message = refused(emr.client.terminate_job_flows, JobFlowIds=[cluster, other])
    assert (code, message.endswith("termination protected.")) == ("ValidationException", True)
    assert emr.state(other) == "TERMINATING"
    emr.client.set_termination_protection(JobFlowIds=[cluster], TerminationProtected=False)
    emr.client.terminate_job_flows(JobFlowIds=[cluster])
    assert emr.state(cluster) == "TERMINATING"


def test_ten_at_once(emr, refused):
    assert refused(emr.client.terminate_job_flows, JobFlowIds=["j-X"] * 11)[0] == "ValidationException"
    assert refused(emr.client.terminate_job_flows, JobFlowIds=["j-X"]) == (
        "ValidationException", "Specified job flow ID does not exist.")


def test_idle_policy_ends_an_idle_cluster(emr):
    cluster = emr.waiting(AutoTerminationPolicy={"IdleTimeout": 3600})
    assert emr.client.get_auto_termination_policy(ClusterId=cluster)["AutoTerminationPolicy"] == {"IdleTimeout": 3600}
    emr.server.advance(2000)
    assert emr.state(cluster) == "WAITING"
    emr.server.advance(1700)
    status = emr.describe(cluster)["Status"]
    assert (status["State"], status["StateChangeReason"]["Code"]) == ("TERMINATED", "ALL_STEPS_COMPLETED")


def test_idle_policy_can_be_changed_and_removed(emr, refused):
    cluster = emr.waiting(AutoTerminationPolicy={"IdleTimeout": 3600})
    put = emr.client.put_auto_termination_policy
    assert refused(put, ClusterId=cluster, AutoTerminationPolicy={"IdleTimeout": 59})[0] == "ValidationException"
    put(ClusterId=cluster, AutoTerminationPolicy={"IdleTimeout": 604_800})
    emr.server.advance(5000)
    assert emr.state(cluster) == "WAITING"
    emr.client.remove_auto_termination_policy(ClusterId=cluster)
    assert "AutoTerminationPolicy" not in emr.client.get_auto_termination_policy(ClusterId=cluster)
    emr.server.advance(700_000)
    assert emr.state(cluster) == "WAITING"


def test_without_keep_alive_it_ends_once_ready(emr):
    cluster = emr.run(Instances={"KeepJobFlowAliveWhenNoSteps": False})
    emr.server.advance(400)
    status = emr.describe(cluster)
    assert status["AutoTerminate"] is True
    assert status["Status"]["StateChangeReason"] == {"Code": "ALL_STEPS_COMPLETED", "Message": "Steps completed"}
    assert status["Status"]["State"] == "TERMINATED"


def test_wrong_bootstrap_ends_it_with_its_log(emr):
    cluster = emr.run(BootstrapActions=emr.bootstrap("bad.sh"))
    emr.server.advance(1000)
    status = emr.describe(cluster)["Status"]
    node = emr.client.list_instances(ClusterId=cluster)["Instances"][0]["Ec2InstanceId"]
    assert (status["State"], status["StateChangeReason"]) == ("TERMINATED_WITH_ERRORS", {
        "Code": "BOOTSTRAP_FAILURE",
        "Message": f"On the master instance ({node}), bootstrap action 1 returned a non-zero return code",
    })
    assert "syntax error" in emr.log(cluster, f"node/{node}/bootstrap-actions/1/stderr")


@pytest.mark.parametrize("script, said", [(b"echo hi\n", "Exec format error"), (b"#!/bin/bash\r\necho\r\n", "bad interpreter")])
def test_a_script_that_cannot_be_executed(emr, script, said):
    emr.account.client("s3").put_object(Bucket=emr.bucket, Key="odd.sh", Body=script)
    cluster = emr.run(BootstrapActions=emr.bootstrap("good.sh") + emr.bootstrap("odd.sh"))
    emr.server.advance(1000)
    message = emr.describe(cluster)["Status"]["StateChangeReason"]["Message"]
    assert message.endswith("bootstrap action 2 returned a non-zero return code")
    assert said in emr.log(cluster, f"node/{message.split('(')[1].split(')')[0]}/bootstrap-actions/2/stderr")


def test_a_missing_script(emr):
    reason = emr.reason(BootstrapActions=emr.bootstrap("none.sh"))
    assert reason["Code"] == "BOOTSTRAP_FAILURE"
    assert reason["Message"].endswith("failed attempting to download bootstrap action 1 file from S3")


def test_bootstrap_actions_come_back_as_given(emr):
    cluster = emr.run(BootstrapActions=emr.bootstrap("good.sh"))
    [action] = emr.client.list_bootstrap_actions(ClusterId=cluster)["BootstrapActions"]
    assert action == {"Name": "own", "ScriptPath": f"s3://{emr.bucket}/good.sh", "Args": ["a b", "é"]}


def test_ended_clusters_cannot_be_changed(emr, refused):
    cluster = emr.run()
    emr.client.terminate_job_flows(JobFlowIds=[cluster])
    emr.server.advance(100)
    for call, arguments in (
        (emr.client.set_termination_protection, {"JobFlowIds": [cluster], "TerminationProtected": True}),
        (emr.client.put_auto_termination_policy, {"ClusterId": cluster, "AutoTerminationPolicy": {"IdleTimeout": 60}}),
        (emr.client.modify_cluster, {"ClusterId": cluster, "StepConcurrencyLevel": 2}),
    ):
        assert refused(call, **arguments)[0] == "ValidationException"
    assert refused(emr.client.add_tags, ResourceId=cluster, Tags=[{"Key": "a", "Value": ""}])[0] == "InvalidRequestException"
