"""What memory costs, and what a load costs, as people write them.

Money has no fixed currency: a name after the number is kept and must be the
same everywhere.  A GB is 1,000,000,000 bytes and a month 730 hours.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from scrubjay.errors import InvalidArgumentError
from scrubjay.lab.model import Trace, TraceError
from scrubjay.lab.replay import ReplayResult

PERIODS = {"hour": 3600.0, "month": 730 * 3600.0}
"""Seconds of the periods that prices and savings are told for."""

RECORDED = "recorded"
"""In place of a cost: the column of costs in the trace."""

_GB = 1e9
_SECONDS = {"h": 3600.0, "min": 60.0, "s": 1.0, "sec": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_SECONDS |= {"\u00b5s": 1e-6, "\u03bcs": 1e-6}  # the micro sign, and the letter
_PATTERN = re.compile(
    r"(\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?)\s*([^\d\s/.]*)", re.IGNORECASE | re.ASCII
)


@dataclass(frozen=True)
class MemoryPrice:
    """What a GB of memory costs.

    Attributes:
        amount: the price of a GB for a period.
        period: which one, of `PERIODS`.
        currency: its name; empty if none was given.
    """

    amount: float
    period: str
    currency: str = ""

    @classmethod
    def parse(cls, text: str) -> MemoryPrice:
        """Read a price such as ``4/month`` or ``0.005USD/hour``.

        Raises:
            InvalidArgumentError: it is none.
        """
        price, _, period = text.strip().partition("/")
        number, currency = _read(price.strip())
        if number is None or period.strip() not in PERIODS:
            raise InvalidArgumentError(
                f"memory-price must be a number for a GB and a month or an hour, such as 4/month "
                f"or 0.005USD/hour, not {text!r}"
            )
        return cls(number, period.strip(), currency)

    @property
    def per_byte_second(self) -> float:
        """What keeping a byte for a second costs."""
        return self.amount / _GB / PERIODS[self.period]


@dataclass(frozen=True)
class LoadCost:
    """What a load costs: a fixed amount, or what the trace says of each.

    Attributes:
        amount: the cost of each load, or None for the trace's column.
        in_seconds: whether it is time and not money.
        scale: seconds, or money, in a unit of the trace's column.
        currency: of money; empty if none was given.
    """

    amount: float | None = None
    in_seconds: bool = True
    scale: float = 1.0
    currency: str = ""

    @classmethod
    def parse(cls, text: str) -> LoadCost:
        """Read a cost: ``0.0001``, ``50ms``, ``recorded``, ``recorded:ms`` or ``recorded:USD``.

        Raises:
            InvalidArgumentError: it is none.
        """
        written = text.strip()
        if written.partition(":")[0] == RECORDED:
            unit = written.partition(":")[2] or "s"
            seconds = unit.lower() in _SECONDS
            return cls(None, seconds, _SECONDS.get(unit.lower(), 1.0), "" if seconds else unit)
        number, unit = _read(written)
        if not number:
            raise InvalidArgumentError(
                f"load-cost must be money such as 0.0001 or 0.0001USD, a time such as 50ms, or "
                f"'{RECORDED}' ('{RECORDED}:ms', '{RECORDED}:USD'), not {text!r}"
            )
        if unit.lower() in _SECONDS:
            return cls(number * _SECONDS[unit.lower()])
        return cls(number, in_seconds=False, currency=unit)


@dataclass(frozen=True)
class Prices:
    """What is weighed against what.

    Attributes:
        load: what a load costs.
        memory: what memory costs; None where only the time of loads counts.
        second: what a second of loading costs in money, where loads are told in time.
    """

    load: LoadCost
    memory: MemoryPrice | None = None
    second: float | None = None

    @property
    def in_money(self) -> bool:
        """Whether loads have a price, and not only a duration."""
        return self.second is not None or not self.load.in_seconds

    @property
    def currency(self) -> str:
        """The name of the currency; empty if none was given."""
        return (self.memory.currency if self.memory else "") or self.load.currency

    @property
    def period(self) -> str:
        """What costs are told for: the memory's period, else an hour."""
        return self.memory.period if self.memory else "hour"

    def of_misses(self, result: ReplayResult) -> float:
        """What the misses of a replay cost, in money or seconds."""
        if self.load.amount is None:
            return self._money(result.cost_missed * self.load.scale)
        return self._money(self.load.amount * result.misses)

    def of_all(self, result: ReplayResult) -> float:
        """What loading for every request, without a cache, would have cost."""
        if self.load.amount is None:
            return self._money(result.cost_requested * self.load.scale)
        return self._money(self.load.amount * result.requests)

    def of_each(self, trace: Trace) -> Sequence[float]:
        """What a load at each request of a trace costs."""
        if self.load.amount is None:
            factor = self._money(self.load.scale)
            return [cost * factor for cost in trace.costs or ()]
        return [self._money(self.load.amount)] * len(trace)

    def check(self, trace: Trace) -> None:
        """Check that a trace has what the costs are taken from.

        Raises:
            TraceError: it has no costs.
        """
        if self.load.amount is None and trace.costs is None:
            raise TraceError(
                f"{trace.name}: what loads cost was not recorded; say it with --load-cost"
            )

    def _money(self, cost: float) -> float:
        return cost if self.second is None else cost * self.second


def read_prices(memory: str | None, load: str, second: str | None) -> Prices:
    """Read the prices, and check that they can be weighed against each other.

    Args:
        memory: see `MemoryPrice.parse`; None where only the time of loads counts.
        load: see `LoadCost.parse`.
        second: money for a second of loading.

    Returns:
        The prices.

    Raises:
        InvalidArgumentError: one of them makes no sense, or they do not fit together.
    """
    cost = LoadCost.parse(load)
    price = None if memory is None else MemoryPrice.parse(memory)
    number, currency = (None, "") if second is None else _read(second.strip())
    if second is not None and not number:
        raise InvalidArgumentError(
            f"second-price must be the price of a second of loading, such as 0.002, not {second!r}"
        )
    if second is not None and not cost.in_seconds:
        raise InvalidArgumentError("second-price: the loads have a price already")
    prices = Prices(cost, price, number)
    if prices.in_money and price is None:
        raise InvalidArgumentError(
            "memory-price: needed where loads have a price, such as 4/month for a GB"
        )
    if price is not None and not prices.in_money:
        raise InvalidArgumentError(
            "second-price: needed where loads are told in time and memory in money; "
            "without --memory-price only the time of loads counts"
        )
    names = {name for name in (currency, cost.currency, price.currency if price else "") if name}
    if len(names) > 1:
        raise InvalidArgumentError(f"prices are in several currencies: {', '.join(sorted(names))}")
    return prices


def _read(text: str) -> tuple[float | None, str]:
    """A number and what stands after it; None if it is none, or has no end."""
    match = _PATTERN.fullmatch(text)
    number = float(match[1]) if match else math.inf
    if not match or not math.isfinite(number):
        return None, ""
    return number, match[2]
