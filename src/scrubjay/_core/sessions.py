"""What sessions tell about entries: which several ask for, and which are a session's last word.

Two marks an entry. It is *shared* once a second session asks for it. It is *followed* once
the session that asked for it last has gone on to another key. What was not followed is the
end of a chain: of a conversation's prefix blocks the last, half-filled one, which nobody will
ask for again once the conversation goes on; or the place where a session stands now.

The last keys of 8,192 sessions are remembered. A session that is forgotten for another leaves
its last entry unfollowed, as one that has ended does.
"""

from __future__ import annotations

from array import array

from scrubjay._core.columns import Columns
from scrubjay._core.constants import FOLLOWED, NONE, SHARED, SOCIAL

ROWS = 8192  # sessions remembered: 64 kB


class Sessions:
    """The last slot of each session, by the number that stands for the session."""

    def __init__(self) -> None:
        self.numbers = array("I")
        self.last = array("i")

    def begin(self) -> int:
        """Make room for the sessions, and forget those that there were."""
        self.numbers = array("I", bytes(4 * ROWS))
        self.last = array("i", [NONE]) * ROWS
        return 0

    def forget(self) -> None:
        """Forget all sessions."""
        for row in range(len(self.numbers)):
            self.numbers[row] = 0

    def asked(self, columns: Columns, slot: int, session: int) -> int:
        """Mark what a session asks for; return the slot that it has gone on from, or -1."""
        row = session & (ROWS - 1)
        before = self.last[row] if self.numbers[row] == session else NONE
        self.numbers[row] = session
        self.last[row] = slot
        known = columns.session[slot]
        marks = known & (SHARED >> SOCIAL)
        if known >> 2 != 0 and known >> 2 != session:
            marks = SHARED >> SOCIAL
        columns.session[slot] = (session << 2) | marks
        if before == NONE or before == slot or columns.session[before] >> 2 != session:
            return NONE
        columns.session[before] |= FOLLOWED >> SOCIAL
        return before
