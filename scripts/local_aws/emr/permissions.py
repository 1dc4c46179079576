"""What IAM says about those whom EMR acts for: its caller, the service role, the nodes' role.

Asks ministack's evaluator, with the keys that AWS sets for such calls. It must never grant what a policy does not.
"""

import json
import os
import time

from ..authorisation import EC2, EMR
from .errors import Refused, denied, invalid
from .model import Scope

SPOT = "spot.amazonaws.com"
SCALING = "application-autoscaling.amazonaws.com"
MANAGED_TAG = "for-use-with-amazon-emr-managed-policies"
SESSION_SECONDS = 12 * 3600
LINKED = {EMR: "AWSServiceRoleForEMRCleanup", SPOT: "AWSServiceRoleForEC2Spot"}


def role(name_or_arn: str) -> dict | None:
    from ministack.services import iam

    return iam._roles.get(name_or_arn.rpartition("/")[2])


def instance_profile(name_or_arn: str) -> dict | None:
    from ministack.services import iam

    return iam._instance_profiles.get(name_or_arn.rpartition("/")[2])


def node_role(profile_name: str) -> dict:
    """The role in an instance profile, or the refusal that RunJobFlow answers with."""
    profile = instance_profile(profile_name)
    if profile is None:
        raise invalid(f"Invalid InstanceProfile: {profile_name}.")
    found = role(profile["Roles"][0]) if profile["Roles"] else None
    if found is None or not trusts(found, EC2):
        raise invalid(f"Failed to authorize instance profile {profile['Arn']}.")
    return found


def trusts(of: dict, service: str, keys: dict | None = None) -> bool:
    """Whether the role's trust policy lets that AWS service assume it, on whose behalf `keys` say."""
    from ministack.core.iam_evaluator import EvalContext, _conditions_met

    context = EvalContext(
        principal_arn=service, principal_type="Service", principal_account="", action="sts:AssumeRole", resource_arn=of["Arn"],
        region="", service_context={key.lower(): value for key, value in (keys or {}).items()},
    )
    document = of["AssumeRolePolicyDocument"]
    statements = (json.loads(document) if isinstance(document, str) else document).get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal")
        services = principal.get("Service", []) if isinstance(principal, dict) else []
        named = service in ([services] if isinstance(services, str) else services)
        if statement.get("Effect") == "Allow" and named and _conditions_met(statement.get("Condition", {}), context):
            return True
    return False


def caller_must_pass(access_key: str, scope: Scope, of: dict, to: str) -> None:
    demand(access_key, scope, "iam:PassRole", of["Arn"], {"iam:passedtoservice": to})


def demand(access_key: str, scope: Scope, action: str, resource: str, keys: dict | None = None) -> None:
    """Raises AWS's refusal unless the caller may do `action`, which its call needs besides its own."""
    from ministack.core.iam_evaluator import enforce

    result = enforce(access_key, action, action.partition(":")[0], scope.region, resource, keys)
    if result is None:
        return
    if not hasattr(result, "decision"):
        raise Refused(result.code, result.message)
    why = (
        "with an explicit deny in an identity-based policy" if result.decision == "Deny"
        else f"because no identity-based policy allows the {action} action"
    )
    raise denied(f"User: {result.principal_arn} is not authorized to perform: {action} on resource: {resource} {why}")


def linked(service: str) -> bool:
    """Whether the account has the role that is linked to the service: made with its first use, shared, nobody's to delete."""
    return role(LINKED[service]) is not None


def linked_arn(scope: Scope, service: str) -> str:
    return f"arn:aws:iam::{scope.account}:role/aws-service-role/{service}/{LINKED[service]}"


def link(scope: Scope, service: str) -> None:
    """Makes the linked role, as the service does for whoever may."""
    from ministack.services import iam

    if not linked(service):
        statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        iam._roles[LINKED[service]] = {
            "RoleName": LINKED[service], "Arn": linked_arn(scope, service), "RoleId": iam._gen_id("AROA"),
            "CreateDate": iam._now(), "Path": f"/aws-service-role/{service}/", "MaxSessionDuration": 3600, "Description": "",
            "AssumeRolePolicyDocument": json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
            "AttachedPolicies": [], "InlinePolicies": {}, "Tags": [],
        }


def link_cleanup(access_key: str, scope: Scope) -> None:
    """RunJobFlow makes it in its caller's name. Where the caller may not, the cluster ends for want of it: see checks."""
    if linked(EMR):
        return
    try:
        demand(access_key, scope, "iam:CreateServiceLinkedRole", linked_arn(scope, EMR), {"iam:AWSServiceName": EMR})
    except Refused:
        return
    link(scope, EMR)


def allows(of: dict, scope: Scope, action: str, resource: str, keys: dict | None = None) -> bool:
    """Whether the role's own policies allow an action that AWS does in its name."""
    from ministack.core import iam_evaluator as evaluator

    name = of["Arn"].rpartition("/")[2]
    context = evaluator.EvalContext(
        principal_arn=f"arn:aws:sts::{scope.account}:assumed-role/{name}/CCSSession", principal_type="AssumedRole",
        principal_account=scope.account, action=action, resource_arn=resource, region=scope.region, secure_transport=True,
        service_context={key.lower(): value for key, value in (keys or {}).items()},
    )
    return evaluator.evaluate(context, evaluator._gather_role_policies(name, scope.account)).decision == "Allow"


def session(of: dict, scope: Scope, instance: str) -> dict:
    """Temporary credentials of a role, as an instance's metadata service hands them out."""
    from ministack.core.responses import new_uuid, request_scope
    from ministack.services import iam, sts

    name = of["Arn"].rpartition("/")[2]
    key = iam._gen_id("ASIA")[:20]
    found = {"access_key": key, "secret_key": os.urandom(20).hex(), "session_token": new_uuid() * 4}
    with request_scope(*scope):
        sts.register_session(key, {
            "Arn": f"arn:aws:sts::{scope.account}:assumed-role/{name}/{instance}",
            "UserId": f"{of['RoleId']}:{instance}",
            "SecretAccessKey": found["secret_key"],
            "SessionToken": found["session_token"],
            "Expiration": time.time() + SESSION_SECONDS,
        })
    return found
