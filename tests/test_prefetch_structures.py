"""The tables of the planner, against plain models of them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrubjay import compiled

pytestmark = pytest.mark.skipif(compiled, reason="the compiled build hides these structures")

if not compiled:
    from scrubjay._core.constants import NONE
    from scrubjay.prefetch.calibration import Calibration
    from scrubjay.prefetch.contexts import Contexts
    from scrubjay.prefetch.guard import Guard
    from scrubjay.prefetch.horizon import Horizon
    from scrubjay.prefetch.keys import Keys
    from scrubjay.prefetch.scene import Scene
    from scrubjay.prefetch.streams import LENGTH, Streams
    from scrubjay.prefetch.successors import FULL, WIDTH, Successors


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 100)), max_size=300))
@settings(deadline=None)
def test_keys_are_found_until_their_slot_is_taken(steps):
    keys, model = Keys(16), {}
    for enter, key in steps:
        wide = keys.spread(key)
        slot = keys.find(wide)
        assert (slot != NONE) == (key in model)
        if not enter or slot != NONE:
            continue
        if keys.is_full():
            slot = keys.oldest()
            del model[keys.objects[slot]]
            keys.withdraw(slot)
        else:
            slot = keys.used
            keys.used += 1
        keys.take(slot, wide, key)
        model[key] = slot
    for key, slot in model.items():
        assert keys.find(keys.spread(key)) == slot


def test_a_mark_is_void_once_the_slot_is_taken_anew():
    keys = Keys(4)
    keys.used = 1
    keys.take(0, keys.spread("a"), "a")
    mark = keys.mark(0)
    assert keys.valid(mark) == 0
    keys.withdraw(0)
    keys.take(0, keys.spread("b"), "b")
    assert keys.valid(mark) == NONE


def test_successors_hold_the_frequent_ones():
    keys = Keys(64)
    for slot in range(40):
        keys.used = slot + 1
        keys.take(slot, keys.spread(slot), slot)
    successors, scene = Successors(), Scene(keys)
    successors.grow(64)
    for turn in range(20):
        successors.ask(0)
        successors.follow(0, keys.mark(1), 1)
        successors.follow(0, keys.mark(2 + turn), 2)
    successors.propose(scene, 0, 0)
    assert 1 in list(scene.slots[: scene.count])
    assert scene.count <= WIDTH
    kinds = dict(zip(scene.slots[: scene.count], scene.classes[: scene.count], strict=True))
    assert kinds[1] == max(kinds.values())
    successors.forget(0)
    scene.count = 0
    successors.propose(scene, 0, 0)
    assert scene.count == 0


def test_counts_are_halved_when_a_key_was_asked_for_often():
    successors = Successors()
    successors.grow(4)
    for _ in range(FULL - 1):
        successors.ask(0)
        successors.follow(0, 1 << 8 | 1, 1)
    before = (successors.entries[0] >> 8) & 255
    successors.ask(0)
    assert successors.asked[0] == FULL // 2
    assert (successors.entries[0] >> 8) & 255 == before // 2


def test_contexts_tell_what_came_and_are_not_misled_by_growth():
    contexts = Contexts()
    contexts.grow(64)
    names = [contexts.blend(contexts.blend(17, first), 1000 + first) for first in range(40)]
    for line, name in enumerate(names):
        contexts.learn(name, (line + 1) << 8)
    contexts.grow(512)
    found = sum(contexts.find(name) >> 4 == (line + 1) << 8 for line, name in enumerate(names))
    assert found >= 36
    assert contexts.find(contexts.blend(3, 5)) == 0
    assert contexts.learn(names[3], 77 << 8) is True
    assert contexts.find(names[3]) >> 4 == 77 << 8


def test_a_class_is_worth_what_its_guesses_were():
    calibration = Calibration(3)
    for turn in range(400):
        calibration.judge(0, 1.0)
        calibration.judge(1, 1.0 if turn % 4 == 0 else 0.0)
    assert calibration.worth[0] > 0.97
    assert 0.15 < calibration.worth[1] < 0.35
    assert calibration.worth[2] == 0.0
    for _ in range(32):
        calibration.judge(0, 0.0)
    assert calibration.worth[0] < 0.4


def test_the_threshold_spends_loads_on_the_best():
    calibration = Calibration(2)
    for turn in range(200):
        calibration.judge(0, 1.0)
        calibration.judge(1, float(turn % 2))
    calibration.begun[0] = calibration.begun[1] = 100.0
    assert calibration.threshold(1000.0, 1000.0) == 0.0
    assert 0.3 < calibration.threshold(150.0, 1000.0) < 0.6
    assert calibration.threshold(50.0, 1000.0) > 0.9
    assert 0.3 < calibration.threshold(1000.0, 20.0) < 0.6


def test_the_area_shrinks_by_losses_and_opens_again():
    guard = Guard(1000)
    rooms = []
    for _ in range(40):
        for _ in range(100):
            guard.harm()
        for _ in range(guard.period):
            guard.look()
        rooms.append(guard.room)
    assert rooms[0] == 50
    assert 0 in rooms
    assert rooms.count(0) > 20
    reopened = [line for line in range(1, 40) if rooms[line] > 0 and rooms[line - 1] == 0]
    assert len(reopened) >= 2


def test_the_area_grows_while_it_pays_to_half_of_the_cache():
    guard = Guard(1000)
    for _ in range(20):
        guard.pressed = True
        for _ in range(50):
            guard.gain()
        for _ in range(guard.period):
            guard.look()
    assert guard.room == 500
    assert Guard(63).room == 0


def test_who_waits_waits_as_long_as_it_pays():
    horizon = Horizon()
    for _ in range(400):
        horizon.begin()
        horizon.come(3)
        horizon.begin()
        horizon.evict()
    horizon.choose(2.0, 1000.0)
    assert horizon.wait <= 4.0
    for _ in range(400):
        horizon.begin()
        horizon.come(100)
    horizon.choose(2.0, 1000.0)
    assert horizon.wait == 128.0
    for _ in range(4000):  # now what was evicted would have been asked for first
        horizon.evict()
        horizon.come_back(2)
    horizon.choose(2.0, 1000.0)
    assert horizon.wait <= 4.0


def test_streams_remember_their_last_accesses():
    streams = Streams()
    row = streams.row(0, 1)
    for step in range(100):
        streams.push(row, step, step)
    assert streams.marks[streams.before(row, 1)] == 99
    assert streams.marks[streams.before(row, LENGTH)] == 100 - LENGTH
    assert streams.before(row, LENGTH + 1) == NONE
    first = streams.row(7, 200)
    assert streams.several
    assert streams.row(7, 201) == first
    assert not streams.fresh
    assert streams.before(first, 1) == NONE
