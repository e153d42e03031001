"""The command ``scrubjay replay``.

Needs the extra ``cli``; nothing else in this package imports it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scrubjay.errors import CacheError
from scrubjay.lab import asking
from scrubjay.lab.capacity import Capacity
from scrubjay.lab.charts import check_output, draw_comparison
from scrubjay.lab.model import ReadOptions
from scrubjay.lab.running import complain, finish, make_messages, run_grid
from scrubjay.lab.summary import collect_rows, summarize
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
        asking.check_measure(measure)
        for path in chart:
            check_output(path)
        policies = asking.choose_policies(strategy, beside, optimum=optimum and not stream)
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
        for path in chart:
            draw_comparison(summaries, path)
            messages.print(f"drawn: {escape(path)}", soft_wrap=True)
    except CacheError as error:
        raise complain(error, messages) from error
    finish(rows, policies, failures, messages, as_json=as_json, as_csv=as_csv, summaries=summaries)
