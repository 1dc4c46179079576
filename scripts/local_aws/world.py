"""How AWS is when no call fails: late, and with clusters that meet their fate. Settings of the control path `world`, in simulated
seconds; by default none is set.

POST sets what it names and leaves the rest, GET shows all, DELETE resets. What can be set:

- `listing_lag`, as {"emr": 30, "iam": 10, "ec2": 10}: listings do not show what is younger. ListClusters and ListSteps;
  ListClusters also shows, and selects by, the state of so long ago. ListRoles, ListInstanceProfiles and IAM's account details.
  DescribeSecurityGroups, unless it asks by id. Whoever asks for one thing by name or id finds it at once.

- `iam_propagation`, as 120: EMR and IAM itself do not know yet what IAM made less than so long ago. RunJobFlow refuses a fresh
  instance profile as invalid, and one whose role, or whose hold of its role, is fresh as not to be authorized; with a fresh
  service role the cluster starts, then ends with VALIDATION_ERROR; a trust policy that names a fresh role or user is malformed.

- `fates`, as [{"fate": "capacity"}, null]: what becomes of the next clusters, one a RunJobFlow that is accepted, in order; those
  after them live, and so does null. "service_role" and "validation" end it with VALIDATION_ERROR, soon after its start;
  "capacity" with INSTANCE_FAILURE before it has instances, "bootstrap" with BOOTSTRAP_FAILURE and its log;
  {"fate": "ends", "seconds": 600}, so long after RunJobFlow, with INSTANCE_FAILURE, whatever its state.

- `log_delay`, as 300: logs reach S3 so late, also after the cluster's end.
- `refill`, as {"seconds": 120}: the log writer of a cluster that has instances goes on to put objects under its log URI, while it
  ends and for so long after, with the nodes' role: policies decide, so a Deny in the bucket's stops it.

- `service_endpoint`, true: the start of a cluster of emr-7.5.0 or later leaves the interface endpoint `emr-service-vpce` in its
  VPC, as if the service role were allowed to. It wears a group of the cluster, which cannot be deleted until it is gone.

- `metrics`, as {"late": 180, "page": 100800, "gaps": [{"cluster": null, "from": 0, "until": 1}]}, each as it is unset: CloudWatch
  has a cluster's points so long after their time; one answer of GetMetricData has so many of them; and those in a gap, of one
  cluster or of all, were never written. Moments are seconds since the epoch.

- `regions_off`, as ["eu-south-2"]: opt-in regions that the account has not switched on. DescribeRegions says so, and whatever is
  asked there is refused as by services that do not know the account.

- `price_page`, as 2: products in one answer of the Price List, at most; unset, 100.

- `quotas`, as {"L-1216C47A": 5}: what Service Quotas says of EC2's virtual processors, by code; unset, `quotas` has it.

- `past_schedules`, "at_once" or "refused": what becomes of a one-off schedule whose moment was past when it was said. Unset, or
  "never", it is accepted and calls nothing. AWS documents none of these; a client can rely on none.

It must never decide what a call does: those who do ask here what is set, and how old a thing is.
"""

import math

FATES = ("service_role", "validation", "capacity", "bootstrap", "ends")
# Of AWS's list of regions, those that an account has to switch on.
OPT_IN = (
    "af-south-1", "ap-east-1", "ap-east-2", "ap-south-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-6",
    "ap-southeast-7", "ca-west-1", "eu-central-2", "eu-south-1", "eu-south-2", "il-central-1", "me-central-1", "me-south-1",
    "mx-central-1",
)
PAST_SCHEDULES = ("never", "at_once", "refused")
LISTING = ("emr", "iam", "ec2")


class World:
    def __init__(self, clock):
        self._clock = clock
        self._births: dict[tuple, float] = {}
        self.reset()

    def reset(self) -> None:
        """As at the start. What was born stays so."""
        self.listing_lag: dict[str, float] = {}
        self.iam_propagation: float = 0
        self.fates: list[dict | None] = []
        self.log_delay: float = 0
        self.refill: dict | None = None
        self.service_endpoint = False
        self.past_schedules: str | None = None
        self.metrics: dict = {}
        self.regions_off: list[str] = []
        self.price_page: int | None = None
        self.quotas: dict[str, float] = {}

    def set(self, wanted: dict) -> None:
        """Sets all of it, or raises ValueError and sets none."""
        if not isinstance(wanted, dict):
            raise ValueError("the world is set by an object")
        unknown = set(wanted) - set(SETTINGS)
        if unknown:
            raise ValueError(f"the world has no {', '.join(sorted(unknown))}, but {', '.join(SETTINGS)}")
        for name, value in {name: SETTINGS[name](value) for name, value in wanted.items()}.items():
            setattr(self, name, value)

    def show(self) -> dict:
        return {name: getattr(self, name) for name in SETTINGS}

    def now(self) -> float:
        return self._clock.now()

    def seen_until(self, service: str) -> float:
        """The moment up to which that service's listings know what happened."""
        lag = self.listing_lag.get(service, 0)
        return self.now() - lag if lag else math.inf

    def fresh(self, *thing: str, at: float | None = None) -> bool:
        """Whether IAM made a thing so lately that others do not know it yet: now, or at a moment."""
        moment = self.now() if at is None else at
        return self.iam_propagation > 0 and self.birth(*thing) + self.iam_propagation > moment

    def next_fate(self) -> dict:
        """What becomes of the cluster that is accepted now; its `fate` is None if it lives."""
        return (self.fates.pop(0) if self.fates else None) or {"fate": None}

    def born(self, *thing: str) -> None:
        self._births[thing] = self.now()

    def birth(self, *thing: str) -> float:
        """When a thing was made; of what was there from the start, before all time."""
        return self._births.get(thing, -math.inf)


def seconds(value) -> float:
    return amount(value, "seconds")


def amount(value, of: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"{value!r} is no number of {of}")
    return value


def listing_lag(value) -> dict[str, float]:
    if not isinstance(value, dict) or set(value) - set(LISTING):
        raise ValueError(f"listing_lag holds seconds for {', '.join(LISTING)}")
    return {service: seconds(lag) for service, lag in value.items()}


def fates(value) -> list[dict | None]:
    if not isinstance(value, list):
        raise ValueError("fates are a list")
    return [None if one is None else fate(one) for one in value]


def fate(value) -> dict:
    kind = value.get("fate") if isinstance(value, dict) else value
    if not isinstance(value, dict) or kind not in (*FATES, None):
        raise ValueError(f"a fate is null or an object whose fate is null or one of {', '.join(FATES)}")
    if set(value) != {"fate", *(("seconds",) if kind == "ends" else ())}:
        raise ValueError("the fate ends has seconds, no other has any more")
    return {"fate": kind, "seconds": seconds(value["seconds"])} if kind == "ends" else {"fate": kind}


def refill(value) -> dict | None:
    if value is not None and (not isinstance(value, dict) or set(value) != {"seconds"}):
        raise ValueError("refill is null or an object with seconds")
    return value and {"seconds": seconds(value["seconds"])}


def past_schedules(value) -> str | None:
    if value not in (None, *PAST_SCHEDULES):
        raise ValueError(f"past_schedules is null or one of {', '.join(PAST_SCHEDULES)}")
    return value


def metrics(value) -> dict:
    if not isinstance(value, dict) or set(value) - {"late", "page", "gaps"}:
        raise ValueError("metrics are an object of late, page and gaps")
    if "late" in value:
        seconds(value["late"])
    page(value.get("page"))
    for gap in value.get("gaps", []):
        if not isinstance(gap, dict) or set(gap) - {"cluster", "from", "until"} or not {"from", "until"} <= set(gap):
            raise ValueError("a gap has a from and an until, and may have a cluster")
    return value


def regions_off(value) -> list[str]:
    if not isinstance(value, list) or set(value) - set(OPT_IN):
        raise ValueError(f"regions_off are a list of {', '.join(OPT_IN)}")
    return value


def page(value) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ValueError("a page holds a number above 0")
    return value


def quotas(value) -> dict[str, float]:
    if not isinstance(value, dict):
        raise ValueError("quotas are an object of numbers by code")
    return {code: amount(number, "processors") for code, number in value.items()}


def switch(value) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return value


SETTINGS = {
    "listing_lag": listing_lag, "iam_propagation": seconds, "fates": fates, "log_delay": seconds, "refill": refill,
    "service_endpoint": switch, "past_schedules": past_schedules, "metrics": metrics,
    "regions_off": regions_off, "price_page": page, "quotas": quotas,
}
