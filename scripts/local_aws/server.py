"""Serves the gateway on a loopback port, says so in status.json while it does, and ends cleanly.

It must never bind another address, and never leave status.json, or a step's process, behind.
"""

import asyncio
import contextlib
import errno
import json
import logging
import os
import signal
import socket
import time
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from . import REGIONS
from .calls import Calls
from .clock import HURRY, Clock
from .control import Control
from .faults import Faults
from .gateway import Gateway
from .world import World

LOOPBACK = "127.0.0.1"
log = logging.getLogger("local_aws")


def run(options) -> int:
    listener = listen(options.port)
    try:
        asyncio.run(serve(options, listener))
    finally:
        (options.dir / "status.json").unlink(missing_ok=True)
    return 0


def listen(wanted: int) -> socket.socket:
    """A listening socket on the wanted port, or on a free one if that is taken."""
    for port in (wanted, 0):
        # Named, or asyncio takes it for no TCP socket, leaves Nagle's delay on, and every answer takes 40 ms.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
            listener.listen(512)
            return listener
        except OSError as problem:
            listener.close()
            if problem.errno not in (errno.EADDRINUSE, errno.EACCES) or port == 0:
                raise
    raise AssertionError("a socket was returned or an error raised")


class Protocol(HttpToolsProtocol):
    """Lets a fault reach the connection: a reset cannot be said in ASGI."""

    def on_message_begin(self):
        super().on_message_begin()
        self.scope["local_aws.transport"] = self.transport


class Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self):
        """Leaves signals to `serve`, which cleans up; uvicorn would raise them again once it is done."""
        yield


async def serve(options, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    endpoint = f"http://{LOOPBACK}:{port}"
    clock, faults = Clock(options.rate or (HURRY if options.model == "moto" else None)), Faults()  # moto's clusters tell no one
    world = World(clock)
    model = load_model(options, endpoint, clock, world)
    server = Server(uvicorn.Config(
        lambda scope, receive, send: gateway(scope, receive, send), interface="asgi3", http=Protocol, ws="none",
        lifespan="off", loop="asyncio", log_config=None, access_log=False, server_header=False, date_header=False,
        timeout_keep_alive=600, timeout_graceful_shutdown=1,
    ))

    def stop():
        faults.clear()
        server.should_exit = True

    settings = None if options.model == "moto" else world
    gateway = Gateway(model.app, Control(clock, Calls(), faults, settings, model.settle, stop, getattr(model, "doors", None)))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    await model.start()
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        if server.started:
            log.info("serving %s as account %s on %s", options.model, options.account, endpoint)
            write_status(options.dir / "status.json", {
                "pid": os.getpid(), "port": port, "endpoint": endpoint, "regions": REGIONS, "account": options.account,
                "model": options.model, "rate": clock.rate, "started": time.time(),
            })
        await serving
    finally:
        await model.stop()
        log.info("ended")


def load_model(options, endpoint: str, clock: Clock, world: World):
    """The chosen model. Imported here, because each needs its own packages."""
    if options.model == "moto":
        from .models.moto import Moto as Model
    else:
        from .models.ministack import Ministack as Model
    return Model(options.account, endpoint, clock, options.cache, world)


def write_status(path: Path, status: dict) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(status, indent=2) + "\n")
    draft.replace(path)
