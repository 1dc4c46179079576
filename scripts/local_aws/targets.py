"""Services of ours that are asked in JSON, by the operation that `x-amz-target` names. It must never hold what they know."""

import json
from collections.abc import Callable

from .emr.errors import Refused


def answer(service: str, operations: dict[str, Callable[[dict], dict]], headers: dict, body: bytes, words: str = "message"):
    """In the shape of ministack's handlers: status, headers, body. `words` is the member of an error that says why."""
    action = headers.get("x-amz-target", "").rpartition(".")[2]
    try:
        if action not in operations:
            raise Refused("UnknownOperationException", f"Our model of {service} has no {action}.")
        status, told, more = 200, operations[action](json.loads(body or b"{}")), {}
    except Refused as refusal:
        status, told = 400, {"__type": refusal.code, words: refusal.message}
        more = {"x-amzn-errortype": refusal.code}
    return status, {"Content-Type": "application/x-amz-json-1.1", **more}, json.dumps(told).encode()
