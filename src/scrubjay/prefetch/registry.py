"""The registry of predictors: one predictor, one file, one line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scrubjay.errors import InvalidArgumentError
from scrubjay.prefetch.predictor import Predictor
from scrubjay.prefetch.predictors.cooccurrence import CoOccurrence
from scrubjay.prefetch.predictors.sequence import Sequence
from scrubjay.prefetch.predictors.session import Session
from scrubjay.prefetch.predictors.time import Time
from scrubjay.prefetch.predictors.user import User

_predictors: dict[str, Callable[[], Predictor]] = {
    "sequence": Sequence,
    "cooccurrence": CoOccurrence,
    "time": Time,
    "user": User,
    "session": Session,
}


def register_predictor(name: Any, factory: Callable[[], Predictor]) -> None:
    """Let every planner that is made from now on ask a predictor too.

    Args:
        name: of the predictor; one of the same name is replaced.
        factory: called once for each planner.

    Raises:
        InvalidArgumentError: the name is empty, or the factory cannot be called.
    """
    if not name:
        raise InvalidArgumentError(f"name: {name!r} is not the name of a predictor")
    if not callable(factory):
        raise InvalidArgumentError(f"factory: {factory!r} cannot be called")
    _predictors[name] = factory


def make_predictors() -> dict[str, Predictor]:
    """Return one new predictor of each kind, by name."""
    return {name: factory() for name, factory in _predictors.items()}
