"""An error, in the words and the envelope of each of AWS's protocols; and its code, read back out of an answer."""

import json
import re
import uuid
from xml.sax.saxutils import escape

CODE_XML = re.compile(rb"<Code>([^<]+)</Code>")
CODE_JSON = re.compile(rb'"(?:__type|code)"\s*:\s*"([^"]+)"', re.IGNORECASE)


def error(protocol: str, status: int, code: str, message: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body of an error of `protocol` (as in operations.Call)."""
    request = str(uuid.uuid4())
    headers = [(b"x-amzn-requestid", request.encode())]
    if protocol in ("json", "rest"):
        kind = b"application/x-amz-json-1.1" if protocol == "json" else b"application/json"
        headers += [(b"x-amzn-errortype", code.encode())]
        body = json.dumps({"__type": code, "message": message}).encode()
    else:
        kind = b"application/xml" if protocol == "s3" else b"text/xml"
        body = xml(protocol, escape(code), escape(message), request).encode()
    return status, [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *headers], body


def xml(protocol: str, code: str, message: str, request: str) -> str:
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    if protocol == "s3":
        return f"{head}<Error><Code>{code}</Code><Message>{message}</Message><RequestId>{request}</RequestId></Error>"
    if protocol == "ec2":
        inner = f"<Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
        return f"{head}<Response>{inner}<RequestID>{request}</RequestID></Response>"
    inner = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    return f"{head}<ErrorResponse>{inner}<RequestId>{request}</RequestId></ErrorResponse>"


def for_ministack(reply: tuple[int, list[tuple[bytes, bytes]], bytes]) -> tuple[int, dict[str, str], bytes]:
    """The same error in the shape that ministack's handlers return."""
    status, headers, body = reply
    return status, {name.decode(): value.decode() for name, value in headers if name != b"content-length"}, body


def code_of(status: int, body: bytes) -> str:
    """The error code in an answer; the bare status where there is none, as for HEAD."""
    found = CODE_XML.search(body) or CODE_JSON.search(body)
    return found[1].decode("utf-8", "replace").rpartition("#")[2] if found else str(status)
