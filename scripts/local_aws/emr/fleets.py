"""Instance fleets: what a request says of them, and how they are told ("our model", from EMR's API reference, InstanceFleetConfig
and InstanceFleet, and its management guide, "Configure instance fleets"). It starts and ends nothing.
"""

from . import describe, facts
from .errors import invalid
from .model import Cluster, Fleet, Instance, Reason, new_id
from .parts import configurations, required, volumes

ROLES = ("MASTER", "CORE", "TASK")
TYPES = {False: 5, True: 30}  # of a fleet, without and with a strategy of allocation
WAIT = (5, 1440)
ON_DEMAND = ("lowest-price", "prioritized")
SPOT = ("capacity-optimized", "price-capacity-optimized", "lowest-price", "diversified", "capacity-optimized-prioritized")
ACTIONS = ("SWITCH_TO_ON_DEMAND", "TERMINATE_CLUSTER")
UNITS = "InstanceFleetUnits"


def asked(instances: dict, release: str, now: float) -> list[Fleet]:
    if instances.get("InstanceGroups") or instances.get("MasterInstanceType"):
        raise invalid("Instance fleets and instance groups are mutually exclusive.")
    made = [fleet(one, release, now) for one in instances["InstanceFleets"]]
    roles = [f.role for f in made]
    if roles.count("MASTER") != 1:
        raise invalid("Exactly one MASTER instance fleet must be specified.")
    for role in ("CORE", "TASK"):
        if roles.count(role) > 1:
            raise invalid(f"At most one {role} instance fleet may be specified.")
    if "TASK" in roles and "CORE" not in roles:
        raise invalid("A TASK instance fleet needs a CORE instance fleet.")
    if sum(made[roles.index("MASTER")].capacity) != 1:
        raise invalid("The MASTER instance fleet must have a target capacity of exactly one.")
    return made


def fleet(said: dict, release: str, now: float) -> Fleet:
    role = required(said, "InstanceFleetType")
    if role not in ROLES:
        raise invalid(f"Invalid instance fleet type: {role}.")
    on_demand, spot = said.get("TargetOnDemandCapacity") or 0, said.get("TargetSpotCapacity") or 0
    if min(on_demand, spot) < 0 or on_demand + spot == 0:
        raise invalid(f"The {role} instance fleet needs a target capacity above zero.")
    launch = launched(said.get("LaunchSpecifications") or {})
    kinds = said.get("InstanceTypeConfigs") or []
    most = TYPES[any("AllocationStrategy" in of for of in launch.values())]
    if not 0 < len(kinds) <= most:
        raise invalid(f"An instance fleet takes from 1 to {most} instance types here, not {len(kinds)}.")
    types = [one_type(kind, release) for kind in kinds]
    types.sort(key=lambda kind: kind.get("Priority", float("inf")))
    names = [kind["InstanceType"] for kind in types]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise invalid(f"Instance type '{twice}' is specified twice in one instance fleet.")
    return Fleet(
        id=new_id("if-"), role=role, name=said.get("Name") or "", type=names[0], requested=on_demand + spot, created=now,
        market="ON_DEMAND" if on_demand else "SPOT", types=types, on_demand=on_demand, spot=spot, launch=launch,
        volumes=[of["VolumeSpecification"] for of in types[0]["EbsBlockDevices"]], reason=Reason(None, ""),
    )


def one_type(said: dict, release: str) -> dict:
    """As ListInstanceFleets tells it back."""
    kind, weight = required(said, "InstanceType"), said.get("WeightedCapacity", 1)
    if not facts.supported(kind, release):
        raise invalid(f"Instance type '{kind}' is not supported.")
    if weight < 1:
        raise invalid(f"Invalid weighted capacity for instance type '{kind}': {weight}.")
    ebs = said.get("EbsConfiguration") or {}
    told = {key: said[key] for key in ("BidPrice", "BidPriceAsPercentageOfOnDemandPrice", "Priority", "CustomAmiId") if key in said}
    if "BidPrice" not in told:
        told.setdefault("BidPriceAsPercentageOfOnDemandPrice", 100.0)
    return {
        "InstanceType": kind, "WeightedCapacity": weight, **told, "EbsOptimized": ebs.get("EbsOptimized", True),
        "Configurations": configurations(said.get("Configurations") or []),
        "EbsBlockDevices": describe.devices(volumes(ebs) or facts.default_volumes(kind, release)),
    }


def launched(said: dict) -> dict:
    on_demand, spot = said.get("OnDemandSpecification"), said.get("SpotSpecification")
    for of, known in ((on_demand, ON_DEMAND), (spot, SPOT)):
        strategy = (of or {}).get("AllocationStrategy")
        if strategy is not None and strategy not in known:
            raise invalid(f"Invalid allocation strategy: {strategy}.")
    if spot is not None:
        if spot.get("TimeoutAction") not in ACTIONS:
            raise invalid(f"The timeout action of a Spot specification is one of {', '.join(ACTIONS)}.")
        if not WAIT[0] <= spot.get("TimeoutDurationMinutes", 0) <= WAIT[1]:
            raise invalid(f"The timeout of a Spot specification must be from {WAIT[0]} to {WAIT[1]} minutes.")
    return {key: of for key, of in (("OnDemandSpecification", on_demand), ("SpotSpecification", spot)) if of is not None}


def scaling_fits(c: Cluster, policy: dict | None) -> None:
    """Fleets are scaled by units of theirs, and groups are not."""
    unit = ((policy or {}).get("ComputeLimits") or {}).get("UnitType")
    if unit is not None and (unit == UNITS) != c.has_fleets:
        raise invalid(f"Managed scaling cannot use {unit} with instance {'fleets' if c.has_fleets else 'groups'}.")


def provisioned(f: Fleet, instances: list[Instance]) -> dict:
    def units(market: str) -> int:
        running = sum(1 for i in instances if i.group_id == f.id and i.market == market and i.state == "RUNNING")
        return running * f.types[0]["WeightedCapacity"]

    return {"ProvisionedOnDemandCapacity": units("ON_DEMAND"), "ProvisionedSpotCapacity": units("SPOT")}


def described(f: Fleet, instances: list[Instance]) -> dict:
    return {
        "Id": f.id, "Name": f.name, "InstanceFleetType": f.role,
        "Status": describe.status(f.state, f.reason, CreationDateTime=f.created, ReadyDateTime=f.ready, EndDateTime=f.ended),
        "TargetOnDemandCapacity": f.on_demand, "TargetSpotCapacity": f.spot, **provisioned(f, instances),
        "InstanceTypeSpecifications": f.types, "LaunchSpecifications": f.launch,
    }
