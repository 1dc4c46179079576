"""A `plan` that finds nothing to do, when every call takes 50 ms more, as to a region far away; beside Terraform's, in pairs.

How much of that time nothing could have saved is told by the embedded AWS's log: the critical path is the most calls of which each
began after the one before had ended, and each is a round trip. Which call truly waited for which the log does not know, so this is
the most that it can have been. The delay stands for distance alone: connections are opened as on loopback.
"""

import statistics
from collections.abc import Iterable
from pathlib import Path

import peers
from embedded import Broken

DELAY = 0.050  # seconds a call
FASTER = 10
WITHIN = 1.5   # times the critical path
CLOCKS = 0.001  # the log's clock is so coarse
RUNS = 3  # a pair


def measure(binary: Path, mirror: Path, pairs: int, scratch: Path) -> dict:
    runs: dict[str, list[dict]] = {"ours": [], "terraform": []}
    with peers.ready(binary, mirror, None, scratch) as both:
        for who, peer in both.items():
            peers.told(peers.SHOWN["up"][who], peer.does("up"))
            peer.aws.control("POST", "faults", {"rules": [{"kind": "delay", "nth": 0, "seconds": DELAY}]})
        for run in range(pairs * RUNS):
            for who in runs if run % 2 == 0 else reversed(runs):
                taken, calls = both[who].plans()
                if short := [call["operation"] for call in calls if call["ms"] < DELAY * 1000]:
                    raise Broken(f"these calls were not delayed: {short}")
                path = critical_path(calls)
                least = len(path) * DELAY
                runs[who].append(taken | {"trips": len(path), "least": least, "times": taken["seconds"] / least, "path": path})
                peers.told(peers.SHOWN["plan"][who], taken)
        versions = peers.versions_of(both)
    of = {who: peers.medians([{name: run[name] for name in run if name != "path"} for run in each]) for who, each in runs.items()}
    ratio = statistics.median(b["seconds"] / a["seconds"] for a, b in zip(runs["ours"], runs["terraform"], strict=True))
    middle = sorted(runs["ours"], key=lambda run: run["seconds"])[len(runs["ours"]) // 2]
    kept = {f"at least {FASTER} times as fast as terraform plan": ratio >= FASTER,
            f"within {WITHIN} times its critical path": of["ours"]["times"] <= WITHIN}
    return {"rows": of, "ratio": ratio, "path": middle["path"], "versions": versions, "kept": kept}


def critical_path(calls: Iterable[dict]) -> list[str]:
    """The longest chain of calls one after the other; of several, one that stays with a service, as those that wait do."""
    best: list[tuple[int, int, list[str], dict]] = []  # of the chains that end with a call: length, loyalty, operations, the call
    for call in sorted(calls, key=lambda call: call["at"]):
        began = call["at"] - call["ms"] / 1000
        before = [chain for chain in best if chain[3]["at"] <= began + CLOCKS]
        ranked = [(length + 1, loyal + (last["service"] == call["service"]), names) for length, loyal, names, last in before]
        length, loyal, names = max(ranked, key=lambda chain: chain[:2], default=(1, 0, []))
        best.append((length, loyal, [*names, call["operation"]], call))
    return max(best, key=lambda chain: chain[:2])[2]


def table(found: dict) -> list[str]:
    heads = f"{'seconds':>8}  {'cpu':>6}  {'MB':>6}  {'calls':>6}  {'trips':>6}  {'path':>7}  {'times it':>8}  {'ratio':>6}"
    lines = [f"{f'{DELAY * 1000:.0f} ms a call':<18}  {heads}"]
    for who, row in found["rows"].items():
        ratio = f"{found['ratio']:.1f}" if who == "terraform" else ""
        lines.append(
            f"{peers.SHOWN['plan'][who]:<18}  {row['seconds']:>8.3f}  {row['cpu']:>6.2f}  {row['memory_mb']:>6.1f}  {row['calls']:>6.0f}"
            f"  {row['trips']:>6.0f}  {row['least']:>6.2f}s  {row['times']:>8.2f}  {ratio:>6}")
    lines.append(f"Critical path of ours, {len(found['path'])} round trips: {' > '.join(found['path'])}")
    return lines + [f"{'kept' if kept else 'NOT WELL'}: {promise}" for promise, kept in found["kept"].items()]
