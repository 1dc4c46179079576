"""What scripts/bench reckons and keeps, apart from what it measures."""

import os
import sys

from conftest import SCRIPTS

sys.path[:0] = [str(SCRIPTS), str(SCRIPTS / "bench.d")]
import far  # noqa: E402
import page  # noqa: E402
import timed  # noqa: E402


def call(began: float, ended: float, service: str, operation: str) -> dict:
    return {"at": ended, "ms": (ended - began) * 1000, "service": service, "operation": operation}


def test_a_critical_path_is_the_longest_chain_of_those_that_waited():
    calls = [
        call(0, 0.05, "sts", "GetCallerIdentity"), call(0, 0.06, "emr", "ListClusters"), call(0.061, 0.12, "s3", "GetBucketTagging"),
        call(0.084, 0.14, "emr", "DescribeCluster"), call(0.141, 0.2, "emr", "ListInstanceGroups"),
    ]
    assert far.critical_path(calls) == ["ListClusters", "DescribeCluster", "ListInstanceGroups"]
    assert len(far.critical_path(calls[:2])) == 1  # at once


def test_memory_is_that_of_all_processes_and_a_bad_end_is_told(tmp_path):
    grow = f"{sys.executable} -c 'import time; kept = bytearray(100_000_000); time.sleep(0.3)'"
    ran = timed.run(["bash", "-c", f"{grow} & {grow}; wait; echo said; exit 3"], dict(os.environ), tmp_path, 20)
    assert (ran.code, ran.stdout) == (3, "said\n")
    assert 200 < ran.memory_mb < 300
    assert ran.seconds > 0.3


def test_a_section_is_replaced_and_what_people_wrote_stays(tmp_path):
    path, parts = tmp_path / "performance.md", ["start", "peers", "far"]

    def write(part: str, line: str) -> None:
        told = {"date": "2026-01-31", "commit": "abc", "machine": "2 cores", "pairs": 3}
        page.write(path, parts, part, "about it", told, [line], {"Terraform": "1.11.4"})

    write("far", "far 1")
    write("start", "start 1")
    path.write_text(path.read_text() + "\nA word of ours.\n")
    write("far", "far 2")
    text = path.read_text()
    assert text.startswith("# Speed") and text.endswith("\nA word of ours.\n")
    assert "far 1" not in text and text.index("start 1") < text.index("far 2")
    assert "2026-01-31, commit abc; 2 cores; Terraform 1.11.4; 3 pairs." in text
