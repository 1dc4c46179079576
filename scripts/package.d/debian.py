"""The Debian package: a tree as Debian's policy wants it, built by dpkg-deb. It needs no other package and runs no script."""

import gzip
import os
import subprocess
from email.utils import formatdate
from pathlib import Path

from program import Program, told

REVISION = 1  # of the package, where the program is the same
PLACES = {
    "bash": "usr/share/bash-completion/completions/fruitsinfra",
    "zsh": "usr/share/zsh/vendor-completions/_fruitsinfra",
    "fish": "usr/share/fish/vendor_completions.d/fruitsinfra.fish",
}
DOC = "usr/share/doc/fruitsinfra"

CONTROL = """\
Package: fruitsinfra
Version: {version}
Architecture: {architecture}
Maintainer: {maintainer}
Installed-Size: {size}
Recommends: ca-certificates
Suggests: python3.11
Section: admin
Priority: optional
Description: {about}
 A stack is a YAML file: images in S3, a Spark job on EMR, and results in S3,
 all of it in the European Union, on a cluster that lives only as long as a
 demo.
 .
 fruitsinfra plans a stack against what is there, shows what it will make and
 cost, makes it, runs the job, and takes it down again. There is no state file.
"""

COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: fruitsinfra
Comment: The crates that are linked into the program, and their licences, are in
 THIRD-PARTY.gz beside this file.

Files: *
Copyright: {year} the authors of fruitsinfra
License: Apache-2.0
 On Debian systems, the text of the Apache License, version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
"""

CHANGELOG = """\
fruitsinfra ({version}) unstable; urgency=medium

  * Built of {commit}. What changed for people is in changelog.gz.

 -- {maintainer}  {date}
"""

OVERRIDES = """\
# One program for every distribution: it takes its libraries along on purpose.
fruitsinfra: shared-library-lacks-prerequisites [usr/bin/fruitsinfra]
fruitsinfra: embedded-library zlib [usr/bin/fruitsinfra]
# Made by the project itself, not for an archive that has bugs to close.
fruitsinfra: initial-upload-closes-no-bugs [usr/share/doc/fruitsinfra/changelog.Debian.gz:1]
"""


def make(program: Program, out: Path, scratch: Path) -> Path:
    tree, architecture = scratch / "deb", told(program.source, "dpkg", "--print-architecture")
    facts = {
        "version": f"{program.version}-{REVISION}",
        "architecture": architecture,
        "maintainer": told(program.source, "git", "log", "-1", "--format=%an <%ae>"),
        "commit": told(program.source, "git", "rev-parse", "--short=12", "HEAD"),
        "date": formatdate(program.epoch),
        "year": formatdate(program.epoch).split()[3],
        "about": program.about,
    }
    put(tree, "usr/bin/fruitsinfra", program.binary.read_bytes(), 0o755)
    for page, text in program.manual.items():
        put(tree, f"usr/share/man/man1/{page}.gz", packed(text))
    for shell, text in program.completions.items():
        put(tree, PLACES[shell], text)
    put(tree, f"{DOC}/copyright", COPYRIGHT.format(**facts).encode())
    put(tree, f"{DOC}/THIRD-PARTY.gz", packed(program.licences))
    put(tree, f"{DOC}/changelog.Debian.gz", packed(CHANGELOG.format(**facts).encode()))
    put(tree, f"{DOC}/changelog.gz", packed((program.source / "docs" / "changelog.md").read_bytes()))
    put(tree, f"{DOC}/README.md", (program.source / "README.md").read_bytes())
    put(tree, "usr/share/lintian/overrides/fruitsinfra", OVERRIDES.encode())
    size = sum(-(-path.stat().st_size // 1024) for path in tree.rglob("*"))
    put(tree, "DEBIAN/control", CONTROL.format(**facts, size=size).encode())
    put(tree, "DEBIAN/md5sums", told(tree, "sh", "-c", "find usr -type f | LC_ALL=C sort | xargs md5sum").encode() + b"\n")
    for path in [tree, *tree.rglob("*")]:
        os.utime(path, (program.epoch, program.epoch))
    path = out / f"fruitsinfra_{facts['version']}_{architecture}.deb"
    pack = ["dpkg-deb", "--root-owner-group", "-Zxz", "--build", tree, path]
    subprocess.run(pack, env=program.dated(), stdout=subprocess.DEVNULL, check=True)
    return path


def put(tree: Path, name: str, content: bytes, mode: int = 0o644) -> None:
    path = tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


def packed(text: bytes) -> bytes:
    """As `gzip -9n` does, which policy asks for."""
    return gzip.compress(text, 9, mtime=0)
