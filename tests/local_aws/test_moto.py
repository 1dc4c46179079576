"""The second opinion: moto behind the same gateway, as far as a control plane needs it.

moto has packages of its own, so LOCAL_AWS_MOTO_PYTHON names the Python that has them; without it these tests are skipped.
"""

import json
import os
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ConnectionClosedError
from conftest import REGION, Account, Server

PYTHON = os.environ.get("LOCAL_AWS_MOTO_PYTHON")
pytestmark = pytest.mark.skipif(not PYTHON, reason="LOCAL_AWS_MOTO_PYTHON is not set")


@pytest.fixture(scope="module")
def moto(tmp_path_factory):
    started = Server(tmp_path_factory.mktemp("moto"), "--model", "moto", python=PYTHON)
    yield started
    started.stop()


@pytest.fixture
def emr(moto):
    return Account(moto, "test").client("emr")


def run(emr, **changes) -> str:
    groups = [{"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1}]
    request = {
        "Name": "test", "ReleaseLabel": "emr-7.12.0", "ServiceRole": "service", "JobFlowRole": "nodes",
        "Instances": {"InstanceGroups": groups, "KeepJobFlowAliveWhenNoSteps": True}, "Tags": [{"Key": "a", "Value": "b"}],
    }
    return emr.run_job_flow(**request | changes)["JobFlowId"]


def state(emr, cluster: str) -> str:
    return emr.describe_cluster(ClusterId=cluster)["Cluster"]["Status"]["State"]


def test_a_cluster_lives_on_the_clock(moto, emr):
    cluster = run(emr, AutoTerminationPolicy={"IdleTimeout": 3600})
    assert state(emr, cluster) == "STARTING"
    assert emr.get_auto_termination_policy(ClusterId=cluster)["AutoTerminationPolicy"] == {"IdleTimeout": 3600}
    moto.advance(400)
    assert state(emr, cluster) == "WAITING"
    moto.advance(4000)
    status = emr.describe_cluster(ClusterId=cluster)["Cluster"]["Status"]
    assert status["State"] == "TERMINATED"
    lived = status["Timeline"]["EndDateTime"] - status["Timeline"]["ReadyDateTime"]
    assert lived.total_seconds() == pytest.approx(3660)


def test_terminate_is_asynchronous(moto, emr):
    cluster = run(emr)
    moto.advance(400)
    emr.terminate_job_flows(JobFlowIds=[cluster])
    assert state(emr, cluster) == "TERMINATING"
    moto.advance(100)
    assert state(emr, cluster) == "TERMINATED"


def test_a_step_is_not_pretended(moto, emr):
    cluster = run(emr)
    jar = {"Jar": "command-runner.jar", "Args": ["spark-submit", "s3://b/x.py"]}
    [step] = emr.add_job_flow_steps(JobFlowId=cluster, Steps=[{"Name": "s", "HadoopJarStep": jar}])["StepIds"]
    assert state(emr, cluster) == "STARTING"
    moto.advance(400)
    status = emr.describe_step(ClusterId=cluster, StepId=step)["Step"]["Status"]
    assert status["State"] == "FAILED"
    assert "moto runs no steps" in status["StateChangeReason"]["Message"]
    assert state(emr, cluster) == "WAITING"


def test_regions_are_apart(moto, emr):
    cluster = run(emr)
    assert cluster in {c["Id"] for c in emr.list_clusters()["Clusters"]}
    assert Account(moto, "test").client("emr", "eu-west-1").list_clusters()["Clusters"] == []


def test_a_tls_only_bucket_lets_loopback_in_and_names_its_xml(moto):
    s3 = Account(moto, "test").client("s3")
    s3.create_bucket(Bucket="tls-only", CreateBucketConfiguration={"LocationConstraint": REGION})
    statement = {
        "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::tls-only/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    s3.put_bucket_policy(Bucket="tls-only", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    s3.put_object(Bucket="tls-only", Key="a b/é%", Body=b"x")
    assert [o["Key"] for o in s3.list_objects_v2(Bucket="tls-only")["Contents"]] == ["a b/é%"]
    s3.put_bucket_versioning(Bucket="tls-only", VersioningConfiguration={"Status": "Enabled"})
    url = s3.generate_presigned_url("get_bucket_versioning", {"Bucket": "tls-only"})
    with urllib.request.urlopen(url, timeout=5) as answer:
        assert b"<VersioningConfiguration" in answer.read()


def test_calls_and_faults_are_the_gateways(moto, emr):
    moto.local("DELETE", "calls")
    emr.list_clusters()
    [call] = moto.local("GET", "calls")["calls"]
    assert (call["service"], call["operation"], call["status"]) == ("elasticmapreduce", "ListClusters", 200)
    rule = {"operation": "RunJobFlow", "when": "after", "kind": "error", "code": "InternalServerError", "status": 500}
    moto.local("POST", "faults", {"rules": [rule]})
    before = len(emr.list_clusters()["Clusters"])
    with pytest.raises(Exception, match="InternalServerError"):
        run(emr)
    assert len(emr.list_clusters()["Clusters"]) == before + 1


def test_a_rate_of_lost_replies(moto, emr):
    moto.local("DELETE", "faults")
    rule = {"operation": "RunJobFlow", "when": "after", "kind": "reset", "rate": 0.5, "seed": 1, "mutating": True}
    moto.local("POST", "faults", {"rules": [rule]})
    before, answered = len(emr.list_clusters()["Clusters"]), 0
    for _ in range(12):
        try:
            run(emr)
            answered += 1
        except ConnectionClosedError:
            pass
    [shown] = moto.local("GET", "faults")["rules"]
    moto.local("DELETE", "faults")
    assert (shown["seen"], shown["fired"]) == (12, 12 - answered)
    assert 0 < answered < 12
    assert len(emr.list_clusters()["Clusters"]) == before + 12


def test_moto_has_no_world_to_set(moto):
    with pytest.raises(urllib.error.HTTPError, match="400") as caught:
        moto.local("POST", "world", {"listing_lag": {"emr": 30}})
    assert "--model ministack" in json.load(caught.value)["error"]
    assert moto.local("GET", "world") == {}
    moto.local("DELETE", "world")
