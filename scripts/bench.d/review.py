"""How long `validate` and `diff` take, cold, for one stack and for many, beside what others take for a template that says
the same. Every run is a process of its own; runs of the same size are taken in turns, and the figures are medians.
"""

import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

MANY = 500
ONE_AT_MOST, MANY_AT_MOST = 0.050, 1.0  # seconds


def measure(binary: Path, stack: Path, linters: dict[str, list], runs: int) -> list[dict]:
    with tempfile.TemporaryDirectory() as scratch:
        old, new = Path(scratch, "old"), Path(scratch, "new")
        for folder, count in ((old, "2"), (new, "3")):
            shutil.copytree(stack.parent, folder)
            for path in folder.glob("*.yaml"):
                path.unlink()
            for number in range(MANY):
                text = stack.read_text().replace("stack: fruits-demo", f"stack: fruits-d{number}")
                (folder / f"d{number:03}.yaml").write_text(text.replace("count: 2", f"count: {count}"))
        one, many = "d000.yaml", sorted(str(path) for path in new.glob("*.yaml"))
        commands = {
            ("validate", 1): [binary, "validate", new / one],
            ("diff", 1): [binary, "diff", old / one, new / one],
            ("validate", MANY): [binary, "validate", *many],
            ("diff", MANY): [binary, "diff", old, new],
            **{(name, 1): command for name, command in linters.items()},
        }
        taken = {key: [] for key in commands}
        for _ in range(runs):
            for key, command in commands.items():
                taken[key].append(seconds(command))
    return [row(name, stacks, statistics.median(each)) for (name, stacks), each in taken.items()]


def seconds(command: list) -> float:
    began = time.monotonic()
    ran = subprocess.run(command, capture_output=True, timeout=300)
    if ran.returncode not in (0, 1, 2, 4, 8):  # linters end so where they find anything
        raise RuntimeError(f"{command[0]} ended {ran.returncode}: {ran.stderr[-1000:].decode()}")
    return time.monotonic() - began


def row(name: str, stacks: int, median: float) -> dict:
    ours = name in ("validate", "diff")
    at_most = (ONE_AT_MOST if stacks == 1 else MANY_AT_MOST) if ours else None
    return {"what": name, "stacks": stacks, "seconds": median, "at_most": at_most, "well": at_most is None or median <= at_most}


def table(rows: list[dict]) -> list[str]:
    lines = [f"{'what':<10}  {'stacks':>6}  {'seconds':>8}  {'at most':>8}"]
    for row in rows:
        at_most = "" if row["at_most"] is None else f"{row['at_most']:.2f}"
        lines.append(f"{row['what']:<10}  {row['stacks']:>6}  {row['seconds']:>8.3f}  {at_most:>8}{'' if row['well'] else '  NOT WELL'}")
    return lines
