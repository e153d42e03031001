"""Tables for the terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.cases import CASES, Case
from benchmarks.cases.threads import ALL, ONE
from benchmarks.goals import Verdict
from benchmarks.peers import SCRUBJAY, STRATEGIES
from benchmarks.results import Measured, Spread
from benchmarks.timing import LOOP_OVERHEAD

_OTHER_STRATEGIES = {f"{SCRUBJAY} {name}" for name in STRATEGIES}
_HOW_TO_READ = (
    "Figures are medians; ratios are medians of the ratios within a round, with their quartiles."
    " Lower is better but for hit ratios. How to read them: see [the method](../README.md)."
)
Table = list[list[str]]


def goals_table(verdicts: Sequence[Verdict]) -> Table:
    """Return one row a goal: limit, median, quartiles, verdict."""
    rows = [["goal", "limit", "figure", "quartiles", "loop subtracted", "verdict", "note"]]
    for verdict in verdicts:
        goal, reading = verdict.goal, verdict.reading
        limit = f"{'>=' if goal.at_least else '<' if goal.strict else '<='} {goal.limit:g}"
        if reading is None:
            rows.append([goal.title, limit, "-", "-", "-", verdict.word, ""])
            continue
        figure = reading.figure
        digits = 1 if goal.unit.strip().startswith("B") else 3 if not goal.unit else 2
        rows.append(
            [
                goal.title,
                limit + goal.unit,
                f"{figure.median:.{digits}f}{goal.unit}",
                f"{figure.lower:.{digits}f} - {figure.upper:.{digits}f}",
                "-" if reading.net is None else f"{reading.net:.2f}x",
                verdict.word,
                reading.note,
            ]
        )
    return rows


def case_tables(case: Case, measured: Measured) -> list[tuple[str, Table]]:
    """Return a case's tables with headings: the peers, then scrubjay's strategies."""
    peers = [name for name in measured.samples if name not in _OTHER_STRATEGIES]
    tables = [(case.title, _table(case, measured, peers))]
    others = [name for name in measured.samples if name in _OTHER_STRATEGIES]
    if others:
        heading = f"{case.title}: scrubjay by strategy"
        tables.append((heading, _table(case, measured, [SCRUBJAY, *others])))
    return tables


def _table(case: Case, measured: Measured, names: Sequence[str]) -> Table:
    if not case.references:
        return _threads_table(case, measured, names)
    references = [name for name in case.references if name in measured.samples]
    header = [case.unit, "quartiles"]
    for reference in references:
        header += [f"/ {reference}", "quartiles"]
    if case.unit == "B":
        header += ["above a dict"]
    header += list(measured.facts)
    rows = [["", *header]]
    for name in names:
        row = [name, *_figures(measured.spread(name), 1)]
        for reference in references:
            row += _figures(measured.ratio(name, reference), 2)
        if case.unit == "B":
            row += _figures(measured.difference(name, references[0]), 1)[:1]
        for values in measured.facts.values():
            row.append(f"{values[name]:.3f}" if name in values else "-")
        rows.append(row)
    return rows


def _threads_table(case: Case, measured: Measured, names: Sequence[str]) -> Table:
    rows = [["", f"1 thread, {case.unit}", f"all, {case.unit}", "all / 1", "quartiles"]]
    for name in names:
        if not name.endswith(ONE):
            continue
        together = name.removesuffix(ONE) + ALL
        rows.append(
            [
                name.removesuffix(ONE),
                _figures(measured.spread(name), 1)[0],
                _figures(measured.spread(together), 1)[0],
                *_figures(measured.ratio(together, name), 2),
            ]
        )
    return rows


def _figures(spread: Spread | None, digits: int) -> list[str]:
    if spread is None:
        return ["-", "-"]
    return [
        f"{spread.median:.{digits}f}",
        f"{spread.lower:.{digits}f} - {spread.upper:.{digits}f}",
    ]


def described(environment: Mapping[str, Any], *, quick: bool) -> list[str]:
    """Return lines on what was measured, where, and what was missing."""
    packages: Mapping[str, str | None] = environment["packages"]
    present = [f"{name} {version}" for name, version in packages.items() if version]
    missing = [name for name, version in packages.items() if not version]
    threading = ", free-threaded" if environment["free_threaded"] else ""
    lines = [
        f"{environment['python']}{threading}, {environment['system']}",
        f"{environment['cpus']} CPUs: {environment['cpu']}",
        "Measured: " + ", ".join(present or ["nothing"]),
        "Missing, left out: " + (", ".join(missing) or "none"),
    ]
    if environment["scrubjay_compiled"] is False:
        lines.append(
            "scrubjay runs UNCOMPILED here: its figures say nothing about a normal install."
        )
    if quick:
        lines.append("A quick run: it shows that the suite works, its figures mean nothing.")
    return lines


def failure_lines(measured: Mapping[str, Measured]) -> list[str]:
    """Return one line for each subject that raised."""
    return [
        f"{case}: {subject} failed with {error}"
        for case, one in measured.items()
        for subject, error in one.failures.items()
    ]


def as_text(table: Table) -> str:
    """Align a table for the terminal."""
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = []
    for row in table:
        first, rest = row[0].ljust(widths[0]), zip(row[1:], widths[1:], strict=True)
        lines.append("  ".join([first, *(cell.rjust(width) for cell, width in rest)]).rstrip())
    return "\n".join(lines)


def as_markdown(table: Table) -> str:
    """Write a table in Markdown."""
    header, *rows = table
    rule = ["---", *("--:" for _ in header[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, rule, *rows])


def markdown(
    date: str,
    environment: Mapping[str, Any],
    verdicts: Sequence[Verdict],
    measured: Mapping[str, Measured],
    *,
    quick: bool,
) -> str:
    """Return the whole summary in Markdown.

    Args:
        date: The day of the run, in ISO format.
        environment: See `benchmarks.results.environment`.
        verdicts: The goals, judged.
        measured: The cases that ran.
        quick: Whether it was a smoke run.
    """
    parts = [f"# Benchmarks, {date}", *described(environment, quick=quick)]
    parts += [
        _HOW_TO_READ,
        "## Goals",
        as_markdown(goals_table(verdicts)),
    ]
    parts += failure_lines(measured)
    for name, one in measured.items():
        for heading, table in case_tables(CASES[name], one):
            parts += [f"## {heading}", as_markdown(table)]
    parts.append(_overhead_line(measured))
    return "\n\n".join(part for part in parts if part) + "\n"


def _overhead_line(measured: Mapping[str, Measured]) -> str:
    idle = [spread.median for one in measured.values() if (spread := one.spread(LOOP_OVERHEAD))]
    if not idle:
        return ""
    return f"The empty loop took {min(idle):.1f} to {max(idle):.1f} ns, included in every figure."
