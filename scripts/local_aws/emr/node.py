"""What a cluster's node does in S3, with the temporary credentials of its instance profile's role.

Each request is signed and goes to the model as a client's would, so that the role's and the bucket's policies decide. It
must never act with other credentials than the role's.
"""

import asyncio
import gzip
import logging
from urllib.parse import quote, urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from . import permissions
from .errors import Refused
from .model import Cluster

log = logging.getLogger("local_aws.emr")


def credentials(c: Cluster) -> dict:
    """Fresh ones each time, as a real node's metadata service gives before the old ones expire."""
    from ministack.core.responses import request_scope

    with request_scope(*c.scope):
        return permissions.session(permissions.node_role(c.instance_profile), c.scope, c.primary.ec2_id)


async def get(c: Cluster, endpoint: str, uri: str) -> tuple[int, bytes]:
    return await request(c, endpoint, "GET", uri, b"")


async def put_log(c: Cluster, endpoint: str, path: str, text: bytes) -> None:
    """Gzips `text` to <log URI>/<cluster>/<path>.gz. As on a real node, a refusal costs the log and nothing else."""
    if c.log_uri:
        uri = f"{c.log_uri.replace('s3n://', 's3://', 1)}{c.id}/{path}.gz"
        status, answer = await request(c, endpoint, "PUT", uri, gzip.compress(text, 6, mtime=0))
        if status >= 300:
            log.warning("%s could not write %s: %s %s", c.id, uri, status, answer[:300].decode("utf-8", "replace"))


async def request(c: Cluster, endpoint: str, method: str, uri: str, body: bytes) -> tuple[int, bytes]:
    import ministack.app as ministack

    bucket, _, key = uri.removeprefix("s3://").partition("/")
    path = f"/{bucket}/{quote(key, safe='/~')}"
    signed = AWSRequest(method, endpoint + path, data=body)
    try:
        held = credentials(c)
    except Refused as lost:  # its role or profile was deleted meanwhile
        return 403, lost.message.encode()
    S3SigV4Auth(
        Credentials(held["access_key"], held["secret_key"], held["session_token"]), "s3", c.scope.region
    ).add_auth(signed)
    headers = {**{k.lower(): str(v) for k, v in signed.headers.items()}, "host": urlsplit(endpoint).netloc}
    scope = {
        "type": "http", "http_version": "1.1", "method": method, "scheme": "http", "path": f"/{bucket}/{key}",
        "raw_path": path.encode(), "query_string": b"", "client": ("127.0.0.1", 0),
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()] + [(b"content-length", str(len(body)).encode())],
    }
    status, parts = 0, []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        nonlocal status
        status = message.get("status", status)
        parts.append(message.get("body", b""))

    # In a task, hence a context, of its own: ministack keeps there who calls, and this may happen amid another's call.
    await asyncio.create_task(ministack.app(scope, receive, send))
    return status, b"".join(parts)
