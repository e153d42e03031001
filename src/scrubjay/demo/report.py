"""The demonstration on the screen: live figures, and tables at the end.

Needs the extra ``cli``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from scrubjay.demo.result import DemoResult, Progress

_MEGABYTE = 1024 * 1024


@contextmanager
def live_figures(console: Console) -> Iterator[Callable[[Progress], None]]:
    """Show figures that follow a run; without a terminal, one line a stage.

    Args:
        console: where to show them.

    Yields:
        What to call with where the run is.
    """
    if not console.is_terminal:
        yield _print_stages(console)
        return
    with Live(console=console, transient=True, refresh_per_second=8) as live:
        shown = ""

        def show(progress: Progress) -> None:
            nonlocal shown
            new, shown = progress.stage != shown, progress.stage
            live.update(_render_progress(progress), refresh=new)  # each stage, however short

        yield show


def _print_stages(console: Console) -> Callable[[Progress], None]:
    shown: set[str] = set()

    def show(progress: Progress) -> None:
        if progress.stage not in shown:
            shown.add(progress.stage)
            console.print(progress.stage)

    return show


def _render_progress(progress: Progress) -> Group:
    line = Table.grid(padding=(0, 2))
    figures = [f"[bold]{progress.stage}[/]", f"{progress.done:,} of {progress.total:,}"]
    if progress.source_calls:
        speed = progress.done / progress.seconds if progress.seconds else 0.0
        figures += [
            f"hit rate [bold]{progress.hit_rate:.2%}[/]",
            f"latency {progress.mean_latency_ms:.3f} ms",
            f"{speed:,.0f} operations/s",
            f"{progress.source_calls:,} source calls",
        ]
    line.add_row(*figures)
    return Group(line, ProgressBar(total=max(1, progress.total), completed=progress.done))


def print_result(result: DemoResult, console: Console) -> None:
    """Print the tables of a run.

    Args:
        result: what the run came to.
        console: where to print them.
    """
    console.print(_figures(result))
    console.print(_comparison(result))
    for fault in result.fault_examples:
        console.print(f"[red]fault:[/] {fault}")
    for target, reached in result.targets.items():
        console.print(f"{'[green]reached[/]' if reached else '[red]missed[/] '}  {target}")


def _figures(result: DemoResult) -> Table:
    table = Table(
        title=(
            f"{result.operations:,} operations of {result.users} users "
            f"in {result.sessions:,} sessions, seed {result.seed}"
        ),
        title_justify="left",
        show_header=False,
    )
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    latency, removals = result.latency, result.removals
    by_tag, by_dependency = removals.get("tag", 0), removals.get("dependency", 0)
    by_key = removals.get("invalidated", 0)
    speed = result.operations / result.traffic_seconds

    def add(what: str, figure: str, *details: str) -> None:
        table.add_row(what, figure, "; ".join(details))

    add("hit rate", f"[bold]{result.hit_rate:.2%}[/]", f"{result.hits:,} of {result.requests:,}")
    if result.tiers:
        shares = (f"{name} [bold]{share:.2%}[/]" for name, share in result.shares.items())
        add("answered by", "", ", ".join(shares))
    add(
        "read latency",
        f"[bold]{latency.mean_ms:.3f} ms[/]",
        "average",
        f"p50 {latency.p50_ms:.4f}, p99 {latency.p99_ms:.3f}, longest {latency.max_ms:.1f} ms",
    )
    add(
        "throughput",
        f"{speed:,.0f}/s",
        f"in {result.traffic_seconds:.1f} s",
        f"{result.sync_reads:,} reads through the synchronous door",
    )
    add(
        "source calls saved",
        f"{result.saved_calls:,}",
        f"{result.source_calls:,} made",
        f"{result.mean_load_ms:.2f} ms each under load, {result.quiet_load_ms:.2f} in quiet",
    )
    add("time saved", f"{result.saved_seconds:,.0f} s", "calls saved x mean time of one in quiet")
    add(
        "invalidated",
        f"{by_tag + by_dependency + by_key:,}",
        f"{by_tag:,} by tag, {by_dependency:,} by dependency, {by_key:,} by key",
        f"{result.writes:,} writes",
    )
    add("expired", f"{removals.get('expired', 0):,}")
    add("evicted", f"{removals.get('evicted', 0):,}")
    add(
        "freshness",
        f"{result.faults:,} faults",
        f"{result.checked_reads:,} reads checked",
        f"{result.compared:,} answers compared with the database",
    )
    add(
        "memory",
        f"{result.memory_bytes / _MEGABYTE:.2f} MB",
        f"of {result.budget_bytes / _MEGABYTE:.3g} MB, {result.entries:,} entries",
    )
    add("whole run", f"{result.total_seconds:.1f} s", f"source of {result.source_rows:,} rows")
    return table


def _comparison(result: DemoResult) -> Table:
    table = Table(
        title=f"The same traffic in {result.comparison_bytes / _MEGABYTE:.2f} MB",
        title_justify="left",
    )
    table.add_column("strategy")
    for heading in ("hit rate", "misses", "evictions", "waited for the source", "source calls"):
        table.add_column(heading, justify="right")
    best = max((outcome.hits for outcome in result.comparison), default=0)
    for outcome in (*result.comparison, result.prefetching):
        style = "bold" if outcome.hits == best else ""
        table.add_row(
            outcome.strategy,
            f"{outcome.hit_rate:.2%}",
            f"{outcome.requests - outcome.hits:,}",
            f"{outcome.evictions:,}",
            f"{outcome.source_seconds:.1f} s",
            f"{outcome.loads:,}",
            style=style,
        )
    return table
