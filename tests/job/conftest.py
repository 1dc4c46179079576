"""What the tests of the templates and the job stand on: rendered scripts, sample images, weights, an AWS and a real Spark.

Everything is made or installed into the same cache that `fruitsinfra` uses. No test may need a network beyond loopback.
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import boto3
import minijinja
import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import built  # noqa: E402
from local_aws import install, spark  # noqa: E402
from served import served  # noqa: E402

REGION = "eu-west-3"
ROOT_KEY = {"access_key": "test", "secret_key": "test", "session_token": ""}
JOB = {
    "stack": {"name": "fruits-test", "region": REGION},
    "job": {"name": "features", "model": {"name": "MobileNetV2"}, "partitions": None, "batch": 16,
            "pca": {"variance": 0.90, "standardise": True, "max_components": 300}},
}


def render(template: str, values: dict) -> str:
    """A template, as the tool renders it: an undefined value is an error."""
    environment = minijinja.Environment(undefined_behavior="strict", keep_trailing_newline=True)
    return environment.render_str((ROOT / "templates" / template).read_text(), **values)


@pytest.fixture(scope="session")
def cache() -> Path:
    return install.usual_cache()


@pytest.fixture(scope="session")
def binary() -> Path:
    return built.binary(ROOT)


@pytest.fixture
def rendered(binary, tmp_path):
    """Writes a stack in a form, and gives back the folder and what was said of it."""
    def render_to(stack: Path, *what: str, ends: int = 0) -> tuple[Path, str]:
        out = tmp_path / "-".join(["rendered", stack.stem, *what])
        ran = subprocess.run([binary, "render", stack, *what, "--out", out], capture_output=True, text=True, timeout=60)
        assert ran.returncode == ends, ran.stderr
        return out, ran.stderr
    return render_to


@pytest.fixture(scope="session")
def spark_python(cache: Path) -> str:
    return install.ensure("spark", cache)["python"]


@pytest.fixture(scope="session")
def trained(cache: Path) -> Path:
    return Path(install.ensure("weights", cache)["path"])


@pytest.fixture(scope="session")
def untrained(cache: Path) -> Path:
    return Path(install.ensure("seeded", cache)["path"])


@pytest.fixture(scope="session")
def with_spark(spark_python: str):
    """Runs a Python file of the project with Spark's Python, and returns what it printed."""
    def run(script: Path, *arguments: object) -> str:
        command = [spark_python, str(script), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=HERE)
        assert done.returncode == 0, done.stderr
        return done.stdout
    return run


@pytest.fixture(scope="session")
def samples(with_spark, tmp_path_factory) -> Path:
    """8 classes of 8 images."""
    folder = tmp_path_factory.mktemp("samples")
    with_spark(ROOT / "scripts" / "sample-images", folder, "--per-class", 8)
    return folder


@pytest.fixture(scope="session")
def chain(cache, endpoint, samples, trained, tmp_path_factory) -> "Run":
    """One run of the job over all samples, with trained weights, for all that look at it."""
    bucket = Bucket(endpoint, "fruits-chain")
    bucket.put_folder(samples, "images/Training/")
    return bucket.run(cache, tmp_path_factory.mktemp("chain"), trained, "registry")


@pytest.fixture(scope="session")
def endpoint(cache: Path, tmp_path_factory):
    """An embedded AWS of the session's own."""
    with served(cache, tmp_path_factory.mktemp("aws")) as endpoint:
        yield endpoint


class Run(NamedTuple):
    """One run of the job: how it ended, what it said, and the bucket with what it wrote."""

    code: int
    said: str  # both streams: spark-submit sends all that a Python driver says to stdout
    bucket: "Bucket"
    workdir: Path

    @property
    def guarded(self) -> list[dict]:
        """What the guard of the workers saw: see guard/sitecustomize.py."""
        return [json.loads(line) for line in (self.workdir / "guard.jsonl").read_text().splitlines()]

    @property
    def report(self) -> dict:
        return self.bucket.json("report/report.json")


class Bucket:
    """A bucket of the embedded AWS, in the stack's layout: images/, weights/ and what the job writes beside them."""

    def __init__(self, endpoint: str, name: str):
        self.name, self._endpoint = name, endpoint
        self._s3 = boto3.client(
            "s3", endpoint_url=endpoint, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test")
        self._s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})

    def put(self, key: str, body: bytes) -> None:
        self._s3.put_object(Bucket=self.name, Key=key, Body=body)

    def remove(self, key: str) -> None:
        self._s3.delete_object(Bucket=self.name, Key=key)

    def put_folder(self, folder: Path, prefix: str) -> None:
        for file in folder.rglob("*"):
            if file.is_file():
                self.put(prefix + str(file.relative_to(folder)), file.read_bytes())

    def keys(self, prefix: str = "") -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def get(self, key: str) -> bytes:
        return self._s3.get_object(Bucket=self.name, Key=key)["Body"].read()

    def json(self, key: str) -> dict:
        return json.loads(self.get(key))

    def fetch(self, prefix: str, folder: Path) -> Path:
        """Everything below a prefix, as files."""
        for key in self.keys(prefix):
            target = folder / key
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self.get(key))
        return folder

    def run(self, *job, **more) -> Run:
        """Runs the job to its end: see `start`."""
        process, workdir = self.start(*job, **more)
        try:
            said, _ = process.communicate(timeout=600)
        finally:
            with suppress(ProcessLookupError):  # Spark is a group of its own, and would outlive us
                os.killpg(process.pid, signal.SIGKILL)
        return Run(process.returncode, said, self, workdir)

    def start(self, cache: Path, workdir: Path, weights: Path, source: str, values: dict = JOB,
              asked: tuple[str, ...] = ()) -> tuple[subprocess.Popen, Path]:
        """Starts the rendered job on this bucket, as a step of EMR: the script comes from s3:// as well."""
        self.put("jobs/features.py", render("jobs/fruit_features.py.j2", values).encode())
        self.put("weights/w.h5", weights.read_bytes())
        here = f"s3://{self.name}"
        command, environment = spark.command(cache, workdir, self._endpoint, REGION, ROOT_KEY, [
            "--deploy-mode", "cluster", "--conf", "spark.yarn.maxAppAttempts=1", f"{here}/jobs/features.py",
            "--input", f"{here}/images/", "--output", f"{here}/", "--weights", f"{here}/weights/w.h5", "--weights-source", source,
            *asked])  # of an option given twice, the last one counts
        # Its Python workers are guarded, the driver is not.
        guard = {"PYTHONPATH": HERE / "guard", "GUARD_LOG": workdir / "guard.jsonl"}
        command[1:1] = [word for name, value in guard.items() for word in ("--conf", f"spark.executorEnv.{name}={value}")]
        # A fence: whoever calls out finds a closed port, and the job would fail.
        fence = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9") | {"no_proxy": "127.0.0.1"}
        return subprocess.Popen(command, env=environment | fence, cwd=workdir, text=True, start_new_session=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT), workdir
