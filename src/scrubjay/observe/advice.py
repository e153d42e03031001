"""What more memory would gain, and less would cost: the miss-ratio curve of a live cache."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, log2, sqrt
from typing import Any

_T = 2.131  # Student's t: 95 % within, two-sided, 15 degrees of freedom
_BLIND = 0.005  # for each doubling: what nothing shows, such as when it would change its way
_MB = 1024 * 1024
_NAMES = {0.5: "half", 1.0: "as it is", 2.0: "twice", 4.0: "4 times"}


@dataclass(frozen=True)
class MemoryStep:
    """One size of the cache and what it would hit.

    Attributes:
        factor: how many times the present size: 0.5, 1.0, 2.0 or 4.0.
        memory: the size in entries; in bytes where `Advice.in_bytes`.
        hit_ratio: the share of the requests that it would have hit, from 0 to 1.
        bound: how far that may be off, up or down; 0.0 for the present size, which was
            counted. Meant for 95 % of all cases; measured on recorded requests, a tenth
            were further off.
        hits: how many hits more than the present size, of `Advice.requests`; negative
            where it is fewer.
    """

    factor: float
    memory: int
    hit_ratio: float
    bound: float
    hits: int


@dataclass(frozen=True)
class Advice:
    """What `Cache.advise` tells; as a string, a table for people.

    Attributes:
        steps: half, the present size, twice and four times; empty without evidence.
        requests: requests that the figures are about.
        sampled: share of the keys that is simulated at the present size.
        in_bytes: whether sizes are in bytes, because `max_size_mb` bounds the cache.
        reason: what the figures rest on, or why there are none.
    """

    steps: tuple[MemoryStep, ...]
    requests: int
    sampled: float
    in_bytes: bool
    reason: str

    @property
    def evidence(self) -> bool:
        """Whether there are figures."""
        return bool(self.steps)

    def __str__(self) -> str:
        rows = [
            (
                _NAMES[step.factor],
                f"{step.memory / _MB:,.1f} MB" if self.in_bytes else f"{step.memory:,} entries",
                f"{step.hit_ratio:.1%}",
                f"+/- {100 * step.bound:.1f}" if step.bound else "",
                f"{step.hits:+,} hits" if step.factor != 1.0 else "",
            )
            for step in self.steps
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [f"adaptive: {self.reason}"]
        for name, *others in rows:
            cells = [name.ljust(widths[0])]
            cells += [text.rjust(width) for text, width in zip(others, widths[1:], strict=True)]
            lines.append(("  " + "  ".join(cells)).rstrip())
        return "\n".join(lines)


def advise(cache: Any, report: dict[str, Any], requests: int, misses: int) -> Advice:
    """Estimate the hit ratios of other sizes.

    Args:
        cache: the store.
        report: what its policy counted of them; empty if it was never asked to.
        requests: that the cache answered since it was asked to.
        misses: among them.
    """
    in_bytes = cache.max_size_bytes is not None
    sampled = report.get("sampled", 0.0)
    reason = _missing(report, requests)
    if reason:
        return Advice((), 0, sampled, in_bytes, reason)
    if report["counted"] < report["requests"]:  # those before are not part of it
        requests = max(1, round(requests * report["counted"] / report["requests"]))
        misses = min(requests, round(misses * report["missed"] / max(1, report["misses"])))
    present = 1.0 - misses / requests
    off = abs(report["off"]) / (requests * sampled)
    memory = cache.max_size_bytes if in_bytes else cache.max_entries or cache.count
    steps = [MemoryStep(1.0, memory, present, 0.0, 0)]
    for size in sorted(report["sizes"], key=lambda size: abs(size["factor"] - 1.0)):
        factor, expected = size["factor"], requests * size["sampled"]
        ratio = present + sum(size["gained"]) / expected
        if factor < 1.0:  # more memory never costs hits, but by chance
            ratio = max(0.0, min(ratio, present))
        else:
            ratio = min(1.0, max(ratio, steps[-1].hit_ratio))
        bound = hypot(_T * _spread(size) / expected, 2.0 * off) + _BLIND * abs(log2(factor))
        hits = round((ratio - present) * requests)
        steps.append(MemoryStep(factor, int(memory * factor), ratio, bound, hits))
    steps.sort(key=lambda step: step.factor)
    keys = "all keys are" if sampled == 1.0 else f"one key in {round(1 / sampled):,} is"
    reason = f"of {requests:,} requests; {keys} simulated"
    if in_bytes and cache.max_entries is not None:
        reason += "; max_entries is taken for as many times as large"
    return Advice(tuple(steps), requests, sampled, in_bytes, reason)


def _missing(report: dict[str, Any], requests: int) -> str:
    """Say why there are no figures; an empty string if there are."""
    if not report:
        return "nothing was gathered: the next call begins to gather evidence"
    if requests > 0 and report["counting"] and report["simulated"] >= max(100, report["room"]):
        return ""
    if not report["full"] and report["counting"]:
        return "the cache has not been full since the first call: more memory would gain nothing"
    return f"gathering evidence: {report['simulated']:,} requests simulated so far"


def _spread(size: dict[str, Any]) -> float:
    """Return the standard error of the sum over all keys sampled.

    The variance between groups of keys, for as many groups, is that of the sum over a
    sample; where the sample is a large part of all keys, less is left to chance.
    """
    gained = size["gained"]
    mean = sum(gained) / len(gained)
    variance = sum((each - mean) ** 2 for each in gained) / (len(gained) - 1)
    return sqrt((1.0 - size["sampled"]) * len(gained) * variance)
