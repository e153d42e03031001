"""How one process asks another: a line of JSON each way, over a socket of one user's."""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

from scrubjay.web import places
from scrubjay.web.local import Local

_PATIENCE = 2.0  # seconds that an answer may take
_NODES_WAIT = 1.5  # seconds for a first look at other nodes
_LONGEST_REQUEST = 16_384  # bytes
_LONGEST_ANSWER = 64 * 1024 * 1024


def answer(local: Local, request: Any) -> Any:
    """Return what a process tells on a request; None for one that makes no sense."""
    if not isinstance(request, dict):
        return None
    label, key = request.get("label"), request.get("key")
    match request.get("ask"):
        case "overview":
            return local.overview()
        case "nodes":
            return local.nodes.told(_NODES_WAIT if request.get("wait") is True else 0.0)
        case "node" if isinstance(label, str):
            return local.nodes.detail(label)
        case "detail" if isinstance(label, str):
            return local.detail(label)
        case "inspect" if isinstance(label, str) and isinstance(key, str):
            return local.inspect(label, key)
    return None


def read_line(connection: socket.socket, most: int = _LONGEST_REQUEST) -> bytes:
    """Return what a connection says up to the end of its line.

    Raises:
        OSError: it says nothing in time, or more than `most` bytes.
    """
    said = bytearray()
    while not said.endswith(b"\n"):
        more = connection.recv(65_536)
        if not more:
            break
        said += more
        if len(said) > most:
            raise OSError("the line is too long")
    return bytes(said)


def ask(path: Path, request: dict[str, Any]) -> Any:
    """Ask the process behind a socket; return its answer.

    Raises:
        OSError: it does not answer.
        ValueError: it answers something else than JSON.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_PATIENCE)
        connection.connect(os.fspath(path))
        connection.sendall(json.dumps(request).encode() + b"\n")
        return json.loads(read_line(connection, _LONGEST_ANSWER))


def others() -> dict[int, Path]:
    """Return the sockets of other processes; those whose process has died are removed."""
    if not hasattr(socket, "AF_UNIX"):
        return {}
    found = places.sockets()
    found.pop(os.getpid(), None)
    for number, path in list(found.items()):
        if not _lives(number):
            del found[number]
            with suppress(OSError):
                path.unlink()
    return found


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
