"""What CloudWatch says about clusters."""

from datetime import UTC, datetime

import pytest

NAMES = ("IsIdle", "AppsRunning", "AppsPending", "ContainerAllocated", "YARNMemoryAvailablePercentage", "HDFSUtilization")


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


class Metrics:
    def __init__(self, emr):
        self.emr = emr
        self.client = emr.account.client("cloudwatch")

    def now(self) -> float:
        return self.emr.server.local("GET", "clock")["now"]

    def query(self, cluster: str, name: str, number: int = 0, period: int = 300, stat: str = "Average", **more) -> dict:
        metric = {
            "Namespace": "AWS/ElasticMapReduce", "MetricName": name, "Dimensions": [{"Name": "JobFlowId", "Value": cluster}],
        }
        return {"Id": f"m{number}", "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}, **more}

    def ask(self, *queries: dict, since: float = 7200, client=None, **more) -> dict:
        now = self.now()
        span = {"StartTime": moment(now - since), "EndTime": moment(now + 60), "ScanBy": "TimestampAscending"}
        return (client or self.client).get_metric_data(MetricDataQueries=list(queries), **(span | more))

    def points(self, cluster: str, name: str, **more) -> list[tuple[float, float]]:
        [found] = self.ask(self.query(cluster, name), **more)["MetricDataResults"]
        assert (found["Label"], found["StatusCode"]) == (name, "Complete")
        return [(at.timestamp(), value) for at, value in zip(found["Timestamps"], found["Values"], strict=True)]

    def values(self, cluster: str, name: str, **more) -> list[float]:
        return [value for _, value in self.points(cluster, name, **more)]

    def act(self, cluster: str, **values) -> None:
        self.emr.server.local("POST", "activity", {"cluster": cluster, **values})


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@pytest.fixture
def metrics(emr):
    return Metrics(emr)


def test_points_begin_when_a_cluster_is_ready_and_end_with_it(metrics, emr):
    cluster = emr.run()
    emr.server.advance(220)
    assert emr.state(cluster) == "BOOTSTRAPPING"
    emr.server.advance(3600)
    emr.client.terminate_job_flows(JobFlowIds=[cluster])
    emr.server.advance(3600)
    found = metrics.points(cluster, "IsIdle", since=9000)
    times = emr.describe(cluster)["Status"]["Timeline"]
    ready, ended = times["ReadyDateTime"].timestamp(), times["EndDateTime"].timestamp() - 60
    first = -(-ready // 300) * 300
    assert [at for at, _ in found] == [first + 300 * n for n in range(len(found))]
    assert first < ready + 300 and ended - 300 <= found[-1][0] < ended
    assert {value for _, value in found} == {1}


def test_points_are_late_and_may_be_missing(metrics, emr, world):
    cluster = emr.waiting()
    emr.server.advance(6000)
    now = metrics.now()
    last = [at for at, _ in metrics.points(cluster, "IsIdle")][-1]
    assert now - 180 - 305 < last <= now - 175
    world(metrics={"late": 1000, "gaps": [{"cluster": cluster, "from": now - 3000, "until": now - 2000}]})
    found = [at for at, _ in metrics.points(cluster, "IsIdle")]
    assert now - 1000 - 305 < found[-1] <= now - 995
    assert not [at for at in found if now - 3000 <= at < now - 2000]
    world(metrics={"gaps": [{"from": 0, "until": now}]})
    assert metrics.points(cluster, "IsIdle") == []


def test_an_idle_cluster(metrics, emr):
    cluster = emr.waiting()
    emr.server.advance(1200)
    assert {name: set(metrics.values(cluster, name)) for name in NAMES} == {
        "IsIdle": {1}, "AppsRunning": {0}, "AppsPending": {0}, "ContainerAllocated": {0}, "YARNMemoryAvailablePercentage": {100},
        "HDFSUtilization": {0},
    }


def test_a_step_shows_while_it_runs(metrics, emr):
    cluster = emr.waiting()
    emr.server.advance(1200)
    jar = {"Jar": "command-runner.jar", "Args": ["spark-submit", "sleep 30"]}
    emr.client.add_job_flow_steps(JobFlowId=cluster, Steps=[{"Name": "s", "HadoopJarStep": jar}])
    emr.server.advance(1200)
    assert metrics.values(cluster, "IsIdle")[-1] == 0
    assert metrics.values(cluster, "AppsRunning")[-1] == 1
    assert metrics.values(cluster, "ContainerAllocated")[-1] > 0
    assert metrics.values(cluster, "YARNMemoryAvailablePercentage")[-1] < 100
    emr.client.terminate_job_flows(JobFlowIds=[cluster])


def test_activity_is_as_it_is_set(metrics, emr):
    cluster = emr.waiting()
    emr.server.advance(9000)
    now = metrics.now()
    metrics.act(cluster, **{"from": now - 6000, "until": now - 3000}, apps_pending=1)
    metrics.act(cluster, **{"from": now - 3000}, apps_running=2, containers=7, yarn_memory=12.5, hdfs=3)
    emr.server.advance(600)
    found = metrics.points(cluster, "AppsPending")
    assert {value for at, value in found if now - 6000 <= at < now - 3000} == {1}
    assert {value for at, value in found if at >= now - 3000} == {0}
    found = metrics.points(cluster, "IsIdle", since=9000)
    assert [value for at, value in found] == [float(at < now - 6000) for at, _ in found]
    last = {name: metrics.values(cluster, name)[-1] for name in NAMES}
    assert last == {
        "IsIdle": 0, "AppsRunning": 2, "AppsPending": 0, "ContainerAllocated": 7, "YARNMemoryAvailablePercentage": 12.5,
        "HDFSUtilization": 3,
    }


def test_activity_may_be_idle_all_the_same(metrics, emr, server):
    cluster = emr.waiting()
    metrics.act(cluster, hdfs=5, is_idle=True)
    emr.server.advance(1200)
    assert (metrics.values(cluster, "IsIdle")[-1], metrics.values(cluster, "HDFSUtilization")[-1]) == (1, 5)
    for wrong in ({"cluster": "j-none"}, {"cluster": cluster, "apps": 1}):
        with pytest.raises(Exception, match="400"):
            server.local("POST", "activity", wrong)


def test_the_idle_policy_waits_while_an_application_is_active(metrics, emr):
    stuck, quiet = (emr.waiting(AutoTerminationPolicy={"IdleTimeout": 3600}) for _ in range(2))
    now = metrics.now()
    metrics.act(stuck, apps_pending=1, **{"until": now + 5000})
    metrics.act(quiet, apps_pending=0)
    emr.server.advance(7000)
    assert (emr.state(stuck), emr.state(quiet)) == ("WAITING", "TERMINATED")
    emr.server.advance(3000)
    assert emr.state(stuck) == "TERMINATED"


def test_pages_cut_series_and_say_so(metrics, emr, world):
    cluster = emr.waiting()
    emr.server.advance(3600)
    queries = [metrics.query(cluster, name, n) for n, name in enumerate(NAMES)] + [metrics.query("j-NONE", "IsIdle", 6)]
    whole = {one["Id"]: one for one in metrics.ask(*queries)["MetricDataResults"]}
    size = len(whole["m0"]["Values"])
    assert size >= 10 and whole["m6"]["Values"] == []
    for asked, settings in (({"MaxDatapoints": 7}, {}), ({}, {"page": size}), ({"MaxDatapoints": 9}, {"page": 5})):
        world(metrics=settings)
        token, merged, told = {}, {}, []
        while token is not None:
            answer = metrics.ask(*queries, **asked, **token)
            for one in answer["MetricDataResults"]:
                merged.setdefault(one["Id"], []).extend(one["Values"])
                told.append((one["Id"], one["StatusCode"]))
            token = {"NextToken": answer["NextToken"]} if "NextToken" in answer else None
        assert merged == {key: one["Values"] for key, one in whole.items()}
        assert [one for one in told if one[1] == "Complete"] == [(f"m{n}", "Complete") for n in range(7)]
        assert (("m0", "PartialData") in told) == (asked != {})


def test_periods_statistics_and_order(metrics, emr):
    cluster = emr.waiting()
    emr.server.advance(9000)
    metrics.act(cluster, apps_running=3)
    emr.server.advance(2400)

    def asked(**more) -> list[float]:
        order = {"ScanBy": more.pop("ScanBy")} if "ScanBy" in more else {}
        return metrics.ask(metrics.query(cluster, "AppsRunning", **more), since=12_000, **order)["MetricDataResults"][0]["Values"]

    plain = asked()
    assert plain == asked(stat="Maximum") == asked(stat="Minimum") == asked(stat="Sum") == asked(period=60)
    assert asked(ScanBy="TimestampDescending") == plain[::-1]
    assert sum(asked(stat="SampleCount", period=3600)) == len(plain)
    assert sum(asked(stat="Sum", period=3600)) == sum(plain)
    labelled = metrics.ask(metrics.query(cluster, "IsIdle", Label="mine"), metrics.query(cluster, "IsIdle", 1, ReturnData=False))
    assert [one["Label"] for one in labelled["MetricDataResults"]] == ["mine"]


def test_what_cloudwatch_does_not_accept(metrics, refused):
    query = metrics.query("j-1", "IsIdle")
    many = [metrics.query("j-1", "IsIdle", n) for n in range(501)]
    assert refused(metrics.ask, *many)[0] == "ValidationError"
    assert len(metrics.ask(*many[:500])["MetricDataResults"]) == 500
    assert refused(metrics.ask, query, since=-3600)[0] == "ValidationError"
    assert refused(metrics.ask, query, query)[0] == "ValidationError"
    assert refused(metrics.ask, metrics.query("j-1", "IsIdle", period=90))[0] == "ValidationError"


def test_other_accounts_and_regions_see_nothing(metrics, emr):
    cluster = emr.waiting()
    emr.server.advance(1200)
    elsewhere = emr.account.client("cloudwatch", region="eu-west-1")
    assert metrics.ask(metrics.query(cluster, "IsIdle"), client=elsewhere)["MetricDataResults"][0]["Values"] == []


def test_permission_call_log_and_faults(metrics, emr, server, refused):
    query = metrics.query("j-1", "IsIdle")
    may, may_not = (
        emr.account.client("cloudwatch", keys=emr.account.user({"Action": action}))
        for action in ("cloudwatch:GetMetricData", "cloudwatch:ListMetrics")
    )
    metrics.ask(query, client=may)
    code, message = refused(metrics.ask, query, client=may_not)
    assert code.startswith("AccessDenied") and "cloudwatch:GetMetricData" in message
    server.local("POST", "faults", {"rules": [{"service": "monitoring", "operation": "GetMetricData", "code": "throttled"}]})
    try:
        assert refused(metrics.ask, query) == ("Throttling", "Rate exceeded")
    finally:
        server.local("DELETE", "faults")
    calls = [c for c in server.local("GET", "calls")["calls"] if c["service"] == "monitoring"][-3:]
    assert [(c["operation"], c["mutating"]) for c in calls] == [("GetMetricData", False)] * 3
    assert calls[1]["error"].startswith("AccessDenied")
    assert calls[2]["error"] == "Throttling"
