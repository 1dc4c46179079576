"""`up`, a `plan` that finds nothing to do, and `destroy`, beside what Terraform and Ansible take for the same stack: 2 hardened
buckets, the roles and the instance profile of a cluster, and a cluster with 2 bootstrap actions and their scripts, in eu-west-3.

What differs (peers/): of the two buckets ours is home, which holds the scripts as the others' `data` does, and a lease and a ledger
besides. Ours makes more: TLS-only policies, a role that ends and a schedule that ends by it, two security groups, an idle policy,
and least policies; `destroy` looks again. It names its account, which its home then proves. Terraform's provider is of
2021: BucketOwnerPreferred for BucketOwnerEnforced, the settings of a bucket inside it, a state file in place of AWS's word.
Ansible has no module for EMR and asks awscli; it neither waits for the cluster nor for its end, which the two others do. Its
second run of deploy.yml is its plan, for its modules have no other that looks at as much.

Each has an embedded AWS of its own, which goes through a cluster's life RATE times as fast while something is made or taken down,
and in real time otherwise. `waiting` is the time from the call that asked for a cluster's life or end to the first look that saw
it; `AWS` is what the embedded AWS needed until it was to be seen; the rest is the program. `ratio` and what is promised are of the
whole, `of rest` is the ratio without the waiting: Terraform looks every 30 s, ours every 10 of AWS's own, so that its calls are
mostly looks. Memory is of all processes of a program together: Terraform has its provider's beside it. Pairs, in alternating
order; figures are medians, ratios medians of the pairs' ratios.
"""

import json
import shutil
import statistics
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from embedded import ENDED, READY, Aws, Broken, figures

STACK = Path(__file__).resolve().parent / "peers"
RATE = 600.0
PLANS = 3  # in each pair
ACTIONS = ("up", "plan", "destroy")
SHOWN = {
    "up": {"ours": "fruitsinfra up", "terraform": "terraform apply", "ansible": "ansible deploy.yml"},
    "plan": {"ours": "fruitsinfra plan", "terraform": "terraform plan", "ansible": "ansible, again"},
    "destroy": {"ours": "fruitsinfra destroy", "terraform": "terraform destroy", "ansible": "ansible destroy.yml"},
}
LOOKS = ("DescribeCluster", "ListInstances")
FASTER = {  # at least so many times
    "up": {"terraform": 5, "ansible": 5}, "plan": {"terraform": 15, "ansible": 50}, "destroy": {"terraform": 5, "ansible": 5},
}
CALLS, MEMORY = 30, 1 / 5  # of a plan, at most; the memory of Terraform's


class Peer(NamedTuple):
    """A program with the stack in its own words, and an embedded AWS that nobody else asks."""

    aws: Aws
    folder: Path
    environment: dict
    commands: dict[str, list]
    nothing_to_do: str  # in what a plan says

    def does(self, action: str) -> dict:
        """Makes the stack or takes it down."""
        call, states = ("RunJobFlow", READY) if action == "up" else ("TerminateJobFlows", ENDED)
        self.aws.pace(RATE)
        ran, calls = self.aws.run(self.commands[action], self.environment, self.folder)
        there = self.aws.moment(states)
        self.aws.pace(1)
        asked = next(one["at"] for one in calls if one["operation"] == call)
        seen = next((one["at"] for one in calls if one["operation"] in LOOKS and one["at"] >= there), None)
        waiting = 0.0 if seen is None else seen - asked
        return figures(ran, calls) | {"waiting": waiting, "own": ran.seconds - waiting, "aws": max(there - asked, 0.0)}

    def plans(self) -> tuple[dict, list[dict]]:
        """Finds nothing to do, and the calls by which it did."""
        said, taken, calls = self.aws.only_asks(self.commands["plan"], self.environment, self.folder)
        if self.nothing_to_do not in said:
            raise Broken(f"{self.commands['plan'][0]} found something to do: {said[-1500:]}")
        return taken, calls


def ours(aws: Aws, binary: Path) -> Peer:
    folder = own_copy(aws)
    commands = {"up": ["up", "--yes"], "plan": ["plan", "--detailed-exitcode"], "destroy": ["destroy", "--yes"]}
    return Peer(aws, folder, {}, {name: [binary, *words, "stack.yaml"] for name, words in commands.items()}, "Nothing to do")


def terraform(aws: Aws, mirror: Path) -> Peer:
    program, folder = shutil.which("terraform"), own_copy(aws)
    if program is None:
        raise Broken("there is no terraform in PATH")
    settings = folder / "cli.tfrc"
    settings.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n')
    environment = {"TF_CLI_CONFIG_FILE": str(settings), "TF_VAR_endpoint": aws.endpoint, "CHECKPOINT_DISABLE": "1"}
    prepared = subprocess.run(
        [program, "init", "-no-color"], cwd=folder, env=aws.environment | environment, capture_output=True, text=True)
    if prepared.returncode != 0:
        raise Broken(f"terraform init: {prepared.stderr[-2000:]}")
    quiet = ["-no-color", "-input=false"]
    commands = {
        "up": [program, "apply", *quiet, "-auto-approve"], "plan": [program, "plan", *quiet, "-detailed-exitcode"],
        "destroy": [program, "destroy", *quiet, "-auto-approve"],
    }
    return Peer(aws, folder, environment, commands, "No changes.")


def ansible(aws: Aws, programs: Path) -> Peer:
    folder = own_copy(aws)
    (folder / "ansible.cfg").touch()
    environment = {
        "PATH": f"{programs}:{aws.environment['PATH']}", "ANSIBLE_HOME": str(folder / "home"), "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_LOCALHOST_WARNING": "False", "ANSIBLE_NOCOLOR": "True", "AWS_REGION": "eu-west-3", "LC_ALL": "C.UTF-8",
    }
    play = programs / "ansible-playbook"
    commands = {"up": [play, "deploy.yml"], "plan": [play, "deploy.yml"], "destroy": [play, "destroy.yml"]}
    return Peer(aws, folder, environment, commands, "changed=0")


def own_copy(aws: Aws) -> Path:
    return Path(shutil.copytree(STACK, aws.folder / "stack"))


@contextmanager
def ready(binary: Path, mirror: Path, programs: Path | None, scratch: Path):
    """The programs to compare, each with an AWS of its own; Ansible only where it is given."""
    makes = {"ours": lambda aws: ours(aws, binary), "terraform": lambda aws: terraform(aws, mirror)}
    if programs is not None:
        makes["ansible"] = lambda aws: ansible(aws, programs)
    with ExitStack() as stack:
        yield {who: make(stack.enter_context(Aws(scratch / who))) for who, make in makes.items()}


def measure(binary: Path, mirror: Path, programs: Path, pairs: int, scratch: Path) -> dict:
    taken: dict[str, dict[str, list]] = {action: {who: [] for who in SHOWN[action]} for action in ACTIONS}
    with ready(binary, mirror, programs, scratch) as peers:
        for pair in range(pairs):
            turn = list(peers) if pair % 2 == 0 else list(reversed(peers))
            for action in ("up", *["plan"] * PLANS, "destroy"):
                for who in turn if action != "plan" or len(taken["plan"]["ours"]) % 2 == 0 else reversed(turn):
                    taken[action][who].append(peers[who].plans()[0] if action == "plan" else peers[who].does(action))
                    told(SHOWN[action][who], taken[action][who][-1])
        versions = versions_of(peers)
    of = {action: {who: medians(runs) for who, runs in each.items()} for action, each in taken.items()}
    ratios = {
        (action, who): {name: statistics.median(b[name] / a[name] for a, b in zip(each["ours"], each[who], strict=True))
                        for name in ("seconds", "own", "cpu", "memory_mb") if name in each["ours"][0]}
        for action, each in taken.items() for who in each if who != "ours"}
    rows = [{"action": action, "who": who, **of[action][who], "ratio": ratios.get((action, who)),
             "promised": FASTER[action].get(who)} for action in ACTIONS for who in SHOWN[action]]
    return {"rows": rows, "rate": RATE, "versions": versions, "kept": promises(rows)}


def medians(runs: list[dict]) -> dict:
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def promises(rows: list[dict]) -> dict[str, bool]:
    plan = {row["who"]: row for row in rows if row["action"] == "plan"}
    faster = {f"{SHOWN[row['action']]['ours']} at least {row['promised']} times as fast as {SHOWN[row['action']][row['who']]}":
              row["ratio"]["seconds"] >= row["promised"] for row in rows if row["promised"]}
    return faster | {
        f"a plan that finds nothing to do makes at most {CALLS} calls": plan["ours"]["calls"] <= CALLS,
        "it holds at most a fifth of Terraform's memory": plan["terraform"]["ratio"]["memory_mb"] >= 1 / MEMORY,
    }


def versions_of(peers: dict[str, Peer]) -> dict[str, str]:
    def said(who: str, *command) -> str:
        of = peers[who]
        return subprocess.run(
            command, env=of.aws.environment | of.environment, cwd=of.folder, capture_output=True, text=True, check=True).stdout

    versions = {"fruitsinfra": said("ours", peers["ours"].commands["plan"][0], "--version").split()[1]}
    terraform_told = json.loads(said("terraform", peers["terraform"].commands["plan"][0], "version", "-json"))
    versions["Terraform"] = terraform_told["terraform_version"]
    versions["its provider"] = next(iter(terraform_told["provider_selections"].values()))
    if "ansible" in peers:
        programs = Path(peers["ansible"].commands["plan"][0]).parent
        installed = json.loads(said("ansible", programs / "python", "-m", "pip", "list", "--format", "json"))
        of = {package["name"]: package["version"] for package in installed}
        versions |= {"Ansible": f"{of['ansible']} (core {of['ansible-core']})", "awscli": of["awscli"], "boto3": of["boto3"]}
    return versions


def table(found: dict) -> list[str]:
    waited = f"{'waiting':>8}  {'AWS':>6}  {'the rest':>8}"
    lines = [f"{'':<20}  {'seconds':>8}  {waited}  {'cpu':>6}  {'MB':>6}  {'calls':>6}  {'ratio':>6}  {'of rest':>7}  {'promised':>8}"]
    for row in found["rows"]:
        waits = [f"{row[name]:.2f}" if name in row else "" for name in ("waiting", "aws", "own")]
        ratio, of_rest = ("" if name not in (row["ratio"] or {}) else f"{row['ratio'][name]:.1f}" for name in ("seconds", "own"))
        lines.append(
            f"{SHOWN[row['action']][row['who']]:<20}  {row['seconds']:>8.3f}  {waits[0]:>8}  {waits[1]:>6}  {waits[2]:>8}"
            f"  {row['cpu']:>6.2f}  {row['memory_mb']:>6.1f}  {row['calls']:>6.0f}  {ratio:>6}  {of_rest:>7}  {row['promised'] or '':>8}")
    for row in found["rows"]:
        if row["action"] == "plan" and row["ratio"]:
            more = f"{row['ratio']['cpu']:.0f} times our CPU seconds, {row['ratio']['memory_mb']:.1f} times our memory"
            lines.append(f"{SHOWN['plan'][row['who']]}: {more}")
    lines.append(f"While a cluster starts or ends, {found['rate']:.0f} of AWS's seconds pass in one; `up` and apply wait for it, Ansible does not.")
    return lines + [f"{'kept' if kept else 'NOT WELL'}: {promise}" for promise, kept in found["kept"].items()]


def told(what: str, taken: dict) -> None:
    print(f"  {what}: {taken['seconds']:.2f} s, {taken['calls']} calls", file=sys.stderr, flush=True)
