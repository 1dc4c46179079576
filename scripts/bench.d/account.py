"""A `plan` that finds nothing to do, of one stack among 1, 20 and 200, in an account with nothing else in it and in one with 2,000
roles, 2,000 buckets and 2,000 clusters that are somebody else's (foreign.py); and then of the same stack with more in it. What it
takes may grow with the stack, not with the account.

The other stacks are as the one measured, each made by `up`, but that their clusters are planted; the names of some begin with its
name, so that what is found by how it is called is not yet its own. All clusters are there and idle, which few accounts can say: it
is their listing that is measured, 50 to a page. Runs in both accounts come in pairs, in alternating order; `answering` is what the
embedded AWS itself took, which looks through longer lists. Making 200 stacks takes some minutes.
"""

import statistics
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import peers
from embedded import Aws, Broken

FOREIGN = Path(__file__).resolve().parent / "foreign.py"
STACKS = (1, 20, 200)
CROWD = 2000  # of each kind
NAMESAKE = 10  # one in so many stacks has a name that begins as the measured one's
WIDER = 8  # more buckets
RUNS = 3  # a pair
PAGE = 50  # clusters in an answer of ListClusters, which knows no filter by name or tag
ACCOUNTS = ("empty", "crowded")
MINE, WIDE = "stack.yaml", "wide.yaml"


def measure(binary: Path, python: Path, pairs: int, scratch: Path, sizes: tuple[int, ...] = STACKS, crowd: int = CROWD) -> dict:
    rows = []
    with Aws(scratch / "empty") as empty, Aws(scratch / "crowded") as crowded:
        say(f"making {crowd} foreign roles, buckets and clusters")
        crowded.filled(python, FOREIGN, str(crowd), str(crowd), str(crowd))
        both = {"empty": peers.ours(empty, binary), "crowded": peers.ours(crowded, binary)}
        for peer in both.values():
            peer.does("up")
        there = 1
        for stacks in sizes:
            for peer in both.values():
                others(peer, binary, range(there, stacks))
            there = max(there, stacks)
            rows.append({"stacks": stacks, "what": MINE, **compared(both, pairs * RUNS)})
        for peer in both.values():
            widened(peer, binary)
        wide = {name: peer._replace(commands={"plan": [binary, "plan", "--detailed-exitcode", WIDE]}) for name, peer in both.items()}
        rows.append({"stacks": there, "what": WIDE, **compared(wide, pairs * RUNS)})
    mine = [row for row in rows if row["what"] == MINE]
    pages = crowd // PAGE
    kept = {
        f"in the crowded account no more calls than the {pages} pages of its living clusters": all(
            row["crowded"]["calls"] - row["empty"]["calls"] <= pages for row in rows),
        "among other stacks no more than a page, and a look at each bucket and cluster whose name begins alike": all(
            row["empty"]["calls"] - mine[0]["empty"]["calls"] <= looks(row["stacks"]) for row in mine),
    }
    return {"rows": rows, "crowd": crowd, "more": rows[-1]["more"], "kept": kept}


def looks(stacks: int) -> int:
    """Calls that namesakes may cost: two buckets and a cluster each, and the pages of all clusters."""
    return 3 * len([n for n in range(1, stacks) if n % NAMESAKE == 0]) + stacks // PAGE


def compared(both: dict[str, peers.Peer], runs: int) -> dict:
    """One stack's plan in either account."""
    taken: dict[str, list[dict]] = {name: [] for name in both}
    calls: dict[str, Counter] = {}
    for run in range(runs):
        for name in both if run % 2 == 0 else reversed(both):
            figures, made = both[name].plans()
            taken[name].append(figures)
            calls[name] = Counter(call["operation"] for call in made)
    ratio = statistics.median(b["seconds"] / a["seconds"] for a, b in zip(*taken.values(), strict=True))
    of = {name: peers.medians(each) for name, each in taken.items()}
    shown = ", ".join(f"{name} {row['calls']:.0f} calls {row['seconds']:.2f} s" for name, row in of.items())
    say(f"  {shown}")
    return {**of, "ratio": ratio, "more": dict(calls["crowded"] - calls["empty"])}


def others(peer: peers.Peer, binary: Path, numbers: range) -> None:
    """Stacks of ours beside it: all but the cluster by `up`, and a cluster with the marks that one has."""
    text = (peer.folder / MINE).read_text()
    folder = peer.folder / "others"
    folder.mkdir(exist_ok=True)

    def up(number: int) -> None:
        path = folder / f"{number}.yaml"
        path.write_text(text[:text.index("\nbootstrap:")].replace("bench-ours", other(number)))
        ran = subprocess.run([binary, "up", "--yes", path], env=peer.aws.environment, capture_output=True, text=True, timeout=300)
        if ran.returncode != 0:
            raise Broken(f"up of {path.name} ended {ran.returncode}: {ran.stderr[-2000:]}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(up, numbers))
    peer.aws.control("POST", "crowd", [{
        "region": "eu-west-3", "name": f"{other(n)}-main", "age": 3600,
        "tags": {"fruitsinfra:stack": other(n), "fruitsinfra:address": "cluster/main", "fruitsinfra:owner": "bench@fruits.example"},
    } for n in numbers])


def other(number: int) -> str:
    return f"bench-ours-{number}" if number % NAMESAKE == 0 else f"bench-other-{number}"


def widened(peer: peers.Peer, binary: Path) -> None:
    """The stack measured, with more buckets."""
    more = "".join(f"  more-{n}: {{versioning: true, expire: {{logs/: 30d}}}}\n" for n in range(WIDER))
    text = (peer.folder / MINE).read_text().replace("\nroles:", f"{more}\nroles:").replace("\n\n" + more, "\n" + more)
    (peer.folder / WIDE).write_text(text)
    peer.aws.run([binary, "up", "--yes", WIDE], peer.environment, peer.folder)


def table(found: dict) -> list[str]:
    lines = [f"{'stack':<10}  {'stacks':>6}  {'account':<8}  {'calls':>6}  {'seconds':>8}  {'answering':>9}  {'cpu':>6}  {'MB':>6}  {'ratio':>6}"]
    for row in found["rows"]:
        for account in ACCOUNTS:
            of, ratio = row[account], f"{row['ratio']:.2f}" if account == "crowded" else ""
            lines.append(
                f"{row['what']:<10}  {row['stacks']:>6}  {account:<8}  {of['calls']:>6.0f}  {of['seconds']:>8.3f}  {of['answering']:>9.3f}"
                f"  {of['cpu']:>6.2f}  {of['memory_mb']:>6.1f}  {ratio:>6}")
    lines.append(f"one in {NAMESAKE} of the other stacks has a name that begins with the measured one's")
    lines.append(f"crowded: {found['crowd']} roles, buckets and clusters of somebody else; {WIDE} has {WIDER} more buckets than {MINE}")
    if found["more"]:
        lines.append(f"more calls there: {', '.join(f'{count} {name}' for name, count in found['more'].items())}")
    return lines + [f"{'kept' if kept else 'NOT WELL'}: {promise}" for promise, kept in found["kept"].items()]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
