"""Where processes of one user on one machine find each other."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from scrubjay.errors import CacheError, InvalidArgumentError

_ENDING = ".sock"
_LONGEST = 100  # bytes of a socket's path; systems take 104 or more


class UnsafePlaceError(CacheError, OSError):
    """The runtime directory is not ours alone, or cannot be made."""


def runtime_directory() -> Path:
    """Return the directory that announcements are in; others cannot enter it.

    It is ``$SCRUBJAY_RUNTIME_DIR``, or ``scrubjay`` in ``$XDG_RUNTIME_DIR``, or
    ``scrubjay-<user id>`` in the directory for temporary files.

    Raises:
        UnsafePlaceError: it belongs to somebody else, or others may enter it.
    """
    chosen = os.environ.get("SCRUBJAY_RUNTIME_DIR")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if chosen:
        place = Path(chosen)
    elif runtime:
        place = Path(runtime) / "scrubjay"
    else:
        place = Path(tempfile.gettempdir()) / f"scrubjay-{os.getuid()}"
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = place.lstat()
    except OSError as error:
        raise UnsafePlaceError(f"{place}: {error}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise UnsafePlaceError(f"{place}: it is not a directory of this user's")
    if found.st_mode & 0o077:
        raise UnsafePlaceError(f"{place}: others may enter it; it must have mode 0700")
    return place


def own_socket() -> Path:
    """Return the path of this process's socket.

    Raises:
        UnsafePlaceError: the directory is not ours alone.
        InvalidArgumentError: the path is too long for a socket.
    """
    path = runtime_directory() / f"{os.getpid()}{_ENDING}"
    if len(os.fsencode(path)) > _LONGEST:
        raise InvalidArgumentError(
            f"SCRUBJAY_RUNTIME_DIR: {path} is too long for a socket, {_LONGEST} bytes at most"
        )
    return path


def sockets() -> dict[int, Path]:
    """Return the sockets of the processes that announced themselves, by process id."""
    found: dict[int, Path] = {}
    for path in runtime_directory().glob(f"*{_ENDING}"):
        number = path.name.removesuffix(_ENDING)
        if number.isdecimal():
            found[int(number)] = path
    return found
