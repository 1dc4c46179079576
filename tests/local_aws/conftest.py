"""A server of the embedded AWS for the tests, and an account of its own for each test.

It runs as `fruitsinfra` runs it, but that steps run a shell in Spark's place (see serve.py). No test may need another's.
"""

import itertools
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from shapes import check_answer

HERE = Path(__file__).parent
SCRIPTS = HERE.parent.parent / "scripts"
REGION = "eu-west-3"


class Server:
    def __init__(self, directory: Path, *options: str, python: str = sys.executable):
        self.directory = directory
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SCRIPTS)}
        self.process = subprocess.Popen(
            [python, str(HERE / "serve.py"), "--dir", str(directory), "--port", "0", *options], env=environment
        )
        self.status = until(self._read_status, 30)
        self.endpoint = self.status["endpoint"]

    def _read_status(self):
        assert self.process.poll() is None, (self.directory / "server.log").read_text()
        path = self.directory / "status.json"
        return json.loads(path.read_text()) if path.exists() else None

    def local(self, method: str, path: str, body: dict | None = None) -> dict:
        """Asks a control path."""
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(f"{self.endpoint}/_local/{path}", data=data, method=method)
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return json.load(answer)

    def advance(self, seconds: float) -> None:
        self.local("POST", "clock", {"advance": seconds})

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)


class Account:
    """Clients of one account, its root by default."""

    def __init__(self, server: Server, number: str):
        self.server, self.number = server, number

    def client(self, service: str, region: str = REGION, keys: dict | None = None):
        keys = keys or {"aws_access_key_id": self.number, "aws_secret_access_key": "test"}
        made = boto3.client(
            service, endpoint_url=self.server.endpoint, region_name=region, **keys,
            config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}, read_timeout=20),
        )
        if service == "emr":
            made.meta.events.register("before-parse.emr", check_answer)
        return made

    def user(self, *statements: dict) -> dict:
        """The keys of a new user who may do what the statements say."""
        iam = self.client("iam")
        name = f"user-{time.monotonic_ns()}"
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy(*statements))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}


def policy(*statements: dict) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*", **s} for s in statements]})


def trust(service: str) -> str:
    principal = {"Service": f"{service}.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def until(found, seconds: float = 20):
    """What `found` gives as soon as it gives something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = found()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"nothing within {seconds} s: {found}")


def alive(pid: int) -> bool:
    """Whether a process runs: one that ended and waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    started = Server(tmp_path_factory.mktemp("server"), "--rate", "60", "--cache", str(tmp_path_factory.mktemp("cache")))
    yield started
    started.stop()


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


NUMBERS = itertools.count(111_111_111_111)


@pytest.fixture
def account(server):
    return Account(server, str(next(NUMBERS)))


@pytest.fixture
def emr(account):
    return with_emr(account)


def with_emr(account):
    """EMR in an account with what a cluster needs: roles, a profile, a bucket with two bootstrap scripts."""
    iam, s3 = account.client("iam"), account.client("s3")
    iam.create_role(RoleName="service", AssumeRolePolicyDocument=trust("elasticmapreduce"))
    iam.put_role_policy(RoleName="service", PolicyName="own", PolicyDocument=policy({"Action": ["ec2:*", "iam:PassRole"]}))
    iam.create_role(RoleName="nodes", AssumeRolePolicyDocument=trust("ec2"))
    iam.put_role_policy(RoleName="nodes", PolicyName="own", PolicyDocument=policy({"Action": "s3:*"}))
    iam.create_instance_profile(InstanceProfileName="nodes")
    iam.add_role_to_instance_profile(InstanceProfileName="nodes", RoleName="nodes")
    bucket = f"b-{account.number}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=bucket, Key="good.sh", Body=b"#!/bin/bash\nset -euo pipefail\necho done\n")
    s3.put_object(Bucket=bucket, Key="bad.sh", Body=b"#!/bin/bash\nif then\n")
    return Emr(account, bucket)


class Emr:
    def __init__(self, account: Account, bucket: str):
        self.account, self.server, self.bucket = account, account.server, bucket
        self.client = account.client("emr")

    def request(self, **changes) -> dict:
        """A plain request for RunJobFlow; `Instances` are merged, None takes a member out."""
        instances = {
            "InstanceGroups": [
                {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1},
                {"InstanceRole": "CORE", "InstanceType": "m5.xlarge", "InstanceCount": 2},
            ],
            "KeepJobFlowAliveWhenNoSteps": True,
        } | changes.pop("Instances", {})
        plain = {
            "Name": "test", "ReleaseLabel": "emr-7.12.0", "ServiceRole": "service", "JobFlowRole": "nodes",
            "LogUri": f"s3://{self.bucket}/emr", "Instances": instances,
        }
        return {key: value for key, value in (plain | changes).items() if value is not None}

    def run(self, **changes) -> str:
        return self.client.run_job_flow(**self.request(**changes))["JobFlowId"]

    def describe(self, cluster: str) -> dict:
        return self.client.describe_cluster(ClusterId=cluster)["Cluster"]

    def state(self, cluster: str) -> str:
        return self.describe(cluster)["Status"]["State"]

    def waiting(self, **changes) -> str:
        """A cluster that is ready."""
        cluster = self.run(**changes)
        self.server.advance(1000)
        assert self.state(cluster) in ("WAITING", "RUNNING"), self.describe(cluster)["Status"]
        return cluster

    def reason(self, **changes) -> dict:
        """Why a cluster ends that should not come to life."""
        cluster = self.run(**changes)
        self.server.advance(1000)
        status = self.describe(cluster)["Status"]
        assert status["State"] == "TERMINATED_WITH_ERRORS"
        return status["StateChangeReason"]

    def log(self, cluster: str, path: str) -> str:
        import gzip

        found = self.account.client("s3").get_object(Bucket=self.bucket, Key=f"emr/{cluster}/{path}.gz")
        return gzip.decompress(found["Body"].read()).decode()

    def bootstrap(self, script: str) -> list[dict]:
        return [{"Name": "own", "ScriptBootstrapAction": {"Path": f"s3://{self.bucket}/{script}", "Args": ["a b", "é"]}}]


@pytest.fixture
def refused():
    """Asserts that a call is refused, and gives code and message."""
    from botocore.exceptions import ClientError

    def check(call, *args, **kwargs):
        with pytest.raises(ClientError) as caught:
            call(*args, **kwargs)
        error = caught.value.response["Error"]
        return error["Code"], error["Message"]

    return check
