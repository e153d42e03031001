"""What the terminal shows, as words; nothing here draws."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from scrubjay.web.shapes import printable

_BARS = "▁▂▃▄▅▆▇█"
_SILENT = 5.0  # seconds without a word of a node that are worth a word


def percent(share: float | None) -> str:
    """Return a share as people read it."""
    return "-" if share is None else f"{100 * share:.1f} %"


def size(number: float | None) -> str:
    """Return bytes as people read them."""
    if number is None:
        return "-"
    for unit in ("B", "KB", "MB", "GB"):
        if number < 1024 or unit == "GB":
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    raise AssertionError


def duration(milliseconds: float) -> str:
    """Return a time as people read it."""
    if milliseconds < 1e-3:
        return f"{milliseconds * 1e6:.0f} ns"
    if milliseconds < 1.0:
        return f"{milliseconds * 1e3:.1f} µs"
    return f"{milliseconds:.1f} ms" if milliseconds < 1000 else f"{milliseconds / 1e3:.1f} s"


def lately(samples: list[Any], seconds: float = 5.0) -> tuple[float, float | None]:
    """Return requests per second and the share that hit, over the last seconds.

    Args:
        samples: as of `scrubjay.web.gathering`, oldest first.
        seconds: how far back.
    """
    if len(samples) < 2:
        return 0.0, None
    last = samples[-1]
    first = next(each for each in samples if last[0] - each[0] <= seconds or each is samples[-2])
    requests = last[1] - first[1]
    hits = sum(last[2]) - sum(first[2])
    span = last[0] - first[0]
    if requests <= 0 or span <= 0.0:
        return 0.0, None
    return requests / span, min(1.0, max(0.0, hits / requests))


def sparkline(samples: list[Any], width: int) -> str:
    """Return the hit rate over time as a line of bars, the latest on the right."""
    bars: list[str] = []
    for before, after in pairwise(samples[-width - 1 :]):
        requests = after[1] - before[1]
        if requests <= 0:
            bars.append(" ")
        else:
            share = min(1.0, max(0.0, (sum(after[2]) - sum(before[2])) / requests))
            bars.append(_BARS[round(share * (len(_BARS) - 1))])
    return "".join(bars)


def _trouble(each: dict[str, Any]) -> str:
    if each["silent"] > _SILENT:
        return f" (silent for {each['silent']:.0f} s)"
    return "" if each["ok"] else " (degraded)"


def row(each: dict[str, Any], samples: list[Any]) -> tuple[str, ...]:
    """Return the cells of one cache, in the order of `TITLES`."""
    speed, share = lately(samples)
    asked = each["requests"]
    used = each["bytes"]
    full = f" of {size(each['limit_bytes'])}" if each["limit_bytes"] is not None else ""
    return (
        printable(each["name"]) + _trouble(each),
        printable(each["process"]),
        f"{speed:,.0f}",
        percent(share),
        percent(each["hits"] / asked if asked else None),
        f"{each['entries']:,}",
        size(used) + full,
        duration(each["p50_ms"]),
        duration(each["p99_ms"]),
        f"{each['removals']['evicted']:,}",
        f"{each['loads']:,}",
        f"{each['load_errors']:,}",
    )


TITLES = (
    "cache",
    "process",
    "req/s",
    "now",
    "hit rate",
    "entries",
    "memory",
    "p50",
    "p99",
    "evicted",
    "loads",
    "failed",
)


def detail(told: dict[str, Any] | None, samples: list[Any], width: int) -> str:
    """Return some lines on one cache."""
    if told is None:
        return "The cache is gone."
    statistics = told["statistics"]
    removals = statistics["performance"]["removals_by_cause"]
    tiers = statistics["tiers"]
    lines = [
        "hit rate   " + sparkline(samples, max(10, width - 12)),
        "why        " + told["explanation"]["reason"],
        "removals   "
        + (
            ", ".join(f"{cause} {number:,}" for cause, number in removals.items() if number)
            or "none"
        ),
        "tiers      "
        + ", ".join(
            f"{name} {group['hits']:,}/{group['hits'] + group['misses']:,}"
            + ("" if group["state"] == "ok" else f" ({group['state']})")
            for name, group in tiers.items()
        ),
        "hottest    "
        + (", ".join(label["name"] for label in statistics["hot"]["tags"][:6]) or "no tags"),
    ]
    if told["advice"] is not None:
        steps = {step["factor"]: step for step in told["advice"]["steps"]}
        words = told["advice"]["reason"]
        if 2.0 in steps:
            words = f"twice the memory: {steps[2.0]['hits']:+,} hits; half: {steps[0.5]['hits']:+,}"
        lines.append("memory     " + words)
    lines += [
        f"slow       {duration(1e3 * load['seconds'])} {load['key']} ({load['outcome']})"
        for load in told["slowest"][:4]
    ]
    lines += [
        f"lately     {each['kind']} {each['tier']} {each['detail']}".rstrip()
        + (f" x {each['times']:,}" if each["times"] > 1 else "")
        for each in told["recent"][:4]
    ]
    return "\n".join(map(printable, lines))  # keys are anybody's
