"""Guards the Python it is started in, and all that is forked from it: no network, and no file of weights but its own.

Python imports a module of this name by itself where it finds one on PYTHONPATH. It refuses every connection but those to
loopback, and every file that could hold weights and was not made in this process's folder for temporary ones; what it refused,
and that it stood guard at all, goes to GUARD_LOG, a JSON line each. It sees what Python opens, and what HDF5 opens for h5py.
"""

import json
import os
import sys
import tempfile

LOG = os.open(os.environ["GUARD_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
OWN = tempfile.gettempdir()


def tell(event: str, what: object) -> None:
    os.write(LOG, (json.dumps({"pid": os.getpid(), "event": event, "what": str(what)}) + "\n").encode())


def refuse(event: str, what: object) -> None:
    tell(event, what)
    raise PermissionError(f"a worker has no business with {what}")


def watch(event: str, arguments: tuple) -> None:
    if event == "socket.connect":
        address = arguments[1]
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1"):
            refuse("connect", address)
    elif event == "socket.getaddrinfo" and arguments[0] not in ("127.0.0.1", "::1", "localhost", None):
        refuse("resolve", arguments[0])
    elif event == "open":
        check(arguments[0])


def check(path: object) -> None:
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if isinstance(path, str) and (path.endswith(".h5") or "/.keras/models" in path) and os.path.dirname(path) != OWN:
        refuse("open", path)


class OfH5py:
    """HDF5 opens files by itself, where Python's audit hook sees nothing: h5py's way to it is watched instead."""

    def find_spec(self, name, path, target=None):
        if name == "h5py":
            sys.meta_path.remove(self)
            import h5py
            opened = h5py.File.__init__

            def checked(file, name, *arguments, **more):
                check(name)
                opened(file, name, *arguments, **more)
            h5py.File.__init__ = checked
        return None


sys.addaudithook(watch)
sys.meta_path.insert(0, OfH5py())
tell("guarding", " ".join(sys.orig_argv))
