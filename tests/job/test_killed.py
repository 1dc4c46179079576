"""A step that was killed in the middle, and run again on images that have changed meanwhile: nothing of the first is left."""

import json
import os
import signal
import time

from conftest import HERE, JOB, Bucket

SMALL = JOB | {"job": JOB["job"] | {"partitions": 16, "batch": 4}}


def test_a_run_after_a_killed_one_has_the_rows_of_its_own_listing(cache, endpoint, samples, untrained, with_spark, tmp_path):
    bucket = Bucket(endpoint, "fruits-killed")
    bucket.put_folder(samples, "images/")
    process, _ = bucket.start(cache, tmp_path / "killed", untrained, "untrained", values=SMALL)
    until = time.monotonic() + 120
    while not any("/task_" in key for key in bucket.keys("features/_temporary/")):  # the first task has written its rows
        assert process.poll() is None and time.monotonic() < until, process.communicate()[0]
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert bucket.keys("features/_temporary/") and "features/_SUCCESS" not in bucket.keys()
    assert "report/report.json" not in bucket.keys()

    bucket.remove("images/Lemon/0_100.jpg")
    bucket.put("images/Lemon/new.jpg", (samples / "Pear" / "0_100.jpg").read_bytes())
    run = bucket.run(cache, tmp_path / "again", untrained, "untrained", values=SMALL)
    assert run.code == 0, run.said
    assert sum(worker["images"] for worker in run.report["workers"]) == run.report["rows"] == 64
    for prefix in ("features/", "pca/parquet/"):
        bucket.fetch(prefix, tmp_path)
    measured = json.loads(with_spark(HERE / "outputs.py", tmp_path))
    assert measured["listing"] == sorted(f"s3://{bucket.name}/{key}" for key in bucket.keys("images/"))
    assert measured["same_order"] and not [key for key in bucket.keys() if "_temporary" in key]
