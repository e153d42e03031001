"""The command ``scrubjay curve``; needs the extra ``cli``, and for pictures ``plots``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scrubjay.errors import CacheError, InvalidArgumentError
from scrubjay.lab import asking
from scrubjay.lab.capacity import Capacity
from scrubjay.lab.charts import check_output, draw_curves
from scrubjay.lab.model import ReadOptions
from scrubjay.lab.running import complain, draw_all, finish, make_messages, run_grid
from scrubjay.lab.summary import collect_rows

_STEPS = ["0.1%", "0.2%", "0.5%", "1%", "2%", "5%", "10%", "20%", "50%", "100%"]


def curve_command(
    traces: asking.Traces,
    output: Annotated[
        list[Path],
        typer.Option(
            "--output",
            "-o",
            help="Draw the curves into this file, .png or .svg; may be given for both. "
            "Needs the extra 'plots'.",
        ),
    ] = [],  # noqa: B006 - typer copies it
    capacity: asking.Capacities = _STEPS,
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
    processes: asking.Processes = None,
    timeout: asking.Timeout = 300.0,
    as_json: asking.AsJson = False,
    as_csv: asking.AsCsv = False,
) -> None:
    """Draw the miss ratio of recorded requests by the size of the cache.

    Each point is a whole replay, so the curves are exact.
    """
    messages = make_messages()
    options = ReadOptions(
        limit, key_column, size_column, time_column, client_column, cost_column, format_name
    )
    try:
        asking.check_measure(measure)
        policies = asking.choose_policies(strategy, beside, optimum=optimum)
        capacities = [Capacity.parse(text) for text in dict.fromkeys(capacity)]
        if len({capacity.in_bytes for capacity in capacities}) > 1:
            raise InvalidArgumentError("capacity: a curve is in entries or in bytes, not in both")
        for path in output:
            check_output(path)
        cells, failures = run_grid(
            traces,
            capacities,
            policies,
            options,
            messages,
            processes=processes,
            timeout=timeout,
            quiet=as_json or as_csv,
        )
        rows = collect_rows(cells, measure)
        drawn = draw_all(
            output if rows else [], lambda path: draw_curves(rows, policies, path), messages
        )
    except CacheError as error:
        raise complain(error, messages) from error
    finish(
        rows,
        policies,
        failures,
        messages,
        as_json=as_json,
        as_csv=as_csv,
        misses=True,
        drawn=drawn,
    )
