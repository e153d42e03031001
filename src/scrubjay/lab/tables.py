"""Tables of replays for people; needs the extra ``cli``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from scrubjay.lab.capacity import in_words
from scrubjay.lab.contest import BASELINE, OPTIMUM
from scrubjay.lab.model import printable
from scrubjay.lab.summary import LEAST_OBJECTS, MEASURES, PolicySummary, Row

_FILE_WIDTH = 160  # columns; in a file or a pipe no table has to be folded
_COLUMN_WIDTH = 11  # of a policy, about
_WHERE_WIDTH = 52  # of what stands before the policies, about


def print_tables(
    rows: Sequence[Row],
    policies: Sequence[str],
    summaries: Sequence[PolicySummary] = (),
    *,
    misses: bool = False,
) -> None:
    """Print the ratios of all rows, then what they come to.

    Args:
        rows: the rows.
        policies: the policies, in the order asked for.
        summaries: the summary of each, if there is one.
        misses: whether to show what missed, not what hit.
    """
    console = Console(highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = _FILE_WIDTH
    for part in _parts(policies, console.width):
        console.print(_grid(rows, part, misses=misses))
    if summaries and any(not row.counts for row in rows):
        console.print(f"* room for fewer than {LEAST_OBJECTS} objects: not in the summary")
    if OPTIMUM in policies and any(row.in_bytes for row in rows):
        console.print(f"{OPTIMUM}: for capacities in bytes an upper bound, which none may reach")
    measure = rows[0].measure
    if OPTIMUM in policies and measure != MEASURES[0] and any(not row.in_bytes for row in rows):
        console.print(
            f"{OPTIMUM}: for capacities in entries the most objects; of {measure} another may hit more"
        )
    if summaries:
        console.print(_summary(summaries))


def escape(text: object) -> str:
    """Keep brackets in names from being read as markup, and names that are no text printable."""
    return printable(text).replace("[", r"\[")


def _parts(policies: Sequence[str], width: int) -> Iterator[Sequence[str]]:
    """As many policies at a time as find room beside each other."""
    room = max(2, (width - _WHERE_WIDTH) // _COLUMN_WIDTH)
    for start in range(0, len(policies), room):
        yield policies[start : start + room]


def _grid(rows: Sequence[Row], policies: Sequence[str], *, misses: bool) -> Table:
    measure = rows[0].measure
    of = "" if measure == "objects" else f" of {measure}"
    table = Table(
        title=f"{'Miss' if misses else 'Hit'} ratio{of}, best in bold", title_justify="left"
    )
    table.add_column("trace", no_wrap=True)
    table.add_column("requests", justify="right")
    table.add_column("capacity", justify="right")
    table.add_column(
        "entries" if not any(row.in_bytes for row in rows) else "size", justify="right"
    )
    for name in policies:
        # Without the name of the library: a column is narrow.
        table.add_column(name.partition(":")[2] or name, justify="right", no_wrap=True)
    for row in rows:
        best = row.best()
        table.add_row(
            escape(row.trace),
            f"{row.requests:,}",
            row.capacity + "*" * (not row.counts),
            in_words(row.amount, in_bytes=row.in_bytes),
            *(_ratio(row, name, bold=name in best, misses=misses) for name in policies),
        )
    return table


def _ratio(row: Row, policy: str, *, bold: bool, misses: bool) -> str:
    ratio = row.miss_ratio(policy)
    if ratio is None:
        return "-"
    shown = ratio if misses else 1 - ratio
    return f"[bold]{shown:.2%}[/]" if bold else f"{shown:.2%}"


def _summary(summaries: Sequence[PolicySummary]) -> Table:
    table = Table(
        title=f"Reduction of the miss ratio against {BASELINE.upper()}",
        title_justify="left",
        caption="gap closed: the share of the way from LRU to Belady's optimum",
        caption_justify="left",
    )
    table.add_column("policy", no_wrap=True)
    for name in ("cells", "mean", "median", "mean rank", "worst case"):
        table.add_column(name, justify="right")
    table.add_column("at", no_wrap=True)
    table.add_column("gap closed", justify="right")
    for place, summary in enumerate(summaries):
        ranked = summary.mean_rank is not None
        if place and not ranked and summaries[place - 1].mean_rank is not None:
            table.add_section()
        table.add_row(
            summary.policy,
            str(summary.cells),
            f"{summary.mean:+.2%}",
            f"{summary.median:+.2%}",
            f"{summary.mean_rank:.1f}" if summary.mean_rank is not None else "",
            f"{summary.worst:+.2%}",
            escape(summary.worst_at),
            f"{summary.gap_closed:.1%}" if summary.gap_closed is not None else "",
        )
    return table
