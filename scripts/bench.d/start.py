"""How long it takes to start: `--version`, `validate` of one stack, `completions`. Each run is a process of its own, in turns, with
nothing to be told by and nobody to tell; figures are medians.
"""

import os
import statistics
import time
from pathlib import Path

RUNS = 20  # a pair
VERSION = 0.010  # seconds, at most


def measure(binary: Path, stack: Path, pairs: int) -> dict:
    commands = {"--version": ["--version"], "validate": ["validate", str(stack)], "completions": ["completions", "bash"]}
    taken: dict[str, list[float]] = {name: [] for name in commands}
    with open(os.devnull, "r+b") as nothing:
        for _ in range(pairs * RUNS):
            for name, words in commands.items():
                taken[name].append(seconds([str(binary), *words], nothing.fileno()))
    rows = [{"what": name, "seconds": statistics.median(each), "least": min(each), "most": max(each)} for name, each in taken.items()]
    size = binary.stat().st_size / 1e6
    return {"rows": rows, "runs": pairs * RUNS, "megabytes": size, "kept": {
        f"--version within {VERSION * 1000:.0f} ms": rows[0]["seconds"] <= VERSION}}


def seconds(command: list[str], nothing: int) -> float:
    """By the clock, from before it is there until it is gone. Without Python's own way to a process, which takes as long again."""
    redirected = [(os.POSIX_SPAWN_DUP2, nothing, into) for into in (0, 1, 2)]
    began = time.monotonic()
    process = os.posix_spawn(command[0], command, {"PATH": os.environ["PATH"], "HOME": os.devnull}, file_actions=redirected)
    _, status = os.waitpid(process, 0)
    taken = time.monotonic() - began
    if status != 0:
        raise RuntimeError(f"{command} ended {os.waitstatus_to_exitcode(status)}")
    return taken


def table(found: dict) -> list[str]:
    lines = [f"{'':<12}  {'ms':>7}  {'least':>7}  {'most':>7}"]
    lines += [f"{row['what']:<12}  {row['seconds'] * 1000:>7.1f}  {row['least'] * 1000:>7.1f}  {row['most'] * 1000:>7.1f}" for row in found["rows"]]
    lines.append(f"{found['runs']} runs of each; the program is a file of {found['megabytes']:.0f} MB")
    return lines + [f"{'kept' if kept else 'NOT WELL'}: {promise}" for promise, kept in found["kept"].items()]
