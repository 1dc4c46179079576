"""Fills an embedded AWS with clusters for scripts/bench: `crowd.py CLUSTERS`, with its endpoint and keys in the environment.

Three hours old, each with the marks and promises of a stack, one in 33 of each kind but the busy ones. It prints, as JSON, which
are of which kind. It knows nothing of the guard.
"""

import datetime
import json
import os
import sys
import urllib.request

import boto3

REGION = "eu-west-3"
AGE = 3 * 3600
READY = 240  # seconds of a start
POINT = 300  # EMR's metrics are points of five minutes


def at_work(since: int, until: int) -> list[dict]:
    """An application whose containers change every twenty minutes; both in seconds ago."""
    edges = [*range(since, until, -1200), until]
    return [
        {"started": begin, "ended": end, "apps_running": 1, "containers": 4 + n % 3}
        for n, (begin, end) in enumerate(zip(edges, edges[1:], strict=False))
    ]


KINDS = {"idle": [], "silent": [], "paused": at_work(1500, 1200), "busy": at_work(AGE - READY, 0)}


def kind(n: int) -> str:
    return list(KINDS)[min(n % 33, len(KINDS) - 1)]


def main() -> None:
    size = int(sys.argv[1])
    ids = control("crowd", [planted(n) for n in range(size)])["clusters"]
    of = {name: [cluster for n, cluster in enumerate(ids) if kind(n) == name] for name in KINDS}
    now = control("clock")["now"]
    gaps = [{"cluster": cluster, "from": 0, "until": now * 2} for cluster in of["silent"]]
    control("world", {"metrics": {"gaps": gaps}})
    older_statistics(of, now)
    print(json.dumps(of))


def planted(n: int) -> dict:
    expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=2 * AGE)
    tags = {
        "stack": f"crowd-{n}", "address": "cluster/main", "owner": "data@fruits.example", "home": f"crowd-{n}-home-000000000000",
        "expires": expires.strftime("%Y-%m-%dT%H:%M:%SZ"), "idle_seconds": "2700", "protection_may_be_lifted": "false",
    }
    return {
        "region": REGION, "name": f"crowd-{n}-main", "age": AGE, "ready_after": READY, "activity": KINDS[kind(n)],
        "tags": {f"fruitsinfra:{key}": value for key, value in tags.items()},
    }


def older_statistics(of: dict, now: float) -> None:
    """The same of IsIdle where GetMetricStatistics, CloudWatch's older call, finds it."""
    points = [
        {"MetricName": "IsIdle", "Dimensions": [{"Name": "JobFlowId", "Value": cluster}], "Value": idle(name, ago),
         "Timestamp": datetime.datetime.fromtimestamp(now - ago, datetime.UTC)}
        for name in KINDS if name != "silent" for cluster in of[name] for ago in range(POINT, 2 * 3600, POINT)
    ]
    cloudwatch = boto3.client("cloudwatch", region_name=REGION)
    for first in range(0, len(points), 1000):
        cloudwatch.put_metric_data(Namespace="AWS/ElasticMapReduce", MetricData=points[first:first + 1000])


def idle(name: str, ago: int) -> float:
    return float(not any(one["ended"] <= ago <= one["started"] for one in KINDS[name]))


def control(path: str, body: object = None) -> dict:
    url = f"{os.environ['AWS_ENDPOINT_URL']}/_local/{path}"
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=120) as answer:
        return json.load(answer)


if __name__ == "__main__":
    main()
