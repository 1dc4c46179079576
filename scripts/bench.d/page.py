"""docs/performance.md: a section a part, between marks, so that parts measured on other days or machines stay side by side. Only what
is between the marks of the parts measured now is written; what is said around them is for people, and stays.
"""

import os
import platform
import re
import subprocess
from pathlib import Path

INTRODUCTION = """# Speed: what is promised, and what was measured

`scripts/bench --write PART...` measures, and puts what it prints in here. Each section says when, where and with what; what a part
compares, and what differs between those compared, is in its file's first paragraph under `scripts/bench.d/`. Figures are medians.
"""


def machine() -> str:
    """What the figures depend on, and not whose it is."""
    memory = next(int(line.split()[1]) for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal:"))
    models = re.findall(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores of {models[0] if models else platform.machine()}, {memory / 1e6:.0f} GB, load {os.getloadavg()[0]:.1f} at the start"


def commit(where: Path) -> str:
    """Of the tree, and whether it was changed since; this page aside, which measuring changes."""
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=where, capture_output=True, text=True).stdout.strip()

    changed = [line for line in git("status", "--porcelain").splitlines() if not line.endswith("docs/performance.md")]
    return git("rev-parse", "--short=12", "HEAD") + (" with changes" if changed else "")


def write(page: Path, parts: list[str], part: str, about: str, told: dict, lines: list[str], versions: dict[str, str]) -> None:
    """Replaces the part's section, or adds it where its turn is."""
    text = page.read_text() if page.exists() else INTRODUCTION
    with_what = "".join(f"; {name} {version}" for name, version in versions.items())
    facts = f"{told['date']}, commit {told['commit']}; {told['machine']}{with_what}; {told['pairs']} pairs."
    section = f"{begins(part)}\n## {part}: {about}\n\n{facts}\n\n```text\n" + "\n".join(line.rstrip() for line in lines) + f"\n```\n{ends(part)}\n"
    if begins(part) in text:
        before, _, rest = text.partition(begins(part))
        text = before + section + rest.partition(f"{ends(part)}\n")[2]
    elif later := [begins(other) for other in parts[parts.index(part) + 1:] if begins(other) in text]:
        text = text.replace(later[0], f"{section}\n{later[0]}")
    else:
        text = f"{text.rstrip()}\n\n{section}"
    page.write_text(text)


def begins(part: str) -> str:
    return f"<!-- measured: {part} -->"


def ends(part: str) -> str:
    return f"<!-- measured: {part}, end -->"
