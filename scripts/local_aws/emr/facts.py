"""Which EMR releases and instance types exist, and where: AWS's own lists as of October 2026, by way of moto's data files.

Lists of releases before 6.6 are not known, so no type is refused for them. It must never be edited by hand to please a test.
"""

import csv
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

HERE = Path(__file__).parent / "facts"

# As EMR spells them.
APPLICATIONS = (
    "AmazonCloudWatchAgent", "Delta", "Flink", "Ganglia", "Hadoop", "HBase", "HCatalog", "Hive", "Hudi", "Hue", "Iceberg",
    "JupyterEnterpriseGateway", "JupyterHub", "Livy", "Mahout", "MXNet", "Oozie", "Phoenix", "Pig", "Presto", "PrestoSQL",
    "Spark", "Sqoop", "TensorFlow", "Tez", "Trino", "Zeppelin", "ZooKeeper",
)

# Versions by the newest release that they begin with (AWS's release guide); EMR always says one. Other applications: "1.0.0".
VERSIONS = {
    "Hadoop": (((0, 0, 0), "3.2.1"), ((6, 6, 0), "3.3.3"), ((7, 0, 0), "3.3.6"), ((7, 3, 0), "3.4.0"), ((7, 8, 0), "3.4.1")),
    "Spark": (
        ((0, 0, 0), "2.4.8"), ((6, 0, 0), "3.0.1"), ((6, 15, 0), "3.4.1"), ((7, 0, 0), "3.5.0"), ((7, 2, 0), "3.5.1"),
        ((7, 5, 0), "3.5.2"), ((7, 6, 0), "3.5.3"), ((7, 8, 0), "3.5.4"), ((7, 9, 0), "3.5.5"), ((7, 11, 0), "3.5.6"),
        ((8, 0, 0), "4.0.2"),
    ),
    "TensorFlow": (((0, 0, 0), "2.11.0"), ((7, 7, 0), "2.16.1"), ((7, 10, 0), "2.18.0"), ((7, 12, 0), "2.19.0")),
}


@dataclass(frozen=True)
class InstanceType:
    name: str
    vcpu: int
    memory_gib: float
    arch: str
    first: tuple[int, ...]
    gaps: frozenset[tuple[int, ...]]
    regions: frozenset[str]


def version(label: str) -> tuple[int, ...] | None:
    """(7, 12, 0) of emr-7.12.0 and of 7.12.0; None for what is no such label."""
    found = re.fullmatch(r"(?:emr-(?:spark-)?)?(\d+)\.(\d+)\.(\d+)(?:-\w+)?", label)
    return tuple(int(part) for part in found.groups()) if found else None


@lru_cache
def releases() -> dict[str, frozenset[str]]:
    """Release label -> regions that have it, newest first within each line."""
    with open(HERE / "releases.csv", newline="") as rows:
        return {row["release"]: frozenset(row["regions"].split()) for row in csv.DictReader(rows)}


@lru_cache
def instance_types() -> dict[str, InstanceType]:
    with open(HERE / "instance_types.csv", newline="") as rows:
        return {row["type"]: instance_type(row) for row in csv.DictReader(rows)}


def instance_type(row: dict) -> InstanceType:
    gaps = re.findall(r"\d+\.\d+\.\d+", row["later_releases_without_it"])
    return InstanceType(
        row["type"], int(row["vcpu"]), float(row["memory_gib"]), row["arch"], version(row["first_release"]),
        frozenset(map(version, gaps)), frozenset(row["regions"].split()),
    )


def supported(type_name: str, release: str) -> bool:
    """Whether EMR of that release knows the type at all, wherever it is offered."""
    kind, of = instance_types().get(type_name), version(release)
    if kind is None:
        return False
    return of is None or of < (6, 6, 0) or (kind.first <= of and of not in kind.gaps)


def application_version(name: str, release: str) -> str:
    of = version(release) or (0, 0, 0)
    return next((v for since, v in reversed(VERSIONS.get(name, ())) if since <= of), "1.0.0")


def zones_with(type_name: str, region: str) -> list[str]:
    """Zones that offer the type. Our model: the newest families have not reached zone c."""
    kind = instance_types().get(type_name)
    if kind is None or region not in kind.regions:
        return []
    generation = re.search(r"\d+", type_name)
    new = generation is not None and int(generation[0]) >= 7
    return [region + letter for letter in ("ab" if new else "abc")]


def os_release(release: str) -> str:
    of = version(release) or (0,)
    return "2023.9.20251014.0" if of >= (7,) else "2.0.20251014.0"


def default_volumes(type_name: str, release: str) -> list[dict]:
    """The volumes EMR adds to types without disks of their own, by size, as its management guide lists them."""
    family, _, size = type_name.partition(".")
    if "d" in family.lstrip("d") or family[0] in "hi" or family in ("d2", "d3", "d3en", "c1", "m1", "m2", "m3", "c3", "r3", "g2"):
        return []
    number = int(re.match(r"\d+", size)[0]) if size[:1].isdigit() else 1
    count = {"large": 1, "xlarge": 2}.get(size, 4)
    gib = 32 if number <= 2 else number * 16
    kind = "gp3" if (version(release) or (0,)) >= (6, 15, 0) else "gp2"
    return [{"VolumeType": kind, "SizeInGB": gib} for _ in range(count)]
