"""What is made while something changes, of what was before, does not outlive the change."""

from __future__ import annotations

import pytest

from scrubjay import Cache, Layer, Memory
from scrubjay.tiers import MemoryTier


class Watched(MemoryTier):
    """A tier that lets somebody else go on before it does what it is asked to."""

    meanwhile = None

    def _let(self):
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()

    def put_many(self, records):
        self._let()
        return super().put_many(records)

    def delete_many(self, keys):
        self._let()
        return super().delete_many(keys)

    def bump(self, names):
        self._let()
        return super().bump(names)


WAYS = {
    "put": lambda cache: cache.put("part", "new"),
    "put_many": lambda cache: cache.put_many({"part": "new"}),
    "invalidate": lambda cache: cache.invalidate("part"),
    "invalidate_many": lambda cache: cache.invalidate_many(["part"]),
    "tags": lambda cache: cache.invalidate_by_tags({"t"}),
    "refresh": lambda cache: cache.refresh("part", lambda key: "new"),
}


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_what_is_made_of_the_past_is_void(way, several):
    """The far tier has moved its counter on; the near one still shows what was there before."""
    near = Watched(name="near")
    layers = [Memory(), Layer(near), Layer(MemoryTier(name="far"))]
    cache = Cache(max_entries=3, tiers=layers, eviction_strategy="lru")
    made = []

    def make(key):
        for other in "abc":  # memory does not matter
            cache.put(other, 1)
        made.append(cache.get("part"))
        return made[-1]

    def meanwhile():
        if several:
            cache.get_many(
                ["whole"], lambda keys: {"whole": make("whole")}, dependencies={"part"}, tags={"t"}
            )
        else:
            cache.get_or_load("whole", make, dependencies={"part"}, tags={"t"})

    cache.put("part", "old", tags={"t"})
    near.meanwhile = meanwhile
    WAYS[way](cache)
    assert made == ["old"]
    assert cache.get("whole") in {None, "new"}
    for key in "abc":
        cache.put(key, 1)
    assert cache.get("whole") in {None, "new"}
