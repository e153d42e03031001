"""Tags and dependencies below memory: names whose counters say whether a record holds.

A record carries the counters that its names had when its value began to be made. Whoever
invalidates a tag, or changes a key that others may depend on, bumps a counter: all that
carries the one before is void from then on, wherever it is and however much of it there
is. See `docs/decisions/0023-lower-tiers.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from scrubjay._core.store import Store
from scrubjay._core.terms import Terms

_LONGEST = 96  # bytes of a tag that is written out


class Named:
    """A name of a counter as a key that entries in memory depend on.

    An entry that came from a lower tier depends on keys of which only the names are known.

    Args:
        name: of the counter.
    """

    __slots__ = ("name",)

    def __init__(self, name: bytes) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return type(other) is Named and other.name == self.name

    def __hash__(self) -> int:
        return hash((Named, self.name))

    def __repr__(self) -> str:
        return f"<{self.name!r}>"


class Names:
    """The names of counters in one namespace.

    Args:
        encode: makes a name of a key.
        prefix: what all names of the namespace begin with.
    """

    def __init__(self, encode: Callable[[Any], bytes], prefix: bytes) -> None:
        self.encode = encode
        self._prefix = prefix
        #: the counter that moves on when a tier is cleared
        self.everything = b"a" + prefix

    def of_key(self, key: Any) -> bytes:
        """Return the counter that moves on when a key changes."""
        return key.name if type(key) is Named else self.of_name(self.encode(key))

    @staticmethod
    def of_name(name: bytes) -> bytes:
        """Return the counter that moves on when a key changes, given the key as bytes."""
        return b"d" + name

    def of_tag(self, tag: str) -> bytes:
        """Return the counter that moves on when a tag is invalidated."""
        written = tag.encode("utf-8", "surrogatepass")
        if len(written) > _LONGEST:
            return b"t%b#%b" % (self._prefix, blake2b(written, digest_size=24).digest())
        return b"t%b=%b" % (self._prefix, written)

    def of_entry(self, terms: Terms, store: Store) -> frozenset[bytes]:
        """Return the names of all labels of an entry: its tags, and what it depends on.

        The arguments are those of `inherited`.
        """
        return self.inherited(terms, store).union(map(self.of_tag, terms.tags))

    def inherited(self, terms: Terms, store: Store) -> frozenset[bytes]:
        """Return the names on which an entry depends, directly or through others.

        Args:
            terms: of the entry.
            store: where the entries are that it depends on, with tags and dependencies of
                their own. What is not there is taken to have none.
        """
        found: set[bytes] = set()
        todo = list(terms.dependencies)
        for key in todo:  # it grows meanwhile
            name = self.of_key(key)
            if name in found:
                continue
            found.add(name)
            facts = None if type(key) is Named else store.facts(key)
            if facts is not None:
                found.update(map(self.of_tag, facts["tags"]))
                todo += facts["dependencies"]
        return frozenset(found)
