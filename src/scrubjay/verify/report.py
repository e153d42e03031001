"""What a run has found, for people and for programs."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from scrubjay.types import CacheConsistencyLevel
from scrubjay.verify.run import Result

__all__ = ["print_result", "to_json"]


def to_json(result: Result) -> dict[str, Any]:
    """Return it as JSON has it."""
    found = result.findings
    return {
        "server": result.server,
        "seconds": round(result.seconds, 1),
        "checking_seconds": round(result.checking, 1),
        "processes": result.processes,
        "operations": found.operations,
        "by_kind": dict(found.by_kind),
        "reads": dict(found.reads),
        "served_from_copies": dict(found.copies),
        "failed": result.failed,
        "refused": result.refused,
        "indeterminate": found.indeterminate,
        "faults": dict(result.faults),
        "violations": {
            name: found.violations[name]
            for name in (*(level.value for level in CacheConsistencyLevel), "writes")
        },
        "stale_reads": dict(found.stale),
        "staleness": dict(found.staleness),
        "stalest_seconds": {name: round(one, 4) for name, one in found.stalest.items()},
        "unexplained_misses": found.unexplained_misses,
        "examples": found.examples,
    }


def print_result(result: Result, console: Console) -> None:
    """Print it for people."""
    found = result.findings
    faults = ", ".join(f"{count} {name}" for name, count in result.faults.most_common()) or "none"
    kinds = ", ".join(f"{count:,} {name}" for name, count in found.by_kind.most_common())
    console.print(
        f"{result.server}: {result.processes} processes, {result.seconds:.0f} s, "
        f"{found.operations:,} operations ({kinds}), checked in {result.checking:.0f} s",
        soft_wrap=True,
    )
    console.print(f"{sum(result.faults.values())} faults: {faults}", soft_wrap=True)
    console.print(
        f"{result.failed:,} operations failed, {result.refused:,} were refused, the outcome of "
        f"{found.indeterminate:,} writes is unknown",
        soft_wrap=True,
    )
    table = Table()
    table.add_column("level")
    for name in ("reads", "by copies", "overtaken", "at most", "violations"):
        table.add_column(name, justify="right")
    for level in CacheConsistencyLevel:
        name = level.value
        stalest = found.stalest.get(name)
        table.add_row(
            name,
            f"{found.reads[name]:,}",
            f"{found.copies[name]:,}",
            f"{found.stale[name]:,}",
            "" if stalest is None else f"{stalest * 1000:,.1f} ms",
            f"{found.violations[name]:,}",
        )
    writes = found.by_kind["put"] + found.by_kind["delete"] + found.by_kind["fill"]
    table.add_row(
        "writes",
        f"{writes + found.by_kind['bump']:,}",
        "",
        "",
        "",
        f"{found.violations['writes']:,}",
    )
    console.print(table)
    if found.staleness:
        spread = ", ".join(f"{found.staleness[name]:,} {name}" for name in sorted(found.staleness))
        console.print(f"overtaken when they were read: {spread}", soft_wrap=True)
    if found.unexplained_misses:
        console.print(
            f"{found.unexplained_misses:,} strong reads missed what should have been there; "
            "does the server evict?",
            soft_wrap=True,
        )
    for example in found.examples:
        console.print(f"violation at {example}", soft_wrap=True, markup=False)
    console.print(f"{result.violations:,} violations")
