"""What a trace is, and what reading one may go wrong with.

A trace is a column of keys in the order they were asked for, with optional
columns beside it.  Columns are arrays rather than a list of request objects:
five million requests are then 40 MB, not a gigabyte.  A trace may also be
read in chunks, each a short trace, when it is larger than memory.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

from scrubjay.errors import CacheError

_EXAMPLES_KEPT = 5
"""Bad lines quoted in a report; the others are only counted."""


class TraceError(CacheError, ValueError):
    """A trace that cannot be read; the message names the file and the place."""


@dataclass(frozen=True)
class BadLines:
    """The lines of a text trace that held no request.

    Attributes:
        count: how many lines were left out.
        examples: the first few of them, each as ``line N: what is wrong``;
            ``record N`` in a binary trace.
    """

    count: int = 0
    examples: tuple[str, ...] = ()

    def plus(self, line: int, problem: str, lines: int = 1, unit: str = "line") -> BadLines:
        """Count one more problem.

        Args:
            line: number of the line, from 1.
            problem: what is wrong with it, for a person to read.
            lines: how many lines the problem cost.
            unit: what is counted, where it is not lines.

        Returns:
            A new report with the problem added.
        """
        examples = self.examples
        if len(examples) < _EXAMPLES_KEPT:
            examples = (*examples, f"{unit} {line}: {problem}")
        return BadLines(self.count + lines, examples)

    def merged(self, later: BadLines) -> BadLines:
        """Count the problems of a later part of the same file as well.

        Args:
            later: what the later part held besides requests.

        Returns:
            A new report on both.
        """
        examples = (*self.examples, *later.examples)[:_EXAMPLES_KEPT]
        return BadLines(self.count + later.count, examples)


@dataclass(frozen=True)
class Trace:
    """A recorded sequence of requests.

    Attributes:
        name: short name, from the file's name.
        keys: the key of each request, in the order of the requests.
        sizes: size of each requested object in bytes, where recorded.
        seconds: time of each request in seconds, where recorded.
        clients: number of the client or session behind each request, where
            recorded.
        costs: what it costs to load each requested object, in any one unit
            such as milliseconds, where recorded.
        bad_lines: what the file held besides requests.
        sample: the share of all keys that the trace holds, each with all of its
            requests; a cache of that share of the size hits about as often.
        total_requests: how many requests there were for all keys, where recorded.
    """

    name: str
    keys: Sequence[Hashable]
    sizes: Sequence[int] | None = None
    seconds: Sequence[float] | None = None
    clients: Sequence[int] | None = None
    costs: Sequence[float] | None = None
    bad_lines: BadLines = BadLines()
    sample: float = 1.0
    total_requests: int | None = None

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def unique_keys(self) -> int:
        """How many different keys were asked for."""
        return len(set(self.keys))

    @cached_property
    def unique_bytes(self) -> int:
        """The sum of the sizes of all objects, each as it was first asked for."""
        if self.sizes is None:
            return self.unique_keys
        # From the back, so that the first size of a key is the one that stays.
        return sum(dict(zip(reversed(self.keys), reversed(self.sizes), strict=True)).values())


@dataclass(frozen=True)
class ReadOptions:
    """How to read a trace.

    The columns matter to formats in which they have names.  A column that is
    None is looked for under its usual names, and may be missing; one that is
    named must be there.

    Attributes:
        limit: read at most this many requests; None reads all.
        key_column: the column with the keys.
        size_column: the column with sizes in bytes.
        time_column: the column with times, in seconds or as ISO 8601.
        client_column: the column with clients or sessions, of any spelling.
        cost_column: the column with what a load costs.
        format_name: name of the format; by default the file's ending tells.
    """

    limit: int | None = None
    key_column: str = "key"
    size_column: str | None = None
    time_column: str | None = None
    client_column: str | None = None
    cost_column: str | None = None
    format_name: str | None = None


class TraceFormat(Protocol):
    """A way to write requests down; one module each, registered by name."""

    @property
    def name(self) -> str:
        """The name to ask for this format by."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Endings of the files in this format, lower case, with their dot."""

    def recognises(self, path: Path, options: ReadOptions) -> bool:
        """Tell whether a file with such an ending is meant as a trace.

        Asked only of files found in a directory, where a table of something
        else may lie beside the traces.  A damaged trace is still a trace.

        Args:
            path: the file.
            options: how it would be read.

        Returns:
            False when the file is something else altogether.
        """

    def read(self, path: Path, options: ReadOptions) -> Trace:
        """Read one file.

        Args:
            path: the file.
            options: how much of it to read, and what from it.

        Returns:
            The trace; ``name`` may be left as the file's whole name.

        Raises:
            TraceError: the file is not in this format.
        """


@runtime_checkable
class ChunkedFormat(TraceFormat, Protocol):
    """A format that can be read piece by piece, so that no trace is too long."""

    def chunks(self, path: Path, options: ReadOptions) -> Iterator[Trace]:
        """Read one file in chunks of some ten thousand requests.

        All chunks have the same columns; bad lines are reported in the chunk
        that they stand in.

        Args:
            path: the file.
            options: how much of it to read, and what from it.

        Yields:
            The requests in order; what the file lacks is missing in each.

        Raises:
            TraceError: the file is not in this format.
        """


def printable(text: object) -> str:
    """Return text as it can be printed: names of files are bytes, and need not be text."""
    return str(text).encode(errors="backslashreplace").decode()
