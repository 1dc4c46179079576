"""The templates as text: strict about their values, sound as scripts; and the bootstrap action run for real, off the network."""

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import minijinja
import pytest
from conftest import JOB, REGION, render

BOOTSTRAP = "bootstrap/python_packages.sh.j2"
INDEX = {"bootstrap": {"name": "python"}, "python": "3.11", "staged": None,
         "packages": [{"name": "pillow", "version": "11.3.0"}, {"name": "pandas", "version": "2.3.3"}]}
STAGED = INDEX | {"staged": {"region": "eu-west-3", "prefix": "s3://fruits/home/wheels/0123/", "requirements": "pillow==11.3.0 --hash=sha256:00"}}


def leaves(values: dict, path: tuple = ()):
    for key, value in values.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))


def without(values: dict, path: tuple) -> dict:
    first, *rest = path
    return {k: without(v, rest) if k == first and rest else v for k, v in values.items() if k != first or rest}


@pytest.mark.parametrize("path", list(leaves(JOB)), ids=".".join)
def test_a_job_value_that_is_missing_is_an_error(path):
    with pytest.raises(minijinja.TemplateError):
        render("jobs/fruit_features.py.j2", without(JOB, path))


@pytest.mark.parametrize("path", [*((key,) for key in INDEX), ("bootstrap", "name")], ids=".".join)
def test_a_bootstrap_value_that_is_missing_is_an_error(path):
    with pytest.raises(minijinja.TemplateError):
        render(BOOTSTRAP, without(INDEX, path))


def test_the_job_is_python_whatever_the_values():
    odd = {**JOB, "job": JOB["job"] | {"name": "it's \"quoted\" {{ x }}", "partitions": 7,
                                       "pca": JOB["job"]["pca"] | {"standardise": False, "variance": 1.0}}}
    scope: dict = {}
    for line in render("jobs/fruit_features.py.j2", odd).splitlines():
        if line.startswith(("JOB =", "PARTITIONS =", "STANDARDISE =", "VARIANCE =")):
            exec(line, scope)
    assert scope["JOB"] == odd["job"]["name"] and scope["PARTITIONS"] == 7
    assert scope["STANDARDISE"] is False and scope["VARIANCE"] == 1.0
    for values in (JOB, odd):
        compile(render("jobs/fruit_features.py.j2", values), "job.py", "exec")


def test_no_path_is_rendered_into_the_job():
    assert "s3://" not in render("jobs/fruit_features.py.j2", JOB).replace("s3:// on EMR", "")


@pytest.mark.parametrize("values", [INDEX, STAGED], ids=["index", "staged"])
def test_the_bootstrap_passes_bash_and_shellcheck(values, tmp_path):
    script = tmp_path / "bootstrap.sh"
    script.write_text(render(BOOTSTRAP, values))
    assert script.read_text().startswith("#!/bin/bash\n")
    subprocess.run(["bash", "-n", script], check=True)
    shellcheck = Path(sys.executable).parent / "shellcheck"
    done = subprocess.run([shellcheck, script], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def node(tmp_path):
    """A stand-in for a node: its Python is a virtual environment, sudo is nothing, and S3 is a folder with one wheel."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "python"], check=True)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, body in {
        "sudo": 'exec "$@"',
        "python3.11": f'exec {tmp_path / "python" / "bin" / "python"} "$@"',
        "aws": f'cp {tmp_path / "s3"}/* "${{@: -1}}"',
    }.items():
        (programs / name).write_text(f"#!/bin/bash\n{body}\n")
        (programs / name).chmod(0o755)
    wheel = make_wheel(tmp_path / "s3")
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()

    def bootstrap(sha256: str = sha256, name: str = "ripe-fruit", version: str = "1.0") -> subprocess.CompletedProcess:
        staged = {"region": "eu-west-3", "prefix": "s3://fruits/wheels/", "requirements": f"ripe-fruit==1.0 --hash=sha256:{sha256}"}
        values = INDEX | {"packages": [{"name": name, "version": version}], "staged": staged}
        environment = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(tmp_path), "PIP_NO_INDEX": "1"}
        return subprocess.run(
            ["bash", "-s"], input=render(BOOTSTRAP, values), env=environment, capture_output=True, text=True, timeout=120)
    return bootstrap


def make_wheel(folder: Path) -> Path:
    """A wheel whose module is not named as the package is."""
    folder.mkdir()
    path = folder / "ripe_fruit-1.0-py3-none-any.whl"
    info = "ripe_fruit-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("apple/__init__.py", "print('imported')\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: ripe-fruit\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"apple/__init__.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return path


def test_the_bootstrap_installs_and_imports_and_can_run_twice(node):
    for _ in range(2):
        done = node()
        assert done.returncode == 0, done.stderr
        assert "imported" in done.stdout and "ripe-fruit 1.0" in done.stdout and "done" in done.stdout


@pytest.mark.parametrize(("name", "version"), [("Ripe_Fruit", "1.0"), ("ripe-fruit[peeled]", "1.0"), ("ripe.fruit", "1.0.0"), ("ripe-fruit", "1")])
def test_a_package_is_known_by_every_spelling_that_pip_takes(node, name, version):
    done = node(name=name, version=version)
    assert done.returncode == 0, done.stderr
    assert " 1.0\n" in done.stdout


def test_another_version_than_asked_for_ends_the_bootstrap(node):
    done = node(version="1.0.1")
    assert done.returncode != 0 and "==1.0.1 was asked for, 1.0 is here" in done.stderr


def test_a_wheel_that_was_changed_ends_the_bootstrap(node):
    done = node(sha256="0" * 64)
    assert done.returncode != 0
    assert "failed at line" in done.stderr + done.stdout and "done" not in done.stdout
