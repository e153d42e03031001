"""A guess at what will be asked."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple


class Guess(NamedTuple):
    """A key worth fetching ahead.

    Attributes:
        key: what will be asked.
        probability: how often guesses like this one were right, from 0 to 1.
        source: the predictor that made it.
        band: how strong its evidence was, from 0.
    """

    key: Hashable
    probability: float
    source: str
    band: int
