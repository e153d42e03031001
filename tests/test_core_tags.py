"""Tags as a signal: what ADAPTIVE makes of the tags of entries."""

from __future__ import annotations

import heapq
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrubjay import Cache, compiled
from tests.models import check, scaled

if not compiled:
    from scrubjay._core.constants import NONE
    from scrubjay._core.tag_returns import KNOWN, ROWS, TagReturns


def keys_read_again_or_not(seed, number, within):
    """Make keys of which those with one tag are read twice, those with the other once."""
    random = Random(seed)
    due = []
    for fresh in range(1, number + 1):
        while due and due[0][0] < fresh:
            yield heapq.heappop(due)[1], "again"
        again = random.random() < 0.4
        if again:
            heapq.heappush(due, (fresh + random.randrange(9, within - 1), fresh))
        yield fresh, "again" if again else "once"


def hits(cache, made, tags):
    """Return how many of the requests hit.

    Args:
        cache: the cache.
        made: keys with a tag each.
        tags: returns the tags to store an entry with, for its key and tag.
    """
    found = 0
    for key, tag in made:
        if cache.get(key) is None:
            cache.put(key, 1, tags=tags(key, tag))
        else:
            found += 1
    return found


@pytest.mark.parametrize("several", [False, True])
def test_what_has_a_tag_under_which_nothing_comes_back_goes_first(several):
    made = list(keys_read_again_or_not(1, scaled(20_000, 8_000), 800))
    untold = hits(Cache(max_entries=500), made, lambda key, tag: ())
    told = hits(
        Cache(max_entries=500),
        made,
        lambda key, tag: (tag, f"document {key}", "all") if several else (tag,),
    )
    assert told > 1.15 * untold


@pytest.mark.any_build  # it takes long uncompiled, and both builds learn the same
def test_tags_are_learned_anew_when_they_change_their_meaning():
    first = list(keys_read_again_or_not(1, 10_000, 800))
    then = [
        (-key, "once" if tag == "again" else "again")
        for key, tag in keys_read_again_or_not(2, 30_000, 800)
    ]
    between, rest = then[: 2 * len(then) // 3], then[2 * len(then) // 3 :]
    told, untold = Cache(max_entries=500), Cache(max_entries=500)
    for made in (first, between):
        hits(told, made, lambda key, tag: (tag,))
        hits(untold, made, lambda key, tag: ())
    assert hits(told, rest, lambda key, tag: (tag,)) > 1.1 * hits(untold, rest, lambda key, tag: ())


def test_tags_that_say_nothing_do_no_harm():
    random = Random(3)
    made = [(int(random.paretovariate(0.4)), "") for _ in range(scaled(60_000, 15_000))]
    untold = hits(Cache(max_entries=200), made, lambda key, tag: ())
    for tags in (
        lambda key, tag: (f"{key % 7}",),
        lambda key, tag: (f"own {key}",),
        lambda key, tag: (f"{random.randrange(40)}",),
    ):
        assert hits(Cache(max_entries=200), made, tags) > 0.99 * untold


def test_marks_go_with_the_entries():
    """Tags, sessions, replacements, removals and a cleared cache hold together."""
    random = Random(4)
    cache = Cache(max_entries=60, enable_prefetching=False)
    for step in range(scaled(6_000, 2_000)):
        key = random.randrange(150)
        tags = random.sample(["a", "b", "c", f"own {key}"], random.randrange(4))
        context = {"session_id": str(random.randrange(9))} if random.random() < 0.5 else None
        if random.random() < 0.6 and cache.get(key, context=context) is None:
            cache.put(key, step, tags=tags, context=context)
        elif random.random() < 0.3:
            cache.put(key, step, tags=tags)
        elif random.random() < 0.05:
            cache.invalidate_by_tags([random.choice("abc")])
        elif random.random() < 0.01:
            cache.clear()
        elif random.random() < 0.01:
            cache.advise()
    check(cache)


@pytest.mark.skipif(compiled, reason="the compiled core hides these structures")
class TestReturns:
    """The figures that say whether a tag is cold."""

    @staticmethod
    def told(events):
        returns = TagReturns()
        for row, came_back in events:
            (returns.came_back if came_back else returns.gave_up)(row)
        return returns

    def test_a_tag_is_cold_below_half_the_share_of_all(self):
        returns = self.told([(0, True)] * 30 + [(0, False)] * 30 + [(1, False)] * 40)
        assert returns.limit() == pytest.approx(0.15)
        assert returns.is_cold(1)
        assert not returns.is_cold(0)
        assert not returns.is_cold(NONE)

    def test_of_few_keys_nothing_is_said(self):
        few = self.told([(0, True)] * 100 + [(1, False)] * (int(KNOWN) - 1))
        assert not few.is_cold(1)
        few.waits(1)
        assert few.is_cold(1)
        few.begin_waiting()
        assert not few.is_cold(1)

    def test_an_entry_is_counted_under_its_coldest_tag(self):
        tags = {hash(tag) & (ROWS - 1): tag for tag in map(str, range(50))}
        (warm, a), (cold, b), (coldest, c) = list(tags.items())[:3]
        returns = self.told(
            [(warm, True)] * 500
            + [(cold, True)] * 20
            + [(cold, False)] * 80
            + [(coldest, False)] * 100
        )
        assert returns.row_of(frozenset([a, b])) == cold
        assert returns.row_of(frozenset([a, b, c])) == coldest
        assert returns.row_of(frozenset()) == NONE

    def test_of_other_tags_each_has_its_turn(self):
        returns = TagReturns()
        tags = frozenset(["a", "b", "c"])
        drawn = [returns.row_of(tags) for _ in range(300)]
        assert set(drawn) == {hash(tag) & (ROWS - 1) for tag in tags}
        assert min(drawn.count(row) for row in set(drawn)) > 50

    @given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=50))
    def test_what_fades_keeps_its_shares(self, events):
        returns = self.told(events * 40)  # more than enough of each
        shares = [returns.share(row) for row in range(4)]
        limit = returns.limit()
        returns.fade(0.5)
        assert returns.limit() == pytest.approx(limit)
        assert [returns.share(row) for row in range(4)] == pytest.approx(shares)
