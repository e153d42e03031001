"""The command ``scrubjay advise``; needs the extra ``cli``."""

from __future__ import annotations

import json
from contextlib import nullcontext
from math import inf
from typing import Annotated

import typer

from scrubjay.errors import CacheError, InvalidArgumentError
from scrubjay.lab import asking
from scrubjay.lab.advice_tables import print_advice, to_csv, to_json
from scrubjay.lab.advising import Question, advise, make_plan
from scrubjay.lab.capacity import Capacity
from scrubjay.lab.model import ReadOptions
from scrubjay.lab.prices import RECORDED, read_prices
from scrubjay.lab.running import complain, list_traces, make_messages, report_problems, run_all
from scrubjay.lab.summary import collect_rows


def advise_command(
    traces: asking.Traces,
    memory_price: Annotated[
        str | None,
        typer.Option(
            help="The price of a GB (1,000,000,000 bytes) of memory: 4/month, 0.005USD/hour. "
            "Without it only the time of loads counts."
        ),
    ] = None,
    load_cost: Annotated[
        str,
        typer.Option(
            help="What a load costs: money (0.0001, 0.0001USD), a time (50ms), or the trace's "
            f"own column, in seconds ({RECORDED}), other times ({RECORDED}:ms) or money "
            f"({RECORDED}:USD)."
        ),
    ] = RECORDED,
    second_price: Annotated[
        str | None,
        typer.Option(help="What a second of loading costs in money, where loads are in time."),
    ] = None,
    capacity: Annotated[
        str | None,
        typer.Option(help="The present capacity, in entries or bytes (64MB), to compare with."),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(help="The present strategy.", show_default="adaptive"),
    ] = None,
    candidates: Annotated[
        list[str],
        typer.Option("--try", help="Strategies to choose from, several or 'all'."),
    ] = ["adaptive", "lru", "lfu"],  # noqa: B006 - typer copies it
    steps: Annotated[
        int, typer.Option(min=2, help="Capacities to choose from, up to room for all keys.")
    ] = 16,
    entry_size: Annotated[
        str | None,
        typer.Option(help="Mean size of an entry (500B, 2kB), where none is recorded."),
    ] = None,
    requests_per_second: Annotated[
        float | None,
        typer.Option(help="Requests a second for all keys, in place of what the times say."),
    ] = None,
    sample: Annotated[
        float | None,
        typer.Option(
            help="The share of the keys that the traces hold, if not all; recordings know."
        ),
    ] = None,
    lifetimes: Annotated[
        bool, typer.Option(help="Tell what times to live would lose; some more replays.")
    ] = True,
    key_column: asking.KeyColumn = "key",
    size_column: asking.SizeColumn = None,
    time_column: asking.TimeColumn = None,
    client_column: asking.ClientColumn = None,
    cost_column: asking.CostColumn = None,
    format_name: asking.Format = None,
    limit: asking.Limit = None,
    processes: asking.Processes = None,
    as_json: asking.AsJson = False,
    as_csv: asking.AsCsv = False,
) -> None:
    """Advise on capacity, strategy and times to live, by what they save.

    Replays the requests at many capacities under several strategies, and
    looks for the least sum of the price of the memory and the cost of loads.
    """
    messages = make_messages()
    options = ReadOptions(
        limit, key_column, size_column, time_column, client_column, cost_column, format_name
    )
    quiet = as_json or as_csv
    errors: list[str] = []
    try:
        question = Question(
            read_prices(memory_price, load_cost, second_price),
            tuple(asking.choose_policies(candidates, [], optimum=False)),
            steps,
            None if capacity is None else Capacity.parse(capacity),
            _present_strategy(strategy, capacity),
            None if entry_size is None else _size(entry_size),
            _within("requests-per-second", requests_per_second, inf),
            _within("sample", sample, 1.0),
            lifetimes,
        )
        plans = []
        for path in list_traces(traces, options, messages):
            try:
                plans.append(make_plan(path, options, question))
            except CacheError as error:
                errors.append(str(error))
        jobs = [job for plan in plans for job in plan.jobs]
        cells, failures = run_all(jobs, messages, processes=processes, timeout=inf, quiet=quiet)
    except CacheError as error:
        raise complain(error, messages) from error
    advices = []
    for plan in plans:
        try:
            with nullcontext() if quiet else messages.status("trying times to live"):
                advices.append(advise(plan, cells, question))
        except CacheError as error:
            errors.append(str(error))
    stretched = requests_per_second is not None
    if as_json:
        reasons = dict.fromkeys((*errors, *(failure.reason for failure in failures)))
        data = to_json(advices, list(reasons), stretched=stretched)
        typer.echo(json.dumps(data, indent=2))
    elif as_csv:
        typer.echo(to_csv(advices), nl=False)
    else:
        for place, advice in enumerate(advices):
            if place:
                typer.echo()
            print_advice(advice, stretched=stretched)
    report_problems(collect_rows(cells), failures, messages, errors)
    if errors or failures:
        raise typer.Exit(1)


def _present_strategy(strategy: str | None, capacity: str | None) -> str:
    if strategy is not None and capacity is None:
        raise InvalidArgumentError("strategy: the present one says nothing without --capacity")
    (present,) = asking.choose_policies([strategy or "adaptive"], [], optimum=False)
    return present


def _size(text: str) -> float:
    size = Capacity.parse(text + "B" * text.strip().isdigit())
    if not size.in_bytes or size.amount is None:
        raise InvalidArgumentError(
            f"entry-size must be a number of bytes, such as 2kB, not {text!r}"
        )
    return float(size.amount)


def _within(name: str, value: float | None, most: float) -> float | None:
    if value is not None and not (0 < value <= most and value < inf):
        end = "" if most == inf else f" and at most {most:g}"
        raise InvalidArgumentError(f"{name} must be above 0{end}, not {value!r}")
    return value
