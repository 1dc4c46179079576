"""The door in front of a model of AWS: names each call, applies faults, logs, answers control paths.

It must never alter a request or a reply that no fault names.
"""

import asyncio
import hashlib
import json
import socket
import struct
import time

from . import envelopes, operations
from .control import PREFIX

ERROR_KEPT = 4096  # bytes of an error's body that are read for its code
FORM = "application/x-www-form-urlencoded"


class Gateway:
    """An ASGI application around another, `model`."""

    def __init__(self, model, control):
        self.model, self.control = model, control
        self.calls, self.faults = control.calls, control.faults

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        if scope["path"].startswith(PREFIX):
            await self.answer_control(scope, receive, send)
            return
        started = time.perf_counter()
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        form, body = None, b""
        query = scope["query_string"].decode("latin-1")
        formed = headers.get("content-type", "").startswith(FORM)
        if formed or "x-amz-target" in headers or operations.signed_for(headers, query) not in (None, "s3"):
            body = await read(receive)
            receive = replay(body, receive)
            form = body if formed and "x-amz-target" not in headers else None
        call = operations.identify(scope["method"], scope["path"], query, headers, form)
        scope["local_aws.call"] = call
        request = fingerprint(call, scope["method"], scope["path"], query, body)
        reply = Reply(send)
        rule = None if self.faults.frozen else self.faults.match(call, scope["path"])
        if self.faults.frozen:
            await self.hang(scope)
        elif rule is None:
            await self.model(scope, receive, reply)
        else:
            await self.fail(rule, call, scope, receive, reply)
        self.calls.add(call, scope["path"], request, reply.status, reply.error(), started)

    async def fail(self, rule, call, scope, receive, reply):
        if rule.when == "replied":
            await self.model(scope, receive, reply)
            self.faults.frozen = True
            return
        if rule.when == "after":
            await self.model(scope, receive, reply.withheld())
        else:
            receive = replay(await read(receive), receive)
        if rule.kind == "delay":
            await asyncio.sleep(rule.seconds)
            await (reply.release() if rule.when == "after" else self.model(scope, receive, reply))
        elif rule.kind == "error":
            words = envelopes.worded(call.service, rule.code) or (rule.status, rule.code, rule.message)
            status, headers, body = envelopes.error(call.protocol, *words)
            await reply.instead(status, headers, b"" if scope["method"] == "HEAD" else body)
        elif rule.kind == "hang":
            await self.hang(scope)
        else:
            reset(scope["local_aws.transport"])

    async def hang(self, scope):
        await self.faults.hang()
        reset(scope["local_aws.transport"])

    async def answer_control(self, scope, receive, send):
        body = await read(receive)
        status, answer = await self.control.answer(scope["method"], scope["path"], scope["query_string"].decode(), body)
        text = json.dumps(answer).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(text)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": text})


class Reply:
    """Passes a reply on, remembering its status and error; or withholds it, so that another can stand in its place."""

    def __init__(self, send):
        self._send, self._held, self._kept = send, None, b""
        self.status = 0

    async def __call__(self, message):
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif self.status >= 400 and len(self._kept) < ERROR_KEPT:
            self._kept += message.get("body", b"")[:ERROR_KEPT]
        if self._held is None:
            await self._send(message)
        else:
            self._held.append(message)

    def error(self) -> str | None:
        return envelopes.code_of(self.status, self._kept) if self.status >= 400 else None

    def withheld(self):
        self._held = []
        return self

    async def release(self):
        held, self._held = self._held, None
        for message in held:
            await self._send(message)

    async def instead(self, status: int, headers: list, body: bytes):
        self._held, self._kept = None, b""
        await self({"type": "http.response.start", "status": status, "headers": headers})
        await self({"type": "http.response.body", "body": body})


def fingerprint(call, method: str, path: str, query: str, body: bytes) -> str:
    """Tells requests apart, and the same one asked twice. An object's body takes no part: it is streamed."""
    head = "\n".join((call.service, call.operation, str(call.region), method, path, query, ""))
    return hashlib.sha256(head.encode() + body).hexdigest()[:16]


async def read(receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def replay(body: bytes, receive):
    """A `receive` that gives `body` once more, then what follows it (a disconnect)."""
    given = False

    async def again():
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def reset(transport) -> None:
    """Closes the connection with a TCP reset, so that the client cannot take it for a complete reply."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
