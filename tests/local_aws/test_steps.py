"""Steps: real processes in place of Spark, their ends, their logs, what they see and what they leave."""

import time
import urllib.request

from conftest import alive, policy, until


def submit(emr, cluster: str, *commands: str, on_failure: str = "CONTINUE", jar: str = "command-runner.jar") -> list[str]:
    steps = [
        {"Name": command[:40], "ActionOnFailure": on_failure,
         "HadoopJarStep": {"Jar": jar, "Args": ["spark-submit", command]}} for command in commands
    ]
    return emr.client.add_job_flow_steps(JobFlowId=cluster, Steps=steps)["StepIds"]


def step(emr, cluster: str, step_id: str) -> dict:
    return emr.client.describe_step(ClusterId=cluster, StepId=step_id)["Step"]["Status"]


def ended(emr, cluster: str, step_id: str) -> dict:
    def found():
        status = step(emr, cluster, step_id)
        return status if status["State"] in ("COMPLETED", "FAILED", "CANCELLED") else None

    return until(found)


def test_a_step_runs_and_leaves_its_logs(emr):
    cluster = emr.waiting()
    [one] = submit(emr, cluster, "echo out; echo err >&2")
    status = ended(emr, cluster, one)
    assert status["State"] == "COMPLETED"
    assert set(status["Timeline"]) == {"CreationDateTime", "StartDateTime", "EndDateTime"}
    assert emr.log(cluster, f"steps/{one}/stdout") == "out\n"
    assert emr.log(cluster, f"steps/{one}/stderr") == "err\n"
    assert "ended with exit code 0" in emr.log(cluster, f"steps/{one}/controller")
    status = emr.describe(cluster)["Status"]
    assert (status["State"], status["StateChangeReason"]["Message"]) == ("WAITING", "Cluster ready after last step completed.")


def test_a_failure_names_its_log(emr):
    cluster = emr.waiting()
    [one] = submit(emr, cluster, "exit 3")
    status = ended(emr, cluster, one)
    assert status["State"] == "FAILED"
    assert status["FailureDetails"]["LogFile"] == f"s3://{emr.bucket}/emr/{cluster}/steps/{one}/stderr.gz"
    assert "ended with exit code 3" in emr.log(cluster, f"steps/{one}/controller")


def test_only_spark_submit(emr):
    cluster = emr.waiting()
    [one] = submit(emr, cluster, "true", jar="s3://b/own.jar")
    assert ended(emr, cluster, one)["State"] == "FAILED"
    assert "spark-submit" in emr.log(cluster, f"steps/{one}/controller")


def test_what_a_failure_does_to_the_cluster(emr):
    cluster = emr.waiting()
    first, second = submit(emr, cluster, "sleep 0.5; exit 1", "true", on_failure="CANCEL_AND_WAIT")
    assert (ended(emr, cluster, first)["State"], ended(emr, cluster, second)["State"]) == ("FAILED", "CANCELLED")
    assert emr.state(cluster) == "WAITING"
    first, second = submit(emr, cluster, "sleep 0.5; exit 1", "true", on_failure="TERMINATE_CLUSTER")
    assert (ended(emr, cluster, first)["State"], ended(emr, cluster, second)["State"]) == ("FAILED", "CANCELLED")
    emr.server.advance(100)
    status = emr.describe(cluster)["Status"]
    assert (status["State"], status["StateChangeReason"]["Code"]) == ("TERMINATED_WITH_ERRORS", "STEP_FAILURE")


def test_one_at_a_time_or_as_many_as_said(emr):
    cluster = emr.waiting()
    steps = submit(emr, cluster, "sleep 1", "sleep 1", "true")
    states = [step(emr, cluster, s)["State"] for s in steps]
    assert states == ["RUNNING", "PENDING", "PENDING"]
    assert emr.state(cluster) == "RUNNING"
    assert emr.client.modify_cluster(ClusterId=cluster, StepConcurrencyLevel=3)["StepConcurrencyLevel"] == 3
    assert step(emr, cluster, steps[1])["State"] == "RUNNING"
    assert [ended(emr, cluster, s)["State"] for s in steps] == ["COMPLETED"] * 3
    assert [s["Id"] for s in emr.client.list_steps(ClusterId=cluster)["Steps"]] == steps[::-1]
    assert [s["Id"] for s in emr.client.list_steps(ClusterId=cluster, StepIds=steps[:1])["Steps"]] == steps[:1]


def test_cancel_kills_the_whole_process_group(emr, tmp_path):
    cluster, mark = emr.waiting(), tmp_path / "pid"
    first, second = submit(emr, cluster, f"sleep 60 & echo $! > {mark}; wait", "true")
    until(lambda: mark.exists() and mark.read_text().strip())
    told = emr.client.cancel_steps(ClusterId=cluster, StepIds=[first, second])["CancelStepsInfoList"]
    assert [t["Status"] for t in told] == ["SUBMITTED", "SUBMITTED"]
    assert [ended(emr, cluster, s)["State"] for s in (first, second)] == ["CANCELLED", "CANCELLED"]
    until(lambda: not alive(int(mark.read_text())))
    [again] = emr.client.cancel_steps(ClusterId=cluster, StepIds=[first])["CancelStepsInfoList"]
    assert again["Status"] == "FAILED"


def test_terminate_kills_and_uploads_before_the_end(emr, tmp_path):
    cluster, mark = emr.waiting(), tmp_path / "pid"
    [one] = submit(emr, cluster, f"echo begun; echo $$ > {mark}; exec sleep 60")
    until(lambda: mark.exists() and mark.read_text().strip())
    emr.client.terminate_job_flows(JobFlowIds=[cluster])
    assert ended(emr, cluster, one)["State"] == "CANCELLED"
    assert not alive(int(mark.read_text()))
    until(lambda: emr.state(cluster) == "TERMINATED")
    assert emr.log(cluster, f"steps/{one}/stdout") == "begun\n"


def test_the_clock_runs_no_faster_than_a_step(emr):
    cluster = emr.waiting()
    [one] = submit(emr, cluster, "sleep 2")
    emr.client.put_auto_termination_policy(ClusterId=cluster, AutoTerminationPolicy={"IdleTimeout": 60})
    assert emr.server.local("GET", "clock")["rate"] == 1
    assert ended(emr, cluster, one)["State"] == "COMPLETED"  # two minutes at the usual rate: the policy would have ended it
    assert emr.server.local("GET", "clock")["rate"] == 60


def test_a_pending_step_is_no_idleness(emr):
    steps = [{"Name": "s", "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["spark-submit", "sleep 0.5"]}}]
    cluster = emr.run(Steps=steps, AutoTerminationPolicy={"IdleTimeout": 60}, Instances={"KeepJobFlowAliveWhenNoSteps": False})
    emr.server.advance(100_000)
    [one] = emr.client.list_steps(ClusterId=cluster)["Steps"]
    assert ended(emr, cluster, one["Id"])["State"] == "COMPLETED"
    until(lambda: emr.describe(cluster)["Status"]["StateChangeReason"].get("Code") == "ALL_STEPS_COMPLETED")


def test_a_step_sees_a_listed_few_variables_only(emr):
    cluster = emr.waiting()
    [one] = submit(emr, cluster, "env | cut -d= -f1 | sort")
    ended(emr, cluster, one)
    seen = set(emr.log(cluster, f"steps/{one}/stdout").split()) - {"_", "SHLVL", "PWD"}
    assert seen == {"PATH", "STEP_KEY"}


def test_logs_are_written_with_the_nodes_own_role(emr):
    iam = emr.account.client("iam")
    iam.put_role_policy(RoleName="nodes", PolicyName="own", PolicyDocument=policy({"Action": "s3:GetObject"}))
    cluster = emr.waiting()
    [one] = submit(emr, cluster, "true")
    assert ended(emr, cluster, one)["State"] == "COMPLETED"
    listed = emr.account.client("s3").list_objects_v2(Bucket=emr.bucket, Prefix="emr/")
    assert listed["KeyCount"] == 0


def test_too_long_and_too_late(emr, refused):
    cluster = emr.waiting()
    assert refused(submit, emr, cluster, "x" * 10_241)[0] == "ValidationException"
    assert refused(emr.client.describe_step, ClusterId=cluster, StepId="s-NONE")[0] == "InvalidRequestException"
    emr.client.terminate_job_flows(JobFlowIds=[cluster])
    assert refused(submit, emr, cluster, "true") == (
        "ValidationException", "A job flow that is shutting down, terminated, or finished may not be modified.")


def test_nodes_calls_are_not_in_the_call_log(emr):
    emr.server.local("DELETE", "calls")
    cluster = emr.waiting(BootstrapActions=emr.bootstrap("good.sh"))
    [one] = submit(emr, cluster, "true")
    ended(emr, cluster, one)
    calls = emr.server.local("GET", "calls")["calls"]
    assert {c["service"] for c in calls} == {"elasticmapreduce"}
    assert time.time() - calls[-1]["at"] < 60
    with urllib.request.urlopen(f"{emr.server.endpoint}/_local/health", timeout=5) as answer:
        assert answer.status == 200
