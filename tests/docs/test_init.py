"""`init` on a terminal: three questions, each asked again until its answer will do; none where nobody is there."""

import os
import pty
import subprocess

import pytest


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def typed(binary, folder, answers: list[str], *args: str) -> tuple[int, str]:
    """What a person sees who types these answers, and how it ends."""
    ours, theirs = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "100"}
    command = [binary, "init", *args]
    child = subprocess.Popen(command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, "".join(answer + "\n" for answer in answers).encode())
    seen = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # Linux's word for an end
            break
        if not piece:
            break
        seen += piece
    os.close(ours)
    return child.wait(timeout=30), seen.decode().replace("\r\n", "\n")


def test_three_answers_make_a_stack(binary, folder):
    code, seen = typed(binary, folder, ["Fruits!", "fruits-p8", "us-east-1", "eu-west-1", "five", "1 USD"])
    assert code == 0, seen
    for asked in ("Its name [fruits-demo]", "Where it lives, of eu-central-1", "The most that a demo may cost [5 USD]"):
        assert asked in seen
    assert seen.count("Its name") == seen.count("Where it lives") == seen.count("The most that") == 2
    said = " ".join(seen.split())  # lines end where the window does
    for why in ("lower-case letters", "us-east-1", "write US dollars, as in 2 USD", "and `limits.demo` allows 1 USD"):
        assert why in said, seen
    text = (folder / "fruits-p8.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=fruitsinfra.schema.json\n")
    for line in ("stack: fruits-p8\n", "region: eu-west-1\n", "limits: {demo: 1 USD, "):
        assert line in text
    assert subprocess.run([binary, "validate", "--fail-on", "error", "fruits-p8.yaml"], cwd=folder).returncode == 0


def test_what_an_argument_says_is_not_asked(binary, folder):
    code, seen = typed(binary, folder, [""], "mine", "--budget", "9 USD")
    assert code == 0 and "Where it lives" in seen and "Its name" not in seen and "The most" not in seen, seen
    assert "region: eu-west-3\n" in (folder / "mine.yaml").read_text()


def test_without_a_terminal_nothing_is_asked_and_nothing_overwritten(binary, folder):
    for code in (0, 2):
        ran = subprocess.run([binary, "init"], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert ran.returncode == code, ran.stderr
        assert "[" not in ran.stdout
    assert "fruits-demo.yaml is there already" in ran.stderr
