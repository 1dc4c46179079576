"""What AWS asks of a caller beyond what ministack knows: real ARNs, tags of resources, and the actions a call depends on.

Written from AWS's Service Authorization Reference and the permissions sections of its API references, never from what a
client sends. It must never allow what ministack denies.
"""

import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, unquote

EC2 = "ec2.amazonaws.com"
EMR = "elasticmapreduce.amazonaws.com"
GLOBAL = "us-east-1"  # where IAM's one endpoint stands: its aws:RequestedRegion, whatever region a client signs for

Check = tuple[str, str, dict]  # action, resource, condition keys beside those of every request


def install() -> None:
    """Puts ARNs, tags and regions right in ministack's evaluator."""
    from ministack.core import iam_actions, iam_evaluator
    from ministack.services import tagging

    plain_arn, plain_enforce = iam_actions.extract_resource_arn, iam_evaluator.enforce

    def extract_resource_arn(service, method, path, headers, body, query_params, region, account_id):
        own = RESOURCES.get(service)
        found = own(Params(query_params, body, path), f"{region}:{account_id}") if own else None
        return found or plain_arn(service, method, path, headers, body, query_params, region, account_id)

    def enforce(access_key_id, iam_action, service, region, resource_arn="*", service_context=None):
        region = GLOBAL if iam_action.startswith("iam:") else region
        if iam_action.startswith("elasticmapreduce:"):
            tags = tagging.resource_tags(resource_arn) or {}
            own = {f"elasticmapreduce:ResourceTag/{key}": value for key, value in tags.items()}
            service_context = {**own, **(service_context or {})}
        return plain_enforce(access_key_id, iam_action, service, region, resource_arn, service_context)

    iam_actions.extract_resource_arn, iam_evaluator.enforce = extract_resource_arn, enforce
    tagging._RESOURCE_TAG_COLLECTORS["ec2"] = tagged_in_ec2
    iam_actions.SERVICE_TO_IAM_NAMESPACE["pricing"] = "pricing"
    # botocore's name of EMR's model, in which the evaluator looks up who bears tags: RunJobFlow's are conditions' too.
    iam_actions._BOTOCORE_SERVICE_MAP["elasticmapreduce"] = ["emr"]


class Params:
    """A request's parameters, of a query or of a JSON body, by name."""

    def __init__(self, query: dict, body: bytes, path: str = ""):
        self._query, self._body, self.path = query, body, path

    def __getitem__(self, name: str) -> str:
        value = self._query.get(name) or ""
        return value[0] if isinstance(value, list) else value

    def numbered(self, prefix: str) -> list[str]:
        found = []
        while value := self[f"{prefix}.{len(found) + 1}"]:
            found.append(value)
        return found

    def tags(self, prefix: str) -> dict[str, str]:
        """Condition keys of the tags that a query asks for."""
        found, number = {}, 1
        while key := self[f"{prefix}.{number}.Key"]:
            found[f"aws:RequestTag/{key}"] = self[f"{prefix}.{number}.Value"]
            number += 1
        return found

    def json(self) -> dict:
        try:
            data = json.loads(self._body or b"{}")
        except ValueError:
            return {}
        return data if isinstance(data, dict) else {}


# --- ARNs, as the reference's tables of resource types have them

def iam_resource(params: Params, scope: str) -> str | None:
    """Roles and instance profiles with their paths. What takes no resource is asked for "*"."""
    from ministack.services import iam

    account, action = scope.rpartition(":")[2], params["Action"]
    if action.startswith("List") and not (params["RoleName"] or params["UserName"]):
        return "*"
    for key, kind, there in (("InstanceProfileName", "instance-profile", iam._instance_profiles), ("RoleName", "role", iam._roles)):
        name = params[key]
        if not name:
            continue
        if action == f"Create{'Role' if kind == 'role' else 'InstanceProfile'}":
            return f"arn:aws:iam::{account}:{kind}{params['Path'] or '/'}{name}"
        return there[name]["Arn"] if name in there else f"arn:aws:iam::{account}:{kind}/{name}"
    return None


def ec2_resource(params: Params, scope: str) -> str | None:
    if params["Action"].startswith("Describe"):
        return "*"
    first = next(iter(params.numbered("ResourceId")), None)
    return ec2_arn(first, scope) if first else None


def ec2_arn(resource_id: str, scope: str) -> str:
    kinds = {"sg": "security-group", "i": "instance", "vpc": "vpc", "subnet": "subnet", "vol": "volume", "eni": "network-interface"}
    prefix = resource_id.partition("-")[0]
    return f"arn:aws:ec2:{scope}:{kinds.get(prefix, prefix)}/{resource_id}"


def emr_resource(params: Params, scope: str) -> str:
    clusters = clusters_named(params.json())
    return f"arn:aws:elasticmapreduce:{scope}:cluster/{clusters[0]}" if clusters else "*"


def clusters_named(data: dict) -> list[str]:
    one = data.get("ClusterId") or data.get("JobFlowId") or data.get("ResourceId")
    return [one] if one else list(data.get("JobFlowIds") or [])


def scheduler_resource(params: Params, scope: str) -> str | None:
    """A schedule in its group, which creation and update name in the body. ListSchedules takes no resource."""
    found = re.fullmatch(r"/schedules/([^/]+)/?", params.path)
    if found is None:
        return None
    group = params["groupName"] or params.json().get("GroupName") or "default"
    return f"arn:aws:scheduler:{scope}:schedule/{group}/{unquote(found[1])}"


RESOURCES = {
    "ec2": ec2_resource, "elasticmapreduce": emr_resource, "iam": iam_resource, "scheduler": scheduler_resource,
}


# --- tags, for conditions on aws:ResourceTag

def tagged_in_ec2() -> Iterator[tuple[str, list[dict]]]:
    from ministack.core.responses import get_account_id, get_region
    from ministack.services import ec2

    for resource_id, tags in ec2._tags.items():
        yield ec2_arn(resource_id, f"{get_region()}:{get_account_id()}"), tags


def see_clusters(emr) -> None:
    """Shows clusters' tags to the evaluator."""
    from ministack.core.responses import get_account_id, get_region
    from ministack.services import tagging

    from .emr.model import Scope

    def tagged() -> Iterator[tuple[str, list[dict]]]:
        for cluster in emr.clusters(Scope(get_account_id(), get_region())).values():
            yield cluster.arn, cluster.tags

    tagging._RESOURCE_TAG_COLLECTORS["elasticmapreduce"] = tagged


# --- dependent actions

def iam_checks(params: Params) -> Iterator[Check]:
    from ministack.core.responses import get_account_id

    action, resource = params["Action"], iam_resource(params, f":{get_account_id()}")
    tags = params.tags("Tags.member")
    if tags and action in ("CreateRole", "CreateInstanceProfile"):
        yield f"iam:Tag{action.removeprefix('Create')}", resource, tags
    if action == "AddRoleToInstanceProfile":
        from ministack.services import iam

        name = params["RoleName"]
        if name in iam._roles:
            yield "iam:PassRole", iam._roles[name]["Arn"], {"iam:PassedToService": EC2}


def ec2_checks(params: Params) -> Iterator[Check]:
    """A call is asked for each resource that it names; creating with tags is asked for tagging too."""
    from ministack.core.responses import get_account_id, get_region

    action, scope = params["Action"], f"{get_region()}:{get_account_id()}"
    for further in params.numbered("ResourceId")[1:]:
        yield f"ec2:{action}", ec2_arn(further, scope), params.tags("Tag")
    if action == "CreateSecurityGroup":
        tags = params.tags("TagSpecification.1.Tag")
        new = f"arn:aws:ec2:{scope}:security-group/*"
        yield "ec2:CreateSecurityGroup", new, tags
        if tags:
            yield "ec2:CreateTags", new, {**tags, "ec2:CreateAction": action}


def s3_checks(method: str, bucket: str, key: str, headers: dict, query: dict, body: bytes) -> Iterator[Check]:
    if method == "POST" and not key and "delete" in query:
        yield from deleted_versions(bucket, body)
    if not bucket or any(part in query for part in ("uploadId", "tagging", "acl", "delete")):
        return
    name = f"arn:aws:s3:::{bucket}"
    if not key:
        if method == "PUT" and not query:
            if re.search(rb"<Tags>\s*<Tag>", body):
                yield "s3:TagResource", name, {}
            if "x-amz-object-ownership" in headers:
                yield "s3:PutBucketOwnershipControls", name, {}
        return
    resource = f"{name}/{key}"
    # Whether an object is what a condition says cannot be told to those who may not read it.
    if method in ("PUT", "DELETE") and headers.get("if-match", "*") != "*":
        yield "s3:GetObject", resource, {}
    if method == "PUT" and headers.get("x-amz-tagging"):
        tags = parse_qsl(headers["x-amz-tagging"])
        yield "s3:PutObjectTagging", resource, {f"s3:RequestObjectTag/{tag}": value for tag, value in tags}
    yield from key_checks(method, bucket, key, query)
    # That an object is missing is told only to those who may list.
    if method in ("GET", "HEAD") and bucket_is_there(bucket) and not object_is_there(bucket, key):
        yield "s3:ListBucket", name, {}


def deleted_versions(bucket: str, body: bytes) -> Iterator[Check]:
    """Versions deleted by name ask for more than what every deletion asks for."""
    from ministack.core.iam_actions import _s3_batch_delete_targets

    for resource, version in _s3_batch_delete_targets(bucket, body):
        if version:
            yield "s3:DeleteObjectVersion", resource, {}


def key_checks(method: str, bucket: str, key: str, query: dict) -> Iterator[Check]:
    """KMS is asked in the caller's name, by way of S3, about the key behind the bucket or the object."""
    from ministack.core.responses import get_region

    via = {"kms:ViaService": f"s3.{get_region()}.amazonaws.com"}
    if method in ("PUT", "POST") and (wanted := default_key(bucket)):
        yield "kms:GenerateDataKey", wanted, via
        if "uploads" in query:  # parts are read back to be put together
            yield "kms:Decrypt", wanted, via
    # Objects bear the key that the bucket had; a bucket's key that changed meanwhile is not modelled.
    if method == "GET" and object_is_there(bucket, key) and (used := default_key(bucket)):
        yield "kms:Decrypt", used, via


def default_key(bucket: str) -> str | None:
    from ministack.services import s3

    found = re.search(r"<KMSMasterKeyID>([^<]+)</KMSMasterKeyID>", s3._bucket_encryption.get(bucket) or "")
    return found[1] if found else None


def bucket_is_there(bucket: str) -> bool:
    from ministack.services import s3

    return bucket in s3._buckets


def object_is_there(bucket: str, key: str) -> bool:
    from ministack.services import s3

    return bucket in s3._buckets and key in s3._buckets[bucket]["objects"]


# --- answers

def refusal(service: str, headers: dict, query: dict, checks: Iterable[Check]):
    """The answer that refuses a call, in the protocol of its service, or None where the caller may do all of it."""
    from ministack.core.iam_actions import access_denied_response
    from ministack.core.iam_evaluator import AuthError, enforce
    from ministack.core.responses import get_region
    from ministack.core.router import extract_access_key_id

    caller = extract_access_key_id(headers, query)
    for action, resource, keys in checks:
        denied = enforce(caller, action, action.partition(":")[0], get_region(), resource, keys)
        if isinstance(denied, AuthError):
            return None  # the call itself was refused for it before, or needs no caller
        if denied:
            return access_denied_response(
                service, action, denied.principal_arn, "local", headers=headers, resource_arn=resource,
                explicit_deny=denied.decision == "Deny", resource_policy_arn=denied.resource_policy_arn)
    return None
