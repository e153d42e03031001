"""Advice as tables for people, and as plain data; the tables need the extra ``cli``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from scrubjay.lab.advice import Option
from scrubjay.lab.advice_words import (
    as_code,
    duration,
    explain_lifetimes,
    number,
    per,
    recommend,
    warn,
)
from scrubjay.lab.advising import Advice
from scrubjay.lab.capacity import in_words
from scrubjay.lab.lifetimes import Lifetimes
from scrubjay.lab.tables import escape

_FILE_WIDTH = 160  # columns; in a file or a pipe no table has to be folded
_CSV_HEADER = (
    "trace", "strategy", "capacity", "unit", "memory_bytes", "hit_ratio", "memory_cost",
    "load_cost", "total", "per", "best", "present",
)  # fmt: skip


def print_advice(advice: Advice, *, stretched: bool) -> None:
    """Print what to do, then what it rests on.

    Args:
        advice: the advice about one trace.
        stretched: whether the rate of the requests is not the trace's own.
    """
    console = Console(highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = _FILE_WIDTH
    console.print(f"[bold]{escape(recommend(advice))}[/]")
    console.print(f"  {escape(as_code(advice.best))}")
    console.print(_options(advice))
    for line in explain_lifetimes(advice):
        console.print(escape(line))
    if advice.lifetimes is not None and advice.lifetimes.tried:
        console.print(_lifetimes(advice, advice.lifetimes))
    for line in warn(advice, stretched=stretched):
        console.print(f"- {escape(line)}")


def _options(advice: Advice) -> Table:
    weighing = advice.weighing
    unit = weighing.prices.currency if weighing.prices.in_money else "s"
    strategies = list(dict.fromkeys(option.strategy for option in advice.options))
    table = Table(
        title=f"Hit ratio by capacity, and costs {per(weighing)} under the best strategy"
        + f" ({unit})" * bool(unit),
        title_justify="left",
    )
    table.add_column("size" if advice.best.in_bytes else "entries", justify="right")
    sized = advice.best.memory_bytes is not None and not advice.best.in_bytes
    if sized:
        table.add_column("in bytes", justify="right")
    for strategy in strategies:
        table.add_column(strategy, justify="right", no_wrap=True)
    table.add_column("best", no_wrap=True)
    for column in ("memory", "loads", "total") if weighing.weighed else ("loads",):
        table.add_column(column, justify="right")
    table.add_column("saved", justify="right")
    table.add_column("", no_wrap=True)
    most = advice.without_cache
    costs = [number(most)]
    if weighing.weighed:
        costs = ["", *costs, *costs]
    table.add_row("0", *[""] * (len(strategies) + sized), "", *costs, "", "without a cache")
    for shown in _shown(advice):
        here = {o.strategy: o for o in advice.options if o.amount == shown.amount}
        costs = [number(shown.load_cost, most)]
        if weighing.weighed:
            costs = [number(shown.memory_cost, most), *costs, number(shown.total, most)]
        marks = ["advised"] * (shown is advice.best) + ["now"] * (shown is advice.present)
        table.add_row(
            in_words(shown.amount, in_bytes=shown.in_bytes),
            *[in_words(round(shown.memory_bytes or 0), in_bytes=True)] * sized,
            *(f"{here[name].hit_ratio:.2%}" if name in here else "-" for name in strategies),
            shown.strategy,
            *costs,
            number(most - shown.total, most),
            ", ".join(marks),
            style="bold" if shown is advice.best else None,
        )
    return table


def _shown(advice: Advice) -> Iterable[Option]:
    """The best option of each capacity, and those that are marked."""
    for amount in dict.fromkeys(option.amount for option in advice.options):
        here = [option for option in advice.options if option.amount == amount]
        best = min(here, key=lambda option: option.total)
        for option in here:
            if option is best or option is advice.best or option is advice.present:
                yield option


def _lifetimes(advice: Advice, lifetimes: Lifetimes) -> Table:
    table = Table(
        title=f"Hit ratio with times to live; for ever {lifetimes.hit_ratio:.2%}",
        title_justify="left",
    )
    costs = f"costs {per(advice.weighing)}"
    for name in ("time", "ttl", costs, "idle", costs):
        table.add_column(name, justify="right")
    table.add_column("", no_wrap=True)
    for tried in lifetimes.tried:
        marks = ["ttl suggested"] * (tried.seconds == lifetimes.ttl_seconds)
        marks += ["idle suggested"] * (tried.seconds == lifetimes.idle_seconds)
        table.add_row(
            duration(tried.seconds),
            f"{tried.ttl_hit_ratio:.2%}",
            number(tried.ttl_load_cost, advice.without_cache),
            f"{tried.idle_hit_ratio:.2%}",
            number(tried.idle_load_cost, advice.without_cache),
            ", ".join(marks),
        )
    return table


def to_json(advices: Sequence[Advice], errors: Sequence[str], *, stretched: bool) -> dict[str, Any]:
    """The advice as plain data.

    Args:
        advices: the advice about each trace.
        errors: what went wrong with others.
        stretched: whether the rate of the requests is not the traces' own.

    Returns:
        What `json.dumps` takes.
    """
    return {
        "advice": [_plain(advice, stretched=stretched) for advice in advices],
        "errors": list(errors),
    }


def _plain(advice: Advice, *, stretched: bool) -> dict[str, Any]:
    weighing = advice.weighing
    return {
        "recommendation": recommend(advice),
        "code": as_code(advice.best),
        "traffic": asdict(weighing.traffic),
        "weighed": weighing.weighed,
        "unit": (weighing.prices.currency or "money") if weighing.prices.in_money else "seconds",
        "per": per(weighing),
        "best": _option(advice.best),
        "present": advice.present and _option(advice.present),
        "without_cache": advice.without_cache,
        "saved_against_present": advice.present and advice.present.total - advice.best.total,
        "saved_against_no_cache": advice.without_cache - advice.best.total,
        "options": [_option(option) for option in advice.options],
        "lifetimes": advice.lifetimes and asdict(advice.lifetimes),
        "values_stored_anew": advice.replaced,
        "median_seconds_before": advice.replaced_seconds,
        "caveats": warn(advice, stretched=stretched),
    }


def _option(option: Option) -> dict[str, Any]:
    return {**asdict(option), "total": option.total}


def to_csv(advices: Sequence[Advice]) -> str:
    """All that was tried as comma-separated text, one line a capacity and strategy.

    Args:
        advices: the advice about each trace.

    Returns:
        The text, with a header; what is not known is empty.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_CSV_HEADER)
    for advice in advices:
        for option in advice.options:
            writer.writerow(
                (
                    advice.weighing.traffic.name,
                    option.strategy,
                    option.amount,
                    "bytes" if option.in_bytes else "entries",
                    option.memory_bytes,
                    option.hit_ratio,
                    option.memory_cost,
                    option.load_cost,
                    option.total,
                    per(advice.weighing),
                    int(option is advice.best),
                    int(option is advice.present),
                )
            )
    return text.getvalue()
