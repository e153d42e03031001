"""Reading traces of any known format, whole or in chunks; the registry of formats.

A new format is one module with a `TraceFormat`, and one line in `_BUILT_IN`;
from outside the package, `register_format` does the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from scrubjay.lab import blocks, columns, ctr, generate, lines, oracle, recording
from scrubjay.lab.model import ChunkedFormat, ReadOptions, Trace, TraceError, TraceFormat, printable

_BUILT_IN: tuple[TraceFormat, ...] = (
    lines.FORMAT,
    columns.FORMAT,
    ctr.FORMAT,
    oracle.FORMAT,
    blocks.ARC,
    blocks.LIRS,
    generate.FORMAT,
    recording.FORMAT,
)

_formats: dict[str, TraceFormat] = {form.name: form for form in _BUILT_IN}


def register_format(form: TraceFormat) -> None:
    """Make a format known under its name, in place of any of that name.

    Args:
        form: the format.
    """
    _formats[form.name] = form


def format_names() -> tuple[str, ...]:
    """The names of all known formats."""
    return tuple(_formats)


def read_trace(
    path: str | Path,
    *,
    format_name: str | None = None,
    limit: int | None = None,
    key_column: str = "key",
    size_column: str | None = None,
    time_column: str | None = None,
    client_column: str | None = None,
    cost_column: str | None = None,
) -> Trace:
    """Read a trace from a file.

    Args:
        path: the file, or a workload made to order: ``gen:zipf:keys=1000``.
        format_name: name of its format; by default the file's ending tells.
        limit: read at most this many requests.
        key_column: the column with the keys, for formats with named columns.
        size_column: likewise the column with sizes in bytes; by default the
            one with a usual name, if there is one.
        time_column: likewise the column with times.
        client_column: likewise the column with clients or sessions.
        cost_column: likewise the column with what a load costs.

    Returns:
        The trace, named after the file without its ending.

    Raises:
        TraceError: the file cannot be read, is in no known format or in
            another than it says, or holds no request.
    """
    options = ReadOptions(
        limit, key_column, size_column, time_column, client_column, cost_column, format_name
    )
    return read_with(Path(path), options)


def read_with(path: Path, options: ReadOptions) -> Trace:
    """Read a trace, as `read_trace` does.

    Args:
        path: the file.
        options: how to read it.

    Returns:
        The trace.

    Raises:
        TraceError: see `read_trace`.
    """
    form = _choose_format(path, options)
    try:
        trace = form.read(path, options)
    except OSError as error:
        raise TraceError(f"{path}: {error.strerror or error}") from error
    if not len(trace):
        raise TraceError(f"{path}: there is no request in it{_explain(trace)}")
    return replace(trace, name=_short_name(path, form))


def stream_trace(path: str | Path, options: ReadOptions | None = None) -> Iterator[Trace]:
    """Read a trace in chunks, so that it may be larger than memory.

    Args:
        path: the file.
        options: how to read it.

    Yields:
        The requests in order, some ten thousand at a time; a format that
        cannot be read in parts yields the whole at once.

    Raises:
        TraceError: see `read_trace`; a file without any request yields none.
    """
    path, options = Path(path), options or ReadOptions()
    form = _choose_format(path, options)
    name = _short_name(path, form)
    try:
        whole = form.chunks(path, options) if isinstance(form, ChunkedFormat) else None
        for chunk in whole or [form.read(path, options)]:
            yield replace(chunk, name=name)
    except OSError as error:
        raise TraceError(f"{path}: {error.strerror or error}") from error


def _choose_format(path: Path, options: ReadOptions) -> TraceFormat:
    if options.limit is not None and options.limit < 1:
        raise TraceError(f"{path}: limit must be at least 1 request, not {options.limit}")
    asked_name = options.format_name
    form = _find_format(path) if asked_name is None else _formats.get(asked_name)
    if form is None:
        known = ", ".join(f"{form.name} ({' '.join(form.suffixes)})" for form in _formats.values())
        asked = f"format {asked_name!r}" if asked_name else "this ending"
        raise TraceError(f"{path}: {asked} is not known; known formats are {known}")
    return form


@dataclass(frozen=True)
class FoundTraces:
    """What a list of files and directories comes to.

    Attributes:
        files: the traces, each once.
        left_out: files in the directories that are something else.
    """

    files: tuple[Path, ...]
    left_out: tuple[Path, ...] = ()


def find_traces(
    paths: Iterable[str | Path], *, key_column: str = "key", format_name: str | None = None
) -> FoundTraces:
    """Expand directories to the traces in them.

    Args:
        paths: files, taken as they are, and directories, of which every file
            in a known format is taken, in order of name.
        key_column: the column with the keys, for formats with named columns.
        format_name: name of the format of all; by default the endings tell.

    Returns:
        The traces, and what lies beside them.

    Raises:
        TraceError: a path does not exist or cannot be looked at, or a directory holds no
            trace.
    """
    found: dict[Path, None] = {}
    left_out: list[Path] = []
    options = ReadOptions(key_column=key_column, format_name=format_name)
    for given in paths:
        path = Path(given)
        try:
            if str(path).startswith(generate.PREFIX):
                found[path] = None
            elif path.is_dir():
                inside, others = _scan(path, options)
                if not inside:
                    raise TraceError(f"{path}: there is no trace in this directory")
                found.update(dict.fromkeys(inside))
                left_out.extend(others)
            elif path.exists():
                found[path] = None
            else:
                raise TraceError(f"{path}: no such file or directory")
        except OSError as error:
            raise TraceError(f"{path}: {error.strerror or error}") from error
    return FoundTraces(tuple(found), tuple(left_out))


def _scan(directory: Path, options: ReadOptions) -> tuple[list[Path], list[Path]]:
    traces: list[Path] = []
    others: list[Path] = []
    for file in sorted(directory.iterdir()):
        if not file.is_file() or file.name.startswith("."):
            continue
        form = _formats.get(options.format_name) if options.format_name else _find_format(file)
        try:
            meant = form is not None and form.recognises(file, options)
        except (OSError, TraceError):
            meant = True  # Reading it will tell what is wrong.
        (traces if meant else others).append(file)
    return traces, others


def _find_format(path: Path) -> TraceFormat | None:
    if str(path).startswith(generate.PREFIX):
        return generate.FORMAT
    name = path.name.lower()
    for form in _formats.values():
        if form.suffixes and name.endswith(form.suffixes):
            return form
    return None


def _short_name(path: Path, form: TraceFormat) -> str:
    name = printable(path.name)
    for suffix in form.suffixes:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)] or name
    return name


def _explain(trace: Trace) -> str:
    if not trace.bad_lines.count:
        return ""
    return f": {trace.bad_lines.count} bad lines, first {trace.bad_lines.examples[0]}"
