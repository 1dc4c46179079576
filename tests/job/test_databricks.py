"""A stack as a Databricks Asset Bundle: read by Databricks's own model, which refuses what it does not know, and its first
task run for real. That the script itself runs on a Spark that is not EMR's is shown by test_chain.py: there it is rendered
from the same template, and runs unchanged on plain Spark."""

import os
import re
import shutil
import subprocess

import pytest
import yaml
from conftest import ROOT
from databricks.bundles.jobs import Job

STACKS = ("demo", "jupyter", "minimal", "spot-graviton")


def bundle(folder) -> dict:
    return yaml.safe_load((folder / "databricks" / "databricks.yml").read_text())


def jobs(manifest: dict) -> dict[str, dict]:
    return manifest["resources"]["jobs"]


def cluster(job: dict) -> dict:
    (only,) = job["job_clusters"]
    return only["new_cluster"]


@pytest.fixture
def everything(tmp_path):
    """A stack that says all that can be said, but for packages that only an index could choose."""
    folder = tmp_path / "everything"
    shutil.copytree(ROOT / "tests" / "cases", folder)
    path = folder / "everything.yaml"
    text = path.read_text()
    assert "    packages_from: s3\n" in text
    path.write_text(text.replace("    packages_from: s3\n", ""))
    return path


@pytest.mark.parametrize("stack", STACKS)
def test_databricks_takes_every_job_of_every_stack(rendered, stack):
    whole(rendered, ROOT / "stacks" / f"{stack}.yaml")


def test_databricks_takes_a_stack_that_says_everything(rendered, everything):
    whole(rendered, everything)
    assert "warning[FI340]" in rendered(everything, "databricks", "--account", "000000000000")[1]


def whole(rendered, path) -> None:
    """What holds of every bundle, whether the account is known or not."""
    for known in ((), ("--account", "000000000000")):
        out, _ = rendered(path, "databricks", *known)
        manifest, folder = bundle(out), out / "databricks"
        assert set(manifest) == {"bundle", "variables", "targets", "resources"}
        assert jobs(manifest)
        for job in jobs(manifest).values():
            assert Job.from_dict(job).as_dict() == job, "nothing is taken for something else"
            assert cluster(job)["data_security_mode"] == "SINGLE_USER"
            assert "autotermination_minutes" not in cluster(job), "clusters of jobs do not take it"
            first, work = job["tasks"]
            assert "depends_on" not in first and work["depends_on"] == [{"task_key": first["task_key"]}]
            assert first["spark_python_task"]["python_file"] == "./check_region.py"
            for task in (first, work):
                assert (folder / task["spark_python_task"]["python_file"]).is_file()
        named = set(re.findall(r"\$\{var\.(\w+)\}", (folder / "databricks.yml").read_text()))
        assert named == set(manifest["variables"])
        assert ("account" in named) != ("--account" in known or "account:" in path.read_text()), named
        readme = (folder / "README.md").read_text()
        unknown = [name for name, said in manifest["variables"].items() if "default" not in said]
        assert all(f"--var '{name}=...'" in readme for name in unknown)


def test_the_bundle_says_what_the_stack_says(rendered):
    out, said = rendered(ROOT / "stacks" / "spot-graviton.yaml", "databricks", "--account", "000000000000")
    job = jobs(bundle(out))["features"]
    size = cluster(job)
    assert size["spark_version"] == "15.4.x-cpu-ml-scala2.12"
    assert (size["node_type_id"], size["driver_node_type_id"], size["num_workers"]) == ("m6g.xlarge", "m6g.xlarge", 4)
    aws = size["aws_attributes"]
    assert (aws["availability"], aws["first_on_demand"]) == ("SPOT_WITH_FALLBACK", 2), "the driver and the core group"
    assert aws["ebs_volume_count"] == 1 and aws["ebs_volume_size"] >= 100
    assert "spark_env_vars" not in size and "spark_conf" not in size, "the runtime's Python, and no YARN"
    assert job["timeout_seconds"] == 9000 and job["tags"]["project"] == "p8"
    work = job["tasks"][1]
    data = "s3://fruits-graviton-data-000000000000"
    told = work["spark_python_task"]["parameters"]
    weights = told.pop(told.index("--weights") + 1)
    assert told == ["--input", f"{data}/images/", "--output", f"{data}/", "--weights", "--weights-source", "imagenet"]
    staged = "s3://fruits-graviton-home-000000000000/fruitsinfra/objects/weights-imagenet."
    assert weights == "${var.weights_imagenet}" or weights.startswith(staged), "its hash is known where the file is"
    assert "libraries" not in work, "TensorFlow, pandas, pyarrow and Pillow are the runtime's"
    readme = (out / "databricks" / "README.md").read_text()
    for lost in ("the bid of burst", "spark.executor.memoryOverheadFactor", "PYSPARK_PYTHON", "the guard"):
        assert lost in said and lost in readme


def test_packages_that_the_runtime_lacks_are_pinned(rendered, tmp_path):
    text = (ROOT / "stacks" / "minimal.yaml").read_text()
    path = tmp_path / "own.yaml"
    path.write_text(text.replace("pillow: 11.3.0", "pillow: 11.3.0, imagehash: 4.3.2"))
    out, _ = rendered(path, "databricks")
    assert jobs(bundle(out))["features"]["tasks"][1]["libraries"] == [{"pypi": {"package": "imagehash==4.3.2"}}]


@pytest.mark.parametrize("stack", ["demo", "minimal"])
def test_the_script_is_the_step_s_own(rendered, stack):
    path = ROOT / "stacks" / f"{stack}.yaml"
    there = rendered(path, "databricks")[0] / "databricks" / "job-features.py"
    assert there.read_bytes() == (rendered(path, "job")[0] / "job-features.py").read_bytes()


def test_what_databricks_does_not_know_is_refused(rendered):
    job = jobs(bundle(rendered(ROOT / "stacks" / "minimal.yaml", "databricks")[0]))["features"]
    Job.from_dict(job)
    cluster(job)["num_wrokers"] = 2
    with pytest.raises(ValueError, match="num_wrokers"):
        Job.from_dict(job)
    del cluster(job)["num_wrokers"]
    cluster(job)["data_security_mode"] = "SHARED_BY_ALL"
    with pytest.raises(ValueError, match="SHARED_BY_ALL"):
        Job.from_dict(job)


def test_a_stack_without_a_job_is_told_so(rendered, tmp_path):
    path = tmp_path / "storage.yaml"
    path.write_text("stack: fruits-storage\nregion: eu-west-3\nowner: data@fruits.example\nbuckets: {data: {}}\n")
    assert "no cluster" in rendered(path, "databricks", ends=2)[1]
    out, _ = rendered(path)
    assert not (out / "databricks").exists() and (out / "diagram.svg").is_file()


TOLD = "spark.databricks.clusterUsageTags"


@pytest.mark.parametrize(("told", "ends", "says"), [
    ({f"{TOLD}.region": "eu-west-3"}, 0, "allowed: this workspace is in eu-west-3 (Paris), as the buckets are"),
    ({f"{TOLD}.dataPlaneRegion": "eu-central-1", f"{TOLD}.region": "eu-central-1"}, 0, "crosses regions"),
    ({f"{TOLD}.region": "us-east-1"}, 1, "refused: this workspace is in us-east-1"),
    ({f"{TOLD}.dataPlaneRegion": "eu-west-2", f"{TOLD}.region": "eu-west-3"}, 1, "refused: this workspace is in eu-west-2"),
    ({}, 1, "refused: the cluster does not tell its region"),
], ids=["at home", "elsewhere in the EU", "outside", "London", "not told"])
def test_the_first_task_refuses_outside_the_eu(rendered, cache, spark_python, tmp_path, told, ends, says):
    from conftest import install
    script = rendered(ROOT / "stacks" / "demo.yaml", "databricks")[0] / "databricks" / "check_region.py"
    options = {**told, "spark.ui.enabled": "false", "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
    conf = " ".join(f"--conf {name}={value}" for name, value in options.items())
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1",
                   "JAVA_HOME": install.ensure("spark", cache)["java_home"],
                   "PYSPARK_SUBMIT_ARGS": f"--master local[1] {conf} pyspark-shell"}
    done = subprocess.run([spark_python, script], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == ends, done.stderr
    assert says in (done.stdout if ends == 0 else done.stderr)
