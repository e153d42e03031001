"""Block traces as published with ARC (``.lis``) and LIRS (``.trc``).

An ARC line is ``start count ignored request``: a request for ``count`` blocks
from ``start`` on, which counts as one request a block.  A LIRS line is one
block number; lines that start with ``*`` divide the trace and say nothing.

References:
    Megiddo and Modha, ARC: a self-tuning, low overhead replacement cache,
    FAST 2003.  Jiang and Zhang, LIRS, SIGMETRICS 2002.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from scrubjay.lab.chunks import KeyChunks, join_chunks
from scrubjay.lab.model import ReadOptions, Trace

_ARC_FIELDS = 4
_NUMBERS = 1 << 64
_MOST_BLOCKS = 1 << 20  # of one request; more is a damaged line


class _BlockFormat:
    """What the two formats have in common: lines that name ranges of blocks."""

    name: str
    suffixes: tuple[str, ...]

    def recognises(self, path: Path, options: ReadOptions) -> bool:
        """The ending is telling enough; see `TraceFormat.recognises`."""
        return True

    def read(self, path: Path, options: ReadOptions) -> Trace:
        """Read one file; see `TraceFormat.read`."""
        return join_chunks(path.name, self.chunks(path, options))

    def chunks(self, path: Path, options: ReadOptions) -> Iterator[Trace]:
        """Read one file in chunks; see `ChunkedFormat.chunks`."""
        chunk = KeyChunks(path.name, options.limit, numbers=True)
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if chunk.finished:
                    break
                try:
                    blocks = self._blocks(line)
                except ValueError as error:
                    chunk.bad = chunk.bad.plus(number, str(error))
                    continue
                yield from chunk.add(blocks, len(blocks))
        yield chunk.take()

    def _blocks(self, line: bytes) -> range:
        """The blocks that a line asks for.

        Args:
            line: the line.

        Returns:
            Their numbers; empty when the line asks for none.

        Raises:
            ValueError: the line makes no sense; the message says why.
        """
        raise AssertionError("each format has its own")


class ArcBlocks(_BlockFormat):
    """Reader of ``start count ignored request``."""

    name = "arc"
    suffixes = (".lis",)

    def _blocks(self, line: bytes) -> range:
        fields = line.split()
        if len(fields) != _ARC_FIELDS:
            raise ValueError(f"{len(fields)} fields, not {_ARC_FIELDS}")
        start, count = _number(fields[0]), _number(fields[1])
        if not 0 < count <= _MOST_BLOCKS or start + count > _NUMBERS:
            raise ValueError(f"{count} blocks from {start} on make no sense")
        return range(start, start + count)


class LirsBlocks(_BlockFormat):
    """Reader of one block number per line."""

    name = "lirs"
    suffixes = (".trc",)

    def _blocks(self, line: bytes) -> range:
        text = line.strip()
        if text.startswith(b"*"):
            return range(0)
        number = _number(text)
        if number >= _NUMBERS:
            raise ValueError(f"{number} is no block number")
        return range(number, number + 1)


def _number(text: bytes) -> int:
    # Not int() alone, which takes signs and underscores.
    if not text.isdigit():
        raise ValueError(f"{text.decode(errors='replace')!r} is not a number" if text else "empty")
    return int(text)


ARC = ArcBlocks()
LIRS = LirsBlocks()
