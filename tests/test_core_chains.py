"""Dependencies as a signal: what ADAPTIVE makes of a chain of them."""

from __future__ import annotations

from random import Random

from scrubjay import Cache
from tests.models import check, scaled


def prompts(seed, number, talks=40):
    """Make the blocks of prompts, in the order in which they are looked for.

    Conversations begin with one of four common prefixes, and grow by two blocks a turn; which
    goes on is drawn anew each time, and a new one takes the place of one that has ended.
    """
    random = Random(seed)
    running = [[4 + place, 0, random.randrange(1, 16)] for place in range(talks)]
    begun = talks
    made = []
    for _ in range(number):
        place = min(random.randrange(talks), random.randrange(talks))
        talk, turn, turns = running[place]
        common = [100 * (talk % 4) + block for block in range(6)]
        made.append(common + [100 * talk + block for block in range(2 + 2 * turn)])
        running[place] = [talk, turn + 1, turns]
        if turn + 1 >= turns:
            running[place] = [4 + begun, 0, random.randrange(1, 16)]
            begun += 1
    return made


def reused(cache, made, *, chained):
    """Return the share of blocks that need not be computed: those before the first gap."""
    found = blocks = 0
    for prompt in made:
        blocks += len(prompt)
        missing = False
        before = None
        for block in prompt:
            missing = missing or cache.get(block) is None
            if missing:
                cache.put(block, 1, dependencies=[before] if chained and before is not None else ())
            else:
                found += 1
            before = block
    return found / blocks


def test_a_chain_is_given_up_from_its_end():
    made = prompts(1, scaled(6000, 2000))
    chained = reused(Cache(max_entries=100), made, chained=True)
    assert chained > 1.02 * reused(Cache(max_entries=100), made, chained=False)


def test_what_is_left_of_chains_are_their_beginnings():
    cache = Cache(max_entries=1000, enable_prefetching=False)
    chains = range(1000, 2000, 10)
    for chain in chains:
        for key in range(chain, chain + 10):
            cache.put(key, 1, dependencies=[key - 1] if key > chain else ())
    for key in range(505):
        cache.put(key, 1)
    lengths = [[key in cache for key in range(chain, chain + 10)] for chain in chains]
    cut = [left for left in lengths if not all(left)]
    assert any(any(left) for left in cut)
    assert all(left == sorted(left, reverse=True) for left in cut)


def pages(cache, seed, number, depends):
    """Return the hit ratio of pages, read without what they were made from."""
    random = Random(seed)
    hits = 0
    for count in range(number):
        page = int(random.paretovariate(0.6))
        hits += cache.get(page) is not None
        if page not in cache:
            cache.put(page, 1, dependencies=depends(random, page))
        if count % 500 == 0:
            for template in range(-5, 0):
                if cache.get(template) is None:
                    cache.put(template, 1)
    return hits / number


def test_dependencies_that_are_no_chains_change_nothing():
    number = scaled(60_000, 15_000)
    without = pages(Cache(max_entries=200), 2, number, lambda random, page: ())
    of_templates = pages(Cache(max_entries=200), 2, number, lambda random, page: [-1 - page % 5])
    assert of_templates > without - 0.01
    at_random = pages(
        Cache(max_entries=200), 2, number, lambda random, page: [random.randrange(page)]
    )
    assert at_random > without - 0.02


def test_other_strategies_keep_their_order():
    cache = Cache(max_entries=3, eviction_strategy="lru")
    cache.put("a", 1)
    cache.put("b", 1, dependencies=["a"])
    cache.put("c", 1, dependencies=["b"])
    cache.put("d", 1)
    assert "a" not in cache
    assert "b" in cache
    assert "c" in cache


def test_circles_and_crowds_end():
    cache = Cache(max_entries=scaled(2000, 500))
    number = cache.entry_limit
    for key in range(number):
        cache.put(key, 1, dependencies=[(key + 1) % number])
    for key in range(number, 2 * number):
        cache.put(key, 1, dependencies=[number])
    for key in range(2 * number, 5 * number):
        cache.put(key, 1)
    check(cache)
    assert len(cache) == number


def test_what_is_being_replaced_stays():
    """Room is made for a larger value; what depends on the victim is the entry itself."""
    cache = Cache(max_size_mb=0.01, sizer=lambda value: value, max_value_fraction=1.0)
    for _ in range(scaled(200, 60)):
        for key in range(20):
            cache.put(key, 500, dependencies=[key - 1])
            cache.put(key, 4000, dependencies=[key - 1])
            assert cache.get(key) == 4000
    check(cache)
