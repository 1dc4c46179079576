"""The licences of what is linked into the program: each crate by name, and each text once, as they ask of whoever passes
their work on.
"""

import re
from pathlib import Path

# Also of what a crate carries in a folder of its own (libgit2, jemalloc, AWS-LC). Sources may bear such names too.
TEXT = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense)(?!.*\.(rs|c|h|py|js|json|html|go|pl|toml)$)", re.IGNORECASE)
HEAD = """\
fruitsinfra is under the licence in the file LICENSE. Linked into the program are these crates, under theirs; Rust's own
library (MIT or Apache-2.0); and a C library: musl (MIT), or glibc (LGPL-2.1-or-later), against which whoever has the sources
can link the program again with scripts/package.
"""


def text(metadata: dict) -> str:
    packages = {package["id"]: package for package in metadata["packages"]}
    linked = sorted((packages[crate] for crate in reached(metadata)), key=lambda each: (each["name"], each["version"]))
    lines, texts = [HEAD], {}
    for package in linked:
        crate = f"{package['name']} {package['version']}"
        lines.append(f"{crate}: {package['license'] or 'as its text says'}")
        for file in sorted(Path(package["manifest_path"]).parent.rglob("*")):
            if TEXT.match(file.name) and file.is_file():
                texts.setdefault(file.read_text(errors="replace").strip(), []).append(crate)
    for words, crates in texts.items():
        lines.append(f"\n{'=' * 80}\n{', '.join(dict.fromkeys(crates))}\n{'-' * 80}\n{words}")
    return "\n".join(lines) + "\n"


def reached(metadata: dict) -> set[str]:
    """The crates that the program's own code needs: not those of tests and of build scripts."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = metadata["resolve"]["root"]
    seen, ahead = {root}, [root]
    while ahead:
        for needed in nodes[ahead.pop()]["deps"]:
            if needed["pkg"] not in seen and any(kind["kind"] is None for kind in needed["dep_kinds"]):
                seen.add(needed["pkg"])
                ahead.append(needed["pkg"])
    return seen - {root}
