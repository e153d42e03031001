"""Advice in sentences: what to do, what it saves, and what to beware of."""

from __future__ import annotations

import math

from scrubjay.lab.advice import NEAR_LEAST, Option, Weighing
from scrubjay.lab.advising import Advice
from scrubjay.lab.capacity import in_words
from scrubjay.lab.lifetimes import LOST_HITS
from scrubjay.lab.prices import PERIODS
from scrubjay.lab.replay import split_objective
from scrubjay.lab.summary import LEAST_OBJECTS

_MB = 1 << 20
_FEW_KEYS = 1000  # of a sample; with fewer, single keys decide


def recommend(advice: Advice) -> str:
    """Say what to do and what it saves, in a few sentences."""
    weighing, best = advice.weighing, advice.best
    name = weighing.traffic.name
    if weighing.weighed and best.total >= advice.without_cache:
        return (
            f"{name}: at these prices no cache pays. Loading everything costs "
            f"{cost(advice.without_cache, weighing)}; with the cheapest cache tried, "
            f"{amount(best, weighing)} under {best.strategy}, {total(best, weighing)}."
        )
    saved = f"{_difference(advice.without_cache - best.total, weighing)} than without a cache"
    present = advice.present
    if present is best:
        now = "that is what is in use, and "
    elif present is not None:
        now = (
            f"{_difference(present.total - best.total, weighing)} than now "
            f"({in_words(present.amount, in_bytes=present.in_bytes)}"
            f"{' entries' * (not present.in_bytes)} under {present.strategy}, "
            f"{present.hit_ratio:.1%} hit), and "
        )
    else:
        now = ""
    text = (
        f"{name}: keep {amount(best, weighing)} under {best.strategy}; {best.hit_ratio:.1%} of the "
        f"requests then hit. {total(best, weighing)[0].upper()}{total(best, weighing)[1:]}: "
        f"{now}{saved}."
    )
    if not weighing.weighed:
        text += f" It is the smallest capacity tried that is within {NEAR_LEAST:.0%} of the least."
    return text


def as_code(option: Option) -> str:
    """Say the same in Python."""
    bound = f"max_entries={option.amount}"
    if option.in_bytes:
        # As it was replayed: by default, what takes more than a tenth is refused.
        bound = f"max_size_mb={_megabytes(option.amount)}, max_value_fraction=1.0"
    name, objective = split_objective(option.strategy)
    strategy = f'eviction_strategy="{name}"' + f', objective="{objective}"' * (
        objective is not None
    )
    return f"Cache({bound}, {strategy})"


def _megabytes(size: int) -> str:
    """Write a size with four digits, rounded up: what has room for all shall still have it."""
    decimals = max(0, 3 - math.floor(math.log10(size / _MB)))
    return f"{math.ceil(size / _MB * 10**decimals) / 10**decimals:.15g}"


def explain_lifetimes(advice: Advice) -> list[str]:
    """Say what the trace tells of times to live."""
    lifetimes = advice.lifetimes
    if lifetimes is None:
        return []
    lines: list[str] = []
    if lifetimes.ttl_seconds is not None:
        lines.append(
            f"ttl_seconds={lifetimes.ttl_seconds:g} ({duration(lifetimes.ttl_seconds)}) loses at "
            f"most {LOST_HITS:.0%} of the hits; a shorter one loses more."
        )
    else:
        lines.append(
            f"No time to live is suggested: even one of half the trace loses more than "
            f"{LOST_HITS:.0%} of the hits."
        )
    idle = lifetimes.idle_seconds
    if advice.weighing.weighed:
        lines.append(
            "Entries are worth their memory however long they are unread, as far as the trace tells."
            if idle is None
            else f"idle_seconds={idle:g} ({duration(idle)}): what is unread for longer costs more "
            "memory than its next hit saves."
        )
    elif idle is not None:
        lines.append(
            f"idle_seconds={idle:g} ({duration(idle)}) loses at most {LOST_HITS:.0%} of the hits."
        )
    if advice.replaced_seconds is not None:
        lines.append(
            f"{advice.replaced:,} values were stored anew while the old ones were kept, at a median "
            f"age of {duration(advice.replaced_seconds)}; entries which live longer than that are "
            "current only because of these stores."
        )
    return lines


def warn(advice: Advice, *, stretched: bool = False) -> list[str]:
    """Say what the advice rests on, and what it cannot know.

    Args:
        advice: the advice.
        stretched: whether the rate of the requests is not the trace's own.
    """
    weighing, best = advice.weighing, advice.best
    traffic = weighing.traffic
    lines: list[str] = []
    if traffic.sample < 1:
        few = traffic.unique_keys < _FEW_KEYS
        lines.append(
            f"The trace holds a sample of {traffic.sample:.3g} of the keys ({traffic.unique_keys:,} "
            f"of some {traffic.unique_keys / traffic.sample:,.0f}): capacities, requests and costs "
            "are scaled up from it" + ("; with so few keys they are rough." if few else ".")
        )
        present = advice.present
        if present and _objects(present, weighing) * traffic.sample < LEAST_OBJECTS:
            lines.append(
                f"The present capacity has room for fewer than {LEAST_OBJECTS} keys of the sample, "
                "which is too few to tell what it hits."
            )
    if traffic.rate is None:
        lines.append(
            "The trace has no times, so costs are told for a thousand requests"
            + (
                ", and memory is not weighed against them; --requests-per-second makes up for it."
                if weighing.prices.memory
                else "."
            )
        )
    elif stretched:
        lines.append(
            f"Times are made to fit {traffic.rate:,.4g} requests a second"
            + (", evenly spaced." if traffic.span_seconds is None else ".")
        )
    elif traffic.span_seconds and traffic.span_seconds < PERIODS[weighing.prices.period]:
        lines.append(
            f"The trace spans {duration(traffic.span_seconds)}; costs {per(weighing)} assume that "
            "this is typical."
        )
    if best.amount >= max(option.amount for option in advice.options if _in_trace(option, advice)):
        lines.append(
            "This has room for all that the trace asks for: whether more would help, only a longer "
            "one could tell."
        )
    if best.hit_ratio < 1:
        lines.append(
            f"{min(1.0, traffic.first_requests / (1 - best.hit_ratio)):.0%} of the misses are first "
            "requests for a key, which no capacity avoids; a longer trace has relatively fewer."
        )
    return lines


def amount(option: Option, weighing: Weighing) -> str:
    """Say how large a cache is, in entries and in bytes."""
    size = in_words(option.amount, in_bytes=option.in_bytes)
    if not option.in_bytes:
        memory = option.memory_bytes
        about = f" ({in_words(round(memory), in_bytes=True)})" if memory else ""
        return f"{size} entries{about}"
    return f"{size} (some {_objects(option, weighing):,.0f} entries)"


def total(option: Option, weighing: Weighing) -> str:
    """Say what a cache and its loads cost."""
    if not weighing.weighed:
        verb = "cost" if weighing.prices.in_money else "take"
        return f"loads {verb} {cost(option.load_cost, weighing)}"
    memory, loads = (number(value) for value in (option.memory_cost, option.load_cost))
    return f"memory and loads cost {memory} + {loads} = {cost(option.total, weighing)}"


def cost(value: float, weighing: Weighing) -> str:
    """Say a cost, with what it is for."""
    unit = weighing.prices.currency if weighing.prices.in_money else "s"
    return f"{number(value)}{' ' if unit else ''}{unit} {per(weighing)}"


def per(weighing: Weighing) -> str:
    """Say what costs are told for."""
    if weighing.traffic.rate is None:
        return "for a thousand requests"
    return "an hour" if weighing.prices.period == "hour" else "a month"


def number(value: float, like: float | None = None) -> str:
    """Write a cost with about three digits, or with as many decimals as one like it has."""
    size = abs(value if like is None else like)
    if like is None and 0 < size < 1e-3:
        return f"{value:.3g}"
    decimals = min(6, max(0, 2 - math.floor(math.log10(size)))) if size > 0 else 0
    return f"{value:,.{decimals}f}"


def duration(seconds: float) -> str:
    """Write a time for a person to read."""
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


def _objects(option: Option, weighing: Weighing) -> float:
    """About how many entries find room."""
    entry = weighing.traffic.entry_bytes or 1.0
    return option.amount / max(entry, 1.0) if option.in_bytes else float(option.amount)


def _difference(saved: float, weighing: Weighing) -> str:
    unit = weighing.prices.currency if weighing.prices.in_money else "s"
    word = "less" if saved >= 0 else "more"
    return f"{number(abs(saved))}{' ' if unit else ''}{unit} {word}"


def _in_trace(option: Option, advice: Advice) -> bool:
    """Whether a capacity is no larger than what the trace asks for."""
    traffic = advice.weighing.traffic
    return option.amount <= round(traffic.total(in_bytes=option.in_bytes) / traffic.sample)
