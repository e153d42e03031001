"""Traces as comma- or tab-separated columns under a header.

One column holds the keys, by default the one called ``key``.  A row is bad
when its number of fields differs from the header's (a shifted column would
yield wrong keys silently), when its key is empty, or when it is malformed.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from scrubjay.lab.model import BadLines, ReadOptions, Trace, TraceError

if TYPE_CHECKING:
    from _csv import Reader


class Columns:
    """Reader of delimited text with a header."""

    name = "csv"
    suffixes = (".csv", ".tsv")

    def recognises(self, path: Path, options: ReadOptions) -> bool:
        """A table without the key column is not a trace; see `TraceFormat.recognises`."""
        with _open(path) as file:
            return options.key_column in _read_header(path, _rows(path, file))

    def read(self, path: Path, options: ReadOptions) -> Trace:
        """Read one file; see `TraceFormat.read`."""
        with _open(path) as file:
            rows = _rows(path, file)
            header = _read_header(path, rows)
            if options.key_column not in header:
                raise TraceError(
                    f"{path}, line 1: there is no column {options.key_column!r}; "
                    f"the header names {', '.join(map(repr, header))}"
                )
            column = header.index(options.key_column)
            keys, bad = _read_keys(rows, column, len(header), options.limit)
        return Trace(path.name, keys, bad_lines=bad)


def _open(path: Path) -> TextIO:
    # Bytes that are not UTF-8 become lone surrogates, so that one bad row
    # costs one row and not the file.
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def _rows(path: Path, file: TextIO) -> Reader:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    return csv.reader(file, delimiter=delimiter, strict=True)


def _read_header(path: Path, rows: Reader) -> list[str]:
    try:
        header = next(rows, [])
    except csv.Error as error:
        raise TraceError(f"{path}, line 1: the header is malformed: {error}") from error
    if not header:
        raise TraceError(f"{path}, line 1: a header naming the columns is missing")
    return [name.strip() for name in header]


def _read_keys(
    rows: Reader, column: int, width: int, limit: int | None
) -> tuple[list[str], BadLines]:
    keys: list[str] = []
    bad = BadLines()
    shared: dict[str, str] = {}
    while limit is None or len(keys) < limit:
        before = rows.line_num
        try:
            row = next(rows)
        except StopIteration:
            break
        except csv.Error as error:
            # An open quote swallows lines until the parser gives up: they all
            # count, or requests would vanish without a word.
            bad = bad.plus(before + 1, str(error), max(1, rows.line_num - before))
            continue
        if len(row) != width:
            bad = bad.plus(before + 1, f"{len(row)} fields under a header of {width}")
            continue
        key = row[column]
        if not key:
            bad = bad.plus(before + 1, "the key is empty")
        elif not key.isprintable() and not _is_text(key):
            bad = bad.plus(before + 1, "the key is not UTF-8")
        else:
            keys.append(shared.setdefault(key, key))
    return keys, bad


def _is_text(key: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in key)


FORMAT = Columns()
