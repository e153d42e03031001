"""Pictures of what was replayed, as PNG or SVG; needs the extra ``plots``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from scrubjay.errors import CacheError, InvalidArgumentError
from scrubjay.lab.capacity import in_words
from scrubjay.lab.contest import BASELINE, OPTIMUM
from scrubjay.lab.summary import PolicySummary, Row
from scrubjay.types import CacheEvictionStrategy

_ENDINGS = (".png", ".svg")
_COLUMNS = 3  # pictures beside each other
_WIDTH, _HEIGHT = 4.3, 3.3  # inches of one
_LOWEST = -0.3  # where a bar is cut off: one bad policy shall not flatten the others
# Columns of figures to the right of bars, in widths of the picture.
_TABLE = ((1.13, "right"), (1.22, "right"), (1.36, "right"), (1.39, "left"))
_INK, _FAINT = "#333333", "#dddddd"
# Told apart with most kinds of colour blindness (Okabe and Ito), then by the line as well.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#8C564B", "#999933")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (6, 1.5, 1.5, 1.5)))
_FIXED: dict[str, dict[str, Any]] = {
    OPTIMUM: {"color": "black", "linestyle": (0, (2, 1.5)), "linewidth": 1.2},
    CacheEvictionStrategy.ADAPTIVE.value: {"color": "#D55E00", "linewidth": 2.4, "zorder": 4},
    # Wide and pale: it shows beneath a line that is just the same.
    BASELINE: {"color": "#bbbbbb", "linewidth": 4.5, "zorder": 1},
}


def check_output(path: Path) -> None:
    """Check that a picture can be drawn, before the work that leads to it.

    Args:
        path: where to.

    Raises:
        InvalidArgumentError: the ending is neither ``.png`` nor ``.svg``.
        CacheError: the extra is not installed.
    """
    if path.suffix.lower() not in _ENDINGS:
        raise InvalidArgumentError(f"{path}: a picture ends in {' or '.join(_ENDINGS)}")
    _import_figure()


def draw_curves(rows: Sequence[Row], policies: Sequence[str], path: Path) -> None:
    """Draw the miss ratio by the size of the cache, one picture a trace.

    Args:
        rows: the replays, of which those of one trace become a picture.
        policies: the lines to draw, in this order.
        path: where to; the ending tells the kind of file.

    Raises:
        InvalidArgumentError: see `check_output`.
        CacheError: see `check_output`, or the file cannot be written.
    """
    check_output(path)
    traces = list(dict.fromkeys(row.trace for row in rows))
    columns = len(traces) if len(traces) <= _COLUMNS else 2 if len(traces) == 4 else _COLUMNS
    lines = math.ceil(len(traces) / columns)
    # Names below the pictures: about as many beside each other as find room.
    legend_columns = max(2, min(len(policies), int(columns * _WIDTH / 1.6)))
    legend_height = 0.3 + 0.22 * math.ceil(len(policies) / legend_columns)
    height = lines * _HEIGHT + legend_height
    figure = _import_figure()(figsize=(columns * _WIDTH, height), layout="constrained")
    figure.get_layout_engine().set(rect=(0, legend_height / height, 1, 1 - legend_height / height))
    grid = figure.subplots(lines, columns, squeeze=False)
    for place, axes in enumerate(grid.flat):
        if place >= len(traces):
            axes.remove()
            continue
        own = [row for row in rows if row.trace == traces[place]]
        _draw_trace(axes, own, policies)
        if place % columns == 0:
            axes.set_ylabel(_ratio_name(own[0]))
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="lower center", ncols=legend_columns, frameon=False, fontsize=9
    )
    _save(figure, path)


def _draw_trace(axes: Any, rows: Sequence[Row], policies: Sequence[str]) -> None:
    for number, policy in enumerate(policies):
        points = [
            (row.amount, ratio)
            for row in sorted(rows, key=lambda row: row.amount)
            if (ratio := row.miss_ratio(policy)) is not None
        ]
        style = _FIXED.get(policy) or {
            "color": _COLOURS[number % len(_COLOURS)],
            "linestyle": _DASHES[number // len(_COLOURS) % len(_DASHES)],
            "linewidth": 1.4,
        }
        name = policy.partition(":")[2] or policy
        marker = {"marker": "o", "markersize": 3} if len(rows) < 30 else {}
        sizes, ratios = [size for size, _ in points], [ratio for _, ratio in points]
        axes.plot(sizes, ratios, label=name, **style, **marker)
    axes.set_xscale("log")
    axes.set_ylim(0, 1.02)
    first = rows[0]
    axes.set_xlabel("cache size in " + ("bytes" if first.in_bytes else "entries"))
    axes.xaxis.set_major_formatter(
        lambda size, _: (
            in_words(int(size), in_bytes=True).replace(" B", "")
            if first.in_bytes
            else f"{size:,.0f}"
        )
    )
    title = f"{first.requests:,} requests, {first.unique_keys:,} keys"
    axes.set_title(
        first.trace, loc="left", fontsize=11, fontweight="bold", pad=18, parse_math=False
    )
    axes.text(0, 1.03, title, transform=axes.transAxes, fontsize=8.5, color=_INK)
    _tidy(axes)
    axes.grid(color=_FAINT, linewidth=0.6)


def draw_comparison(summaries: Sequence[PolicySummary], path: Path) -> None:
    """Draw how far policies reduce the miss ratio of LRU, one bar each.

    Args:
        summaries: what to compare, the best first.
        path: where to; the ending tells the kind of file.

    Raises:
        InvalidArgumentError: see `check_output`, or there is nothing to compare.
        CacheError: see `check_output`, or the file cannot be written.
    """
    check_output(path)
    shown = [summary for summary in summaries if summary.policy != BASELINE]
    if not shown:
        raise InvalidArgumentError(f"{path}: there is no policy to compare with {BASELINE}")
    figure = _import_figure()(figsize=(9, 1.5 + 0.32 * len(shown)), layout="constrained")
    axes = figure.subplots()
    for place, summary in enumerate(shown):
        axes.barh(place, max(summary.mean, _LOWEST), height=0.62, color=_bar_colour(summary))
        median = max(summary.median, _LOWEST)
        axes.plot([median, median], [place - 0.38, place + 0.38], color="black", linewidth=1.6)
        rank = f"{summary.mean_rank:.1f}" if summary.mean_rank is not None else ""
        figures = (f"{summary.mean:+.1%}", rank, f"{summary.worst:+.1%}", summary.worst_at)
        _write_beside(axes, place, figures)
    _write_beside(axes, -0.75, ("mean", "rank", "worst", "at"), color=_INK, fontweight="bold")
    axes.set_yticks(range(len(shown)), [summary.policy for summary in shown])
    axes.invert_yaxis()
    axes.axvline(0, color=_INK, linewidth=0.8)
    ends = [max(end, _LOWEST) for summary in shown for end in (summary.mean, summary.median)]
    low, high = min(0.0, *ends), max(0.02, *ends)
    axes.set_xlim(low - 0.03 * (high - low) * (low < 0), high + 0.03 * (high - low))
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    cut = any(summary.mean < _LOWEST for summary in shown)
    axes.set_xlabel(
        f"reduction of the miss ratio against {BASELINE.upper()}: bar mean, line median"
        + f" (cut off at {_LOWEST:.0%})" * cut
    )
    _tidy(axes)
    axes.grid(axis="x", color=_FAINT, linewidth=0.6)
    _save(figure, path)


def _bar_colour(summary: PolicySummary) -> str:
    if summary.mean_rank is None:
        return "#aaaaaa"  # knows the future
    if summary.policy == CacheEvictionStrategy.ADAPTIVE.value:
        return "#D55E00"
    return (
        "#EDA97B"
        if summary.policy in {strategy.value for strategy in CacheEvictionStrategy}
        else "#0072B2"
    )


def _write_beside(axes: Any, place: float, texts: Sequence[str], **style: Any) -> None:
    """Write a line of a table to the right of a picture."""
    for (x, align), text in zip(_TABLE, texts, strict=True):
        axes.text(
            x,
            place,
            text,
            transform=axes.get_yaxis_transform(),
            ha=align,
            va="center",
            fontsize=8.5,
            parse_math=False,  # names may hold dollars
            **style,
        )


def _ratio_name(row: Row) -> str:
    return {"bytes": "byte miss ratio", "cost": "share of load cost paid"}.get(
        row.measure, "miss ratio"
    )


def _tidy(axes: Any) -> None:
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9, colors=_INK)


def _save(figure: Any, path: Path) -> None:
    # The same figures make the same file: no date, and names of parts that do not vary.
    kind = path.suffix.lower()[1:]
    matplotlib = import_module("matplotlib")
    metadata = {"Date": None} if kind == "svg" else None
    try:
        with matplotlib.rc_context({"svg.hashsalt": "scrubjay"}):
            # Tight: what stands beside a picture is not cut off.
            figure.savefig(path, format=kind, dpi=150, metadata=metadata, bbox_inches="tight")
    except OSError as error:
        raise CacheError(f"{path}: {error.strerror or error}") from error


def _import_figure() -> Any:
    """The class of figures; without pyplot, which would look for a display."""
    try:
        return import_module("matplotlib.figure").Figure
    except ImportError as error:
        raise CacheError(
            "drawing needs the extra 'plots': pip install 'scrubjay[plots]'"
        ) from error
