"""What a node has changed itself, so that nothing it knew before is shown after.

Word of a change may come late: by the connection that reads, while another one has written.
Whoever asks draws a moment first. What is known from before a change that this node has made
meanwhile is of the past, whatever the watches over it say.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

from scrubjay._core.section import undisturbed

__all__ = ["OwnChanges"]

_MOST = 100_000  # names that are told apart


class OwnChanges:
    """The last changes of one node to names that have generations. Shared by threads."""

    def __init__(self) -> None:
        self._order = count(1)
        self._last: dict[bytes, int] = {}
        self._floor = 0  # changes up to here are not told apart any more

    def moment(self) -> int:
        """Return the number of a moment, larger than all before."""
        return next(self._order)

    def note(self, names: Iterable[bytes]) -> None:
        """Note that a change of names is done, before anything is removed that goes with them."""
        undisturbed(self._note, names)

    def _note(self, names: Iterable[bytes]) -> None:
        now = self.moment()
        for name in names:
            self._last[name] = now
        if len(self._last) > _MOST:
            self._last.clear()
            self._floor = now

    def since(self, moment: int, names: Iterable[bytes]) -> bool:
        """Tell whether one of the names was changed here after a moment."""
        if self._floor > moment:
            return True
        return any(self._last.get(name, 0) > moment for name in names)
