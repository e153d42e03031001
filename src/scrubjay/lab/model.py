"""What a trace is, and what reading one may go wrong with.

A trace is a column of keys in the order they were asked for, with optional
columns beside it.  Columns are arrays rather than a list of request objects:
five million requests are then 40 MB, not a gigabyte.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from scrubjay.errors import CacheError

_EXAMPLES_KEPT = 5
"""Bad lines quoted in a report; the others are only counted."""


class TraceError(CacheError, ValueError):
    """A trace that cannot be read; the message names the file and the place."""


@dataclass(frozen=True)
class BadLines:
    """The lines of a text trace that held no request.

    Attributes:
        count: How many lines were left out.
        examples: The first few of them, each as ``line N: what is wrong``.
    """

    count: int = 0
    examples: tuple[str, ...] = ()

    def plus(self, line: int, problem: str, lines: int = 1) -> BadLines:
        """Count one more problem.

        Args:
            line: Number of the line, from 1.
            problem: What is wrong with it, for a person to read.
            lines: How many lines the problem cost.

        Returns:
            A new report with the problem added.
        """
        examples = self.examples
        if len(examples) < _EXAMPLES_KEPT:
            examples = (*examples, f"line {line}: {problem}")
        return BadLines(self.count + lines, examples)


@dataclass(frozen=True)
class Trace:
    """A recorded sequence of requests.

    Attributes:
        name: Short name, from the file's name.
        keys: The key of each request, in the order of the requests.
        sizes: Size of each requested object in bytes, where recorded.
        seconds: Time of each request in whole seconds, where recorded.
        clients: Number of the client behind each request, where recorded.
        bad_lines: What the file held besides requests.
    """

    name: str
    keys: Sequence[Hashable]
    sizes: Sequence[int] | None = None
    seconds: Sequence[int] | None = None
    clients: Sequence[int] | None = None
    bad_lines: BadLines = BadLines()

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def unique_keys(self) -> int:
        """How many different keys were asked for."""
        return len(set(self.keys))


@dataclass(frozen=True)
class ReadOptions:
    """How to read a trace.

    Attributes:
        limit: Read at most this many requests; None reads all.
        key_column: Name of the column that holds the keys, for formats with
            named columns.
    """

    limit: int | None = None
    key_column: str = "key"


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
            path: The file.
            options: How it would be read.

        Returns:
            False when the file is something else altogether.
        """

    def read(self, path: Path, options: ReadOptions) -> Trace:
        """Read one file.

        Args:
            path: The file.
            options: How much of it to read, and what from it.

        Returns:
            The trace; ``name`` may be left as the file's whole name.

        Raises:
            TraceError: The file is not in this format.
        """
