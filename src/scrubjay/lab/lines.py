"""Plain text traces: one key per line, in UTF-8.

A key is the whole line without its line ending; inner and outer blanks belong
to it, but not the mark of UTF-8 that some editors begin a file with.  Empty
lines and lines that are not UTF-8 are counted as bad lines.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path

from scrubjay.lab.chunks import CHUNK_REQUESTS, join_chunks
from scrubjay.lab.model import BadLines, ReadOptions, Trace


class PlainLines:
    """Reader of one key per line."""

    name = "lines"
    suffixes = (".txt", ".keys", ".trace")

    def recognises(self, path: Path, options: ReadOptions) -> bool:
        """Any text will do; see `TraceFormat.recognises`."""
        return True

    def read(self, path: Path, options: ReadOptions) -> Trace:
        """Read one file; see `TraceFormat.read`."""
        return join_chunks(path.name, self.chunks(path, options))

    def chunks(self, path: Path, options: ReadOptions) -> Iterator[Trace]:
        """Read one file in chunks; see `ChunkedFormat.chunks`."""
        keys: list[str] = []
        bad = BadLines()
        done = 0
        # Equal keys share one string: a trace repeats its keys by nature.
        shared: dict[str, str] = {}
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                if options.limit is not None and done + len(keys) >= options.limit:
                    break
                line = raw.rstrip(b"\r\n")
                if number == 1:
                    line = line.removeprefix(BOM_UTF8)
                if not line:
                    bad = bad.plus(number, "empty")
                    continue
                try:
                    key = line.decode()
                except UnicodeDecodeError as error:
                    bad = bad.plus(number, f"not UTF-8 at byte {error.start}")
                    continue
                keys.append(shared.setdefault(key, key))
                if len(keys) == CHUNK_REQUESTS:
                    yield Trace(path.name, keys, bad_lines=bad)
                    done += len(keys)
                    keys, bad = [], BadLines()
        yield Trace(path.name, keys, bad_lines=bad)


FORMAT = PlainLines()
