"""The sketch and the ghosts, against what they shorten."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrubjay import compiled

pytestmark = pytest.mark.skipif(compiled, reason="the compiled core hides these structures")

if not compiled:
    from scrubjay._core.ghosts import Ghosts
    from scrubjay._core.mixing import scrubjay_mix
    from scrubjay._core.sketch import SAMPLE, Sketch


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 15)), max_size=200))
def test_counting_tells_the_estimate_also_where_all_are_halved(asked):
    sketch = Sketch()
    sketch.grow(4)
    for h, times in asked:
        assert sketch.add(h, times) == sketch.estimate(h)
        assert sketch.additions < SAMPLE * sketch.slots


def test_halving_is_seen_by_who_has_counted():
    sketch = Sketch()
    sketch.grow(2)
    told = [sketch.add(h, 15) for h in range(8)]
    assert 15 in told and 7 in told


@given(
    st.lists(
        st.one_of(
            st.just(("remember", 0)),
            st.tuples(st.just("grow"), st.integers(1, 60)),
            st.tuples(st.just("clear"), st.integers(1, 60)),
        ),
        max_size=150,
    )
)
def test_the_time_of_ghosts_is_what_is_gone_by_the_length(events):
    ghosts = Ghosts()
    for event, number in events:
        if event == "remember":
            ghosts.remember(ghosts.gone)
        elif event == "grow":
            ghosts.grow(number)
        else:
            ghosts.grow(number)
            ghosts.clear(number)
        assert ghosts.tick == ghosts.gone * 16 // ghosts.length & 63


def test_a_ghost_fades_after_as_many_as_there_is_room_for():
    ghosts = Ghosts()
    ghosts.grow(32)
    ghosts.remember(1)
    for h in range(100, 131):
        ghosts.remember(h)
    cell = ((scrubjay_mix(1) >> 30) * ghosts.length) >> 31
    alone = all(((scrubjay_mix(h) >> 30) * ghosts.length) >> 31 != cell for h in range(100, 131))
    assert ghosts.holds(1) == alone
    for h in range(200, 240):
        ghosts.remember(h)
    assert not ghosts.holds(1)
