"""What a cluster tells CloudWatch, every five minutes while it is ready ("our model", from EMR's management guide). Pure.

IsIdle and its like say how the cluster was when it was looked at, not in the minutes before. A point that is missing must never
be made up: a cluster that starts, ends or has ended has none.
"""

import math

from .model import ENDED, Cluster, Step

EVERY = 300  # seconds; a minute under managed scaling, which is not modelled
NAMES = (
    "IsIdle", "AppsRunning", "AppsPending", "ContainerAllocated", "YARNMemoryAvailablePercentage", "HDFSUtilization",
)
STEP_CONTAINERS = 3  # our model's Spark application: a driver and two executors
STEP_MEMORY = 25.0  # percent of YARN's memory that it takes


def points(c: Cluster, name: str, start: float, end: float) -> list[tuple[float, float]]:
    """Moments and values from `start` until before `end`, oldest first."""
    if name not in NAMES or c.ready is None:
        return []
    first, last = (math.ceil(moment / EVERY) * EVERY for moment in (max(start, c.ready), min(end, ended(c))))
    moments = range(first, last, EVERY)
    return [(float(t), value(c, name, t)) for t in moments]


def ended(c: Cluster) -> float:
    """When it began to end."""
    states = [*c.past, (c.entered, c.state, c.reason)]
    return next((began for began, state, _ in states if state in ("TERMINATING", *ENDED)), math.inf)


def value(c: Cluster, name: str, t: float) -> float:
    acts = [one for one in c.activity if one.at(t)]
    run = sum(1 for step in c.steps if step.started is not None and step.started <= t < (step.ended or math.inf))
    if name == "AppsRunning":
        return float(run + sum(one.apps_running for one in acts))
    if name == "AppsPending":
        return float(sum(one.apps_pending for one in acts))
    if name == "ContainerAllocated":
        return float(run * STEP_CONTAINERS + sum(one.containers for one in acts))
    if name == "YARNMemoryAvailablePercentage":
        return max(0.0, min((100.0, *(one.yarn_memory for one in acts))) - run * STEP_MEMORY)
    if name == "HDFSUtilization":
        return max((0.0, *(one.hdfs for one in acts)))
    idle = not any(waits_or_runs(step, t) for step in c.steps) and all(one.is_idle for one in acts)
    return float(idle)


def waits_or_runs(step: Step, t: float) -> bool:
    return step.created <= t < (step.ended or math.inf)
