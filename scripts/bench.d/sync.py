"""How fast many small files are sent to a server of objects, beside `aws s3 sync` and s5cmd: each sends the same files into an
empty bucket of s3s-fs, a process of its own, one after the other in one run. Ours hashes each file, has the server check the
hash, and writes its manifest. Files and objects lie in memory, where there is such a place: a disk is still freeing what the
run before left when the next one begins, which would then be measured.
"""

import os
import shutil
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

FILES, SIZE = 20_000, 5_000  # bytes
SERVER = "0.14.1"            # of s3s-fs
FASTER_THAN_AWS = 8.0
MEMORY = 100                 # MB
IN_MEMORY = Path("/dev/shm")
KEY = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true"}


def server(cache: Path) -> Path:
    """s3s-fs, built from crates.io once."""
    root = cache / f"s3s-fs-{SERVER}"
    if not (root / "bin/s3s-fs").exists():
        command = ["cargo", "install", "s3s-fs", "--version", SERVER, "--features", "binary", "--locked", "--root", root]
        environment = {name: value for name, value in os.environ.items() if name != "CARGO_TARGET_DIR"}
        subprocess.run(command, check=True, env=environment)
    return root / "bin/s3s-fs"


def measure(ours: Path, senders: Path, cache: Path, runs: int) -> dict:
    objects = server(cache)
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as scratch:
        files = Path(scratch, "files")
        write(files)
        taken: dict[str, list[dict]] = {"ours": [], "aws": [], "s5cmd": []}
        for run in range(runs):
            turn = list(taken) if run % 2 == 0 else list(reversed(taken))
            for who in turn:
                with Server(objects, Path(scratch, "objects")) as endpoint:
                    taken[who].append(timed(*command(who, ours, senders, files, endpoint)))
                    sent = sum(1 for path in Path(scratch, "objects/data/images").rglob("*.jpg"))
                    if sent != FILES:
                        raise RuntimeError(f"{who} sent {sent} files of {FILES}")
    of = {who: {name: statistics.median(run[name] for run in each) for name in each[0]} for who, each in taken.items()}
    ratios = {who: statistics.median(b["seconds"] / a["seconds"] for a, b in zip(taken["ours"], taken[who], strict=True))
              for who in ("aws", "s5cmd")}
    well = ratios["aws"] >= FASTER_THAN_AWS and ratios["s5cmd"] >= 1 and of["ours"]["memory_mb"] <= MEMORY
    return {"files": FILES, "bytes": FILES * SIZE, **of, "ratio": ratios, "well": well}


def write(folder: Path) -> None:
    for number in range(FILES):
        path = folder / f"Class {number % 100}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(SIZE))


def command(who: str, ours: Path, senders: Path, files: Path, endpoint: str) -> tuple[list, dict]:
    named = {"AWS_ENDPOINT_URL": endpoint}
    if who == "ours":
        own = {"BENCH_FOLDER": str(files), "BENCH_ENDPOINT": endpoint}
        return [ours, "--exact", "bench::sends", "--ignored", "--nocapture"], own
    if who == "aws":
        return [senders / "aws", "s3", "sync", "--only-show-errors", files, "s3://data/images/"], named
    return [senders / "s5cmd", "--log", "error", "--endpoint-url", endpoint, "sync", f"{files}/*", "s3://data/images/"], named


def timed(command: list, own: dict) -> dict:
    """A run as a process: its seconds by the clock and the processor, and its memory at most."""
    environment = {"PATH": os.environ["PATH"], "HOME": tempfile.gettempdir(), **KEY, **own}
    began = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    if status != 0:
        raise RuntimeError(f"{command[0]} ended {os.waitstatus_to_exitcode(status)}: {process.stderr.read()[-2000:].decode()}")
    return {"seconds": seconds, "cpu": used.ru_utime + used.ru_stime, "memory_mb": used.ru_maxrss / 1000}


class Server:
    """An empty server of objects with the buckets `data` and `home`."""

    def __init__(self, program: Path, folder: Path):
        self._program, self._folder = program, folder

    def __enter__(self) -> str:
        shutil.rmtree(self._folder, ignore_errors=True)
        for bucket in ("data", "home"):
            (self._folder / bucket).mkdir(parents=True)
        port = 18_000 + os.getpid() % 10_000
        keys = ["--access-key", KEY["AWS_ACCESS_KEY_ID"], "--secret-key", KEY["AWS_SECRET_ACCESS_KEY"]]
        self._server = subprocess.Popen(
            [self._program, "--host", "127.0.0.1", "--port", str(port), *keys, self._folder],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        endpoint = f"http://127.0.0.1:{port}"
        for _ in range(100):
            try:
                urllib.request.urlopen(endpoint, timeout=1)
            except urllib.error.HTTPError:
                return endpoint
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("s3s-fs does not answer")

    def __exit__(self, *_) -> None:
        self._server.kill()
        self._server.wait()


def table(found: dict) -> list[str]:
    lines = [f"{found['files']} files, {found['bytes'] / 1e6:.0f} MB", f"{'':<12}  {'seconds':>8}  {'cpu':>6}  {'MB':>6}  {'ratio':>6}"]
    for who, shown in (("ours", "fruitsinfra"), ("aws", "aws s3 sync"), ("s5cmd", "s5cmd")):
        row, ratio = found[who], found["ratio"].get(who)
        lines.append(f"{shown:<12}  {row['seconds']:>8.2f}  {row['cpu']:>6.1f}  {row['memory_mb']:>6.0f}  {'' if ratio is None else f'{ratio:.1f}':>6}")
    if not found["well"]:
        lines.append("NOT WELL: 8 times as fast as aws s3 sync, no slower than s5cmd and below 100 MB is promised")
    return lines
