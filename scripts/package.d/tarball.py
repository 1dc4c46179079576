"""The tarball: one folder with the program, its pages and what shells need to complete its commands."""

import gzip
import io
import tarfile
from pathlib import Path

from program import SHELLS, Program


def make(program: Program, out: Path, _scratch: Path) -> Path:
    name = f"fruitsinfra-{program.version}-{program.arch}-linux"
    files = {
        "fruitsinfra": program.binary.read_bytes(),
        "LICENSE": (program.source / "LICENSE").read_bytes(),
        "THIRD-PARTY": program.licences,
        "README.md": (program.source / "README.md").read_bytes(),
        "CHANGELOG.md": (program.source / "docs" / "changelog.md").read_bytes(),
        **{f"man/man1/{page}": text for page, text in program.manual.items()},
        **{f"completions/{SHELLS[shell]}": text for shell, text in program.completions.items()},
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for file, content in sorted(files.items()):
            member = tarfile.TarInfo(f"{name}/{file}")
            member.size, member.mtime, member.mode = len(content), program.epoch, 0o755 if file == "fruitsinfra" else 0o644
            tar.addfile(member, io.BytesIO(content))
    path = out / f"{name}.tar.gz"
    path.write_bytes(gzip.compress(packed.getvalue(), mtime=program.epoch))
    return path
