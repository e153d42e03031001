"""A guess at what will be asked."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple


class Guess(NamedTuple):
    """A key worth fetching ahead.

    Attributes:
        key: What will be asked.
        probability: How often guesses like this one were right, from 0 to 1.
        source: The predictor that made it.
        band: How strong its evidence was, from 0.
    """

    key: Hashable
    probability: float
    source: str
    band: int
