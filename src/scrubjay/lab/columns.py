"""Traces as comma- or tab-separated columns under a header.

One column holds the keys, by default the one called ``key``; others may hold
sizes, times, clients and costs.  A row is bad when its number of fields
differs from the header's (a shifted column would yield wrong keys silently),
when its key is empty, when a number is none, or when it is malformed.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from scrubjay.lab.chunks import CHUNK_REQUESTS, join_chunks
from scrubjay.lab.fields import Field, make_fields
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
        return join_chunks(path.name, self.chunks(path, options))

    def chunks(self, path: Path, options: ReadOptions) -> Iterator[Trace]:
        """Read one file in chunks; see `ChunkedFormat.chunks`."""
        with _open(path) as file:
            rows = _rows(path, file)
            header = _read_header(path, rows)
            key_position = _position(path, header, options.key_column)
            fields = [
                (_position(path, header, column), field)
                for column, field in make_fields(header, options)
            ]
            yield from _read_rows(path.name, rows, key_position, fields, len(header), options.limit)


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


def _position(path: Path, header: list[str], column: str) -> int:
    if column not in header:
        raise TraceError(
            f"{path}, line 1: there is no column {column!r}; "
            f"the header names {', '.join(map(repr, header))}"
        )
    return header.index(column)


def _read_rows(
    name: str,
    rows: Reader,
    key_position: int,
    fields: list[tuple[int, Field]],
    width: int,
    limit: int | None,
) -> Iterator[Trace]:
    keys: list[str] = []
    bad = BadLines()
    shared: dict[str, str] = {}
    left = limit
    while left is None or left > 0:
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
        problem = _check(row, key_position, width)
        if not problem:
            try:
                values = [field.parse(row[position]) for position, field in fields]
            except ValueError as error:
                problem = str(error)
        if problem:
            bad = bad.plus(before + 1, problem)
            continue
        keys.append(shared.setdefault(row[key_position], row[key_position]))
        for (_, field), value in zip(fields, values, strict=True):
            field.column.append(value)
        if left is not None:
            left -= 1
        if len(keys) == CHUNK_REQUESTS:
            yield _take(name, keys, fields, bad)
            keys, bad = [], BadLines()
    yield _take(name, keys, fields, bad)


def _check(row: list[str], key_position: int, width: int) -> str:
    """What is wrong with a row, or nothing."""
    if len(row) != width:
        return f"{len(row)} fields under a header of {width}"
    key = row[key_position]
    if not key:
        return "the key is empty"
    if not key.isprintable() and not _is_text(key):
        return "the key is not UTF-8"
    return ""


def _take(name: str, keys: list[str], fields: list[tuple[int, Field]], bad: BadLines) -> Trace:
    columns = {field.name: field.take() for _, field in fields}
    return Trace(
        name,
        keys,
        sizes=columns.get("sizes"),
        seconds=columns.get("seconds"),
        clients=columns.get("clients"),
        costs=columns.get("costs"),
        bad_lines=bad,
    )


def _is_text(key: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in key)


FORMAT = Columns()
