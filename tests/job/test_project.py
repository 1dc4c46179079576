"""What one run fitted is applied to other images by another: nothing is fitted anew, and the numbers are those of the fit."""

import json

import pytest
from conftest import HERE, Bucket


@pytest.fixture(scope="module")
def bucket(endpoint, samples):
    """Six images a class to fit, two more to project, and one of these under two names."""
    bucket = Bucket(endpoint, "fruits-project")
    for file in samples.rglob("*.jpg"):
        part = "Training" if int(file.name.partition("_")[0]) < 6 else "Test"
        bucket.put(f"images/{part}/{file.parent.name}/{file.name}", file.read_bytes())
    for name in ("Kiwi/twin 1.jpg", "Pear/twin 2.jpg"):
        bucket.put(f"images/Test/{name}", (samples / "Lemon" / "7_100.jpg").read_bytes())
    return bucket


@pytest.fixture(scope="module")
def fit(bucket, cache, trained, tmp_path_factory):
    run = bucket.run(cache, tmp_path_factory.mktemp("fit"), trained, "registry", asked=(
        "--input", f"s3://{bucket.name}/images/Training/"))
    assert run.code == 0, run.said
    return run.report


@pytest.fixture(scope="module")
def project(bucket, cache, trained, tmp_path_factory):
    """Runs the job with --fitted on a folder of images, into a folder of its own."""
    def run(images: str, output: str, weights=trained):
        here = f"s3://{bucket.name}"
        return bucket.run(cache, tmp_path_factory.mktemp("project"), weights, "registry", asked=(
            "--input", f"{here}/{images}", "--output", f"{here}/{output}", "--fitted", f"{here}/model/"))
    return run


def test_new_images_get_the_components_that_the_fit_has_for_them(bucket, fit, project, with_spark, tmp_path):
    run = project("images/", "projected/")
    assert run.code == 0, run.said
    report = bucket.json("projected/report/report.json")
    assert report["fitted"] == report["paths"]["model"] == f"s3://{bucket.name}/model" and fit["fitted"] is None
    for key in ("components", "variance", "explained", "variance_target", "standardised", "weights_sha256"):
        assert report[key] == fit[key], key
    assert fit["rows"] == 48 and report["rows"] == 66
    assert {key.split("/")[1] for key in bucket.keys("projected/")} == {"features", "pca", "report"}

    for prefix in ("features/", "pca/parquet/", "model/"):
        bucket.fetch(prefix, tmp_path / "fit")
    for prefix in ("projected/features/", "projected/pca/parquet/"):
        bucket.fetch(prefix, tmp_path)
    measured = json.loads(with_spark(HERE / "projected.py", tmp_path / "fit", tmp_path / "projected"))
    assert measured["rows"] == 66 and measured["components"] == fit["components"]
    assert measured["by_model"] < 1e-6 and measured["by_own"] < 1e-6 * measured["largest"]
    # Batches of other sizes may be summed in another order: features agree to what float32 can hold, and components with them.
    assert measured["again"] == 48 and measured["again_error"] < 1e-6 * measured["largest"]
    assert measured["twins"] == 2 and measured["twins_apart"] < 1e-5


def test_the_fit_notes_what_it_was_made_with(bucket, fit):
    noted = bucket.json("model/variance.json")
    assert (noted["weights_sha256"], noted["feature_length"]) == (fit["weights_sha256"], 1280)


def test_one_image_is_enough_to_project(bucket, fit, project):
    run = project("images/Test/Avocado/6_100.jpg", "one/")
    assert run.code == 0, run.said
    assert bucket.json("one/report/report.json")["rows"] == 1


def test_a_fit_of_other_weights_is_refused_before_any_image_is_read(bucket, fit, project, untrained):
    run = project("images/Test/", "refused/", weights=untrained)
    assert run.code != 0
    assert "is one of other weights" in run.said and "or leave --fitted out and fit anew" in run.said
    assert {key.split("/")[1] for key in bucket.keys("refused/")} == {"report"}


def test_a_folder_without_a_fit_is_refused(bucket, cache, untrained, tmp_path):
    run = bucket.run(cache, tmp_path, untrained, "untrained", asked=("--fitted", f"s3://{bucket.name}/images/"))
    assert run.code != 0
    assert "it has no variance.json. Give --fitted the model/ folder of a run that ended well" in run.said
