"""An error, in the words and the envelope of each of AWS's protocols; and its code, read back out of an answer."""

import json
import re
import uuid
from xml.sax.saxutils import escape

CODE_XML = re.compile(rb"<Code>([^<]+)</Code>")
CODE_CBOR = re.compile(rb"\x66__type(?:([\x60-\x77])|\x78(.))", re.DOTALL)  # then as many bytes
CODE_JSON = re.compile(rb'"(?:__type|code)"\s*:\s*"([^"]+)"', re.IGNORECASE)

# What each service answers when it is asked too often, and when it fails itself: status, code, message. Sources: EMR, AWS's
# knowledge centre on its "Rate exceeded" and the API reference's InternalServerException; IAM, STS, the throttling code that
# botocore's _retry.json retries, the API reference's ServiceFailure and, of the errors common to all services,
# ServiceUnavailable; EC2, "Error codes for the Amazon EC2 API", its server errors, and the 503 that clients log with
# RequestLimitExceeded; S3, its "List of error codes"; the others, their service models in botocore.
WORDS = {
    "throttled": {
        "elasticmapreduce": (400, "ThrottlingException", "Rate exceeded"),
        "iam": (400, "Throttling", "Rate exceeded"),
        "sts": (400, "Throttling", "Rate exceeded"),
        "ec2": (503, "RequestLimitExceeded", "Request limit exceeded."),
        "s3": (503, "SlowDown", "Please reduce your request rate."),
        "scheduler": (429, "ThrottlingException", "Rate exceeded"),
        "tagging": (400, "ThrottledException", "Rate exceeded"),
        "monitoring": (400, "Throttling", "Rate exceeded"),
        "sns": (429, "Throttled", "Rate exceeded"),
        "*": (400, "ThrottlingException", "Rate exceeded"),
    },
    "unavailable": {
        "elasticmapreduce": (500, "InternalServerException", "An internal server error occurred."),
        "iam": (500, "ServiceFailure", "The request processing has failed because of an unknown error."),
        "ec2": (503, "Unavailable", "The server is overloaded and can't handle the request."),
        "s3": (500, "InternalError", "We encountered an internal error. Please try again."),
        "scheduler": (500, "InternalServerException", "Unexpected error encountered while processing the request."),
        "tagging": (500, "InternalServiceException", "The request processing failed because of an unknown error."),
        "monitoring": (500, "InternalServiceError", "An internal service error occurred."),
        "sns": (500, "InternalError", "An internal service error occurred."),
        "pricing": (500, "InternalErrorException", "An error on the server occurred."),
        "*": (503, "ServiceUnavailable", "The request has failed due to a temporary failure of the server."),
    },
    # In a region that the account has not switched on, whose services do not know its credentials.
    "disabled": {
        "ec2": (401, "AuthFailure", "AWS was not able to validate the provided access credentials"),
        "s3": (403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."),
        "sns": (403, "InvalidClientTokenId", "The security token included in the request is invalid."),
        "sts": (403, "InvalidClientTokenId", "The security token included in the request is invalid."),
        "*": (400, "UnrecognizedClientException", "The security token included in the request is invalid."),
    },
}


def worded(service: str, meaning: str) -> tuple[int, str, str] | None:
    """Status, code and message that a service means it with; None for what is no meaning but a code."""
    of = WORDS.get(meaning)
    return of and of.get(service, of["*"])


def error(protocol: str, status: int, code: str, message: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body of an error of `protocol` (as in operations.Call)."""
    request = str(uuid.uuid4())
    headers = [(b"x-amzn-requestid", request.encode())]
    if protocol == "cbor":
        kind = b"application/cbor"
        headers += [(b"smithy-protocol", b"rpc-v2-cbor")]
        body = b"\xa2" + b"".join(cbor_text(part) for part in ("__type", code, "message", message))
    elif protocol in ("json", "rest"):
        kind = b"application/x-amz-json-1.1" if protocol == "json" else b"application/json"
        headers += [(b"x-amzn-errortype", code.encode())]
        body = json.dumps({"__type": code, "message" if protocol == "json" else "Message": message}).encode()
    else:
        kind = b"application/xml" if protocol == "s3" else b"text/xml"
        fault = "Sender" if status < 500 else "Receiver"
        body = xml(protocol, fault, escape(code), escape(message), request).encode()
    return status, [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *headers], body


def xml(protocol: str, fault: str, code: str, message: str, request: str) -> str:
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    if protocol == "s3":
        return f"{head}<Error><Code>{code}</Code><Message>{message}</Message><RequestId>{request}</RequestId></Error>"
    if protocol == "ec2":
        inner = f"<Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
        return f"{head}<Response>{inner}<RequestID>{request}</RequestID></Response>"
    inner = f"<Error><Type>{fault}</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    return f"{head}<ErrorResponse>{inner}<RequestId>{request}</RequestId></ErrorResponse>"


def cbor_text(text: str) -> bytes:
    data = text.encode()
    size = len(data)
    return (bytes([0x60 + size]) if size < 24 else bytes([0x78, size]) if size < 256 else b"\x79" + size.to_bytes(2)) + data


def for_ministack(reply: tuple[int, list[tuple[bytes, bytes]], bytes]) -> tuple[int, dict[str, str], bytes]:
    """The same error in the shape that ministack's handlers return."""
    status, headers, body = reply
    return status, {name.decode(): value.decode() for name, value in headers if name != b"content-length"}, body


def code_of(status: int, body: bytes) -> str:
    """The error code in an answer; the bare status where there is none, as for HEAD."""
    if packed := CODE_CBOR.search(body):
        size = packed[1][0] - 0x60 if packed[1] else packed[2][0]
        found = body[packed.end():packed.end() + size]
    else:
        words = CODE_XML.search(body) or CODE_JSON.search(body)
        found = words[1] if words else str(status).encode()
    return found.decode("utf-8", "replace").rpartition("#")[2]
