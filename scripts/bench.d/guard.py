"""A sweep of the guard against Cloud Custodian's policy in custodian.yml, on an embedded AWS full of clusters.

Both look at the same six regions and change nothing. Their runs come in pairs, one after the other, in alternating order;
`answering` is what the embedded AWS itself took for all calls together.
"""

import json
import statistics
import sys
import tempfile
from pathlib import Path

from embedded import Aws, Broken

HERE = Path(__file__).resolve().parent
REGIONS = ("eu-central-1", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-3")
FIGURES = ("calls", "seconds", "answering")
CALLS = 0.1  # of theirs, at the largest size


def measure(binary: Path, custodian: Path, python: Path, sizes: list[int], pairs: int) -> list[dict]:
    return [of_size(binary, custodian, python, size, pairs) for size in sizes]


def well(rows: list[dict]) -> bool:
    largest = rows[-1]["ratio"]
    return largest["calls"] <= CALLS and largest["seconds"] < 1 and all(row["as_expected"] for row in rows)


def of_size(binary: Path, custodian: Path, python: Path, size: int, pairs: int) -> dict:
    """Both on one crowd of clusters."""
    with tempfile.TemporaryDirectory() as scratch, Aws(Path(scratch)) as aws:
        print(f"{size} clusters", file=sys.stderr, flush=True)
        idle = set(aws.filled(python, HERE / "crowd.py", str(size))["idle"])
        runs = {"guard": [], "custodian": []}
        for pair in range(pairs):
            for who in ("guard", "custodian") if pair % 2 == 0 else ("custodian", "guard"):
                runs[who].append(ours(aws, binary) if who == "guard" else theirs(aws, custodian))
                print(f"  {who}: {runs[who][-1]['calls']} calls, {runs[who][-1]['seconds']:.2f} s", file=sys.stderr, flush=True)
    verdicts = {who: set.union(*(set(run["condemned"]) for run in each)) for who, each in runs.items()}
    figures = {who: {name: statistics.median(run[name] for run in each) for name in FIGURES} for who, each in runs.items()}
    together = list(zip(runs["guard"], runs["custodian"], strict=True))
    return {
        "clusters": size, **figures,
        "ratio": {name: statistics.median(a[name] / b[name] for a, b in together) for name in ("calls", "seconds")},
        "both": len(verdicts["guard"] & verdicts["custodian"]),
        "guard_only": reasons(runs["guard"][-1], verdicts["guard"] - verdicts["custodian"]),
        "custodian_only": reasons(runs["guard"][-1], verdicts["custodian"] - verdicts["guard"]),
        "as_expected": verdicts["guard"] == idle,
    }


def ours(aws: Aws, binary: Path) -> dict:
    """One sweep. Its JSON is its verdicts."""
    said, measured, _ = aws.only_asks([binary, "--local", "guard", "--output", "json"])
    told = json.loads(said)
    if told["errors"]:
        raise Broken(f"the guard met errors: {told['errors']}")
    clusters = told["clusters"]
    return {"condemned": [cluster["id"] for cluster in clusters if cluster["verdict"] == "kill"], "clusters": clusters, **measured}


def theirs(aws: Aws, custodian: Path) -> dict:
    """One run of the policy. What it filtered out is what it would terminate."""
    with tempfile.TemporaryDirectory() as out:
        regions = [word for region in REGIONS for word in ("--region", region)]
        command = [custodian, "run", "--dryrun", "--cache-period", "0", *regions, "--output-dir", out, HERE / "custodian.yml"]
        _, measured, _ = aws.only_asks(command)
        found = [json.loads(path.read_text()) for path in Path(out).rglob("resources.json")]
    if len(found) != len(REGIONS):
        raise Broken(f"Cloud Custodian answered for {len(found)} of {len(REGIONS)} regions")
    return {"condemned": [cluster["Id"] for clusters in found for cluster in clusters], **measured}


def reasons(run: dict, ids: set) -> list[dict]:
    """What the guard says of these clusters, the same words together."""
    words: dict[str, int] = {}
    for cluster in run["clusters"]:
        if cluster["id"] in ids:
            text = f"{cluster['verdict']}: {'; '.join(cluster['reasons'])}"
            words[text] = words.get(text, 0) + 1
    return [{"clusters": count, "guard": text} for text, count in sorted(words.items())]


def table(rows: list[dict]) -> list[str]:
    lines = [f"{'clusters':>8}  {'':<16}  {'calls':>6}  {'seconds':>8}  {'answering':>9}  {'condemned':>9}"]
    for row in rows:
        for who, shown in (("guard", "fruitsinfra guard"), ("custodian", "Cloud Custodian")):
            condemned = row["both"] + sum(line["clusters"] for line in row[f"{who}_only"])
            of = row[who]
            lines.append(f"{row['clusters']:>8}  {shown:<16}  {of['calls']:>6.0f}  {of['seconds']:>8.2f}  {of['answering']:>9.2f}  {condemned:>9}")
        ratio = row["ratio"]
        lines.append(f"{'':>8}  {'ratio':<16}  {ratio['calls']:>6.3f}  {ratio['seconds']:>8.2f}  {'':>9}  {row['both']:>9} by both")
        for who, shown in (("guard", "only by the guard"), ("custodian", "only by Cloud Custodian; the guard says")):
            lines += [f"{'':>8}  {shown}: {line['clusters']} x {line['guard']}" for line in row[f"{who}_only"]]
        if not row["as_expected"]:
            lines.append(f"{'':>8}  NOT WELL: the guard does not condemn exactly those that nobody uses")
    if not well(rows):
        lines.append(f"NOT WELL: at most {CALLS} of the calls and less time is promised, at the largest size")
    return lines
