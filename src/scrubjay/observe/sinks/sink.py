"""What sinks have in common: caches that they watch, each under a label of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from scrubjay.observe.roster import Roster

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Sink"]


class Sink:
    """Watches caches, and keeps none of them alive; a kind of sink says what it does with each."""

    def __init__(self) -> None:
        self._roster = Roster()

    def watch(self, *caches: Any) -> Self:
        """Watch these caches, too, until they are gone; return itself.

        Raises:
            InvalidArgumentTypeError: one is no cache.
        """
        for cache in caches:
            self._roster.add(cache, self._begin)
        return self

    def close(self) -> None:
        """Watch nothing any more."""
        self._roster.clear()

    def _begin(self, store: Any, label: str) -> Callable[[], None]:
        """Begin to watch a store under a label; return what ends that."""
        raise NotImplementedError
