"""What entries are worth, against the definition; watched keys, against a plain model."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrubjay import compiled

pytestmark = pytest.mark.skipif(compiled, reason="the compiled core hides these structures")

if not compiled:
    from scrubjay._core.arrangement import Arrangement
    from scrubjay._core.columns import Columns
    from scrubjay._core.constants import COLD, FOLLOWED, GAP, SHARED, SOCIAL
    from scrubjay._core.histories import Histories
    from scrubjay._core.outlook import Outlook
    from scrubjay._core.prospects import BINS, Prospects
    from scrubjay._core.sessions import Sessions
    from scrubjay._core.sketch import Sketch
    from scrubjay._core.ways import FIRST


def expected(prospects, returned, lost, begin):
    """Return the best hits per request of keeping from a bin on, by trying every time."""
    alive, hits, time, best = 1.0, 0.0, 0.0, 0.0
    for line in range(begin, BINS):
        exposed = sum(returned[line:]) + sum(lost[line:])
        at_risk = exposed - lost[line] / 2
        rate = min(1.0, returned[line] / at_risk) if at_risk > 0.0 else 0.0
        hits += alive * rate
        time += prospects.widths[line] * alive * (1 - rate / 2)
        alive *= 1 - rate
        if time > 0.0:
            best = max(best, hits / time)
    return best


@given(st.lists(st.tuples(st.integers(0, 5000), st.booleans()), min_size=1, max_size=60))
def test_worth_is_the_best_rate_of_any_further_time(events):
    prospects = Prospects()
    returned, lost = [0.0] * BINS, [0.0] * BINS
    prospects.clock = 10_000
    for age, came_back in events:
        (prospects.came_back if came_back else prospects.gave_up)(1, 0, 10_000 - age)
        (returned if came_back else lost)[prospects.cell(1, 0, 10_000 - age) % BINS] += 1.0
    prospects.learn()
    for line in range(BINS):
        want = expected(prospects, returned, lost, line)
        if returned[line] + lost[line] > 0 or sum(returned[line:]) == 0:
            assert prospects.worth[line] == pytest.approx(want, rel=1e-6, abs=1e-12)


def test_ages_fall_into_two_bins_an_octave():
    prospects = Prospects()
    prospects.clock = 1 << 22
    lines = [prospects.cell(1, 0, prospects.clock - age) for age in range(1 << 12)]
    assert lines == sorted(lines)
    assert lines[:8] == [0, 1, 2, 3, 4, 4, 5, 5]
    assert prospects.cell(1, 0, 0) == BINS - 1
    prospects.clock = 5  # it has begun anew
    assert prospects.cell(1, 0, 0x7FFFFFFF) == prospects.cell(1, 0, 5 - 6 & 0x7FFFFFFF)


def test_kinds_are_apart_where_much_is_known_and_alike_where_little_is():
    prospects = Prospects()
    prospects.heed_sessions()
    prospects.clock = 1 << 20
    for _ in range(1000):
        prospects.came_back(1, FOLLOWED, prospects.clock - 10)
        prospects.gave_up(1, 0, prospects.clock - 1000)
    prospects.learn()
    followed = prospects.worth[FOLLOWED * BINS + 1]
    assert followed > 20 * prospects.worth[1]
    unknown = SHARED * BINS + 1
    assert prospects.worth[1] < prospects.worth[unknown] < followed


def test_who_came_back_soon_is_told_apart_from_who_did_not():
    prospects = Prospects()
    prospects.entries = 100
    assert [prospects.gap(time) for time in (1, 99, 100, 5000)] == [1, 1, 2, 2]
    outlook = Outlook(prospects)
    outlook.grow(8)
    prospects.clock = 1000
    outlook.enter(3, 1)
    assert outlook.gaps[3] == 0  # it has not come back yet
    prospects.clock = 1250
    outlook.read(3, 2)  # twice, so about every 125 requests
    assert outlook.gaps[3] == 2
    prospects.clock = 1300
    outlook.read(3, 1)
    assert outlook.gaps[3] == 1
    for _ in range(1000):
        prospects.came_back(4, 1, prospects.clock - 10)
        prospects.gave_up(4, 2, prospects.clock - 1000)
    prospects.learn()
    soon = outlook.worth(3, 0)
    outlook.gaps[3] = 2
    assert soon > 20 * outlook.worth(3, 0)
    outlook.enter(3, 1)
    assert outlook.gaps[3] == 0


def test_every_hit_since_the_last_look_tells_how_soon_an_entry_came_back():
    prospects = Prospects()
    prospects.entries = 150
    arrangement = Arrangement(Sketch(), True, FIRST, Outlook(prospects))
    columns = Columns()
    columns.grow(8)
    arrangement.attach(columns)
    arrangement.sketch.grow(8)
    arrangement.grow(8, array("I", range(8)))
    arrangement.insert(3)
    prospects.clock += 4000
    columns.hits[3] += 40
    assert arrangement.look(3) == 40
    assert arrangement.outlook.gaps[3] == prospects.gap(100)
    assert arrangement.outlook.counts[3] == 41


requests = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 3)), max_size=300)


@given(requests, st.integers(1, 12), st.integers(0, 60), st.booleans())
def test_watched_keys_agree_with_a_model(asked, room, most, known_before):
    prospects = Prospects()
    histories = Histories(prospects)
    if known_before:
        histories.heed_sessions()
    histories.grow(room, most > 0)
    histories.heed_sessions()
    prospects.entries = room
    model = {}  # key: times asked, sessions, whether followed
    asked_at, gaps = {}, {}
    last = {}
    for number, (key, session) in enumerate(asked):
        prospects.clock = number
        kept = {histories.hashes[histories.kept[at]] for at in range(histories.count)}
        times, asker, shared, _ = model.get(key, [0, session, False, False])
        if key not in kept:
            times, asker, shared = min(times, 3), session, False
        gaps[key] = (1 if number - asked_at[key] < room else 2) if key in kept else 0
        asked_at[key] = number
        size = min(1 + key, most)
        assert histories.request(key, times + 1, room, most, 1.0, size) == (key in kept)
        histories.ascribe(key, session)
        if last.get(session, key) != key and model[last[session]][1] == session:
            histories.follow(last[session])
            model[last[session]][3] = True
        last[session] = key
        model[key] = [times + 1, session, shared or asker != session, False]
        held = [histories.hashes[histories.kept[at]] for at in range(histories.count)]
        assert histories.count <= room
        assert histories.bytes == sum(min(1 + each, most) for each in held) <= most
        for at in range(histories.count):
            assert histories.place[histories.kept[at]] == at
    for key, (times, asker, shared, followed) in model.items():
        row = histories.find(key)
        assert histories.counts[row] == min(times, 255)
        assert histories.sessions[row] == asker
        assert histories.marks[row] & ~GAP == shared * SHARED + followed * FOLLOWED
        assert histories.marks[row] & GAP == gaps[key]


@pytest.mark.parametrize(
    ("entries", "rows"), [(8, 512), (500, 4000), (4000, 16_384), (9000, 18_000)]
)
def test_what_is_watched_is_bounded_and_holds_what_is_kept(entries, rows):
    histories = Histories(Prospects())
    histories.grow(entries, False)
    assert histories.rows == rows
    for key in range(rows + 1):
        histories.watch(key)
    assert (histories.used, histories.find(0)) == (rows, -1)


def test_who_asks_is_noted_from_when_it_is_told():
    histories = Histories(Prospects())
    histories.grow(8, False)
    histories.request(1, 1, 8, 0, 1.0, 0)
    assert len(histories.sessions) == 0
    histories.heed_sessions()
    histories.ascribe(1, 7)
    histories.heed_sessions()
    assert histories.sessions[histories.find(1)] == 7


def test_marks_that_are_not_told_apart_are_left_out():
    histories = Histories(Prospects())
    histories.grow(8, False)
    histories.heed_sessions()  # but no tags: as where sizes are tried that nobody told of any
    histories.adopt(1, 0, 100, COLD | SHARED | 2, 7, 8, 1, 1.0, 0)
    row = histories.find(1)
    assert histories.marks[row] == SHARED | 2
    assert histories.marks[row] < histories.prospects.marks
    histories.request(1, 1, 8, 1, 1.0, 0)
    histories.learn(8)


def test_the_key_asked_for_least_recently_is_forgotten():
    prospects = Prospects()
    histories = Histories(prospects)
    histories.grow(1, False)
    for key in range(histories.rows + 5):
        prospects.clock += 1
        histories.request(key, 1, 1, 0, 1.0, 0)
    assert [histories.find(key) >= 0 for key in range(7)] == [False] * 5 + [True] * 2
    assert prospects.events == 5.0


def test_what_is_known_stays_when_more_is_told_apart():
    prospects = Prospects()
    prospects.clock = 1 << 20
    for count in (1, 3, 9, 200):
        for age in (5, 700):
            prospects.came_back(count, 0, prospects.clock - age)
            prospects.gave_up(count, 0, prospects.clock - 3 * age)
    prospects.learn()

    def known():
        cells = [prospects.cell(count, 0, prospects.clock - 9) for count in (1, 3, 9, 200)]
        return [
            (prospects.worth[cell], sum(prospects.returned[cell - 6 : cell + 20])) for cell in cells
        ]

    before = known()
    assert all(worth > 0.0 for worth, _ in before)
    prospects.heed_tags()
    assert known() == before
    prospects.heed_sessions()  # that tells nothing apart that is not told apart already
    assert known() == before
    prospects.learn()
    assert known() == [(pytest.approx(worth), figures) for worth, figures in before]


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(1, 4)), max_size=80))
def test_marks_agree_with_a_model(asked):
    from scrubjay._core.columns import Columns

    columns = Columns()
    columns.grow(8)
    columns.want_session()
    table = Sessions()
    table.begin()
    last, marks, asker = {}, dict.fromkeys(range(8), 0), {}
    for slot, session in asked:
        before = table.asked(columns, slot, session)
        if asker.get(slot, session) != session:
            marks[slot] |= SHARED
        marks[slot] &= SHARED
        asker[slot] = session
        gone_on = last.get(session, slot)
        if gone_on != slot and asker[gone_on] == session:
            marks[gone_on] |= FOLLOWED
            assert before == gone_on
        else:
            assert before == -1
        last[session] = slot
        for each, number in asker.items():
            assert columns.session[each] == number << 2 | marks[each] >> SOCIAL
            assert columns.marks(each) == marks[each]
