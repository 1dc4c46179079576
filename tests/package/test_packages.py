"""Each package is put where nothing else is, and the program in it does there what needs no network: it says its version,
writes a stack, checks it and plans it.
"""

import hashlib
import subprocess
import venv

import pytest
from conftest import needs, only, package

JOURNEY = (("--version",), ("init", "my-fruits"), ("validate", "my-fruits.yaml"), ("plan", "--offline", "my-fruits.yaml"))
COMPLETIONS = {
    "bash": ("usr/share/bash-completion/completions/fruitsinfra", "-n"),
    "zsh": ("usr/share/zsh/vendor-completions/_fruitsinfra", "-n"),
    "fish": ("usr/share/fish/vendor_completions.d/fruitsinfra.fish", "--no-execute"),
}


def test_a_tarball_is_unpacked_and_runs(unpacked, within):
    said = [within(unpacked, "/fruitsinfra", *step) for step in JOURNEY]
    assert said[0].split()[1] in unpacked.name
    assert "0 to delete" in said[-1]
    files = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    assert files >= {"LICENSE", "THIRD-PARTY", "README.md", "CHANGELOG.md", "man/man1/fruitsinfra.1", "man/man1/fruitsinfra-plan.1",
                     "completions/fruitsinfra.bash", "completions/_fruitsinfra", "completions/fruitsinfra.fish"}
    licences = (unpacked / "THIRD-PARTY").read_text()
    assert all(word in licences for word in ("aws-sdk-emr ", "libgit2", "Permission is hereby granted", "Apache License"))


def test_it_asks_for_no_library(unpacked):
    needs("ldd")
    ran = subprocess.run(["ldd", unpacked / "fruitsinfra"], capture_output=True, text=True)
    assert "statically linked" in ran.stdout or "not a dynamic executable" in ran.stderr


def test_without_names_and_authorities_it_says_that_aws_does_not_answer(unpacked, within):
    said = asked(unpacked, within)
    assert "no answer from sts.eu-west-3.amazonaws.com: failed to lookup" in said, said


def test_names_are_looked_up_by_what_is_built_in_alone(unpacked, within):
    """A machine may want it done by libraries of its own libc, of which a program with another one dies."""
    (unpacked / "etc").mkdir()
    (unpacked / "etc" / "nsswitch.conf").write_text("hosts: mdns4_minimal [NOTFOUND=return] resolve\n")
    (unpacked / "etc" / "hosts").write_text("127.9.9.9 sts.eu-west-3.amazonaws.com\n")
    said = asked(unpacked, within)
    assert "no answer from sts.eu-west-3.amazonaws.com: Connection refused" in said, said


def asked(root, within) -> str:
    """What is said where AWS would have to be asked, and nobody is there to answer."""
    within(root, "/fruitsinfra", "init", "my-fruits")
    nobody = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing", "AWS_EC2_METADATA_DISABLED": "true"}
    return within(root, "/fruitsinfra", "status", "my-fruits.yaml", environment=nobody, ends=1)


def test_a_debian_package_is_installed_runs_and_goes(made, within, tmp_path):
    deb = only(made("deb"), "*.deb")
    for folder in ("info", "updates", "triggers"):
        (tmp_path / "var/lib/dpkg" / folder).mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").touch()
    dpkg = ["dpkg", f"--root={tmp_path}", "--log=/dev/null"]
    subprocess.run([*dpkg, "--install", deb], check=True)
    assert subprocess.run([*dpkg, "--verify", "fruitsinfra"], stdout=subprocess.PIPE, text=True, check=True).stdout == ""
    for step in JOURNEY:
        within(tmp_path, "/usr/bin/fruitsinfra", *step)
    subprocess.run([*dpkg, "--purge", "fruitsinfra"], check=True)
    assert not (tmp_path / "usr").exists()


def test_debians_linter_has_nothing_to_say(made):
    deb = only(made("deb"), "*.deb")
    needs("lintian")
    command = ["lintian", "--allow-root", "--pedantic", "--fail-on", "error,warning,pedantic", deb]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    assert ran.returncode == 0 and ran.stdout == "", ran.stdout


@pytest.mark.parametrize("shell", COMPLETIONS)
def test_shells_can_read_what_they_complete_by(made, tmp_path, shell):
    deb = only(made("deb"), "*.deb")
    needs(shell)
    file, check = COMPLETIONS[shell]
    subprocess.run(["dpkg", "-x", deb, tmp_path], check=True)
    subprocess.run([shell, check, tmp_path / file], check=True)


def test_a_wheel_is_installed_without_an_index_and_runs(made, tmp_path):
    wheel = only(made("wheel"), "*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    pip = [tmp_path / "venv" / "bin" / "python", "-m", "pip", "--isolated", "--quiet"]
    program = tmp_path / "venv" / "bin" / "fruitsinfra"
    subprocess.run([*pip, "install", "--no-index", wheel], check=True)
    for step in JOURNEY:
        subprocess.run([program, *step], cwd=tmp_path, env={}, check=True, capture_output=True, timeout=60)
    assert (tmp_path / "venv/share/man/man1/fruitsinfra.1").exists()
    subprocess.run([*pip, "uninstall", "--yes", "fruitsinfra"], check=True)
    assert not program.exists()


@pytest.mark.parametrize("part", ["tarball", "deb", "wheel"])
def test_a_commit_is_the_same_bytes_and_the_sums_say_which(made, tmp_path, part):
    first, again = made(part), tmp_path / "again"
    package(again, part)
    for path in first.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes(), path.name
    digest, name = (first / "SHA256SUMS").read_text().split()
    assert hashlib.sha256((first / name).read_bytes()).hexdigest() == digest
