"""The file that memory is saved to: written whole or not at all, read as far as it is whole.

    magic and version, 5 bytes
    length of the head, 4 bytes; the head
    for each record: length of its header, length of its body, 4 bytes each; header, body
    at the end 0xFFFFFFFF, and the number of records in 4 bytes

Numbers are unsigned and big-endian. What stands in head, headers and bodies, and whether it is
intact, is the business of who writes and reads it: `scrubjay._flow.warm_entries`. No length is
believed that goes beyond the end of the file, and no symbolic link is followed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from struct import Struct
from typing import BinaryIO, NamedTuple

from scrubjay.errors import SnapshotError

try:
    import fcntl
except ImportError:  # pragma: no cover - not on Windows; leftovers stay there
    fcntl = None  # type: ignore[assignment]

MAGIC = b"SJWF\x01"
_NAME_LENGTH = 4  # of these, the version apart
_END = 0xFFFFFFFF
_LENGTHS = Struct(">II")
_LENGTH = Struct(">I")
LONGEST_HEADER = 1 << 20  #: bytes of a head or of a header
LONGEST_BODY = (1 << 32) - 1  #: bytes
_BUFFER = 1 << 20
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class Line(NamedTuple):
    """A record.

    Attributes:
        header: its conditions.
        body: its value.
    """

    header: bytes
    body: bytes


class Batch(NamedTuple):
    """Some records of a file.

    Attributes:
        lines: the records.
        ended: whether there are no more.
        trouble: why the rest cannot be read; empty where there is no rest, or none yet.
    """

    lines: list[Line]
    ended: bool
    trouble: str = ""


def spare_others(path: str | os.PathLike[str]) -> None:
    """See that a file may be replaced: that it is a snapshot, of whatever version, or empty.

    What cannot be told, as it cannot be opened, is left to who replaces it.

    Raises:
        SnapshotError: it is something else.
    """
    try:
        descriptor = os.open(path, _READ | _BINARY)
    except OSError as error:
        if error.errno != errno.ELOOP:
            return
        raise SnapshotError(f"{os.fspath(path)!r} is a link, and is not replaced") from None
    try:
        whole = stat.S_ISREG(os.fstat(descriptor).st_mode)
        begin = os.read(descriptor, _NAME_LENGTH) if whole else b""
    finally:
        os.close(descriptor)
    if not whole or begin != MAGIC[: len(begin)]:
        raise SnapshotError(f"{os.fspath(path)!r} is no snapshot, and is not replaced by one")


class SnapshotWriter:
    """Writes a file beside the one that it is to replace, and puts it in its place at the end.

    Args:
        path: the file.
        sparing: whether what is there is left alone if it is no snapshot.
    """

    name = "snapshot"
    blocking = True

    def __init__(self, path: str | os.PathLike[str], *, sparing: bool = False) -> None:
        self._target = Path(path)
        self._sparing = sparing
        self._temporary: Path | None = None
        self._file: BinaryIO | None = None
        self._count = 0

    def begin(self, head: bytes) -> None:
        """Open the file and write the head.

        Raises:
            SnapshotError: it cannot be written.
        """
        with _told(self._target):
            if self._sparing:
                spare_others(self._target)
            self._sweep()
            while not self._create():
                self.abandon()
            assert self._file is not None
            self._file.write(MAGIC + _LENGTH.pack(len(head)) + head)

    def _create(self) -> bool:
        """Make the file; tell whether it is locked before somebody has swept it away."""
        token = secrets.token_hex(8)
        temporary = self._target.with_name(f".{self._target.name}.{token}.new")
        descriptor = os.open(temporary, _WRITE | _BINARY, 0o600)
        self._temporary = temporary
        self._file = os.fdopen(descriptor, "wb", _BUFFER)
        if fcntl is None:  # pragma: no cover
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return os.fstat(descriptor).st_nlink > 0

    def write(self, lines: Iterable[Line]) -> None:
        """Write records.

        Raises:
            SnapshotError: it cannot be written.
        """
        assert self._file is not None
        with _told(self._target):
            for header, body in lines:
                self._file.write(_LENGTHS.pack(len(header), len(body)))
                self._file.write(header)
                self._file.write(body)
                self._count += 1

    def commit(self) -> None:
        """Write the end, see that all is on the device, and replace the file.

        Raises:
            SnapshotError: it cannot be written.
        """
        assert self._file is not None
        assert self._temporary is not None
        with _told(self._target):
            self._file.write(_LENGTHS.pack(_END, self._count))
            self._file.flush()
            os.fsync(self._file.fileno())
            if self._sparing:
                spare_others(self._target)
            self._temporary.replace(self._target)
            self._temporary = None
            self._file.close()
            _sync_directory(self._target.parent)

    def abandon(self) -> None:
        """Leave the file as it was. Nothing, once it has been replaced."""
        temporary, self._temporary = self._temporary, None
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()

    def _sweep(self) -> None:
        """Remove what processes have left that were killed while they wrote: nobody locks it."""
        if fcntl is None:  # pragma: no cover
            return
        prefix = f".{self._target.name}."
        for left in self._target.parent.iterdir():
            if not (left.name.startswith(prefix) and left.name.endswith(".new")):
                continue
            with contextlib.suppress(OSError):
                descriptor = os.open(left, _READ | _BINARY)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    left.unlink()
                finally:
                    os.close(descriptor)


class SnapshotReader:
    """Reads such a file.

    Args:
        path: the file.
    """

    name = "snapshot"
    blocking = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._file: BinaryIO | None = None
        self._left = 0  # bytes
        self._count = 0

    def open(self, take: bool = False) -> bytes | None:
        """Return the head, or None if there is no file.

        Args:
            take: whether the file is removed, if it is one: nobody reads it twice. None, too,
                if somebody else has taken it.

        Raises:
            SnapshotError: it is none, another's, or cannot be read.
        """
        with _told(self._path):
            try:
                descriptor = os.open(self._path, _READ | _BINARY)
            except FileNotFoundError:
                return None
            self._file = os.fdopen(descriptor, "rb", _BUFFER)
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise SnapshotError(f"{self._path}: it is no file")
            if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
                raise SnapshotError(f"{self._path}: it belongs to another user")
            if os.name == "posix" and status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise SnapshotError(f"{self._path}: other users may write to it")
            self._left = status.st_size
            lead = self._read(len(MAGIC) + _LENGTH.size)
            if lead is None or lead[: len(MAGIC)] != MAGIC:
                raise SnapshotError(f"{self._path}: it is no snapshot, or of another version")
            if take and not self._take(descriptor):
                self._file.close()
                return None
            (length,) = _LENGTH.unpack_from(lead, len(MAGIC))
            head = self._read(length) if length <= LONGEST_HEADER else None
            if head is None:
                raise SnapshotError(f"{self._path}: its head is damaged")
            return head

    def _take(self, descriptor: int) -> bool:
        """Remove the file; tell whether it was there for us alone to take."""
        try:
            if fcntl is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not os.fstat(descriptor).st_nlink:
                    return False
            self._path.unlink()
        except (BlockingIOError, FileNotFoundError):
            return False
        return True

    def read(self, most: int, most_bytes: int = 4 * _BUFFER) -> Batch:
        """Return the next records.

        Args:
            most: how many at most.
            most_bytes: after how many bytes those must do.

        Raises:
            SnapshotError: the system refuses.
        """
        lines: list[Line] = []
        with _told(self._path):
            begun = self._left
            while len(lines) < most and begun - self._left < most_bytes:
                lead = self._read(_LENGTHS.size)
                if lead is None:
                    return Batch(lines, True, "it was cut short")
                header_length, length = _LENGTHS.unpack(lead)
                if header_length == _END:
                    lost = length != self._count or self._left
                    return Batch(lines, True, "its end is not where it was" if lost else "")
                if header_length > LONGEST_HEADER:
                    return Batch(lines, True, "the length of a record makes no sense")
                header = self._read(header_length)
                body = None if header is None else self._read(length)
                if header is None or body is None:
                    return Batch(lines, True, "it was cut short, or a length is wrong")
                lines.append(Line(header, body))
                self._count += 1
        return Batch(lines, False)

    def _read(self, length: int) -> bytes | None:
        """Return so many bytes, or None if there are fewer."""
        assert self._file is not None
        if length > self._left:
            return None
        data = self._file.read(length)
        self._left -= length
        return data if len(data) == length else None

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Have the errors of the system be of our kind, and name the file."""
    try:
        yield
    except SnapshotError:
        raise
    except OSError as error:
        raise SnapshotError(error.errno, f"{path}: {error.strerror or error}") from error


def _sync_directory(path: Path) -> None:
    """Have a new name be there after a power cut, where the system can tell."""
    with contextlib.suppress(OSError):
        directory = os.open(path, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
