"""The documents as data: their pages, the lines a reader would type, their headings and links."""

import re
import unicodedata
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent
FENCE = re.compile(r"^```(?P<word>[^\n]*)\n(?P<text>.*?)^```\s*$", re.MULTILINE | re.DOTALL)
OURS = re.compile(r"(?:^|[\s|;&(])(?:fruitsinfra|scripts/\w+)(?=\s|$)")


class Line(NamedTuple):
    document: str  # as in docs/guard.md
    number: int    # where it stands
    text: str

    def __str__(self) -> str:
        return f"{self.document}:{self.number}: {self.text}"


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def stories(page: Path) -> list[list[Line]]:
    """What is typed in one folder, one line after the other. Of a page on a code each block is a story: what is wrong in the
    one is right in the other."""
    blocks = typed(page)
    return blocks if page.parent.name == "codes" else [sum(blocks, [])] if blocks else []


def typed(page: Path) -> list[list[Line]]:
    """Lines of the `sh` blocks that call us; a script that a page shows is none of them."""
    whole, found = page.read_text(), []
    for block in FENCE.finditer(whole):
        text = block["text"]
        if block["word"].strip() != "sh" or text.startswith("#!") or not OURS.search(bare(text)):
            continue
        # A line that ends with a backslash goes on in the next.
        text = re.sub(r"\\\n[ \t]*", "\0", text)
        number, lines = whole.count("\n", 0, block.start("text")) + 1, []
        for line in text.splitlines():
            if bare(line):
                lines.append(Line(named(page), number, line.replace("\0", "").strip()))
            number += 1 + line.count("\0")
        found.append(lines)
    return found


def bare(text: str) -> str:
    """Without its comments."""
    return "\n".join(re.sub(r"(?:^|\s)#.*$", "", line) for line in text.splitlines()).strip()


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text())


def links(page: Path) -> list[str]:
    """Where it leads to within the repository."""
    found = re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", prose(page))
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def paths(page: Path) -> list[str]:
    """Files and folders of the repository that it names as code."""
    return re.findall(r"`((?:docs|src|tests|scripts|stacks|templates)/[\w./-]*)`", prose(page))


def anchors(page: Path) -> set[str]:
    """Its headings, as forges call them in links."""
    found = set()
    for heading in re.findall(r"^#{1,6} (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        kept = "".join(c for c in text if c in " -_" or unicodedata.category(c)[0] in "LNM").replace(" ", "-")
        count = sum(1 for other in found if other == kept or re.fullmatch(re.escape(kept) + r"-\d+", other))
        found.add(f"{kept}-{count}" if count else kept)
    return found
