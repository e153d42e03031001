"""What the commands of the laboratory are asked, and how; needs the extra ``cli``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from scrubjay.cache import Cache
from scrubjay.errors import CacheError, InvalidArgumentError
from scrubjay.lab.beside import PREFIX, available_policies
from scrubjay.lab.capacity import Capacity
from scrubjay.lab.contest import OPTIMUM
from scrubjay.lab.prefetch.contestants import contestant_names
from scrubjay.lab.replay import split_objective
from scrubjay.lab.summary import MEASURES
from scrubjay.types import CacheEvictionStrategy

_ALL = "all"
_LIBRARY = PREFIX.rstrip(":")
_BUILT_IN = tuple(strategy.value for strategy in CacheEvictionStrategy)
_SEVERAL = ("--capacity", "--strategy", "--try", "--beside", "--prefetcher")

Traces = Annotated[
    list[Path],
    typer.Argument(
        metavar="TRACE...",
        help="Trace files, or directories of them: one key per line (.txt, .keys, "
        ".trace), columns under a header (.csv, .tsv), libCacheSim (.oracleGeneral, "
        ".oracleGeneral.zst), blocks (.lis, .trc), or compact (.ctr.zst). "
        "Or a workload made to order: gen:zipf:keys=1000,requests=50000,seed=1 "
        "(zipf, loop, scan, phases, sessions).",
    ),
]
Capacities = Annotated[
    list[str],
    typer.Option(
        help="Cache sizes: entries, percent of a trace's unique keys, bytes (64MB), or percent "
        "of the bytes of all objects (10%B). Several may follow: --capacity 1% 10% 500."
    ),
]
Strategies = Annotated[
    list[str],
    typer.Option(
        help=f"Eviction strategies, several or 'all': {', '.join(_BUILT_IN)}; "
        "ADAPTIVE with an objective of its own is 'adaptive:bytes' (hits, bytes, latency, cost)."
    ),
]
Beside = Annotated[
    list[str],
    typer.Option(
        help=f"Policies of others in the same table: '{_LIBRARY}' for all of that library, or "
        f"'{PREFIX}S3FIFO' for one. Needs the extra 'beside'."
    ),
]
Optimum = Annotated[
    bool, typer.Option(help="Show Belady's optimum, and how near each policy comes to it.")
]
Limit = Annotated[
    int | None, typer.Option(min=1, help="Replay at most this many requests of each trace.")
]
Processes = Annotated[
    int | None, typer.Option(min=1, help="Replays at a time; by default one a CPU.")
]
Timeout = Annotated[
    float,
    typer.Option(min=0.1, help="Seconds that a replay under a policy of others may take."),
]
Measure = Annotated[
    str, typer.Option(help="What ratios are a share of: objects, bytes, or cost (of loading).")
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print JSON to standard output and nothing else.")
]
AsCsv = Annotated[
    bool, typer.Option("--csv", help="Print CSV to standard output and nothing else.")
]
KeyColumn = Annotated[
    str, typer.Option(help="The column that holds the keys, in traces with a header.")
]
SizeColumn = Annotated[
    str | None, typer.Option(help="Likewise sizes in bytes.", show_default="size")
]
TimeColumn = Annotated[str | None, typer.Option(help="Likewise times.", show_default="time")]
ClientColumn = Annotated[
    str | None, typer.Option(help="Likewise clients or sessions.", show_default="client")
]
CostColumn = Annotated[
    str | None, typer.Option(help="Likewise what a load costs.", show_default="cost")
]
Format = Annotated[
    str | None,
    typer.Option("--format", help="Format of all traces, whatever their names end in."),
]


def choose_policies(strategies: list[str], beside: list[str], *, optimum: bool) -> list[str]:
    """List who takes part.

    Args:
        strategies: strategies of the cache, or ``all``.
        beside: policies of another library, or its name for all of them.
        optimum: whether Belady's optimum is wanted.

    Returns:
        The policies, each once, ours first.

    Raises:
        CacheError: there is no such policy, or its library is not installed.
    """
    names = [name.lower() for name in strategies]
    chosen = list(dict.fromkeys(_BUILT_IN if _ALL in names else names))
    for name in chosen:
        # The cache knows best which strategies there are, and how to say so.
        strategy, objective = split_objective(name)
        Cache[str, bool](max_entries=1, eviction_strategy=strategy, objective=objective)
    for name in beside:
        available = available_policies()
        wanted = available if name == _LIBRARY else [name]
        if name != _LIBRARY and name not in available:
            raise CacheError(f"beside: {name!r} is none of {_LIBRARY}, {', '.join(available)}")
        chosen.extend(wanted)
    if optimum:
        chosen.append(OPTIMUM)
    return list(dict.fromkeys(chosen))


def check_measure(measure: str) -> None:
    """Check what ratios shall be a share of.

    Raises:
        InvalidArgumentError: it is none of the measures.
    """
    if measure not in MEASURES:
        raise InvalidArgumentError(f"measure must be one of {', '.join(MEASURES)}, not {measure!r}")


class SeveralValues(TyperCommand):
    """Lets one ``--capacity``, ``--strategy`` or ``--beside`` be followed by several values.

    The usual parser takes one value an option, and the rest would be traces.
    Only what reads as a value of the option is gathered, so that traces may
    still follow.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the option before each further value, then parse as usual."""
        return super().parse_args(ctx, repeat_options(args))


def repeat_options(args: list[str]) -> list[str]:
    """Repeat an option before each further of its values."""
    expanded: list[str] = []
    option = ""
    awaits_value = False
    for position, argument in enumerate(args):
        if argument == "--":
            return expanded + args[position:]
        if argument.startswith("-"):
            option = argument if argument in _SEVERAL else ""
            awaits_value = bool(option)
        elif awaits_value:
            awaits_value = False
        elif _is_value_of(option, argument):
            expanded.append(option)
        else:
            option = ""
        expanded.append(argument)
    return expanded


def _is_value_of(option: str, argument: str) -> bool:
    if option in ("--strategy", "--try"):
        return argument == _ALL or split_objective(argument)[0] in _BUILT_IN
    if option == "--prefetcher":
        return argument == _ALL or argument in contestant_names()
    if option == "--beside":
        return argument == _LIBRARY or argument.startswith(PREFIX)
    if option == "--capacity":
        try:
            Capacity.parse(argument)
        except InvalidArgumentError:
            return False
        return True
    return False
