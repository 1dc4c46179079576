"""The rendered job on real Spark and TensorFlow, s3:// to s3://, with trained weights: one run, looked at from all sides."""

import csv
import io
import json

import pytest
from conftest import HERE


@pytest.fixture(scope="module")
def run(chain):
    return chain


@pytest.fixture(scope="module")
def measured(run, with_spark, tmp_path_factory):
    folder = tmp_path_factory.mktemp("outputs")
    for prefix in ("features/", "pca/parquet/"):
        run.bucket.fetch(prefix, folder)
    return json.loads(with_spark(HERE / "outputs.py", folder))


def test_it_ends_well_and_says_so(run):
    assert run.code == 0, run.said
    assert "64 rows, 0 failed, 8 labels, 1280 features" in run.said


def test_the_report_counts_everything(run):
    report = run.report
    assert (report["listed"], report["rows"], report["failed"], report["skipped"]) == (64, 64, 0, 0)
    assert report["failed_rows"] == []
    assert set(report["labels"].values()) == {8} and len(report["labels"]) == 8
    assert report["feature_length"] == 1280
    assert report["variance"] >= report["variance_target"] == 0.90
    assert report["weights"] == "registry" and len(report["weights_sha256"]) == 64
    assert report["versions"]["spark"].startswith("3.5.")
    assert set(report["seconds"]) == {"listing", "weights", "features", "reading back", "pca", "writing"}
    assert all(path.startswith(f"s3://{run.bucket.name}/") and "//" not in path[5:] for path in report["paths"].values())


def test_no_component_more_than_needed(run):
    shares = run.bucket.json("model/variance.json")["explained"]
    k = run.report["components"]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares[: k - 1]) < 0.90 <= sum(shares[:k]) + 1e-4
    assert sum(shares) == pytest.approx(1.0, abs=1e-3)


def test_features_tell_fruits_apart(measured):
    assert measured["rows"] == measured["paths"] == measured["good"] == 64
    assert measured["length"] == 1280
    assert measured["cosine_within"] > measured["cosine_between"] + 0.3


def test_components_are_those_of_another_pca(run, measured):
    assert measured["same_order"]
    assert measured["components"] == measured["wanted"] == run.report["components"]
    assert measured["variance"] == pytest.approx(run.report["variance"], abs=1e-5)
    assert measured["projection_error"] < 1e-6


def test_the_csv_is_one_file_for_people(run):
    files = [key for key in run.bucket.keys("pca/csv/") if key.endswith(".csv")]
    assert len(files) == 1
    header, *rows = csv.reader(io.StringIO(run.bucket.get(files[0]).decode()))
    assert header == ["path", "label", *(f"c{i + 1}" for i in range(run.report["components"]))]
    assert len(rows) == 64 and rows == sorted(rows)
    assert all(path.split("/")[-2] == label for path, label, *_ in rows)


def test_the_model_is_sparks_own_and_loads(run, with_spark, tmp_path):
    run.bucket.fetch("model/", tmp_path)
    shape = json.loads(with_spark(HERE / "load_model.py", tmp_path / "model" / "fitted"))
    assert shape == [1280, run.report["components"]]


def test_progress_ends_with_done(run):
    progress = run.bucket.json("report/progress.json")
    assert (progress["stage"], progress["done"], progress["of"]) == ("done", 64, 64)
    stages = [json.loads(line)["stage"] for line in run.said.splitlines() if line.startswith('{"stage"')]
    assert list(dict.fromkeys(stages)) == ["listing", "weights", "features", "reading back", "pca", "writing", "done"]


def test_it_leaves_siblings_only(run):
    tops = {key.split("/")[0] for key in run.bucket.keys()}
    assert tops == {"images", "jobs", "weights", "features", "pca", "model", "report"}
    assert not [key for key in run.bucket.keys() if "//" in key or "_temporary" in key or "$folder$" in key]
