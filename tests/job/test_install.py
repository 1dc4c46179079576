"""The installer, on a set of one hand-made wheel: once, whole or not at all, and clear when it cannot."""

import hashlib
import json
import os
import subprocess
import sys
import threading
import time

import pytest
from conftest import install
from test_templates import make_wheel


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A set "tiny" in a project folder of its own; what is downloaded comes from a folder."""
    project = tmp_path / "project"
    (project / "requirements").mkdir(parents=True)
    wheel = make_wheel(tmp_path / "index")
    pin = f"ripe-fruit==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"
    (project / "requirements" / "tiny.txt").write_text(pin)
    monkeypatch.setattr(install, "HERE", project)
    monkeypatch.setattr(install, "SETS", {"tiny": install.Set("a tiny set", ("requirements/tiny.txt",), 1, 1)})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    return wheel


def test_a_set_is_made_once_and_then_found_at_once(tiny, tmp_path):
    assert install.ready("tiny", tmp_path) is None
    made = install.ensure("tiny", tmp_path)
    subprocess.run([made["python"], "-c", "import apple"], check=True)
    tiny.unlink()  # nothing is fetched again
    began = time.monotonic()
    assert install.ensure("tiny", tmp_path) == install.ready("tiny", tmp_path) == made
    assert time.monotonic() - began < 0.05


def test_two_at_once_are_one(tiny, tmp_path, capfd):
    made = []
    threads = [threading.Thread(target=lambda: made.append(install.ensure("tiny", tmp_path))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(made) == 2 and made[0] == made[1]
    said = capfd.readouterr().err
    assert said.count("installing a tiny set") == 1 and said.count("waiting for it") == 1


def test_what_was_broken_off_goes_on(tiny, tmp_path):
    made = install.ensure("tiny", tmp_path)
    (install.home("tiny", tmp_path) / ".ready").unlink()  # as a kill before the last write leaves it
    assert install.ready("tiny", tmp_path) is None
    assert install.ensure("tiny", tmp_path) == made


def test_another_pin_is_another_folder(tiny, tmp_path):
    before = install.home("tiny", tmp_path)
    with (install.HERE / "requirements" / "tiny.txt").open("a") as file:
        file.write("# a change\n")
    assert install.home("tiny", tmp_path) != before


def test_a_changed_file_is_refused(tiny, tmp_path):
    with tiny.open("ab") as file:
        file.write(b"something more")
    with pytest.raises(install.Broken, match="is not the file that is pinned"):
        install.ensure("tiny", tmp_path)
    assert install.ready("tiny", tmp_path) is None


def test_a_failed_download_says_what_to_do(tmp_path):
    """Run as a person runs it, with an index that does not answer."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
                   "PIP_NO_CACHE_DIR": "1", "PIP_RETRIES": "0"}
    done = subprocess.run([sys.executable, install.__file__, "moto", "--cache", tmp_path], env=environment,
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and done.stdout == ""
    assert "check the network" in done.stderr and "run the same again" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_answer_is_the_last_line_and_json(cache):
    install.ensure("aws", cache)
    done = subprocess.run(
        [sys.executable, install.__file__, "aws", "--cache", cache], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout.splitlines()[-1]) == install.ready("aws", cache)
    assert done.stderr == ""
