"""From EMR's arguments to a local Spark: what goes through, what is dropped, and what a step can see."""

import os
import stat

import pytest
from conftest import REGION, spark

SCRIPT = ["s3://fruits/jobs/features.py", "--input", "s3://fruits/images/", "--master", "an argument of the script"]
CREDENTIALS = {"access_key": "ASIATEST", "secret_key": "a-secret", "session_token": "a-token"}


@pytest.mark.parametrize(("options", "kept"), [
    ([], []),
    (["--deploy-mode", "cluster", "--master", "yarn"], []),
    (["--deploy-mode=client", "--num-executors", "4", "--verbose"], []),
    (["--conf", "spark.executor.memory=8g", "--conf", "spark.yarn.maxAppAttempts=1"], []),
    (["--conf=spark.driver.cores=4"], []),
    (["--conf", "spark.sql.shuffle.partitions=8"], ["--conf", "spark.sql.shuffle.partitions=8"]),
    (["--conf", "spark.hadoop.fs.s3a.endpoint=s3.amazonaws.com"], []),
    (["--py-files", "s3://fruits/lib.zip", "--name", "a b"], ["--py-files", "s3://fruits/lib.zip", "--name", "a b"]),
])
def test_options_of_a_cluster_are_dropped_and_others_stay(options, kept):
    assert spark.split([*options, *SCRIPT]) == (kept, SCRIPT)


@pytest.mark.parametrize("wrong", [[], ["--conf"], ["--name", "x"]])
def test_without_a_script_there_is_no_command(wrong):
    with pytest.raises(ValueError, match="spark-submit: "):
        spark.split(wrong)


def test_without_spark_it_says_how_to_get_it(tmp_path):
    with pytest.raises(spark.NotInstalled, match=r"install.py spark --cache"):
        spark.command(tmp_path, tmp_path, "http://127.0.0.1:1", REGION, CREDENTIALS, SCRIPT)


def test_a_step_sees_nothing_of_the_user(cache, spark_python, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the user's")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    command, environment = spark.command(cache, tmp_path, "http://127.0.0.1:1", REGION, CREDENTIALS, SCRIPT)
    assert environment["HOME"] == environment["SPARK_CONF_DIR"].removesuffix("/conf") == str(tmp_path)
    assert set(environment) & set(os.environ) <= {
        "PATH", "LANG", "LC_ALL", "HOME", "TMPDIR", "JAVA_HOME", "PYTHONUNBUFFERED", "AWS_REGION", "AWS_DEFAULT_REGION",
        "AWS_EC2_METADATA_DISABLED"}
    assert "the user's" not in environment.values() and environment["AWS_REGION"] == REGION
    assert command[1:] == SCRIPT


def test_credentials_are_in_a_private_file_alone(cache, spark_python, tmp_path):
    command, environment = spark.command(cache, tmp_path, "http://127.0.0.1:1", REGION, CREDENTIALS, SCRIPT)
    assert not any("secret" in word or "a-token" in word for word in [*command, *environment.values()])
    defaults = tmp_path / "conf" / "spark-defaults.conf"
    assert stat.S_IMODE(defaults.stat().st_mode) == 0o600
    text = defaults.read_text()
    assert "fs.s3a.session.token a-token" in text and "TemporaryAWSCredentialsProvider" in text
    assert "spark.ui.enabled false" in text and "spark.driver.bindAddress 127.0.0.1" in text
