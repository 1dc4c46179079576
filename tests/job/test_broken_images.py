"""Images as they come: cut, empty, misnamed, gray, with odd names. Each costs one row at most, and nothing vanishes."""

import json

import pytest
from conftest import HERE, ROOT, Bucket

ODD = "Grün & reif 100% {x} [1]"


@pytest.fixture(scope="module")
def run(cache, endpoint, untrained, with_spark, tmp_path_factory):
    """Over the outputs of an earlier run, with weights in the older of Keras's two layouts."""
    folder = tmp_path_factory.mktemp("odd")
    images = folder / "images"
    with_spark(ROOT / "scripts" / "sample-images", images, "--classes", 2, "--per-class", 4, "--spoil")
    with_spark(HERE / "odd_images.py", images / ODD)
    with_spark(HERE / "older_layout.py", untrained, folder / "older.h5")
    bucket = Bucket(endpoint, "fruits-odd")
    bucket.put_folder(images, "images/Training/")
    bucket.put("features/part-of-an-earlier-run.parquet", b"to be overwritten")
    bucket.put("model/of-the-user.txt", b"a sibling")
    return bucket.run(cache, tmp_path_factory.mktemp("work"), folder / "older.h5", "untrained")


def test_the_job_completes_and_names_what_failed(run):
    assert run.code == 0, run.said
    failed = {row["path"].rpartition("/")[2]: row["error"] for row in run.report["failed_rows"]}
    assert set(failed) == {"spoilt_truncated.jpg", "spoilt_text.jpg", "spoilt_empty.jpg", "_hidden.jpg"}
    assert "truncated" in failed["spoilt_truncated.jpg"]
    assert failed["spoilt_text.jpg"] == "not an image"
    assert failed["spoilt_empty.jpg"] == "empty file (0 bytes)"
    assert "begin with _ or ." in failed["_hidden.jpg"]


def test_gray_cmyk_upper_case_and_misnamed_images_pass(run):
    assert run.report["labels"] == {"Apple Golden": 4, "Apple Red": 4, ODD: 5}


def test_the_listing_and_the_rows_agree(run):
    report = run.report
    assert report["skipped"] == 1  # notes.txt
    assert report["listed"] == report["rows"] + report["skipped"] == 18
    assert report["rows"] == sum(report["labels"].values()) + report["failed"]


def test_each_image_has_one_row_under_its_own_name(run, with_spark, tmp_path):
    for prefix in ("features/", "pca/parquet/"):
        run.bucket.fetch(prefix, tmp_path)
    measured = json.loads(with_spark(HERE / "outputs.py", tmp_path))
    assert measured["rows"] == measured["paths"] == 17
    assert measured["good"] == 13 and measured["same_order"]


def test_an_output_erases_itself_and_no_sibling(run):
    assert "features/part-of-an-earlier-run.parquet" not in run.bucket.keys()
    assert "model/of-the-user.txt" in run.bucket.keys()


def test_nothing_to_read_is_an_error_in_one_line(cache, endpoint, untrained, tmp_path):
    bucket = Bucket(endpoint, "fruits-none")
    bucket.put("images/notes.txt", b"no image")
    run = bucket.run(cache, tmp_path, untrained, "untrained")
    assert run.code != 0
    assert "no image (.jpg, .jpeg, .png) among the 1 files below s3://fruits-none/images" in run.said
    assert bucket.json("report/progress.json")["stage"] == "failed"


def test_nothing_readable_is_an_error_that_shows_why(cache, endpoint, untrained, tmp_path):
    bucket = Bucket(endpoint, "fruits-bad")
    bucket.put("images/Apple/1.jpg", b"not an image")
    bucket.put("images/Apple/2.jpg", b"")
    bucket.put("report/report.json", b"{}")  # of an earlier run
    run = bucket.run(cache, tmp_path, untrained, "untrained")
    assert run.code != 0
    assert "0 of 2 images could be read" in run.said and "empty file (0 bytes)" in run.said
    assert "report/report.json" not in bucket.keys()
