"""Mends to ministack's IAM: EMR's managed policies exist, a policy that does not exist cannot be attached, dependent actions
are asked for, and a simulation of a role's policies knows its path and the context that is given.

The statements are those of AWS's managed policies as far as EMR uses them here, in short. It must never make a policy wider
than AWS's own.
"""

import json
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from . import authorisation, envelopes

TAG = "for-use-with-amazon-emr-managed-policies"
BORN_TAGGED = {"StringEquals": {f"aws:RequestTag/{TAG}": "true"}}
IS_TAGGED = {"StringEquals": {f"aws:ResourceTag/{TAG}": "true"}}
RULES = [f"ec2:{verb}SecurityGroup{way}" for verb in ("Authorize", "Revoke") for way in ("Ingress", "Egress")]


def allow(actions: list[str], resources: list[str], condition: dict | None = None) -> dict:
    arns = [r if r == "*" or r.startswith("arn:") else f"arn:aws:ec2:*:*:{r}/*" for r in resources]
    return {"Effect": "Allow", "Action": actions, "Resource": arns, **({"Condition": condition} if condition else {})}


MANAGED = {
    # Only subnets and groups with the tag, only the default node role: why it fails on a default VPC.
    "service-role/AmazonEMRServicePolicy_v2": [
        allow(["ec2:CreateNetworkInterface", "ec2:RunInstances", "ec2:CreateFleet"], ["subnet", "security-group"], IS_TAGGED),
        allow(["ec2:RunInstances", "ec2:CreateFleet"], ["instance", "volume"], BORN_TAGGED),
        allow(
            ["ec2:RunInstances", "ec2:CreateFleet"],
            ["network-interface", "arn:aws:ec2:*::image/ami-*", "key-pair", "capacity-reservation", "placement-group"],
        ),
        allow(["ec2:TerminateInstances", "ec2:ModifyInstanceAttribute", *RULES], ["instance", "security-group"], IS_TAGGED),
        allow(["ec2:CreateSecurityGroup"], ["security-group"], BORN_TAGGED),
        allow(["ec2:CreateSecurityGroup"], ["vpc"], IS_TAGGED),
        allow(
            ["ec2:CreateTags"], ["instance", "volume", "network-interface"],
            {"StringEquals": {"ec2:CreateAction": ["RunInstances", "CreateFleet"]}},
        ),
        allow(["ec2:Describe*"], ["*"]),
        allow(
            ["iam:PassRole"], ["arn:aws:iam::*:role/EMR_EC2_DefaultRole"],
            {"StringLike": {"iam:PassedToService": "ec2.amazonaws.com*"}},
        ),
    ],
    "service-role/AmazonElasticMapReduceRole": [
        allow(
            ["ec2:RunInstances", "ec2:TerminateInstances", "ec2:CreateTags", "ec2:CreateSecurityGroup", "ec2:Describe*",
             "ec2:DeleteTags", "ec2:RequestSpotInstances", "ec2:CreateFleet", "iam:GetRole", "iam:PassRole",
             "s3:Get*", "s3:List*", *RULES],
            ["*"],
        ),
    ],
    "service-role/AmazonElasticMapReduceforEC2Role": [
        allow(["cloudwatch:*", "ec2:Describe*", "elasticmapreduce:Describe*", "elasticmapreduce:List*", "s3:*", "sqs:*"], ["*"]),
    ],
}


def register() -> None:
    """Adds the policies to those that ministack knows."""
    from ministack.services import iam

    for name, statements in MANAGED.items():
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        record = iam._make_aws_managed_record(name, document)
        iam._aws_managed_policies[record["Arn"]] = record


class Handler:
    def __init__(self, inner):
        self._inner = inner

    async def __call__(self, method, path, headers, body, query):
        form = {**query, **parse_qs(body.decode("utf-8", "replace"))}
        action, arn = (form.get(key, [""])[0] for key in ("Action", "PolicyArn"))
        if action in ("AttachRolePolicy", "AttachUserPolicy", "AttachGroupPolicy"):
            from ministack.services import iam

            if not iam.policy_known(arn):
                words = f"Policy {arn} does not exist or is not attachable."
                return envelopes.for_ministack(envelopes.error("query", 404, "NoSuchEntity", words))
        if action == "SimulatePrincipalPolicy" and ":role/" in (form.get("PolicySourceArn") or [""])[0]:
            return simulate_role(authorisation.Params(form, b""))
        checks = authorisation.iam_checks(authorisation.Params(form, b""))
        refused = authorisation.refusal("iam", headers, query, checks)
        return refused or await self._inner(method, path, headers, body, query)


def simulate_role(params: authorisation.Params):
    """SimulatePrincipalPolicy of a role: each action on each resource, with the given condition keys."""
    from ministack.core import iam_evaluator as evaluator
    from ministack.core.responses import get_account_id

    arn, account = params["PolicySourceArn"], get_account_id()
    policies = evaluator._gather_role_policies(arn.rpartition("/")[2], account)
    keys, number = {}, 1
    while key := params[f"ContextEntries.member.{number}.ContextKeyName"]:
        keys[key.lower()] = params[f"ContextEntries.member.{number}.ContextKeyValues.member.1"]
        number += 1
    results = ""
    for action in params.numbered("ActionNames.member"):
        for resource in params.numbered("ResourceArns.member") or ["*"]:
            context = evaluator.EvalContext(
                principal_arn=arn, principal_type="AssumedRole", principal_account=account, action=action, resource_arn=resource,
                region=keys.get("aws:requestedregion", ""), service_context=keys,
            )
            decision = evaluator.evaluate(context, policies).decision
            word = {"Allow": "allowed", "Deny": "explicitDeny"}.get(decision, "implicitDeny")
            results += (
                f"<member><EvalActionName>{escape(action)}</EvalActionName><EvalResourceName>{escape(resource)}</EvalResourceName>"
                f"<EvalDecision>{word}</EvalDecision><MatchedStatements/><MissingContextValues/></member>"
            )
    text = (
        '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><SimulatePrincipalPolicyResult>'
        f"<EvaluationResults>{results}</EvaluationResults><IsTruncated>false</IsTruncated></SimulatePrincipalPolicyResult>"
        "<ResponseMetadata><RequestId>local</RequestId></ResponseMetadata></SimulatePrincipalPolicyResponse>"
    )
    return 200, {"Content-Type": "text/xml"}, text.encode()
