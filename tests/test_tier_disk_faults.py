"""The disk tier against what disks, systems and people do to files. Counts are printed."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from scrubjay.errors import TierFullError, TierUnavailableError
from scrubjay.tiers import DiskTier, TierEventKind, TierRecord
from scrubjay.tiers._disk import layout
from tests.disk_children import key_of, value_of
from tests.models import scaled

MB = 1 << 20
CHILDREN = Path(__file__).parent / "disk_children.py"
KEYS = 60
DAMAGES = scaled(200, 60)  # that are tried


def in_a_child(task, directory, *numbers):
    """Have a task done by a process of its own; return what it says."""
    command = [sys.executable, str(CHILDREN), task, str(directory), *map(str, numbers)]
    path = os.pathsep.join([str(CHILDREN.parent.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def events():
    return Counter()


def open_tier(path, events, **more):
    def on_event(event):
        events[event.kind.value] += 1

    return DiskTier(path, 4 * MB, **{"max_entries": 500, "on_event": on_event, **more})


@contextlib.contextmanager
def left_open(path, events):
    """Open a tier, and leave it like a process that is killed: closing waits for the device."""
    tier = open_tier(path, events)
    yield tier
    tier.after_fork()


def versions(number):
    """What key number `number` has had, in order; the last is what it has now."""
    return [value_of(number, step) or b"never nothing" for step in (1, 2, 3, 4)]


@pytest.fixture
def closed(path, events):
    """A directory with keys that were overwritten, some that were removed, and bumped tags."""
    with open_tier(path, events) as tier:
        for step in range(4):
            for number in range(KEYS):
                tier.put_many([TierRecord(key_of(number), versions(number)[step])])
        tier.delete_many([key_of(number) for number in range(0, KEYS, 10)])
        tier.bump([b"tag"])
    return path


def current(number):
    return None if number % 10 == 0 else versions(number)[-1]


def examine(tier):
    """Read every key: how many are missing, how many wrong. Then use the tier."""
    keys = [key_of(number) for number in range(KEYS)]
    found = [value for key in keys for value in tier.get_many([key])]
    expected = [current(number) for number in range(KEYS)]
    wrong = sum(one not in (None, right) for one, right in zip(found, expected, strict=True))
    missing = sum(
        one is None and right is not None for one, right in zip(found, expected, strict=True)
    )
    for record in tier.scan():
        wrong += record.value != current(int(record.key[4:]))
    records = [TierRecord(b"new:%d" % number, b"%d" % number * 300) for number in range(20)]
    assert tier.put_many(records) == [True] * 20
    assert tier.get_many([one.key for one in records]) == [one.value for one in records]
    tier.put_many([TierRecord(key_of(1), b"mended")])
    assert tier.get_many([key_of(1)]) == [b"mended"]
    return missing, wrong


# ---- damage


def places(path, events):
    """Return where the index is in use, and where the data is alive: offsets of bytes."""
    with open_tier(path, events) as tier:
        tier.size()
        words, files = tier._store.words.tolist(), tier._store.files
        index = [at for at in range(layout.AT_GENERATIONS) if words[at // 8]]
        index += [at for at in range(layout.AT_SEGMENTS, files.at_table) if words[at // 8]]
        data = []
        for bucket in range(files.at_table, files.geometry.index_bytes, layout.STRIDE):
            for slot in range(layout.WAYS):
                at = bucket + layout.HASHES + 8 * slot
                word = words[at // 8]
                if word:
                    index += [
                        *range(at, at + 8),
                        *range(at - layout.HASHES, at - layout.HASHES + 8),
                    ]
                    begin = word >> 34 << layout.UNIT_BITS
                    data += range(begin, begin + ((word >> 16 & layout.LENGTH_MASK) << 6) - 63)
    return {layout.INDEX: index, layout.DATA: data}


def flip(file, at, bit):
    with file.open("r+b", buffering=0) as opened:
        opened.seek(at)
        (byte,) = opened.read(1)
        opened.seek(at)
        opened.write(bytes([byte ^ 1 << bit]))


@pytest.mark.parametrize("opened", [False, True], ids=["closed", "opened"])
def test_changed_bits_never_make_a_wrong_value(tmp_path, closed, events, opened):
    draw = random.Random(7)
    used = places(closed, events)
    missing = wrong = hurt = 0
    for turn in range(DAMAGES):
        work = tmp_path / "work"
        shutil.copytree(closed, work)
        name = layout.INDEX if turn % 2 else layout.DATA
        change = (work / name, draw.choice(used[name]), draw.randrange(8))
        if not opened:
            flip(*change)
        with left_open(work, events) as tier:
            if opened:
                assert tier.get_many([key_of(1)]) == [current(1)]
                flip(*change)
            lost, bad = examine(tier)
        missing += lost
        wrong += bad
        hurt += lost > 0
        shutil.rmtree(work)
    print(f"{DAMAGES} bits changed: {hurt} hurt, {missing} misses, {wrong} wrong; {dict(events)}")
    assert wrong == 0
    assert hurt > DAMAGES * 3 // 4  # or the bits are not where it hurts
    assert events["corruption"] > DAMAGES // 2
    assert opened or events["quarantine"] > 0


def test_no_bit_of_a_word_of_the_table_makes_an_old_value_current(path, events):
    """The old records are all there, of the same length, at distances that are powers of two."""
    with open_tier(path, events) as tier:
        for step in range(300):
            tier.put_many([TierRecord(b"key", b"%4d" % step * 60)])  # five units, and three
            tier.put_many([TierRecord(b"other", b"%4d" % step * 30)])
        words, table = tier._store.words, tier._store.table
        slot = table.find(table.hash(b"key"))
        word = words[slot]
        old = 0
        for first in range(64):
            for second in range(first, 64):
                changed = word ^ 1 << first ^ (1 << second if second > first else 0)
                words[slot] = changed
                found = tier.get_many([b"key"])
                # A length that is still enough does no harm.
                assert found in ([None], [b" 299" * 60]), (first, second)
                unit = changed >> 34
                if changed % (1 << 34) == word % (1 << 34) and unit < word >> 34:
                    old += (unit - (word >> 34)) % 8 == 0
                    assert found == [None]
        words[slot] = word
        assert tier.get_many([b"key"]) == [b" 299" * 60]
    print(f"{old} changes pointed to an old record of the key")
    assert old >= 10
    assert events["corruption"] > 1900


def test_no_bit_of_a_record_goes_unnoticed(path, events):
    with open_tier(path, events) as tier:
        tier.put_many([TierRecord(b"key", b"value of some length", 2e9, 1.5)])
        words, table = tier._store.words, tier._store.table
        slot = table.find(table.hash(b"key"))
        word = words[slot]
        length = layout.RECORD_BYTES + 3 + 20
        for at in range(length):
            for bit in range(8):
                flip(path / layout.DATA, at, bit)
                assert tier.get_many([b"key"]) == [None], (at, bit)
                flip(path / layout.DATA, at, bit)
                words[slot] = word
                assert tier.get_many([b"key"]) == [b"value of some length"]
    assert events["corruption"] == length * 8


def test_bytes_written_over_never_make_a_wrong_value(tmp_path, closed, events):
    draw = random.Random(8)
    missing = wrong = 0
    for turn in range(DAMAGES // 2):
        work = tmp_path / "work"
        shutil.copytree(closed, work)
        name = layout.INDEX if turn % 2 else layout.DATA
        size = (work / name).stat().st_size
        with (work / name).open("r+b") as file:
            file.seek(draw.randrange(size) if turn % 4 > 1 else draw.randrange(1000))
            file.write(draw.randbytes(draw.choice((8, 100, 5000))) if turn % 3 else bytes(5000))
            file.truncate(size)
        with left_open(work, events) as tier:
            lost, bad = examine(tier)
        missing += lost
        wrong += bad
        shutil.rmtree(work)
    print(
        f"{DAMAGES // 2} times bytes written over: {missing} misses, {wrong} wrong; {dict(events)}"
    )
    assert wrong == 0
    assert missing > DAMAGES // 2


def test_truncated_files_never_make_a_wrong_value(tmp_path, closed, events):
    draw = random.Random(9)
    missing = wrong = hurt = 0
    for turn in range(DAMAGES):
        work = tmp_path / "work"
        shutil.copytree(closed, work)
        name = layout.INDEX if turn % 2 else layout.DATA
        size = (work / name).stat().st_size
        length = draw.randrange(size) if turn % 10 else draw.choice((0, 1, 8, 4095, 4096))
        os.truncate(work / name, min(length, size - 1))
        with left_open(work, events) as tier:
            lost, bad = examine(tier)
        missing += lost
        wrong += bad
        hurt += lost > 0
        shutil.rmtree(work)
    print(
        f"{DAMAGES} files truncated: {hurt} hurt, {missing} misses, {wrong} wrong; {dict(events)}"
    )
    assert wrong == 0
    assert hurt > DAMAGES * 3 // 4
    assert events["corruption"] > DAMAGES * 5
    assert events["quarantine"] == DAMAGES // 2


def test_data_truncated_while_it_is_open(closed, events):
    with open_tier(closed, events) as tier:
        assert tier.get_many([key_of(1)]) == [current(1)]
        os.truncate(closed / layout.DATA, 5000)
        _, wrong = examine(tier)
    assert wrong == 0
    assert events["corruption"] > 30


def test_generations_do_not_come_back(tmp_path, closed, events):
    with open_tier(closed, events) as tier:
        known = {generation for _ in range(20) for generation in tier.bump([b"tag"])}
        place = tier._store.words.tolist().index(max(known)) * 8
    draw = random.Random(3)
    for _ in range(DAMAGES // 2):
        work = tmp_path / "work"
        shutil.copytree(closed, work)
        with (work / layout.INDEX).open("r+b") as file:
            file.seek(place)
            damaged = bytearray(file.read(8))
            damaged[draw.randrange(8)] ^= 1 << draw.randrange(8)
            file.seek(place)
            file.write(damaged)
        with left_open(work, events) as tier:
            assert tier.counters([b"tag"])[0] not in known
            assert tier.bump([b"tag"])[0] not in known
        shutil.rmtree(work)


# ---- a device that takes no more


def test_files_that_may_not_grow(path):
    said = in_a_child("limited", path)
    print(said)
    assert said["full"] == said["wrong"] == 0
    assert said["present"] == 3000  # each was there when it had been stored
    assert said["held"] > 50
    assert said["events"] == ["full"]


@pytest.fixture
def small_device(tmp_path):
    """A file system of 6 MB."""
    mounted = tmp_path / "device"
    mounted.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=6m,mode=700", "tmpfs", str(mounted)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"mount cannot be run: {error}")
    if done.returncode:
        pytest.skip(f"only root can mount a small device: {done.stderr.strip()}")
    yield mounted
    subprocess.run(["umount", "-l", str(mounted)], check=True)


def fill(device):
    filler = device / "filler"
    with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    return filler


def test_a_full_device(small_device, events):
    path = small_device / "cache"
    outcomes = Counter()
    with open_tier(path, events, max_entries=2000) as tier:
        tier.put_many([TierRecord(b"old", b"value" * 100)])
        filler = fill(small_device)
        for turn in range(2000):
            value = b"%d;" % turn * 700
            try:
                tier.put_many([TierRecord(key_of(turn % 500), value)])
                outcomes["stored"] += 1
                assert tier.get_many([key_of(turn % 500)]) == [value]
            except TierFullError:
                outcomes["full"] += 1
                assert tier.get_many([key_of(turn % 500)]) == [None]
            if turn == 1000:
                filler.unlink()
                outcomes["stored before there was room"] = outcomes["stored"]
        assert tier.put_many([TierRecord(b"new", b"value")]) == [True]
        assert tier.size().entries > 400
    print(f"{dict(outcomes)}; {dict(events)}")
    assert outcomes["stored"] - outcomes["stored before there was room"] >= 999
    assert events["full"] > 0


def test_a_device_with_no_room_to_begin_with(small_device, events):
    filler = fill(small_device)
    with open_tier(small_device / "cache", events) as tier:
        for _ in range(3):
            with pytest.raises(TierUnavailableError, match="No space left"):
                tier.put_many([TierRecord(b"a", b"1")])
            with pytest.raises(TierUnavailableError, match="No space left"):
                tier.get_many([b"a"])
        filler.unlink()
        assert tier.put_many([TierRecord(b"a", b"1")]) == [True]
        assert tier.get_many([b"a"]) == [b"1"]


def test_a_device_that_becomes_read_only(small_device, events):
    path = small_device / "cache"
    with open_tier(path, events) as tier:
        tier.put_many([TierRecord(b"a", b"1")])
    remount = ["mount", "-o", "remount,{}", str(small_device)]
    subprocess.run([one.format("ro") for one in remount], check=True)
    tier = open_tier(path, events)
    with pytest.raises(TierUnavailableError, match="Read-only"):
        tier.get_many([b"a"])
    subprocess.run([one.format("rw") for one in remount], check=True)
    assert tier.get_many([b"a"]) == [b"1"]
    tier.close()
    assert events["quarantine"] == 0


def test_a_directory_that_may_not_be_written_to():
    # Not pytest's own directory: each of its processes closes that to others as it begins.
    with tempfile.TemporaryDirectory(prefix="sj") as at:
        path = Path(at, "cache")
        path.mkdir(0o500)
        if os.getuid() == 0:
            Path(at).chmod(0o711)
            os.chown(path, 65_534, -1)
        said = in_a_child("unprivileged", path)
    assert said == {"answers": ["TierUnavailableError"] * 6, "then": True}


# ---- people and processes


def test_a_directory_that_is_removed_comes_back(path, events):
    with open_tier(path, events) as one, open_tier(path, events) as two:
        for turn in range(20):
            one.put_many([TierRecord(b"a", b"%d" % turn)])
            assert two.get_many([b"a"]) == [b"%d" % turn]
            shutil.rmtree(path)
            assert one.get_many([b"a"]) in ([None], [b"%d" % turn])
            one._look_at = two._look_at = 0.0  # a quarter of a second later
            if turn % 2:
                one.put_many([TierRecord(b"b", b"%d" % turn)])
                assert two.get_many([b"a", b"b"]) == [None, b"%d" % turn]
            else:
                assert two.get_many([b"a", b"b"]) == [None, None]
            assert path.exists()
    assert not events


@pytest.mark.parametrize("name", [layout.INDEX, layout.DATA])
def test_a_file_that_is_removed_comes_back(path, events, name):
    with open_tier(path, events) as one, open_tier(path, events) as two:
        one.put_many([TierRecord(b"a", b"1")])
        assert two.get_many([b"a"]) == [b"1"]
        (path / name).unlink()
        one._look_at = two._look_at = 0.0
        with open_tier(path, events) as three:
            three.put_many([TierRecord(b"a", b"3")])
            assert one.get_many([b"a"]) == two.get_many([b"a"]) == [b"3"]


def test_a_file_that_is_replaced_sends_everybody_to_the_new_one(path, events):
    with open_tier(path, events) as one:
        one.put_many([TierRecord(b"a", b"1")])
        with (path / layout.INDEX).open("r+b") as file:
            file.write(b"SCRUBJAY")
        with open_tier(path, events) as two:
            two.put_many([TierRecord(b"a", b"2")])
            assert one.get_many([b"a"]) == [b"2"]  # at once: it was told
            one.put_many([TierRecord(b"a", b"3")])
            assert two.get_many([b"a"]) == [b"3"]
    assert events == {TierEventKind.QUARANTINE.value: 1}
    assert (path / f"{layout.INDEX}.broken").exists()


def test_killed_writers_lose_nothing_that_was_acknowledged(path):
    kills = scaled(200, 60)
    said = in_a_child("kill", path, kills, 1)
    print(said)
    assert said["kills"] == kills
    assert said["checked"] == kills * 20
    assert said["lost"] == said["wrong"] == 0
    assert said["events"] == []
    assert said["evicted"] == 0
    assert said["writes"] > scaled(2000, 200)


def test_processes_that_have_no_room(path):
    said = in_a_child("crowded", path, 4, scaled(30_000, 8000))
    print(said)
    assert said["wrong"] == said["events"] == 0
    assert said["hits"] > scaled(20_000, 4000)
    assert said["evicted"] > scaled(2000, 200)


def test_a_fork(path):
    said = in_a_child("forked", path)
    assert said == {
        "child": "y",
        "locked out": True,
        "parent": True,
        "found": ["parent", "299", "299"],
        "events": [],
    }
