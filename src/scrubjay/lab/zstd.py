"""Reading zstd frames as streams, with errors that name the file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from scrubjay.lab.model import TraceError

MAGIC_BYTES = 4
"""Bytes that tell a zstd frame."""

_MAGIC = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = b"\x2a\x4d\x18"  # after a first byte from 0x50 to 0x5f; pzstd begins with such a frame


def starts_as_zstd(start: bytes) -> bool:
    """Tell whether a file that starts so is compressed by zstd."""
    head = start[:MAGIC_BYTES]
    return head == _MAGIC or (head[1:] == _SKIPPABLE and head[0] & 0xF0 == 0x50)


@contextmanager
def open_zstd(path: Path, file: BinaryIO | None = None) -> Iterator[BinaryIO]:
    """Open a compressed file for reading.

    Args:
        path: the file.
        file: the same, where it is open already.

    Yields:
        What it holds, as a stream.

    Raises:
        TraceError: the file is damaged, or zstd is not installed.
    """
    zstd = _import_zstd(path)
    try:
        with zstd.open(file or path, "rb") as stream:
            yield stream
    except EOFError as error:
        raise TraceError(f"{path}: the zstd frame is cut short") from error
    except zstd.ZstdError as error:
        raise TraceError(f"{path}: not a readable zstd frame: {error}") from error


def _import_zstd(path: Path) -> Any:
    """The zstd module: of the standard library from Python 3.14, else the backport."""
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd  # noqa: PLC0415 - not in every build of Python
        else:
            from backports import zstd  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise TraceError(
            f"{path}: reading zstd needs the extra 'cli': pip install 'scrubjay[cli]'"
        ) from error
    return zstd
