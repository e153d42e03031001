"""Chunks: the short traces that a long one is read as, and joined from."""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable, Iterator
from typing import Any

from scrubjay.lab.model import BadLines, Trace

CHUNK_REQUESTS = 1 << 16
"""Requests in a chunk: some megabytes, and thousands of chunks are no burden."""

OPTIONAL_COLUMNS = ("sizes", "seconds", "clients", "costs")
"""The columns a trace may have beside its keys."""


def join_chunks(name: str, chunks: Iterable[Trace]) -> Trace:
    """Bring chunks to one trace.

    Args:
        name: name of the trace.
        chunks: its parts in order, all with the same columns.

    Returns:
        The whole.
    """
    keys: Any = []
    columns: dict[str, Any] = {}
    bad = BadLines()
    for number, chunk in enumerate(chunks):
        bad = bad.merged(chunk.bad_lines)
        if not number:
            # The first chunk grows: it is an array, or a list, of the right kind.
            keys = chunk.keys
            columns = {column: getattr(chunk, column) for column in OPTIONAL_COLUMNS}
            continue
        keys.extend(chunk.keys)
        for column, values in columns.items():
            if values is not None:
                values.extend(getattr(chunk, column))
    return Trace(name, keys, **columns, bad_lines=bad)


class KeyChunks:
    """Gathers keys, one or many at a time, and hands them out in chunks.

    For formats that have keys and nothing else.

    Args:
        name: name of the trace.
        limit: stop at this many requests; None for no end.
        numbers: whether all keys are whole numbers below 2**64.
    """

    def __init__(self, name: str, limit: int | None, *, numbers: bool) -> None:
        self.bad = BadLines()
        self._name = name
        self._numbers = numbers
        self._left = limit
        self._keys: Any = self._new()

    @property
    def finished(self) -> bool:
        """Whether the limit is reached."""
        return self._left == 0

    def add(self, keys: Iterable[Hashable], count: int) -> Iterator[Trace]:
        """Take keys.

        Args:
            keys: the keys of the next requests; a slice of them will do.
            count: how many they are.

        Yields:
            Chunks that have become full.
        """
        source = iter(keys)
        if self._left is not None:
            count = min(count, self._left)
            self._left -= count
        while count:
            room = min(count, CHUNK_REQUESTS - len(self._keys))
            self._keys.extend(next(source) for _ in range(room))
            count -= room
            if len(self._keys) == CHUNK_REQUESTS:
                yield self.take()

    def take(self) -> Trace:
        """Hand out what is there, full or not, with the bad lines so far."""
        chunk = Trace(self._name, self._keys, bad_lines=self.bad)
        self._keys, self.bad = self._new(), BadLines()
        return chunk

    def _new(self) -> Any:
        return array("Q") if self._numbers else []
