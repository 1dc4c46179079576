"""Clusters that were there before anyone looked, for tests that need many, old ones, or such as no call could bring about.

They are described, listed and ended as any other, and their instances are EC2's; but nothing of theirs was checked or run, and
their steps stay as they were planted. It must never make one of them run anything.
"""

import math

from . import network
from . import request as asked
from .model import STEP_ENDED, Cluster, Reason, Scope, Step, new_id

MEMBERS = {
    "account", "region", "name", "age", "tags", "state", "ready_after", "primary", "core", "protected", "idle_timeout", "steps",
    "release",
}
STATES = ("STARTING", "WAITING", "RUNNING")
BOOTSTRAPPING = 60
READY_AFTER = 240


def plant(said: dict, scope: Scope, now: float) -> Cluster:
    """Within `request_scope`: a cluster made `age` seconds ago."""
    unknown = set(said) - MEMBERS
    state = said.get("state", "WAITING")
    if unknown or state not in STATES:
        raise ValueError(f"a planted cluster has no {', '.join(sorted(unknown)) or f'state {state}'}")
    created = round(now - said["age"], 3)
    c = asked.meant(request(said), scope, created)
    c.planted = c.launched = True
    c.subnet = network.choose_subnet(c)
    home = network.subnet(c.subnet)
    c.zone = home["AvailabilityZone"]
    c.primary_group, c.core_group = network.managed_groups(home["VpcId"], c.id)
    network.launch_all(c, created)
    takes = said.get("ready_after")
    c.steps = [step(one, created, now) for one in said.get("steps", [])]
    if state == "STARTING":
        c.start_seconds = math.inf if takes is None else max(takes - BOOTSTRAPPING, 0)
    else:
        grow_up(c, state, min(READY_AFTER if takes is None else takes, said["age"]))
    return c


def request(said: dict) -> dict:
    """RunJobFlow's, as it must have been."""
    primary, core = said.get("primary", "m5.xlarge"), said.get("core")
    groups = [{"InstanceRole": "MASTER", "InstanceType": primary, "InstanceCount": 1}]
    if core:
        market = core.get("market", "ON_DEMAND")
        groups.append({"InstanceRole": "CORE", "InstanceType": core["type"], "InstanceCount": core["count"], "Market": market})
    instances = {
        "InstanceGroups": groups, "KeepJobFlowAliveWhenNoSteps": True, "TerminationProtected": said.get("protected", False),
    }
    idle = said.get("idle_timeout")
    return {
        "Name": said["name"], "ReleaseLabel": said.get("release", "emr-7.12.0"), "Instances": instances,
        "Applications": [{"Name": "Spark"}], "ServiceRole": "EMR_DefaultRole", "JobFlowRole": "EMR_EC2_DefaultRole",
        "Tags": [{"Key": key, "Value": value} for key, value in said.get("tags", {}).items()],
        "AutoTerminationPolicy": {"IdleTimeout": idle} if idle else None,
    }


def grow_up(c: Cluster, state: str, takes: float) -> None:
    c.ready = c.created + takes
    bootstrapped = max(c.ready - BOOTSTRAPPING, c.created)
    c.past = [
        (c.created, c.state, c.reason), (bootstrapped, "BOOTSTRAPPING", Reason(None, "Running bootstrap actions")),
    ]
    for part in (*c.groups, *c.instances):
        part.state, part.ready = "RUNNING", c.ready
    last = max((one.ended for one in c.steps if one.ended is not None), default=c.ready)
    if state == "RUNNING":
        began = min((one.started for one in c.running() if one.started is not None), default=c.ready)
        c.state, c.entered, c.reason = state, max(began, c.ready), Reason(None, "Running step")
    else:
        words = "Cluster ready after last step completed." if c.steps else "Cluster ready to run steps."
        c.state, c.entered, c.reason, c.idle_since = state, max(last, c.ready), Reason(None, words), max(last, c.ready)
    if c.entered > c.ready:
        c.past.append((c.ready, "WAITING" if state == "RUNNING" else "RUNNING", Reason()))


def step(said: dict, created: float, now: float) -> Step:
    """`started` and `ended` are seconds ago."""
    started, ended = (None if said.get(key) is None else now - said[key] for key in ("started", "ended"))
    state = said.get("state", "RUNNING")
    if (state in STEP_ENDED) != (ended is not None):
        raise ValueError(f"a step that is {state} has {'an' if state in STEP_ENDED else 'no'} end")
    return Step(
        id=new_id("s-"), name=said["name"], jar="command-runner.jar", args=said.get("args", ["spark-submit", "job.py"]),
        main_class=None, properties={}, on_failure=said.get("action_on_failure", "CONTINUE"), state=state, started=started,
        ended=ended, created=created if started is None else started,
    )
