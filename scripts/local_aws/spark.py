"""How a spark-submit step of EMR becomes a local process: the command and the environment, nothing is started here.

The script runs unchanged: what YARN and EMRFS do on a cluster, local cores and S3A against the given endpoint do here. It must
never pass on the environment it is called in, reach beyond loopback, or put credentials on a command line.
"""

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

from . import install

DRIVER_MEMORY = "3g"
# A demo's job is short and its cores are few: the optimising compiler took half of its CPU time [measured: 59 -> 39 s].
JVM = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
# Options of spark-submit that mean a cluster, and take a value. What is not here goes through as it is.
CLUSTER_OPTIONS = frozenset({
    "--master", "--deploy-mode", "--queue", "--num-executors", "--executor-cores", "--executor-memory", "--total-executor-cores",
    "--driver-memory", "--driver-cores", "--principal", "--keytab", "--archives", "--properties-file",
})
FLAGS = frozenset({"--verbose", "-v", "--supervise"})  # options that take none
# Settings that mean a cluster, or that this machine must decide: memory, cores, ports, where Python and S3 are.
CLUSTER_SETTINGS = (
    "spark.master", "spark.submit.deployMode", "spark.yarn.", "spark.executor.", "spark.executorEnv.", "spark.driver.",
    "spark.dynamicAllocation.", "spark.shuffle.service.", "spark.pyspark.", "spark.ui.", "spark.eventLog.", "spark.history.", "spark.local.dir",
    "spark.kubernetes.", "spark.hadoop.fs.s3", "spark.jars",
)
# What warns at every start or write and means nothing here: native libraries that are not there, metrics, sizes of tasks.
CHATTER = (
    "org.apache.hadoop.util.NativeCodeLoader", "org.apache.hadoop.metrics2", "org.apache.hadoop.fs.s3a.S3AInstrumentation",
    "dev.ludovic.netlib", "org.apache.spark.scheduler.DAGScheduler", "org.apache.spark.scheduler.TaskSetManager",
    "org.apache.spark.sql.catalyst.util.SparkStringUtils", "org.apache.spark.mllib.util.MLUtils",
)


class NotInstalled(Exception):
    """Spark is not in the cache yet."""


def command(cache: Path, workdir: Path, endpoint: str, region: str, credentials: dict[str, str],
            submit_args: list[str]) -> tuple[list[str], dict[str, str]]:
    """The program to run and all of its environment, for EMR's arguments after "spark-submit". Writes below workdir only."""
    facts = install.ready("spark", cache)
    if facts is None:
        raise NotInstalled(f"Spark is not installed in {cache}: run scripts/local_aws/install.py spark --cache {cache}")
    options, script = split(submit_args)
    workdir = workdir.resolve()
    for folder in ("conf", "tmp"):
        (workdir / folder).mkdir(parents=True, exist_ok=True)
    write_conf(workdir / "conf", settings(facts, workdir, endpoint, region, credentials), endpoint, region)
    site = next(Path(facts["python"]).parent.parent.glob("lib/python3*/site-packages"))
    home = site / "pyspark"
    return [str(home / "bin" / "spark-submit"), *options, *script], environment(facts, home, workdir, region)


def split(submit_args: list[str]) -> tuple[list[str], list[str]]:
    """The options that mean something here, and the script with its own arguments."""
    kept, rest = [], list(submit_args)
    while rest and rest[0].startswith("-"):
        name = rest.pop(0)
        if name in FLAGS:
            continue
        name, joined, value = name.partition("=")
        if not joined:
            if not rest:
                raise ValueError(f"spark-submit: {name} lacks its value")
            value = rest.pop(0)
        if name in CLUSTER_OPTIONS or (name in ("--conf", "-c") and value.strip().startswith(CLUSTER_SETTINGS)):
            continue
        kept += [name, value]
    if not rest:
        raise ValueError("spark-submit: no script given")
    return kept, rest


def settings(facts: dict, workdir: Path, endpoint: str, region: str, credentials: dict[str, str]) -> dict[str, str]:
    """What spark-defaults.conf says: EMR has such a file too, so the step's own --conf stay above it."""
    cores, tmp = len(os.sched_getaffinity(0)), workdir / "tmp"
    token = credentials.get("session_token")
    provider = "TemporaryAWSCredentialsProvider" if token else "SimpleAWSCredentialsProvider"
    s3a = {
        "endpoint": endpoint, "endpoint.region": region, "path.style.access": "true",
        "connection.ssl.enabled": str(urlsplit(endpoint).scheme == "https").lower(),
        "aws.credentials.provider": f"org.apache.hadoop.fs.s3a.{provider}",
        "access.key": credentials["access_key"], "secret.key": credentials["secret_key"], "buffer.dir": str(tmp),
        "directory.marker.retention": "keep",  # as newer S3A does: no delete of parent markers with every file
        "attempts.maximum": "4", "connection.timeout": "30000", "connection.establish.timeout": "5000",
    } | ({"session.token": token} if token else {})
    return {
        "spark.master": f"local[{cores},4]",  # four attempts a task, as on YARN
        "spark.driver.memory": DRIVER_MEMORY,
        "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.ui.enabled": "false",
        "spark.driver.extraClassPath": os.pathsep.join([str(workdir / "conf"), *facts["jars"]]),
        "spark.driver.extraJavaOptions": f"{JVM} -Djava.io.tmpdir={tmp} -Dfile.encoding=UTF-8",
        "spark.sql.warehouse.dir": str(workdir / "warehouse"), "spark.jars.ivy": str(workdir / "ivy"),
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
    } | {f"spark.hadoop.fs.s3a.{key}": value for key, value in s3a.items()}


def write_conf(conf: Path, values: dict[str, str], endpoint: str, region: str) -> None:
    defaults = conf / "spark-defaults.conf"
    defaults.touch(mode=0o600)  # it holds the step's credentials
    defaults.write_text("".join(f"{key} {value}\n" for key, value in values.items()))
    # This S3A's Java SDK signs for us-east-1 where it cannot read a region out of the host.
    host = (urlsplit(endpoint).hostname or "").replace(".", "\\.")
    (conf / "awssdk_config_override.json").write_text(
        json.dumps({"hostRegexToRegionMappings": [{"hostNameRegex": host, "regionName": region}]}))
    (conf / "log4j2.properties").write_text(
        "rootLogger.level = warn\nrootLogger.appenderRef.stderr.ref = stderr\n"
        "appender.console.type = Console\nappender.console.name = stderr\nappender.console.target = SYSTEM_ERR\n"
        "appender.console.layout.type = PatternLayout\n"
        "appender.console.layout.pattern = %d{yy/MM/dd HH:mm:ss} %p %c{1}: %m%n%ex\n"
        + "".join(f"logger.{i}.name = {name}\nlogger.{i}.level = error\n" for i, name in enumerate(CHATTER)))


def environment(facts: dict, spark_home: Path, workdir: Path, region: str) -> dict[str, str]:
    """All that the step sees. PATH is a system's default, for Spark's own shell scripts."""
    return {
        "PATH": f"{Path(facts['python']).parent}:/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8",
        "HOME": str(workdir), "TMPDIR": str(workdir / "tmp"), "SPARK_LOCAL_DIRS": str(workdir / "tmp"),
        "JAVA_HOME": facts["java_home"], "SPARK_HOME": str(spark_home), "SPARK_CONF_DIR": str(workdir / "conf"),
        "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": facts["python"], "PYSPARK_DRIVER_PYTHON": facts["python"],
        "PYTHONUNBUFFERED": "1", "AWS_REGION": region, "AWS_DEFAULT_REGION": region, "AWS_EC2_METADATA_DISABLED": "true",
    }
