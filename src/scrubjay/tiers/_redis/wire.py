"""Commands to bytes and bytes to replies, by hiredis: the extra `redis`."""

from __future__ import annotations

import importlib
from typing import Any, Final

from scrubjay.errors import TierError

Command = tuple[bytes, ...]

#: what `Reader.gets` returns when the next reply is not complete
MORE: Final = object()


def hiredis() -> Any:
    """Return the module `hiredis`.

    Raises:
        TierError: it is not installed.
    """
    try:
        return importlib.import_module("hiredis")
    except ImportError as error:
        raise TierError(
            f"the Redis tier needs hiredis: pip install scrubjay[redis] ({error})"
        ) from error


def reader() -> Any:
    """Return a parser of replies, which are bytes and returns errors as values."""
    return hiredis().Reader(notEnoughData=MORE)


def encode(commands: list[Command]) -> bytes:
    """Return commands as they go over the wire, one after the other."""
    pack = hiredis().pack_command
    return b"".join([pack(command) for command in commands])
