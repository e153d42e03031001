"""What a tier was not told while it could not be reached.

It is told before it is asked anything again, and only ever to forget: what another
process has written since must not be overwritten by what was written before that.
"""

from __future__ import annotations

from scrubjay._core.section import undisturbed

MOST = 10_000  # names of one kind, for a tier that is unreachable for long


class Debts:
    """Keys whose records must go, and counters that must move on. Shared by threads."""

    def __init__(self) -> None:
        self._keys: dict[bytes, None] = {}
        self._names: dict[bytes, None] = {}
        #: whether all records must go: there were too many keys to remember, or all had to
        self.everything = False

    def __bool__(self) -> bool:
        return bool(self._keys or self._names or self.everything)

    def __len__(self) -> int:
        return len(self._keys) + len(self._names) + self.everything

    def add(self, keys: list[bytes], names: list[bytes]) -> bool:
        """Note what is owed; tell whether it became too much to be remembered one by one.

        Args:
            keys: whose records must go.
            names: of counters that must be bumped.
        """
        return undisturbed(self._add, (keys, names))

    def _add(self, owed: tuple[list[bytes], list[bytes]]) -> bool:
        keys, names = owed
        self._keys.update(dict.fromkeys(keys))
        self._names.update(dict.fromkeys(names))
        if len(self._keys) > MOST or len(self._names) > MOST:
            self._keys.clear()
            self._names.clear()
            new, self.everything = not self.everything, True
            return new
        return False

    def add_all(self) -> None:
        """Note that everything must go."""
        undisturbed(self._add_all, None)

    def _add_all(self, _: None) -> None:
        self._keys.clear()
        self.everything = True

    def take(self) -> tuple[list[bytes], list[bytes], bool]:
        """Return all that is owed, as keys, names and everything; it is owed no more."""
        return undisturbed(self._take, None)

    def _take(self, _: None) -> tuple[list[bytes], list[bytes], bool]:
        keys, names, everything = list(self._keys), list(self._names), self.everything
        self._keys, self._names, self.everything = {}, {}, False
        return keys, names, everything

    def give_back(self, keys: list[bytes], names: list[bytes], everything: bool) -> None:
        """Owe again what `take` returned."""
        if everything:
            self.add_all()
        self.add(keys, names)
