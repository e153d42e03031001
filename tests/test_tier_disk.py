"""The disk tier on its own ground: room, order of eviction, whose directory it is."""

from __future__ import annotations

import errno
import os
import random
import stat
import threading
from pathlib import Path

import pytest

from scrubjay import InvalidArgumentError, ManualClock
from scrubjay.errors import TierFullError, TierUnavailableError
from scrubjay.tiers import DiskTier, MemoryTier, TierEventKind, TierRecord
from scrubjay.tiers._disk import boot, layout, log, lookup
from scrubjay.tiers._disk.locking import lock_file
from tests.models import scaled

MB = 1 << 20


def open_descriptors():
    return len(list(Path("/dev/fd").iterdir()))


def record(number, size=1000):
    return TierRecord(b"key:%d" % number, b"%d;" % number * (size // len(b"%d;" % number)))


def files_size(path):
    return sum(one.stat().st_blocks * 512 for one in path.iterdir())


@pytest.fixture
def events():
    return []


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def tier(path, events):
    with DiskTier(path, 4 * MB, on_event=events.append) as tier:
        yield tier


# ---- room


def test_stays_within_its_bytes(path, tier, events):
    for number in range(20_000):
        assert tier.put_many([record(number)]) == [True]
        if number % 1000 == 0:
            assert files_size(path) <= 4 * MB
    assert files_size(path) <= 4 * MB
    size = tier.size()
    assert size.evicted + size.entries == 20_000
    assert size.entries > 1800  # of the 3 MB that are for data, a spare segment or two away
    found = [tier.get_many([record(number).key])[0] for number in range(20_000)]
    assert sum(value is not None for value in found) == size.entries
    assert all(found[number] in (None, record(number).value) for number in range(20_000))
    assert all(value is not None for value in found[-1500:])
    assert events == []


def test_keeps_what_is_read(tier):
    hot = [record(number) for number in range(100)]
    tier.put_many(hot)
    for number in range(1000, scaled(20_000, 10_000)):
        tier.put_many([record(number)])
        tier.get_many([hot[number % 100].key])
    assert tier.get_many([one.key for one in hot]) == [one.value for one in hot]


@pytest.mark.untraced
@pytest.mark.parametrize("size", [100, 1000, 30_000, 150_000])
@pytest.mark.parametrize("together", [1, 50])
def test_overwriting_evicts_nothing_while_there_is_room(tier, events, size, together):
    cold = [record(number) for number in range(1000)]  # 1 MB, of 3
    draw = random.Random(1)
    others = min(1000, 500_000 // size)  # 0.5 MB at most

    def put_others():
        numbers = [2000 + draw.randrange(others) for _ in range(together)]
        tier.put_many([record(number, draw.randrange(size)) for number in numbers])

    for number, one in enumerate(cold):  # scattered over the segments
        tier.put_many([one])
        if number % together == 0:
            put_others()
    small = scaled(20_000, 6000)
    for _ in range((small if size < 10_000 else 1000) // together):
        put_others()
    assert tier.get_many([one.key for one in cold]) == [one.value for one in cold]
    assert tier.size().evicted == 0
    assert events == []


def test_what_is_copied_is_looked_at_first(path, events):
    """A damaged header must not be copied under a new, right checksum."""
    clock = ManualClock()
    with DiskTier(path, 4 * MB, on_event=events.append, clock=clock) as tier:
        tier.put_many([record(1)._replace(expires_at=clock.time() + 10), record(2)])
        with (path / layout.DATA).open("r+b", buffering=0) as data:
            content = data.read(layout.RECORD_BYTES)
            changed = bytearray(content)
            changed[-2] ^= 1  # expires much later
            assert layout.RECORD.unpack(changed)[-1] > clock.time() + 1000
            data.seek(0)
            data.write(changed)
        clock.advance(20)
        for number in range(10_000):  # none of the segments is empty
            tier.put_many([record(3), *[record(number)] * (number % 25 == 24)])
        assert tier.get_many([record(1).key, record(2).key]) == [None, record(2).value]
        assert [event.kind for event in events] == [TierEventKind.CORRUPTION]


def test_a_value_too_large_is_not_kept_and_removes_the_older(tier):
    tier.put_many([TierRecord(b"a", b"small")])
    largest = tier.size().capacity // 16
    assert tier.put_many([TierRecord(b"a", bytes(largest)), record(1)]) == [False, True]
    assert tier.get_many([b"a", record(1).key]) == [None, record(1).value]


def test_a_full_bucket_gives_up_what_is_read_least(path):
    with DiskTier(path, 4 * MB, max_entries=16) as tier:  # two buckets
        for number in range(100):
            tier.put_many([record(number, 100)])
            tier.get_many([record(0).key] * 3)
        size = tier.size()
        assert size.entries == 32
        assert size.evicted == 68
        assert tier.get_many([record(0).key]) == [record(0, 100).value]


def test_what_has_expired_goes_first(path):
    clock = ManualClock()
    with DiskTier(path, 4 * MB, clock=clock) as tier:
        soon = clock.time() + 10
        tier.put_many([record(number)._replace(expires_at=soon) for number in range(1000)])
        clock.advance(10)
        tier.put_many([record(2000 + number) for number in range(1800)])
        for number in range(20_000):
            tier.put_many([record(10_000 + number % 100)])
        kept = tier.get_many([record(2000 + number).key for number in range(1800)])
        assert None not in kept


def test_room_is_found_even_if_nothing_was_emptied_in_time(tier, monkeypatch, events):
    monkeypatch.setattr(log, "_PACE", 0)
    for number in range(20_000):
        assert tier.put_many([record(number)]) == [True]
        assert tier.get_many([record(number).key]) == [record(number).value]
    size = tier.size()
    assert size.evicted + size.entries == 20_000
    assert size.bytes <= size.capacity
    assert events == []


def test_what_cannot_be_copied_is_given_up(tier, monkeypatch, events):
    real, refused = os.pwritev, []

    def pwritev(descriptor, parts, at):
        if len(parts) == 3:  # a copy; what is new is followed by its padding
            refused.append(at)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, parts, at)

    monkeypatch.setattr(os, "pwritev", pwritev)
    for number in range(700):  # scattered over the segments
        tier.put_many([record(number), *[record(5000)] * 4])
    for number in range(10_000):
        assert tier.put_many([record(5000 + number % 90)]) == [True]
    assert refused
    for number in range(700):
        assert tier.get_many([record(number).key]) in ([None], [record(number).value])
    assert tier.size().evicted > 0
    assert events == []


def test_a_record_as_large_as_a_segment(tier):
    for number in range(100):
        tier.put_many([record(number)])
        largest = tier._store.log.largest
        value = bytes([number]) * (largest - 1)
        assert tier.put_many([TierRecord(b"k", value)]) == [True]
        assert tier.get_many([b"k"]) == [value]
        assert tier.put_many([TierRecord(b"k", value + b"..")]) == [False]


def test_a_memory_tier_with_a_bound_gives_up_the_least_recently_used():
    tier = MemoryTier(10)
    assert tier.put_many([TierRecord(b"%d" % number, b"1234") for number in range(3)]) == [True] * 3
    assert tier.get_many([b"0", b"1", b"2"]) == [None, b"1234", b"1234"]
    tier.get_many([b"1"])
    assert tier.put_many([TierRecord(b"3", b"1234"), TierRecord(b"4", bytes(10))]) == [True, False]
    assert tier.get_many([b"1", b"2", b"3", b"4"]) == [b"1234", None, b"1234", None]
    assert tier.size() == (2, 10, 10, 2)


def test_clearing_gives_the_room_back(path, tier):
    tier.put_many([record(number) for number in range(2000)])
    assert files_size(path) > 2 * MB
    tier.clear()
    assert files_size(path) < MB


def test_descriptors_do_not_depend_on_what_is_stored(path):
    before = open_descriptors()
    tier = DiskTier(path, 4 * MB)
    assert open_descriptors() == before
    tier.put_many([record(number) for number in range(5000)])
    assert open_descriptors() == before + 3  # mmap has one of its own
    tier.close()
    assert open_descriptors() == before


@pytest.mark.parametrize(
    ("number", "error"), [(errno.ENOSPC, TierFullError), (errno.EIO, TierUnavailableError)]
)
@pytest.mark.parametrize("good", [0, 1, 5])
def test_a_put_that_fails_leaves_nothing_out_of_date(tier, monkeypatch, number, error, good):
    keys = [record(one).key for one in range(200)]
    tier.put_many([TierRecord(key, b"old") for key in keys])
    real, calls = os.pwritev, []

    def pwritev(*arguments):
        calls.append(arguments)
        if len(calls) > good:
            raise OSError(number, os.strerror(number))
        return real(*arguments)

    monkeypatch.setattr(os, "pwritev", pwritev)
    with pytest.raises(error):
        tier.put_many([record(one) for one in range(200)])
    monkeypatch.undo()
    found = tier.get_many(keys)
    assert all(value in (None, record(one).value) for one, value in enumerate(found))
    assert found.count(None) >= 200 - 64 * good
    tier.put_many([record(one) for one in range(200)])
    assert None not in tier.get_many(keys)


@pytest.mark.parametrize(
    "arguments",
    [
        {"path": 3},
        {"path": ""},
        {"path": "a\0b"},
        {"max_bytes": 1000},
        {"max_bytes": "much"},
        {"max_entries": 0},
        {"max_bytes": 4 * MB, "max_entries": 1_000_000},
        {"timeout_seconds": 0},
        {"on_event": 3},
        {"name": 3},
    ],
)
def test_bad_arguments(path, arguments):
    with pytest.raises(InvalidArgumentError, match=next(iter(arguments))):
        DiskTier(**{"path": path, **arguments})
    assert not path.exists()


def test_the_lookup_knows_the_layout():
    source = Path(lookup.__file__)
    names = {}
    exec((source.parent / "lookup.py").read_text().partition("_unpack =")[0], names)
    for name in ("WAYS", "HASHES", "COUNTS", "STRIDE", "RECORD_BYTES", "RETIRED"):
        assert names[name] == getattr(layout, name)


# ---- closing, and whether what is found is true


def test_opens_at_the_first_use_and_makes_what_is_missing(tmp_path):
    path = tmp_path / "a" / "b" / "c"
    with DiskTier(path) as tier:
        assert not path.exists()
        assert tier.get_many([b"a"]) == [None]
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.iterdir()} == {
        layout.INDEX: 0o600,
        layout.DATA: 0o600,
    }


@pytest.mark.parametrize(("closed", "kept"), [(True, True), (False, False)])
def test_after_the_machine_was_down_only_what_was_closed_counts(path, events, closed, kept):
    tier = DiskTier(path, 4 * MB)
    tier.put_many([record(1)])
    (before,) = tier.bump([b"tag"])
    if closed:
        tier.close()
    else:
        tier.after_fork()  # drops the files like a kill
    with DiskTier(path, 4 * MB, on_event=events.append) as tier:
        tier._wanted = tier._wanted._replace(boot=boot.boot_number() ^ 1)
        assert tier.get_many([record(1).key]) == [record(1).value if kept else None]
        assert [event.kind for event in events] == ([] if kept else [TierEventKind.DISCARD])
        (after,) = tier.counters([b"tag"])
        assert after == before if kept else after > before  # of a memory of before, nothing holds
        tier.put_many([record(2)])
    with DiskTier(path, 4 * MB, on_event=events.append) as tier:
        tier._wanted = tier._wanted._replace(boot=boot.boot_number() ^ 2)
        assert tier.get_many([record(2).key]) == [record(2).value]


def test_only_the_last_to_close_says_that_it_is_closed(path):
    first, second = DiskTier(path, 4 * MB), DiskTier(path, 4 * MB)
    first.put_many([record(1)])
    assert second.get_many([record(1).key]) == [record(1).value]
    epoch = 8 * layout.EPOCH

    def trusted():
        word = int.from_bytes((path / layout.INDEX).read_bytes()[epoch : epoch + 8], "little")
        return boot.trusted(word, boot.boot_number() ^ 1)

    first.close()
    assert not trusted()
    second.close()
    assert trusted()


def test_other_bounds_begin_anew_unless_somebody_uses_the_old(path, events):
    with DiskTier(path, 4 * MB) as old:
        old.put_many([record(1)])
        capacity = old.size().capacity
        with DiskTier(path, 8 * MB, on_event=events.append) as tier:
            assert tier.get_many([record(1).key]) == [record(1).value]
            assert tier.size().capacity == capacity
    assert events == []
    with DiskTier(path, 8 * MB, on_event=events.append) as tier:
        assert tier.get_many([record(1).key]) == [None]
        assert tier.size().capacity > capacity
    assert [event.kind for event in events] == [TierEventKind.DISCARD]


def test_another_version_is_left_alone_while_it_is_used(path, tier):
    tier.size()
    old = path / "v0.data"
    (path / "v0.index").write_bytes(b"index")
    old.write_bytes(b"data")
    (path / "notes.data").write_bytes(b"of somebody else")
    with old.open("rb") as used:
        lock_file(used.fileno(), 0.0, shared=True)
        with DiskTier(path, 4 * MB) as other:
            other.put_many([record(1)])
            assert tier.get_many([record(1).key]) == [record(1).value]
        assert old.exists()
    with DiskTier(path, 4 * MB) as other:
        assert other.get_many([record(1).key]) == [record(1).value]
    assert not old.exists()
    assert not (path / "v0.index").exists()
    assert (path / "notes.data").exists()


# ---- whose directory it is


def test_a_directory_that_others_may_write_to_is_refused(path, tier):
    path.mkdir()
    for mode in (0o770, 0o702, 0o1777):
        path.chmod(mode)
        with pytest.raises(TierUnavailableError, match="written to by other users"):
            tier.get_many([b"a"])
    assert list(path.iterdir()) == []
    path.chmod(0o755)
    assert tier.put_many([record(1)]) == [True]


def test_a_directory_of_somebody_else_is_refused(path, tier, monkeypatch):
    path.mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(TierUnavailableError, match="belongs to another user"):
        tier.put_many([record(1)])
    assert list(path.iterdir()) == []
    monkeypatch.undo()
    assert tier.put_many([record(1)]) == [True]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")
def test_a_directory_that_really_is_somebody_elses_is_refused(path, tier):
    path.mkdir()
    os.chown(path, 65_534, -1)
    with pytest.raises(TierUnavailableError, match="belongs to another user"):
        tier.put_many([record(1)])
    os.chown(path, 0, -1)
    assert tier.put_many([record(1)]) == [True]


def test_a_link_for_a_directory_is_refused(tmp_path, path, tier):
    (tmp_path / "target").mkdir()
    path.symlink_to(tmp_path / "target")
    with pytest.raises(TierUnavailableError):
        tier.put_many([record(1)])
    assert list((tmp_path / "target").iterdir()) == []


def _link(at, victim):
    at.symlink_to(victim)


def _second_name(at, victim):
    at.hardlink_to(victim)


def _pipe(at, victim):
    os.mkfifo(at)


def _directory(at, victim):
    at.mkdir()
    (at / "inside").touch()


def _foreign(at, victim):
    at.write_bytes(b"of somebody else")
    os.chown(at, 65_534, -1)


@pytest.mark.parametrize("name", [layout.INDEX, layout.DATA])
@pytest.mark.parametrize("plant", [_link, _second_name, _pipe, _directory, _foreign])
@pytest.mark.parametrize("between", [False, True])
def test_what_is_planted_in_place_of_a_file_is_put_aside(
    tmp_path, path, events, name, plant, between
):
    if plant is _foreign and os.getuid() != 0:
        pytest.skip("only root can give a file away")
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    path.mkdir(0o700)
    if between:
        with DiskTier(path, 4 * MB) as tier:
            tier.put_many([record(1)])
        (path / name).unlink()
    plant(path / name, victim)
    with DiskTier(path, 4 * MB, on_event=events.append) as tier:
        assert tier.get_many([record(1).key]) == [None]
        assert tier.put_many([record(1)]) == [True]
        assert tier.get_many([record(1).key]) == [record(1).value]
    assert victim.read_bytes() == b"precious"
    assert TierEventKind.QUARANTINE in [event.kind for event in events]
    assert stat.S_ISREG((path / name).lstat().st_mode)


def test_permissions_that_were_loosened_are_tightened(path):
    with DiskTier(path, 4 * MB) as tier:
        tier.put_many([record(1)])
    (path / layout.DATA).chmod(0o666)
    with DiskTier(path, 4 * MB) as tier:
        assert tier.get_many([record(1).key]) == [record(1).value]
    assert stat.S_IMODE((path / layout.DATA).stat().st_mode) == 0o600


# ---- others who hold things up


def test_a_lock_that_is_held_for_too_long_is_an_outage(path):
    with DiskTier(path, 4 * MB) as tier, DiskTier(path, 4 * MB, timeout_seconds=0.05) as hasty:
        tier.put_many([record(1)])
        hasty.size()
        with tier._store.files.exclusive:
            assert hasty.get_many([record(1).key]) == [record(1).value]
            with pytest.raises(TierUnavailableError, match="another process"):
                hasty.put_many([record(2)])
            with pytest.raises(TierUnavailableError):
                hasty.delete_many([record(1).key])
        assert hasty.put_many([record(2)]) == [True]
        with hasty._store.files.exclusive:
            thrown = []

            def work():
                try:
                    hasty.put_many([record(2)])
                except TierUnavailableError as error:
                    thrown.append(str(error))

            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            assert "another thread" in thrown[0]


def test_a_lock_that_an_interrupt_left_taken_is_got_over(path):
    with DiskTier(path, 4 * MB, timeout_seconds=0.05) as tier:
        tier.put_many([record(1)])
        tier._store.files.exclusive.__enter__()
        with pytest.raises(TierUnavailableError):
            tier.put_many([record(2)])
        assert tier.put_many([record(2)]) == [True]
        assert tier.get_many([record(1).key, record(2).key]) == [record(1).value, record(2).value]


@pytest.mark.parametrize("word", [layout.HEAD, layout.VICTIM, layout.PUTS, layout.DEBT])
def test_a_header_that_is_damaged_while_it_is_used(path, events, word):
    with DiskTier(path, 4 * MB, on_event=events.append) as tier:
        tier.put_many([record(number) for number in range(4000)])
        tier._store.words[word] = (1 << 64) - 1
        for number in range(4000):
            assert tier.put_many([record(number)]) == [True]
            assert tier.get_many([record(number).key]) == [record(number).value]
    kinds = {event.kind for event in events}
    assert kinds <= {TierEventKind.QUARANTINE, TierEventKind.DISCARD}


def test_callbacks_on_events_may_fail_and_may_use_the_tier(path, caplog):
    def on_event(event):
        tier.get_many([record(1).key])
        raise ValueError("from the callback")

    with DiskTier(path, 4 * MB, on_event=on_event) as tier:
        tier.put_many([record(1)])
        with (path / layout.DATA).open("r+b") as data:
            data.seek(500)
            data.write(b"#")
        assert tier.get_many([record(1).key]) == [None]
    assert "a callback on an event of tier disk failed" in caplog.text


def test_events_that_nobody_wants_are_logged_without_keys(path, caplog):
    with DiskTier(path, 4 * MB, name="second") as tier:
        tier.put_many([record(1)])
        with (path / layout.DATA).open("r+b") as data:
            data.seek(500)
            data.write(b"#")
        assert tier.get_many([record(1).key]) == [None]
    assert "tier second: corruption" in caplog.text
    assert "key:1" not in caplog.text
