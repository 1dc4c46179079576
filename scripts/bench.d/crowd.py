"""Fills an embedded AWS with clusters for scripts/bench: `crowd.py CLUSTERS`, with its endpoint and keys in the environment.

Three hours old, each with the marks and promises of a stack, one in 33 of each kind but the busy ones. It prints, as JSON, which
are of which kind. It asks AWS as any client would and knows nothing of the guard.
"""

import datetime
import json
import os
import sys
import time
import urllib.request

import boto3

REGION = "eu-west-3"
HOURS = 3
STEP = 300  # EMR's metrics are points of five minutes
# What each kind reports, minutes before now -> metrics; None where a point is missing.
BUSY = {"IsIdle": 0, "AppsRunning": 1, "AppsPending": 0, "ContainerAllocated": 4}
IDLE = {"IsIdle": 1, "AppsRunning": 0, "AppsPending": 0, "ContainerAllocated": 0}
KINDS = {
    "idle": lambda minutes: IDLE,
    "silent": lambda minutes: None,
    "paused": lambda minutes: BUSY if 20 <= minutes < 25 else IDLE,
    "busy": lambda minutes: BUSY,
}


def kind(n: int) -> str:
    return list(KINDS)[min(n % 33, len(KINDS) - 1)]


def main() -> None:
    size = int(sys.argv[1])
    emr, cloudwatch = (boto3.client(service, region_name=REGION) for service in ("emr", "cloudwatch"))
    roles()
    of = {run(emr, n): kind(n) for n in range(size)}
    while len(waiting(emr)) < size:
        time.sleep(0.2)
    now = time.time()
    control("clock", {"advance": HOURS * 3600})
    # One program reads this machine's clock, another the embedded AWS's: the hour before either shows the same.
    points = [
        {"MetricName": name, "Dimensions": [{"Name": "JobFlowId", "Value": cluster}], "Value": value,
         "Timestamp": datetime.datetime.fromtimestamp(end - minutes * 60, datetime.UTC)}
        for cluster, kind_of in of.items()
        for end in (now, now + HOURS * 3600)
        for minutes in range(0, 60 if end == now else HOURS * 60, STEP // 60)
        for name, value in (KINDS[kind_of](minutes) or {}).items()
    ]
    for first in range(0, len(points), 1000):
        cloudwatch.put_metric_data(Namespace="AWS/ElasticMapReduce", MetricData=points[first:first + 1000])
    print(json.dumps({name: [cluster for cluster, other in of.items() if other == name] for name in KINDS}))


def roles() -> None:
    iam = boto3.client("iam", region_name=REGION)
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    for name, service in (("crowd-service", "elasticmapreduce"), ("crowd-nodes", "ec2")):
        trust = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
        iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(everything))
    iam.create_instance_profile(InstanceProfileName="crowd-nodes")
    iam.add_role_to_instance_profile(InstanceProfileName="crowd-nodes", RoleName="crowd-nodes")


def run(emr, n: int) -> str:
    expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=3 * HOURS)
    tags = {
        "stack": f"crowd-{n}", "address": "cluster/main", "owner": "data@fruits.example", "home": f"crowd-{n}-home-000000000000",
        "expires": expires.strftime("%Y-%m-%dT%H:%M:%SZ"), "idle_seconds": "2700", "protection_may_be_lifted": "false",
    }
    return emr.run_job_flow(
        Name=f"crowd-{n}-main", ReleaseLabel="emr-7.12.0", Applications=[{"Name": "Spark"}],
        ServiceRole="crowd-service", JobFlowRole="crowd-nodes",
        Instances={"KeepJobFlowAliveWhenNoSteps": True,
                   "InstanceGroups": [{"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1}]},
        Tags=[{"Key": f"fruitsinfra:{key}", "Value": value} for key, value in tags.items()],
    )["JobFlowId"]


def waiting(emr) -> list[str]:
    pages = emr.get_paginator("list_clusters").paginate(ClusterStates=["WAITING"])
    return [cluster["Id"] for page in pages for cluster in page["Clusters"]]


def control(path: str, body: dict) -> None:
    url = f"{os.environ['AWS_ENDPOINT_URL']}/_local/{path}"
    with urllib.request.urlopen(urllib.request.Request(url, data=json.dumps(body).encode(), method="POST"), timeout=60):
        pass


if __name__ == "__main__":
    main()
