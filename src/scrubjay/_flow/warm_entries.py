"""Entries of memory as records of a file, and back; see `scrubjay.tiers.snapshot`.

A body is a value in our envelope, under the serializer of the cache. A header has in JSON what the
envelope has no place for: the key, how often it was read, when its time is up, what it was made
from, and for each tier the counters of its labels. The envelope is bound to head and header as to
a key: a body under another header, or of another file, is damaged or forged.

Over a tier that nodes share there are no values: what it has must be asked there in any case.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from scrubjay._core.store import Store
from scrubjay._flow.labels import Named, Names
from scrubjay.clock import Clock
from scrubjay.codecs import Meta, Reason, Serializer, Undecodable
from scrubjay.errors import EncodeError, InvalidKeyError
from scrubjay.prefetch.saving import read_key, write_key
from scrubjay.tiers.snapshot import LONGEST_BODY, LONGEST_HEADER, Line

_DIGEST = 16
_MOST_USES = 1 << 20
_LARGEST = 1 << 63

#: counters by name, one for each tier
Known = Mapping[bytes, Sequence[int]]


class Labels(NamedTuple):
    """What an entry depends on.

    Attributes:
        names: of the counters: of its own key, too.
        needs: keys.
        tags: its own and those of the keys.
    """

    names: frozenset[bytes]
    needs: tuple[Any, ...]
    tags: frozenset[str]


class Entry(NamedTuple):
    """An entry as it was read.

    Attributes:
        key: its key.
        value: its value; None where there are none.
        meta: its conditions.
        uses: how often it was read.
        needs: the keys that it was made from.
        labels: the counters of all that it depends on, of its own key, and of its tags.
    """

    key: Any
    value: Any
    meta: Meta
    uses: int
    needs: tuple[Any, ...]
    labels: Known


class WarmEntries:
    """Makes records of entries, and entries of records.

    Args:
        store: the memory.
        names: the names of keys and tags.
        serializer: turns values into bytes; None for no values.
        wall: tells the wall time.
    """

    def __init__(self, store: Store, names: Names, serializer: Serializer | None, wall: Clock):
        self._store = store
        self._names = names
        self._serializer = serializer
        self._wall = wall
        self._head = b""

    def begin(self, head: bytes) -> None:
        """Bind all records, from now on, to the head of their file."""
        self._head = blake2b(head, digest_size=_DIGEST).digest()

    # Writing

    def labels_of(self, facts: Mapping[str, Any]) -> Labels | None:
        """Return what an entry depends on, however indirectly.

        What lies between may not come back, and the others must go with its sources all the
        same. None if a key has no bytes.
        """
        try:
            own = self._names.of_key(facts["key"])
            needs: dict[bytes, Any] = {}
            tags: set[str] = set()
            todo: list[Mapping[str, Any]] = [facts]
            for one in todo:  # it grows meanwhile
                tags.update(one["tags"])
                for need in one["dependencies"]:
                    name = self._names.of_key(need)
                    if name not in needs and name != own:
                        needs[name] = need
                        further = None if type(need) is Named else self._store.facts(need)
                        if further is not None:
                            todo.append(further)
        except InvalidKeyError:
            return None
        names = frozenset({own, *needs, *map(self._names.of_tag, tags)})
        return Labels(names, tuple(needs.values()), frozenset(tags))

    def written(self, facts: Mapping[str, Any], known: Known) -> Line | None:
        """Return the record of an entry; None if it cannot be written.

        Args:
            facts: what the store knows of it.
            known: counters, from before the entry was looked at; empty where there are no
                tiers, and names of labels that are not there.
        """
        labels = self.labels_of(facts)
        wall = self._wall.time()  # first: waiting between the two clocks must not add to its time
        now = self._store.now_seconds()
        if labels is None or facts["deadline"] <= now:
            return None
        try:
            counters = {name.decode("latin-1"): list(known[name]) for name in labels.names}
            needs = [_write_need(need) for need in labels.needs]
            until = None if facts["deadline"] == math.inf else wall + facts["deadline"] - now
            row = [
                write_key(facts["key"]),
                min(facts["hits"], _MOST_USES),
                until,
                needs,
                counters,
            ]
            header = json.dumps(row, separators=(",", ":")).encode()
            if len(header) > LONGEST_HEADER:
                return None
            if self._serializer is None:
                return Line(header, self._checksum(header))
            meta = Meta(
                created=wall - max(0.0, now - facts["created"]),
                expires=None if facts["hard"] == math.inf else wall + facts["hard"] - now,
                idle_seconds=facts["idle"],
                priority=facts["priority"],
                cost=facts["cost"],
                tags=dict.fromkeys(labels.tags, 0),
            )
            body = self._serializer.dump(self._bound(header), facts["value"], meta)
            return Line(header, body) if len(body) <= LONGEST_BODY else None
        except (KeyError, TypeError, ValueError, RecursionError, EncodeError):
            return None  # `ValueError` is of a surrogate in a tag, say

    def _bound(self, header: bytes) -> bytes:
        return self._head + header

    def _checksum(self, header: bytes) -> bytes:
        return blake2b(self._bound(header), digest_size=_DIGEST).digest()

    # Reading

    def read(self, line: Line) -> Entry | Reason:
        """Return the entry in a record, or why there is none."""
        meta, value = Meta(0.0), None
        if self._serializer is not None:
            loaded = self._serializer.load(self._bound(line.header), line.body)
            if isinstance(loaded, Undecodable):
                return loaded.reason
            value, meta = loaded
        elif line.body != self._checksum(line.header):
            return Reason.DAMAGED
        try:
            key, uses, until, needs, counters = json.loads(line.header)
            if until is not None and not float(until) > self._wall.time():
                meta = meta._replace(expires=0.0)  # it was not read for too long
            return Entry(
                read_key(key),
                value,
                meta,
                min(max(0, int(uses)), _MOST_USES),
                tuple(map(_read_need, needs)),
                {
                    name.encode("latin-1"): [int(number) for number in numbers]
                    for name, numbers in counters.items()
                },
            )
        except (TypeError, ValueError, KeyError, ArithmeticError, AttributeError, RecursionError):
            return Reason.DAMAGED  # `ArithmeticError` is of a number that is too large


def _write_need(need: Any) -> Any:
    if type(need) is Named:
        return {"n": need.name.decode("latin-1")}
    return write_key(need)


def _read_need(written: Any) -> Any:
    if isinstance(written, dict) and "n" in written:
        return Named(written["n"].encode("latin-1"))
    return read_key(written)
