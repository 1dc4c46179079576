"""The weights reach the workers by Spark's broadcast and by nothing else, and an image goes through the network once.

Every run of this suite has its workers guarded: tests/job/guard.
"""

import hashlib
import json
import os
import subprocess

from conftest import HERE


def test_workers_asked_for_no_network_and_no_file_of_weights(chain):
    assert chain.code == 0, chain.said
    assert {told["event"] for told in chain.guarded} == {"guarding"}
    assert all("pyspark.daemon" in told["what"] for told in chain.guarded)
    assert not list(chain.workdir.rglob(".keras/models"))


def test_the_guard_refuses_and_tells(with_spark, spark_python, untrained, tmp_path):
    attempts = {
        "connect": "import socket; socket.socket().connect(('192.0.2.1', 443))",
        "resolve": "import urllib.request; urllib.request.urlopen('https://storage.googleapis.com/')",
        "open": f"import h5py; h5py.File({str(untrained)!r})",
    }
    for event, attempt in attempts.items():
        log = tmp_path / f"{event}.jsonl"
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HERE / "guard"), "GUARD_LOG": str(log)}
        done = subprocess.run([spark_python, "-c", attempt], env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 1 and "has no business with" in done.stderr, (event, done.stderr)
        assert [json.loads(line)["event"] for line in log.read_text().splitlines()] == ["guarding", event]


def test_the_weights_in_the_workers_are_the_drivers(chain, trained):
    workers = chain.report["workers"]
    assert 1 <= len(workers) <= len(os.sched_getaffinity(0))
    expected = hashlib.sha256(trained.read_bytes()).hexdigest()
    assert {worker["weights_sha256"] for worker in workers} == {chain.report["weights_sha256"]} == {expected}


def test_features_are_those_of_keras_itself(chain, samples, trained, with_spark, tmp_path):
    chain.bucket.fetch("features/", tmp_path)
    agreed = json.loads(with_spark(HERE / "direct_keras.py", tmp_path / "features", samples, trained))
    assert agreed["images"] == 64 and agreed["cosine"] > 0.9999


def test_an_image_goes_through_the_network_once(chain):
    """Counted by the workers, over the whole run: with the PCA's three passes over the features, and pca/'s two."""
    workers = chain.report["workers"]
    assert sum(worker["images"] for worker in workers) == chain.report["rows"] == 64
    for worker in workers:
        assert 0 < worker["first_batch"] <= worker["last_batch"] <= chain.report["seconds"]["features"] + 1
        assert 200 < worker["memory_mb"] < 4000
