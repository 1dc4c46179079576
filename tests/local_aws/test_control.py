"""The server itself: its start and end, call log, clock, faults."""

import contextlib
import socket
import subprocess
import sys
import threading
import time

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError
from conftest import SCRIPTS, Account, Server, alive, until, with_emr


@pytest.fixture
def own(tmp_path):
    """A server of the test's own."""
    started = []

    def start(*options):
        started.append(Server(tmp_path / str(len(started)), *options))
        return started[-1]

    yield start
    for one in started:
        one.stop()


LOST = (ConnectionClosedError, EndpointConnectionError, ReadTimeoutError)


def lost(call) -> None:
    with contextlib.suppress(*LOST):
        call()
        pytest.fail("the call was answered")


def rule(server, **members) -> None:
    server.local("POST", "faults", {"rules": [members]})


@pytest.fixture(autouse=True)
def no_faults_left(server):
    yield
    server.local("DELETE", "faults")


def test_status_says_what_serves_and_goes_with_it(own):
    server = own("--account", "123456789012", "--rate", "5")
    assert server.status["account"] == "123456789012"
    assert (server.status["model"], server.status["rate"]) == ("ministack", 5)
    assert server.status["pid"] == server.process.pid
    assert "eu-west-3" in server.status["regions"]
    assert server.local("GET", "health") == {"ok": True}
    identity = Account(server, "test").client("sts").get_caller_identity()
    assert identity["Arn"] == "arn:aws:iam::123456789012:root"
    server.local("POST", "shutdown", {})
    assert server.process.wait(10) == 0
    assert not (server.directory / "status.json").exists()


def test_a_taken_port_is_no_reason_to_fail(own):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = own("--port", str(taken.getsockname()[1]))
        assert server.status["port"] != taken.getsockname()[1]
    assert server.endpoint.startswith("http://127.0.0.1:")


def test_a_hanging_call_does_not_hold_up_the_end(own):
    server = own()
    rule(server, operation="ListBuckets", kind="hang")
    caller = threading.Thread(target=lost, args=[Account(server, "test").client("s3").list_buckets])
    caller.start()
    until(lambda: server.local("GET", "faults")["rules"][0]["fired"])
    server.process.terminate()
    assert server.process.wait(10) == 0
    caller.join(10)


def test_wrong_options_are_refused(tmp_path):
    for options in (["--rate", "0"], ["--account", "1"], ["--model", "other"]):
        command = [sys.executable, "-m", "local_aws", "--dir", str(tmp_path), *options]
        done = subprocess.run(command, env={"PYTHONPATH": str(SCRIPTS)}, capture_output=True, timeout=20)
        assert done.returncode == 2


def test_call_log(server, account):
    server.local("DELETE", "calls")
    s3, emr = account.client("s3"), account.client("emr")
    s3.create_bucket(Bucket="log-me-1", CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
    s3.put_object(Bucket="log-me-1", Key="a b/é%", Body=b"x")
    s3.list_objects_v2(Bucket="log-me-1")
    with pytest.raises(ClientError):
        s3.head_object(Bucket="log-me-1", Key="none")
    with pytest.raises(ClientError):
        s3.get_bucket_lifecycle_configuration(Bucket="log-me-1")
    emr.list_clusters()
    account.client("iam").list_roles()
    account.client("scheduler").list_schedules()
    calls = server.local("GET", "calls")["calls"]
    assert [(c["service"], c["operation"], c["status"], c["error"], c["mutating"]) for c in calls] == [
        ("s3", "CreateBucket", 200, None, True),
        ("s3", "PutObject", 200, None, True),
        ("s3", "ListObjectsV2", 200, None, False),
        ("s3", "HeadObject", 404, "404", False),
        ("s3", "GetBucketLifecycleConfiguration", 404, "NoSuchLifecycleConfiguration", False),
        ("elasticmapreduce", "ListClusters", 200, None, False),
        ("iam", "ListRoles", 200, None, False),
        ("scheduler", "ListSchedules", 200, None, False),
    ]
    assert {c["region"] for c in calls} == {"eu-west-3"}
    assert server.local("GET", f"calls?since={calls[-2]['n']}")["calls"] == calls[-1:]


def test_clock(server):
    before = server.local("GET", "clock")
    server.advance(5000)
    after = server.local("GET", "clock")
    assert 5000 <= after["now"] - before["now"] < 5000 + 60 * 20
    server.local("POST", "clock", {"rate": 1000})
    assert server.local("GET", "clock")["rate"] == 1000
    server.local("POST", "clock", {"rate": 60})
    with pytest.raises(Exception, match="400"):
        server.local("POST", "clock", {"advance": -1})


def test_unknown_control_paths_and_rules(server):
    with pytest.raises(Exception, match="404"):
        server.local("GET", "nothing")
    for wrong in ({"kind": "other"}, {"nope": 1}, {"rate": 0}, {"rate": 1.5}, {"rate": "often"}, {"mutating": "yes"}, {"path": 1}):
        with pytest.raises(Exception, match="400"):
            rule(server, **wrong)


@pytest.mark.parametrize("service, call, code", [
    ("emr", "list_clusters", "ThrottlingException"),
    ("iam", "list_roles", "Throttling"),
    ("ec2", "describe_vpcs", "RequestLimitExceeded"),
    ("s3", "list_buckets", "SlowDown"),
    ("scheduler", "list_schedules", "TooManyRequestsException"),
])
def test_an_error_in_each_protocol(server, account, refused, service, call, code):
    client = account.client(service)
    rule(server, service=client.meta.service_model.signing_name, code=code, message="Rate exceeded & <more>", status=429)
    assert refused(getattr(client, call)) == (code, "Rate exceeded & <more>")
    getattr(client, call)()
    assert server.local("GET", "faults")["rules"][0]["fired"] == 1


def test_the_nth_call_and_how_often(server, account):
    s3 = account.client("s3")
    rule(server, service="s3", operation="ListBuckets", nth=2, count=2, code="SlowDown", status=503)

    def outcome():
        try:
            s3.list_buckets()
        except ClientError as error:
            return error.response["Error"]["Code"]

    assert [outcome() for _ in range(5)] == [None, "SlowDown", "SlowDown", None, None]


def outcomes(server, client, calls: str, **members) -> str:
    """Which of these calls (l: ListRoles, g: GetUser of nobody) a fresh rule strikes: X for struck, . for let through."""
    server.local("DELETE", "faults")
    rule(server, kind="error", code="Struck", **members)
    struck = ""
    for one in calls:
        try:
            client.list_roles() if one == "l" else client.get_user(UserName="nobody")
            struck += "."
        except ClientError as error:
            struck += "X" if error.response["Error"]["Code"] == "Struck" else "."
    return struck


def test_a_rate_is_drawn_alike_in_every_run(server, account):
    iam = account.client("iam")
    first = outcomes(server, iam, "l" * 200, rate=0.25, seed=7, nth=3, count=1)
    assert first == outcomes(server, iam, "l" * 200, rate=0.25, seed=7)
    assert first != outcomes(server, iam, "l" * 200, rate=0.25, seed=8)
    assert 25 <= first.count("X") <= 75  # four standard deviations about 50
    assert outcomes(server, iam, "l" * 20, rate=1) == "X" * 20
    shown = server.local("GET", "faults")["rules"][0]
    assert (shown["rate"], shown["seed"], shown["seen"], shown["fired"]) == (1, 0, 20, 20)


def test_a_draw_depends_on_its_own_operation_alone(server, account):
    iam = account.client("iam")
    alone = outcomes(server, iam, "l" * 40, rate=0.5, seed=1)
    mixed = outcomes(server, iam, "lg" * 40, rate=0.5, seed=1)
    assert mixed[::2] == alone
    assert mixed[1::2] != alone


def test_two_rules_of_one_seed_draw_apart(server, account):
    iam = account.client("iam")
    rule(server, rate=0.5, code="One", seed=3)
    rule(server, rate=0.5, code="Other", seed=3)
    seen = []
    for _ in range(60):
        try:
            iam.list_roles()
        except ClientError as error:
            seen.append(error.response["Error"]["Code"])
    assert {"One", "Other"} == set(seen)
    assert len(seen) < 60
    assert [r["seen"] for r in server.local("GET", "faults")["rules"]] == [60, 60]


def test_only_what_changes_or_only_what_does_not(server, account, refused):
    s3 = account.client("s3")
    bucket = {"Bucket": f"mutating-{account.number}", "CreateBucketConfiguration": {"LocationConstraint": "eu-west-3"}}
    rule(server, mutating=True, nth=0, code="Struck")
    s3.list_buckets()
    assert refused(s3.create_bucket, **bucket)[0] == "Struck"
    server.local("DELETE", "faults")
    rule(server, mutating=False, nth=0, code="Struck")
    s3.create_bucket(**bucket)
    assert refused(s3.list_buckets)[0] == "Struck"


def test_only_a_path(server, account, refused):
    s3 = account.client("s3")
    name = f"path-{account.number}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
    rule(server, operation="PutObject", path=f"/{name}/fruits infra/lease", code="Struck")
    s3.put_object(Bucket=name, Key="other", Body=b"")
    assert refused(s3.put_object, Bucket=name, Key="fruits infra/lease.json", Body=b"")[0] == "Struck"
    assert server.local("GET", "faults")["rules"][0]["seen"] == 1


OWN_WORDS = [
    ("emr", "list_clusters", "throttled", (400, "ThrottlingException", "Rate exceeded")),
    ("emr", "list_clusters", "unavailable", (500, "InternalServerException", "An internal server error occurred.")),
    ("iam", "list_roles", "throttled", (400, "Throttling", "Rate exceeded")),
    ("iam", "list_roles", "unavailable",
     (500, "ServiceFailure", "The request processing has failed because of an unknown error.")),
    ("sts", "get_caller_identity", "throttled", (400, "Throttling", "Rate exceeded")),
    ("sts", "get_caller_identity", "unavailable",
     (503, "ServiceUnavailable", "The request has failed due to a temporary failure of the server.")),
    ("ec2", "describe_vpcs", "throttled", (503, "RequestLimitExceeded", "Request limit exceeded.")),
    ("ec2", "describe_vpcs", "unavailable", (503, "Unavailable", "The server is overloaded and can't handle the request.")),
    ("s3", "list_buckets", "throttled", (503, "SlowDown", "Please reduce your request rate.")),
    ("s3", "list_buckets", "unavailable", (500, "InternalError", "We encountered an internal error. Please try again.")),
    ("scheduler", "list_schedules", "throttled", (429, "ThrottlingException", "Rate exceeded")),
]


@pytest.mark.parametrize("service, call, meaning, words", OWN_WORDS)
def test_each_service_says_it_in_its_own_words(server, account, service, call, meaning, words):
    client = account.client(service)
    rule(server, code=meaning, status=418, message="not this")
    with pytest.raises(ClientError) as caught:
        getattr(client, call)()
    answer = caught.value.response
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]) == words
    if service in ("iam", "sts"):
        assert answer["Error"]["Type"] == ("Sender" if words[0] < 500 else "Receiver")


def test_after_means_done(server, account, refused):
    s3 = account.client("s3")
    bucket = {"Bucket": f"lost-{account.number}", "CreateBucketConfiguration": {"LocationConstraint": "eu-west-3"}}
    rule(server, operation="CreateBucket", when="after", code="InternalError", status=500)
    assert refused(s3.create_bucket, **bucket)[0] == "InternalError"
    assert len(s3.list_buckets()["Buckets"]) == 1
    rule(server, operation="DeleteBucket", when="before", code="InternalError", status=500)
    assert refused(s3.delete_bucket, Bucket=bucket["Bucket"])[0] == "InternalError"
    assert len(s3.list_buckets()["Buckets"]) == 1


def test_a_delayed_call_keeps_its_body(server, account):
    s3 = account.client("s3")
    name = f"late-{account.number}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
    rule(server, operation="PutObject", kind="delay", seconds=0.1)
    s3.put_object(Bucket=name, Key="k", Body=b"kept")
    assert s3.get_object(Bucket=name, Key="k")["Body"].read() == b"kept"


@pytest.mark.parametrize("stop", [
    pytest.param(lambda server: server.stop(), id="ended"),
    pytest.param(lambda server: server.process.kill(), id="killed"),
])
def test_the_end_kills_what_steps_started(own, tmp_path, stop):
    emr = with_emr(Account(own("--cache", str(tmp_path)), "test"))
    mark = tmp_path / "pid"
    cluster = emr.waiting()
    jar = {"Jar": "command-runner.jar", "Args": ["spark-submit", f"sleep 60 & echo $! $$ > {mark}; wait"]}
    emr.client.add_job_flow_steps(JobFlowId=cluster, Steps=[{"Name": "s", "HadoopJarStep": jar}])
    until(lambda: mark.exists() and mark.read_text().strip())
    stop(emr.server)
    for process in mark.read_text().split():
        until(lambda: not alive(int(process)))


def test_reset_cuts_the_connection(server, account):
    s3 = account.client("s3")
    rule(server, operation="ListBuckets", kind="reset")
    with pytest.raises((ConnectionClosedError, EndpointConnectionError)):
        s3.list_buckets()
    s3.list_buckets()
    emr = account.client("emr")
    rule(server, operation="ListClusters", kind="reset", when="after")
    with pytest.raises((ConnectionClosedError, EndpointConnectionError)):
        emr.list_clusters()


def test_delay_and_hang(server, account):
    s3 = account.client("s3")
    rule(server, operation="ListBuckets", kind="delay", seconds=0.4)
    began = time.monotonic()
    s3.list_buckets()
    assert time.monotonic() - began >= 0.4
    rule(server, operation="ListBuckets", kind="hang")
    ended = []

    def call():
        try:
            s3.list_buckets()
        except (ConnectionClosedError, EndpointConnectionError, ReadTimeoutError) as error:
            ended.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    time.sleep(0.5)
    assert caller.is_alive()
    server.local("DELETE", "faults")
    caller.join(5)
    assert ended


def test_a_big_object_passes(account):
    s3 = account.client("s3")
    name, body = f"big-{account.number}", bytes(range(256)) * (1 << 15)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
    s3.put_object(Bucket=name, Key="big", Body=body)
    assert s3.get_object(Bucket=name, Key="big")["Body"].read() == body
