"""Every documented command is run as it stands, in the order of its page, and ends as the page says."""

import itertools
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import Reader
from documents import FENCE, ROOT, Line, named, pages, prose, stories

# Lines for which an embedded AWS cannot stand in: what they begin with, and why.
EXCEPTED = {
    "scripts/demo": "builds the program, and is this journey itself",
    "scripts/test": "is what runs this",
    "cargo build": "builds the program",
    "sudo": "installs and switches on what the whole machine would have",
    "journalctl": "asks systemd, which nothing was installed into",
    "export AWS_PROFILE=fruits": "real credentials",
    "aws": "is AWS's own program, which tests do not install",
}

# Lines that do not end with 0: where, what they begin with, how they end, and why.
ENDS = {
    ("docs/codes/FI132.md", "fruitsinfra plan demo@smok "): (2, "what is wrong: no such profile"),
    ("docs/codes/FI911.md", "fruitsinfra extend demo 12h"): (3, "what is wrong: beyond the limit"),
}

# Words of which an example means another on this machine: where, what stands there, what is typed instead.
MEANT = {
    ("docs/import.md", "j-2AXXXXXXGAPLF"): "{cluster}",
}

# What stands in the folder besides, and what was typed before: by page.
BEFORE = {
    "README.md": ["rm -r images"],
    "docs/codes/FI335.md": ["cp {cases}/05.json cluster.json", "cp {cases}/bootstrap-emr.sh ../setup.sh"],
    "docs/codes/FI911.md": ["fruitsinfra up demo --for 1h --yes"],
    "docs/evidence.md": ["fruitsinfra init my-fruits", "fruitsinfra up my-fruits.yaml --yes"],
    "docs/import.md": [
        "cp {cases}/01.json run-job-flow.json", "cp {cases}/create-cluster.sh .", "cp {cases}/cluster.tf main.tf",
        "cp {cases}/configurations.json .", "cp {cases}/bootstrap-emr.sh ../setup.sh", "fruitsinfra up demo --yes",
    ],
    "docs/review.md": [
        "git switch -q -c ours", "cp stacks/demo.yaml old.yaml", "sed 's/count: 2/count: 3/' old.yaml > new.yaml",
        "cp new.yaml stacks/demo.yaml", "git commit -qam 'three nodes'", "cp old.yaml stacks/demo.yaml", "git add stacks",
    ],
}

STORIES = [story for page in pages() for story in stories(page)]
NUMBERS = itertools.count(111_111_111_111)


def excepted(line: Line) -> str | None:
    return next((begin for begin in EXCEPTED if re.match(rf"{re.escape(begin)}(?!\S)", line.text)), None)


def ends(line: Line) -> int:
    found = [code for (page, begin), (code, _) in ENDS.items() if page == line.document and begins(line, begin)]
    return found[0] if found else 0


def begins(line: Line, begin: str) -> bool:
    return f"{line.text} ".startswith(begin)


@pytest.fixture
def reader(aws, samples, tmp_path):
    """Somebody with a fresh checkout of two commits, images in it, and an account of their own."""
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / "stacks", folder / "stacks")
    for place in ("images", "out/images"):
        shutil.copytree(samples, folder / place)
    for place in ("scripts", "tests"):
        (folder / place).symlink_to(ROOT / place)
    (folder / ".gitignore").write_text("images\nscripts\ntests\n")
    reader = Reader(folder, aws.environment | {"AWS_ACCESS_KEY_ID": str(next(NUMBERS))})
    untrained(folder)
    for line in ("git init -q -b main", "git add .", "git commit -qm one", "echo >> stacks/demo.yaml", "git commit -qam two"):
        assert reader.types(line).code == 0, line
    aws.afternoon()
    return reader


def untrained(folder: Path) -> None:
    """Weights come from the network, and tests have none: stacks take those that are made here."""
    for stack in [*folder.glob("*.yaml"), *folder.glob("stacks/*.yaml")]:
        stack.write_text(stack.read_text().replace("weights: imagenet", "weights: untrained"))


def told(reader, line: str) -> str:
    ran = reader.types(line)
    assert ran.code == 0, f"{line}\n{ran.out}\n{ran.said}"
    return ran.out


def cluster(reader) -> str:
    return re.search(r"Cluster (j-\w+)", told(reader, "fruitsinfra status demo"))[1]


@pytest.mark.parametrize("story", STORIES, ids=[f"{story[0].document}:{story[0].number}" for story in STORIES])
def test_what_is_documented_is_so(story, reader):
    document = story[0].document
    for line in BEFORE.get(document, []):
        told(reader, line.replace("{cases}", str(ROOT / "tests/import/cases")))
        untrained(reader.folder)
    for line in story:
        if excepted(line):
            continue
        typed = line.text
        for (page, word), meant in MEANT.items():
            if page == document and word in typed:
                typed = typed.replace(word, cluster(reader) if meant == "{cluster}" else meant)
        ran = reader.types(typed)
        assert ran.code == ends(line), f"{line}\nends {ran.code}\n{ran.out}\n{ran.said}"
        untrained(reader.folder)


def test_every_entry_of_the_tables_is_of_a_line():
    lines = [line for story in STORIES for line in story]
    assert len(lines) > 50
    used = {excepted(line) for line in lines}
    assert set(EXCEPTED) - used == set(), "excepted, and documented nowhere"
    idle = [entry for entry in ENDS if not any(line.document == entry[0] and begins(line, entry[1]) for line in lines)]
    assert idle == [], "ends of no line"
    idle = [entry for entry in MEANT if not any(line.document == entry[0] and entry[1] in line.text for line in lines)]
    assert idle == [], "words of no line"
    assert set(BEFORE) - {line.document for line in lines} == set(), "prepared, and nothing is typed there"


def test_every_command_is_told_of(binary):
    offered = subprocess.run([binary, "--help"], capture_output=True, text=True, check=True).stdout
    listed = offered.split("Commands:\n")[1].split("\n\n")[0]
    commands = set(re.findall(r"^  (\w+)", listed, re.MULTILINE)) - {"help"}
    assert len(commands) > 20
    texts = "\n".join(prose(page) for page in pages() if page.parent.name != "codes")
    typed = "\n".join(line.text for story in STORIES for line in story)
    ways = [(r"`(?:fruitsinfra (?:--\S+ )*)?{}\b", texts), (r"fruitsinfra (?:--\S+ (?:\w+ )?)*{}\b", typed)]
    told_of = {command for command in commands for way, text in ways if re.search(way.format(command), text)}
    assert commands - told_of == set()


def test_nothing_is_typed_in_another_kind_of_block():
    # What was measured is told by the names of programs.
    for page in [page for page in pages() if page.name != "performance.md"]:
        for block in FENCE.finditer(page.read_text()):
            word, typed = block["word"].strip(), re.search(r"^\$? ?(?:fruitsinfra|scripts/)", block["text"], re.MULTILINE)
            assert word not in ("bash", "console", "shell", "zsh", "") and (word == "sh" or not typed), f"{named(page)}: {block[0]}"


def test_pages_are_looked_through():
    assert {"README.md", "docs/guard.md", "docs/codes/FI911.md"} <= {named(page) for page in pages()}
