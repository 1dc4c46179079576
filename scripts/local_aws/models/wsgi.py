"""A WSGI application as an ASGI one, called from one worker thread: for models that are not safe for several at once."""

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor

from ..gateway import read


class OneAtATime:
    def __init__(self, app, before):
        """`before` is called ahead of each request, in the same thread."""
        self._app, self._before = app, before
        self._worker = ThreadPoolExecutor(1, "model")

    async def do(self, work, *arguments):
        """Runs anything else that touches the model, in its thread."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, work, *arguments)

    async def __call__(self, scope, receive, send):
        body = await read(receive)
        status, headers, answer = await self.do(self._call, environ(scope, body))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def _call(self, request: dict) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        self._before()
        begun = {}

        def start_response(status, headers, _problem=None):
            begun.update(status=int(status.split()[0]), headers=headers)

        parts = self._app(request, start_response)
        try:
            answer = b"".join(parts)
        finally:
            getattr(parts, "close", lambda: None)()
        return begun["status"], [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in begun["headers"]], answer

    def close(self) -> None:
        self._worker.shutdown(wait=False, cancel_futures=True)


def environ(scope, body: bytes) -> dict:
    query = scope["query_string"].decode("latin-1")
    raw = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
    made = {
        "REQUEST_METHOD": scope["method"], "SCRIPT_NAME": "", "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "QUERY_STRING": query, "RAW_URI": raw, "REQUEST_URI": raw, "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": scope["server"][0], "SERVER_PORT": str(scope["server"][1]), "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(body)), "wsgi.version": (1, 0), "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True, "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False, "wsgi.multiprocess": False, "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        key = name.decode("latin-1").upper().replace("-", "_")
        text = value.decode("latin-1")
        if key == "CONTENT_TYPE":
            made[key] = text
        elif key not in ("CONTENT_LENGTH", "TRANSFER_ENCODING"):
            made[f"HTTP_{key}"] = f"{made[f'HTTP_{key}']},{text}" if f"HTTP_{key}" in made else text
    return made
