"""What a schedule says, checked and completed as Scheduler does it; and the moment that a one-off one means.

Pure but for what IAM must be asked. It must never store anything.
"""

import json
import re
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from ..emr import permissions
from ..emr.errors import Refused, invalid
from ..emr.model import Scope

SERVICE = "scheduler.amazonaws.com"
DEFAULT_GROUP = "default"
NAME = re.compile(r"[0-9a-zA-Z\-_.]{1,64}")
ROLE = re.compile(r"arn:aws(-[a-z]+)?:iam::\d{12}:role/[\w+=,.@/-]+")
AT = re.compile(r"at\((\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})\)")
RECURRING = re.compile(r"rate\([1-9]\d* (minute|hour|day)s?\)|cron\(\S+( \S+){5}\)")
UNIVERSAL = re.compile(r"arn:aws[a-z-]*:scheduler:::aws-sdk:(\w+):(\w+)")
ENDS_CLUSTERS = ("emr", "terminateJobFlows")
# A universal target may not read: the user guide's list of prefixes.
READS = re.compile(
    "(get|describe|list|poll|receive|search|scan|query|select|read|lookup|discover|validate|batchGet|batchDescribe|batchRead|"
    "transactGet|adminGet|adminList|testMigration|retrieve|testConnection|translateDocument|isAuthorized|invokeModel)(?![a-z])"
)
UNTRUSTED = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."


def group_of(body: dict) -> str:
    return body.get("GroupName") or DEFAULT_GROUP


def said(name: str, body: dict) -> dict:
    """All that a schedule says, what was left out at its default: an update falls back to it as well."""
    if not NAME.fullmatch(name):
        raise constraint("name", name, "Member must satisfy regular expression pattern: ^[0-9a-zA-Z-_.]+$")
    expression, zone = body.get("ScheduleExpression"), body.get("ScheduleExpressionTimezone") or "UTC"
    for key in ("ScheduleExpression", "FlexibleTimeWindow", "Target"):
        if not body.get(key):
            raise constraint(key[0].lower() + key[1:], "null", "Member must not be null")
    if not RECURRING.fullmatch(expression) and moment(expression, zone) is None:
        raise invalid(f"Invalid Schedule Expression {expression}.")
    check_window(body["FlexibleTimeWindow"])
    check_target(body["Target"])
    return {
        "GroupName": group_of(body), "Name": name, "ScheduleExpression": expression, "ScheduleExpressionTimezone": zone,
        "FlexibleTimeWindow": body["FlexibleTimeWindow"], "Target": body["Target"],
        "State": one_of(body, "State", "ENABLED", "DISABLED"),
        "ActionAfterCompletion": one_of(body, "ActionAfterCompletion", "NONE", "DELETE"),
        **{key: body[key] for key in ("Description", "StartDate", "EndDate", "KmsKeyArn") if body.get(key) is not None},
    }


def moment(expression: str, zone: str) -> float | None:
    """When a one-off schedule is due; None for one that recurs, or that names no moment."""
    found = AT.fullmatch(expression)
    place = timezone(zone)
    if found is None:
        return None
    try:
        return datetime.fromisoformat(found[1]).replace(tzinfo=place).timestamp()
    except ValueError:
        return None


def timezone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise invalid(f"Invalid Schedule Expression Timezone {name}.") from None


def clusters(target: dict) -> list[str] | None:
    """The clusters that a target ends; None for a target of another kind, or without an input that says so."""
    found = UNIVERSAL.fullmatch(target["Arn"])
    if found is None or found.groups() != ENDS_CLUSTERS:
        return None
    try:
        ids = json.loads(target.get("Input") or "{}").get("JobFlowIds")
    except (ValueError, AttributeError):
        return None
    return ids if isinstance(ids, list) and all(isinstance(one, str) for one in ids) else None


def check_window(window: dict) -> None:
    mode = one_of(window, "Mode", None, "OFF", "FLEXIBLE")
    if (mode == "FLEXIBLE") != ("MaximumWindowInMinutes" in window):
        raise invalid("MaximumWindowInMinutes goes with the flexible time window mode FLEXIBLE, and with no other.")


def check_target(target: dict) -> None:
    arn, role = target.get("Arn") or "", target.get("RoleArn") or ""
    if not arn.startswith("arn:aws"):
        raise invalid(f"Provided Arn is not in correct format: {arn}")
    if not ROLE.fullmatch(role):
        raise constraint("target.roleArn", role, f"Member must satisfy regular expression pattern: ^{ROLE.pattern}$")
    if ":scheduler:::" not in arn:
        return
    universal = UNIVERSAL.fullmatch(arn)
    if universal is None or READS.match(universal[2]) or not known(*universal.groups()):
        raise invalid(f"{arn} is not a valid target: Scheduler calls no such operation.")
    try:
        json.loads(target.get("Input") or "{}")
    except ValueError as problem:
        raise invalid(f"The input of a universal target must be well-formed JSON: {problem}.") from None


def known(service: str, operation: str) -> bool:
    """Whether the AWS SDK has the operation. Our model asks botocore's names of services, which are nearly the SDK's."""
    from botocore.exceptions import UnknownServiceError
    from botocore.loaders import Loader

    try:
        model = Loader().load_service_model(service, "service-2")
    except UnknownServiceError:
        return False
    return operation[:1].upper() + operation[1:] in model["operations"]


def check_role(target: dict, group: str, scope: Scope, access_key: str, world) -> None:
    """The caller must pass the role, and it must let Scheduler assume it: one that IAM has just made does not yet."""
    arn = target["RoleArn"]
    permissions.demand(access_key, scope, "iam:PassRole", arn, {"iam:PassedToService": SERVICE})
    role = assumed(arn, group, scope)
    if role is None or world.fresh(scope.account, "role", role["RoleName"]):
        raise invalid(UNTRUSTED)


def assumed(arn: str, group: str, scope: Scope) -> dict | None:
    """The role, if it is there and trusts Scheduler on behalf of the schedule group (the user guide's confused deputy)."""
    role = permissions.role(arn)
    source = f"arn:aws:scheduler:{scope.region}:{scope.account}:schedule-group/{group}"
    if role is None or role["Arn"] != arn:
        return None
    return role if permissions.trusts(role, SERVICE, {"aws:SourceAccount": scope.account, "aws:SourceArn": source}) else None


def one_of(body: dict, key: str, *values: str | None) -> str:
    """The member, or the first of the values where it is left out."""
    value = body.get(key, values[0])
    if value is None or value not in values:
        allowed = ", ".join(one for one in values if one)
        raise constraint(key[0].lower() + key[1:], value, f"Member must satisfy enum value set: [{allowed}]")
    return value


def constraint(member: str, value, words: str) -> Refused:
    return invalid(f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {words}")
