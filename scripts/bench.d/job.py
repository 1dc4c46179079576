"""Measures the job beside one plain TensorFlow process, for scripts/bench: `job.py --runs N [--count N | --images DIR]`; and
how each of its stages grows with the images, for scripts/soak: `job.py --growth 200,2000,20000`.

Run with the Python of the `test` set. Job and plain process read the same images from the same embedded S3, which needs the
same cores; they take turns in alternating order, and each run has a server of its own. On one core, all of it has that one.
It prints JSON, and what it does on stderr. It must never count what it extrapolated as measured: `notebook` says which is which.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import minijinja

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))
from local_aws import install, spark  # noqa: E402
from served import served  # noqa: E402

REGION, BUCKET = "eu-west-3", "bench"
KEYS = {"access_key": "test", "secret_key": "test", "session_token": ""}
BATCH = 32
VALUES = {
    "stack": {"name": "bench", "region": REGION},
    "job": {"name": "features", "model": {"name": "MobileNetV2"}, "partitions": None, "batch": BATCH,
            "pca": {"variance": 0.90, "standardise": True, "max_components": 300}},
}
NOTEBOOK_TASK = 84  # images a task: 2,000 in the 24 tasks that such notebooks ask for
AT_MOST = 1800  # seconds a run may take
# Of the plain process's images/s in steady state; and of one core's.
PROMISES = {"steady": 0.95, "stage": 0.75, "cores": 1.7}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--count", type=int, default=2000, help="sample images to draw")
    parser.add_argument("--images", type=Path, help="a folder of images, instead of drawn ones")
    parser.add_argument("--notebook", type=int, default=336, help="images for the notebook; 0 leaves it out")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--growth", type=lambda text: [int(size) for size in text.split(",")], help="the job alone, at these sizes")
    asked = parser.parse_args()
    cache = Path(os.environ["FRUITSINFRA_CACHE"])
    every = sorted(os.sched_getaffinity(0))[: asked.cores]
    if asked.growth:
        print(json.dumps([grown(cache, every, size) for size in asked.growth]))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        images = asked.images or drawn(cache, Path(scratch, "images"), asked.count)
        files = images_of(images)
        bench = Bench(cache, Path(scratch), files, every)
        ways = {"job": lambda: bench.job(every), "plain": lambda: bench.plain("variables"),
                "plain, constants": lambda: bench.plain("constants"), "one core": lambda: bench.job(every[:1])}
        runs = {who: [] for who in ways}
        for number in range(asked.runs):
            for who in list(ways)[:: 1 if number % 2 == 0 else -1]:
                runs[who].append(ways[who]())
                say(f"{who}: {runs[who][-1]['steady']:.1f} images/s, {runs[who][-1]['stage']:.1f} with the start-up")
        notebook = bench.notebook(files[: asked.notebook]) if asked.notebook else None
    print(json.dumps(told(runs, notebook, len(files), len(every))))
    return 0


def grown(cache: Path, cores: list[int], size: int) -> dict:
    """One run on so many drawn images: the seconds of each stage, what was asked of S3, the memory of a worker."""
    with tempfile.TemporaryDirectory() as scratch:
        files = images_of(drawn(cache, Path(scratch, "images"), size))[:size]
        ran = Bench(cache, Path(scratch), files, cores).job(cores)
    say(f"{size} images: {ran['chain']:.0f} s")
    return {"images": size, "seconds": ran["seconds"], "first_batch": max(worker["first_batch"] for worker in ran["workers"]),
            "calls": ran["calls"], "memory_mb": ran["memory_mb"], "partitions": ran["partitions"]}


def images_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))


def told(runs: dict[str, list[dict]], notebook: dict | None, images: int, cores: int) -> dict:
    """Medians; a ratio is the median of its pairs' ratios, with the lowest and the highest of them."""
    figures = ("steady", "stage", "memory_mb", "chain")
    medians = {who: {name: statistics.median(run[name] for run in each) for name in figures if name in each[0]}
               for who, each in runs.items()}
    pairs = {
        "steady": [job["steady"] / plain["steady"] for job, plain in zip(runs["job"], runs["plain"], strict=True)],
        "constants": [job["steady"] / plain["steady"] for job, plain in zip(runs["job"], runs["plain, constants"], strict=True)],
        "stage": [job["stage"] / plain["steady"] for job, plain in zip(runs["job"], runs["plain"], strict=True)],
        "cores": [job["steady"] / one["steady"] for job, one in zip(runs["job"], runs["one core"], strict=True)],
    }
    ratios = {name: {"median": statistics.median(each), "from": min(each), "to": max(each), "promised": PROMISES.get(name),
                     "well": statistics.median(each) >= PROMISES.get(name, 0)} for name, each in pairs.items()}
    if notebook:
        seconds = notebook["pass_seconds"] / notebook["images"] * notebook["passes"] * images
        notebook |= {"extrapolated_seconds": seconds, "ratio": seconds / medians["job"]["chain"]}
    return {"images": images, "cores": cores, "batch": BATCH, "medians": medians, "ratios": ratios, "notebook": notebook,
            "versions": runs["job"][-1]["versions"], "runs": runs}


def drawn(cache: Path, folder: Path, count: int) -> Path:
    say(f"drawing {count} images")
    command = [install.ensure("spark", cache)["python"], ROOT / "scripts/sample-images", folder, "--per-class", str(-(-count // 8))]
    subprocess.run(command, check=True, timeout=AT_MOST)
    return folder


class Bench:
    def __init__(self, cache: Path, scratch: Path, files: list[Path], cores: list[int]):
        self._cache, self._scratch, self._files, self._cores = cache, scratch, files, cores
        self._python = install.ensure("spark", cache)["python"]
        self._weights = Path(install.ensure("weights", cache)["path"])
        self._number = 0

    def job(self, cores: list[int]) -> dict:
        with self._s3(self._files, cores) as s3:
            s3.put("weights/w.h5", self._weights.read_bytes())
            text = (ROOT / "templates/jobs/fruit_features.py.j2").read_text()
            s3.put("jobs/features.py", minijinja.Environment(undefined_behavior="strict").render_str(text, **VALUES).encode())
            self._submit(s3, f"s3://{BUCKET}/jobs/features.py", "--input", f"s3://{BUCKET}/images/", "--output", f"s3://{BUCKET}/",
                         "--weights", f"s3://{BUCKET}/weights/w.h5", "--weights-source", "registry")
            report, calls = s3.json("report/report.json"), s3.calls()
        if report["failed"] or report["rows"] != len(self._files):
            raise Broken(f"{report['failed']} of {report['rows']} rows failed")
        return {**rates(report), "calls": calls, "seconds": report["seconds"], "versions": report["versions"],
                "workers": report["workers"], "partitions": report["partitions"]}

    def plain(self, kind: str) -> dict:
        with self._s3(self._files, self._cores) as s3:
            links = self._scratch / "links.json"
            links.write_text(json.dumps(s3.links()))
            environment = {"PATH": os.environ["PATH"], "HOME": str(self._scratch), "PYTHONDONTWRITEBYTECODE": "1"}
            ran = run([self._python, HERE / "plain.py", links, self._weights, str(BATCH), kind], environment, self._scratch)
        figures = json.loads(ran.splitlines()[-1])
        return {"steady": figures["steady_images"] / figures["steady_seconds"], "stage": figures["images"] / figures["seconds"],
                "memory_mb": figures["memory_mb"]}

    def notebook(self, files: list[Path]) -> dict:
        say(f"the notebook that everybody copies, on {len(files)} images")
        with self._s3(files, self._cores) as s3:
            ran = self._submit(s3, str(HERE / "notebook.py"), "--input", f"s3://{BUCKET}/images/", "--output", f"s3://{BUCKET}/out",
                               "--weights", str(self._weights), "--tasks", str(-(-len(files) // NOTEBOOK_TASK)))
        figures = json.loads(next(line for line in ran.splitlines() if line.startswith('{"images"')))
        return {"images": figures["images"], "passes": figures["through_the_network"] / figures["images"],
                "pass_seconds": figures["seconds"]["features"], "seconds": figures["seconds"]}

    @contextlib.contextmanager
    def _s3(self, files: list[Path], cores: list[int]):
        """A server with the images, and only these cores for it and for all that is started meanwhile."""
        before = os.sched_getaffinity(0)
        self._number += 1
        os.sched_setaffinity(0, cores)
        try:
            folder = self._scratch / f"aws-{self._number}"
            folder.mkdir()
            with served(self._cache, folder) as endpoint:
                s3 = S3(endpoint)
                s3.fill(files)
                yield s3
        finally:
            os.sched_setaffinity(0, before)

    def _submit(self, s3: "S3", *arguments: str) -> str:
        work = self._scratch / f"work-{self._number}"
        command, environment = spark.command(self._cache, work, s3.endpoint, REGION, KEYS, list(arguments))
        return run(command, environment, work)


def rates(report: dict) -> dict:
    """Images a second of the features stage, from what the workers told: from when the last worker had its first batch to the
    stage's end, without what was done by then (an even pace between a worker's batches assumed); and over all of it."""
    workers, seconds = report["workers"], report["seconds"]
    since = max(worker["first_batch"] for worker in workers)
    done = 0.0
    for worker in workers:
        after_first = worker["images"] - worker["first_images"]
        span = worker["last_batch"] - worker["first_batch"]
        done += after_first * ((worker["last_batch"] - since) / span if span else 0)
    return {"steady": done / (seconds["features"] - since), "stage": sum(worker["images"] for worker in workers) / seconds["features"],
            "memory_mb": max(worker["memory_mb"] for worker in workers), "chain": sum(seconds.values())}


def run(command: list, environment: dict, folder: Path) -> str:
    ran = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=AT_MOST)
    if ran.returncode != 0:
        raise Broken(f"{Path(command[0]).name} ended {ran.returncode}: {(ran.stdout + ran.stderr)[-3000:]}")
    return ran.stdout


class S3:
    """One bucket of an embedded AWS."""

    def __init__(self, endpoint: str):
        self.endpoint = endpoint
        self._s3 = boto3.client("s3", endpoint_url=endpoint, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test")
        self._s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})

    def put(self, key: str, body: bytes) -> None:
        self._s3.put_object(Bucket=BUCKET, Key=key, Body=body)

    def json(self, key: str) -> dict:
        return json.load(self._s3.get_object(Bucket=BUCKET, Key=key)["Body"])

    def fill(self, files: list[Path]) -> None:
        self._keys = [f"images/{file.parent.name}/{file.name}" for file in files]
        if len(set(self._keys)) != len(files):
            raise Broken("two images have the same name and the same label: give one folder of labels")
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda pair: self.put(pair[0], pair[1].read_bytes()), zip(self._keys, files, strict=True)))

        urllib.request.urlopen(urllib.request.Request(f"{self.endpoint}/_local/calls", method="DELETE"), timeout=60)

    def calls(self) -> dict[str, int]:
        """What was asked of S3 since it was filled, by operation."""
        with urllib.request.urlopen(f"{self.endpoint}/_local/calls", timeout=60) as answer:
            return dict(Counter(call["operation"] for call in json.load(answer)["calls"] if call["service"] == "s3"))

    def links(self) -> list[str]:
        return [self._s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key}) for key in self._keys]


class Broken(Exception):
    """A measurement that could not be made, in words."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Broken as problem:
        say(f"error: {problem}")
        sys.exit(1)
