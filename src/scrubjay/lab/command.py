"""The command ``scrubjay replay``.

Needs the extra ``cli``; nothing else in this package imports it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scrubjay.errors import CacheError, InvalidArgumentError
from scrubjay.lab import asking
from scrubjay.lab.capacity import Capacity
from scrubjay.lab.charts import check_output, draw_comparison
from scrubjay.lab.contest import BASELINE
from scrubjay.lab.model import ReadOptions
from scrubjay.lab.prefetch.contestants import OURS, contestant_names
from scrubjay.lab.prefetch.table import print_rows, replay_all
from scrubjay.lab.running import (
    complain,
    draw_all,
    finish,
    list_traces,
    make_messages,
    report_bad_lines,
    run_grid,
)
from scrubjay.lab.summary import MEASURES, collect_rows, summarize
from scrubjay.lab.tables import escape


def replay_command(
    traces: asking.Traces,
    capacity: asking.Capacities = ["1%", "10%"],  # noqa: B006 - typer copies it
    strategy: asking.Strategies = ["lru", "adaptive"],  # noqa: B006 - typer copies it
    beside: asking.Beside = [],  # noqa: B006 - typer copies it
    optimum: asking.Optimum = True,
    measure: asking.Measure = "objects",
    key_column: asking.KeyColumn = "key",
    size_column: asking.SizeColumn = None,
    time_column: asking.TimeColumn = None,
    client_column: asking.ClientColumn = None,
    cost_column: asking.CostColumn = None,
    format_name: asking.Format = None,
    limit: asking.Limit = None,
    stream: Annotated[
        bool,
        typer.Option(
            "--stream",
            help="Read traces in chunks, for those larger than memory; without the optimum.",
        ),
    ] = False,
    sessions: Annotated[
        bool,
        typer.Option(help="Tell the cache the client of each request, as the session."),
    ] = True,
    chart: Annotated[
        list[Path],
        typer.Option(
            help="Draw the summary into this file, .png or .svg. Needs the extra 'plots'."
        ),
    ] = [],  # noqa: B006 - typer copies it
    processes: asking.Processes = None,
    timeout: asking.Timeout = 300.0,
    prefetch: Annotated[
        bool, typer.Option("--prefetch", help="Replay with predictive prefetch, and without.")
    ] = False,
    prefetcher: Annotated[
        list[str],
        typer.Option(
            help="With --prefetch: who guesses, several or 'all': " + ", ".join(contestant_names())
        ),
    ] = [OURS],  # noqa: B006 - typer copies it
    lag: Annotated[
        int,
        typer.Option(min=0, help="With --prefetch: requests that pass while a key is loaded."),
    ] = 0,
    load_seconds: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            help="With --prefetch: seconds that a load takes by the trace's times, not --lag.",
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help="With --prefetch: keys loaded ahead at most for each miss without prefetch.",
        ),
    ] = None,
    cost_ratio: Annotated[
        float,
        typer.Option(min=1.0, help="With --prefetch: loads allowed for each without prefetch."),
    ] = 1.3,
    as_json: asking.AsJson = False,
    as_csv: asking.AsCsv = False,
) -> None:
    """Replay recorded requests through the cache and compare eviction strategies.

    Nothing is warmed up: the first request for a key is a miss.
    """
    messages = make_messages()
    options = ReadOptions(
        limit, key_column, size_column, time_column, client_column, cost_column, format_name
    )
    try:
        if prefetch:
            if beside or chart or stream or measure != MEASURES[0]:
                raise InvalidArgumentError(
                    "--prefetch goes without --beside, --chart, --stream and --measure"
                )
            unread: list[CacheError] = []
            names = contestant_names() if "all" in prefetcher else tuple(dict.fromkeys(prefetcher))
            replayed = list(
                replay_all(
                    list_traces(traces, options, messages),
                    [Capacity.parse(text) for text in dict.fromkeys(capacity)],
                    asking.choose_policies(strategy, [], optimum=False),
                    names,
                    options,
                    lag=lag,
                    load_seconds=load_seconds,
                    budget=budget,
                    cost_ratio=cost_ratio,
                    tell=lambda text: messages.print(escape(text), soft_wrap=True),
                    warn=lambda trace: report_bad_lines(trace.name, trace.bad_lines, messages),
                    fail=unread.append,
                )
            )
            print_rows(replayed, as_json=as_json, as_csv=as_csv)
            for error in unread:
                messages.print(f"[red]error:[/] {escape(error)}", soft_wrap=True)
            if unread:
                raise typer.Exit(1)
            return
        asking.check_measure(measure)
        for path in chart:
            check_output(path)
        policies = asking.choose_policies(strategy, beside, optimum=optimum and not stream)
        if chart and (BASELINE not in policies or len(policies) == 1):
            raise InvalidArgumentError(f"{chart[0]}: there is no policy to compare with {BASELINE}")
        capacities = [Capacity.parse(text) for text in dict.fromkeys(capacity)]
        cells, failures = run_grid(
            traces,
            capacities,
            policies,
            options,
            messages,
            processes=processes,
            timeout=timeout,
            quiet=as_json or as_csv,
            stream=stream,
            sessions=sessions,
        )
        rows = collect_rows(cells, measure)
        summaries = summarize(rows, policies)
        drawn = draw_all(chart, lambda path: draw_comparison(summaries, path), messages)
    except CacheError as error:
        raise complain(error, messages) from error
    finish(
        rows,
        policies,
        failures,
        messages,
        as_json=as_json,
        as_csv=as_csv,
        summaries=summaries,
        drawn=drawn,
    )
