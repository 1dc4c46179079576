"""Names the AWS call that an HTTP request makes: service, operation, region, caller, whether it changes anything.

Operations bear AWS's names (RunJobFlow, ListObjectsV2). It must never decide what a call does; the models do.
"""

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import parse_qsl

ENVIRONMENT = re.compile(r"exec-env/(\S+)")
CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
READS = re.compile(r"(Get|List|Describe|Head|Simulate|Search|Lookup|Select|Batch(Get|Describe)|Assume|Decode)")

# S3 names its operations by method and by these parameters of the query, as AWS's API reference lists them.
S3_BUCKET_PARTS = {
    "accelerate": "BucketAccelerateConfiguration", "acl": "BucketAcl", "analytics": "BucketAnalyticsConfiguration",
    "cors": "BucketCors", "encryption": "BucketEncryption", "intelligent-tiering": "BucketIntelligentTieringConfiguration",
    "inventory": "BucketInventoryConfiguration", "lifecycle": "BucketLifecycleConfiguration", "location": "BucketLocation",
    "logging": "BucketLogging", "metrics": "BucketMetricsConfiguration", "notification": "BucketNotificationConfiguration",
    "object-lock": "ObjectLockConfiguration", "ownershipControls": "BucketOwnershipControls", "policy": "BucketPolicy",
    "policyStatus": "BucketPolicyStatus", "publicAccessBlock": "PublicAccessBlock", "replication": "BucketReplication",
    "requestPayment": "BucketRequestPayment", "tagging": "BucketTagging", "versioning": "BucketVersioning",
    "website": "BucketWebsite",
}
S3_DELETES = {"PublicAccessBlock": "DeletePublicAccessBlock", "BucketLifecycleConfiguration": "DeleteBucketLifecycle"}
S3_OBJECT_PARTS = {
    "acl": "ObjectAcl", "attributes": "ObjectAttributes", "legal-hold": "ObjectLegalHold", "retention": "ObjectRetention",
    "tagging": "ObjectTagging", "torrent": "ObjectTorrent",
}
VERBS = {"GET": "Get", "PUT": "Put", "DELETE": "Delete", "HEAD": "Head", "POST": "Post"}


@dataclass(frozen=True)
class Call:
    service: str
    operation: str
    region: str | None
    caller: str | None
    protocol: str  # how the service words an error: json, query, ec2, s3, rest or cbor
    environment: str | None = None  # what the caller's AWS_EXECUTION_ENV says: tells processes with one key apart

    @property
    def mutating(self) -> bool:
        return not READS.match(self.operation)


def identify(method: str, path: str, query: str, headers: dict[str, str], form: bytes | None) -> Call:
    """`headers` have lower-case names; `form` is the body of a form-encoded request, else None."""
    found = ENVIRONMENT.search(headers.get("x-amz-user-agent", "") or headers.get("user-agent", ""))
    return replace(named(method, path, query, headers, form), environment=found and found[1])


def named(method: str, path: str, query: str, headers: dict[str, str], form: bytes | None) -> Call:
    caller, region, service = credential(headers.get("authorization", ""), query)
    target = headers.get("x-amz-target")
    if target:
        return Call(service or "unknown", target.rpartition(".")[2], region, caller, "json")
    if form is not None:
        operation = dict(parse_qsl(form.decode("utf-8", "replace"))).get("Action", "Unknown")
        return Call(service or "unknown", operation, region, caller, "ec2" if service == "ec2" else "query")
    if service in (None, "s3"):
        return Call("s3", s3_operation(method, path, query, headers), region, caller, "s3")
    smithy = re.fullmatch(r"/service/[^/]+/operation/(\w+)", path)
    if smithy:
        return Call(service, smithy[1], region, caller, "cbor")
    if "Action=" in query:
        return Call(service, dict(parse_qsl(query))["Action"], region, caller, "query")
    return Call(service, rest_operation(service, method, path), region, caller, "rest")


def signed_for(headers: dict[str, str], query: str) -> str | None:
    return credential(headers.get("authorization", ""), query)[2]


def credential(authorization: str, query: str) -> tuple[str | None, str | None, str | None]:
    """Access key, region and service that the request is signed for, in its header or its query."""
    found = CREDENTIAL.search(authorization)
    if found:
        return found[1], found[2], found[3]
    signed = dict(parse_qsl(query)).get("X-Amz-Credential", "") if "X-Amz-Credential" in query else ""
    parts = signed.split("/")
    return (parts[0], parts[2], parts[3]) if len(parts) == 5 else (None, None, None)


def s3_operation(method: str, path: str, query: str, headers: dict[str, str]) -> str:
    names = {key for key, _ in parse_qsl(query, keep_blank_values=True)}
    bucket, _, key = path.lstrip("/").partition("/")
    if not bucket:
        return "ListBuckets"
    return s3_object(method, names, headers) if key else s3_bucket(method, names)


def s3_bucket(method: str, names: set[str]) -> str:
    for name, part in S3_BUCKET_PARTS.items():
        if name in names:
            if method == "DELETE" and part in S3_DELETES:
                return S3_DELETES[part]
            return VERBS.get(method, method) + part
    if method == "GET":
        if "uploads" in names:
            return "ListMultipartUploads"
        if "versions" in names:
            return "ListObjectVersions"
        return "ListObjectsV2" if "list-type" in names else "ListObjects"
    if method == "POST" and "delete" in names:
        return "DeleteObjects"
    return {"PUT": "CreateBucket", "DELETE": "DeleteBucket", "HEAD": "HeadBucket", "POST": "PostObject"}.get(method, method)


def s3_object(method: str, names: set[str], headers: dict[str, str]) -> str:
    copied = "x-amz-copy-source" in headers
    if "uploadId" in names:
        if method == "PUT":
            return "UploadPartCopy" if copied else "UploadPart"
        return {"POST": "CompleteMultipartUpload", "DELETE": "AbortMultipartUpload", "GET": "ListParts"}.get(method, method)
    if method == "POST" and "uploads" in names:
        return "CreateMultipartUpload"
    if method == "POST" and "restore" in names:
        return "RestoreObject"
    if method == "POST" and "select" in names:
        return "SelectObjectContent"
    for name, part in S3_OBJECT_PARTS.items():
        if name in names:
            return VERBS.get(method, method) + part
    if method == "PUT":
        return "CopyObject" if copied else "PutObject"
    return VERBS.get(method, method) + "Object"


@lru_cache
def rest_routes(service: str) -> list[tuple[str, re.Pattern, str]]:
    """Method, path and name of each operation of a REST service, from botocore's model of it; none if it has no such model."""
    from botocore.exceptions import UnknownServiceError
    from botocore.loaders import Loader

    try:
        model = Loader().load_service_model(service, "service-2")
    except UnknownServiceError:
        return []
    routes = []
    for name, operation in model["operations"].items():
        uri = operation["http"]["requestUri"].partition("?")[0]
        pattern = re.sub(r"\\\{[^}]*?\\\+\\\}", ".+", re.escape(uri))
        pattern = re.sub(r"\\\{[^}]*?\\\}", "[^/]+", pattern)
        routes.append((operation["http"]["method"], re.compile(pattern + "/?"), name))
    return routes


def rest_operation(service: str, method: str, path: str) -> str:
    for verb, pattern, name in rest_routes(service):
        if verb == method and pattern.fullmatch(path):
            return name
    return f"{method} {path}"
