"""What an EMR cluster consists of ("our model"). Plain data: it must never reach other services, nor read a clock."""

import random
import string
from dataclasses import dataclass, field
from typing import NamedTuple

ALIVE = ("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING", "TERMINATING")
STARTING = 180  # simulated seconds until a cluster bootstraps; EMR itself takes 4-10 minutes to be ready
USABLE = ("RUNNING", "WAITING")
ENDED = ("TERMINATED", "TERMINATED_WITH_ERRORS")
STEP_ENDED = ("COMPLETED", "CANCELLED", "FAILED", "INTERRUPTED")


class Scope(NamedTuple):
    account: str
    region: str


def new_id(prefix: str, length: int = 13) -> str:
    return prefix + "".join(random.choices(string.ascii_uppercase + string.digits, k=length))


@dataclass
class Reason:
    code: str | None = None
    message: str | None = None


@dataclass
class Instance:
    id: str
    ec2_id: str
    group_id: str
    type: str
    market: str
    created: float
    private_ip: str
    public_ip: str | None
    private_dns: str
    public_dns: str | None
    volumes: list[dict]
    state: str = "PROVISIONING"
    ready: float | None = None
    ended: float | None = None


@dataclass
class Group:
    id: str
    role: str  # MASTER, CORE or TASK
    name: str
    type: str
    market: str
    requested: int
    created: float
    bid_price: str | None = None
    configurations: list = field(default_factory=list)
    configurations_version: int = 0
    volumes: list[dict] = field(default_factory=list)
    ebs_optimized: bool | None = None
    custom_ami: str | None = None
    state: str = "PROVISIONING"
    reason: Reason = field(default_factory=Reason)
    ready: float | None = None
    ended: float | None = None
    changed_at: float | None = None  # when a resize or reconfiguration is done

    def lots(self) -> list[tuple[str, int]]:
        """How many instances there are to be, by market."""
        return [(self.market, self.requested)]


@dataclass
class Fleet(Group):
    """A group of several types. What is asked for are units of capacity, and this model takes the first type for all of them."""

    types: list[dict] = field(default_factory=list)
    on_demand: int = 0
    spot: int = 0
    launch: dict = field(default_factory=dict)

    @property
    def capacity(self) -> tuple[int, int]:
        return self.on_demand, self.spot

    def lots(self) -> list[tuple[str, int]]:
        weight = self.types[0]["WeightedCapacity"]
        return [("ON_DEMAND", -(-self.on_demand // weight)), ("SPOT", -(-self.spot // weight))]


@dataclass
class Step:
    id: str
    name: str
    jar: str
    args: list[str]
    main_class: str | None
    properties: dict
    on_failure: str
    created: float
    state: str = "PENDING"
    started: float | None = None
    ended: float | None = None
    reason: Reason = field(default_factory=Reason)
    failure: dict | None = None


@dataclass
class Activity:
    """What YARN and HDFS do for a while beside the steps, as tests say it."""

    since: float
    until: float | None = None
    apps_running: int = 0
    apps_pending: int = 0
    containers: int = 0
    yarn_memory: float = 100.0  # percent that is available
    hdfs: float = 0.0  # percent that is used
    is_idle: bool = False  # what IsIdle says

    def at(self, moment: float) -> bool:
        return self.since <= moment and (self.until is None or moment < self.until)

    @property
    def busy(self) -> bool:
        """Whether EMR's idle policy takes the cluster for busy: any active YARN application, or HDFS over 10 percent."""
        return self.apps_running + self.apps_pending > 0 or self.hdfs > 10


@dataclass
class BootstrapAction:
    name: str
    path: str
    args: list[str]


@dataclass
class Cluster:
    scope: Scope
    id: str
    name: str
    created: float
    release: str
    os_release: str
    applications: list[dict]
    configurations: list
    tags: list[dict]
    service_role: str
    instance_profile: str
    log_uri: str | None
    keep_alive: bool
    protected: bool
    replace_unhealthy: bool
    visible: bool
    scale_down: str
    step_concurrency: int
    root_size: int
    subnet: str | None
    zone: str | None
    key_name: str | None
    primary_group: str | None  # security groups
    core_group: str | None
    service_group: str | None
    more_primary_groups: list[str]
    more_core_groups: list[str]
    bootstrap: list[BootstrapAction]
    groups: list[Group]
    auto_scaling_role: str | None = None
    security_configuration: str | None = None
    custom_ami: str | None = None
    log_key: str | None = None
    managed_scaling: dict | None = None
    monitoring: dict | None = None
    idle_timeout: int | None = None
    idle_since: float | None = None
    steps: list[Step] = field(default_factory=list)
    activity: list[Activity] = field(default_factory=list)
    instances: list[Instance] = field(default_factory=list)
    state: str = "STARTING"
    entered: float = 0.0  # when `state` began
    reason: Reason = field(default_factory=lambda: Reason(None, "Provisioning Amazon EC2 capacity"))
    past: list[tuple[float, str, Reason]] = field(default_factory=list)  # earlier states, each with its beginning
    fate: dict = field(default_factory=lambda: {"fate": None})  # what the world has in store for it
    planted: bool = False  # by a test, with all its past: its steps run nothing
    start_seconds: float = STARTING
    launched: bool = False  # the checks after the start are passed, its instances exist
    bootstrapped: int = 0  # bootstrap actions done
    ready: float | None = None
    ended: float | None = None

    @property
    def arn(self) -> str:
        return f"arn:aws:elasticmapreduce:{self.scope.region}:{self.scope.account}:cluster/{self.id}"

    @property
    def has_fleets(self) -> bool:
        return any(isinstance(group, Fleet) for group in self.groups)

    @property
    def buys_spot(self) -> bool:
        return any(market == "SPOT" and count for group in self.groups for market, count in group.lots())

    @property
    def alive(self) -> bool:
        return self.state in ALIVE

    def state_at(self, moment: float) -> tuple[str, Reason]:
        if moment >= self.entered:
            return self.state, self.reason
        states = [*self.past, (self.entered, self.state, self.reason)]
        return next(((state, why) for began, state, why in reversed(states) if began <= moment), states[0][1:])

    @property
    def primary(self) -> Instance | None:
        of = {group.id for group in self.groups if group.role == "MASTER"}
        return next((i for i in self.instances if i.group_id in of), None)

    def group(self, role: str) -> Group | None:
        return next((g for g in self.groups if g.role == role), None)

    def pending(self) -> list[Step]:
        return [s for s in self.steps if s.state == "PENDING"]

    def running(self) -> list[Step]:
        return [s for s in self.steps if s.state in ("RUNNING", "CANCEL_PENDING")]

    def security_groups(self) -> list[str]:
        named = [self.primary_group, self.core_group, self.service_group]
        return [g for g in named if g] + self.more_primary_groups + self.more_core_groups
