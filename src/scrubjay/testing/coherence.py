"""What a shared tier with versions must do, as tests to be inherited."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scrubjay.clock import ManualClock
from scrubjay.errors import InvalidArgumentError, TierClosedError
from scrubjay.tiers import SharedTier, TierRecord
from scrubjay.versions import Changes, Versioned

__all__ = ["CoherenceSuite"]

_EPOCH = 1_800_000_000.0
_PATIENCE = 10.0
_LONG = 30.0  # seconds of a lease that does not end by itself


class CoherenceSuite:
    """Tests of one kind of `SharedTier`; a subclass says how to open and to lose one."""

    @staticmethod
    def open_shared(directory: Path, clock: ManualClock) -> SharedTier:
        """Open a tier over the store that belongs to a directory.

        Args:
            directory: the same for tiers that share.
            clock: what the tier is to take the wall time from.
        """
        raise NotImplementedError

    @staticmethod
    def lose(tier: SharedTier) -> None:
        """Have the tier lose its connection, and return when it knows."""
        raise NotImplementedError

    @staticmethod
    def pass_time(clock: ManualClock, seconds: float) -> None:
        """Let time pass for the store."""
        clock.advance(seconds)

    @pytest.fixture
    def clock(self) -> ManualClock:
        """Return the clock of both tiers."""
        return ManualClock(epoch=_EPOCH)

    @pytest.fixture
    def one(self, tmp_path: Path, clock: ManualClock) -> Iterator[SharedTier]:
        """Yield a tier with nothing in its store."""
        with self.open_shared(tmp_path, clock) as tier:
            yield tier

    @pytest.fixture
    def other(self, tmp_path: Path, clock: ManualClock) -> Iterator[SharedTier]:
        """Yield another tier over the same store."""
        with self.open_shared(tmp_path, clock) as tier:
            yield tier

    @staticmethod
    def read(tier: SharedTier, key: bytes) -> Versioned:
        """Return what is known of a key, of which something must be."""
        (found,) = tier.read_many([key])
        assert found is not None
        return found

    @staticmethod
    def hears(tier: SharedTier, record: Versioned | None) -> bool:
        """Tell whether the watch over a record ends before long."""
        assert record is not None
        assert record.watch is not None
        return tier.until_changed(record.watch, _PATIENCE)

    def test_nothing_is_known_of_what_was_never_written(self, one: SharedTier) -> None:
        assert one.read_many([]) == []
        assert one.read_many([b"a", b"b"]) == [None, None]

    @pytest.mark.parametrize("size", [0, 1, 100, 5000, 100_000])
    def test_returns_what_was_written(self, one: SharedTier, other: SharedTier, size: int) -> None:
        value = bytes(number * 31 % 251 for number in range(size))
        written = one.write(TierRecord(b"a", value))
        assert written.value == value
        for tier in (one, other):
            found = self.read(tier, b"a")
            assert (found.version, found.value, found.expires_at) == (written.version, value, None)
            assert found.watch is not None
            assert found.watch.live

    def test_keys_of_any_bytes(self, one: SharedTier) -> None:
        keys = [b"}", b"{", b"{a}", b"a}b{c", b"\0\xff\r\n", b"." * 1000]
        written = [one.write(TierRecord(key, key)).version for key in keys]
        found = one.read_many(keys)
        assert [record and record.value for record in found] == keys
        assert [record and record.version for record in found] == written

    def test_many_keys_at_once(self, one: SharedTier) -> None:
        for number in range(150):
            one.write(TierRecord(b"%d" % number, b"v%d" % number))
        fetched = one.fetch([b"%d" % number for number in range(160)], [b"s", b"t"])
        values = [record and record.value for record in fetched.records]
        assert values == [b"v%d" % number for number in range(150)] + [None] * 10
        assert len(fetched.counts) == 2

    def test_versions_rise_whoever_writes_or_removes(
        self, one: SharedTier, other: SharedTier
    ) -> None:
        last = 0
        for turn in range(60):
            tier = (one, other)[turn % 2]
            if turn % 3 == 2:
                (done,) = tier.delete([b"a"])
            else:
                done = tier.write(TierRecord(b"a", b"%d" % turn))
            assert done.version > last
            last = done.version
            assert self.read((other, one)[turn % 2], b"a").version == last

    def test_a_removal_is_remembered(self, one: SharedTier, other: SharedTier) -> None:
        written = one.write(TierRecord(b"a", b"1"))
        (removed,) = other.delete([b"a"])
        found = self.read(one, b"a")
        assert (found.version, found.value) == (removed.version, None)
        assert removed.version > written.version

    def test_expiry(self, one: SharedTier, clock: ManualClock) -> None:
        ends = clock.time() + 10
        assert one.write(TierRecord(b"a", b"1", ends)).expires_at == ends
        assert self.read(one, b"a").expires_at == ends
        clock.advance(10)
        (found,) = one.read_many([b"a"])
        assert found is None or found.value is None
        assert one.write(TierRecord(b"a", b"1", clock.time())).value is None

    # ---- being told

    def test_a_watch_ends_when_another_writes(self, one: SharedTier, other: SharedTier) -> None:
        one.write(TierRecord(b"a", b"1"))
        found, same = self.read(one, b"a"), self.read(one, b"a")
        other.write(TierRecord(b"a", b"2"))
        assert self.hears(one, found)
        assert self.hears(one, same)
        assert self.read(one, b"a").value == b"2"

    @pytest.mark.parametrize("change", ["write", "delete", "lease"])
    def test_what_was_not_there_is_watched_too(
        self, one: SharedTier, other: SharedTier, change: str
    ) -> None:
        one.delete([b"a"])
        found = self.read(one, b"a")
        if change == "write":
            other.write(TierRecord(b"a", b"1"))
        elif change == "delete":
            other.delete([b"a"])
        else:
            other.lease(b"a", b"me", _LONG)
        assert self.hears(one, found)

    def test_ones_own_value_is_watched(self, one: SharedTier, other: SharedTier) -> None:
        before = self.read_or_write(one)
        mine = one.write(TierRecord(b"a", b"mine"))
        assert before.watch is not None
        assert not before.watch.live
        assert mine.watch is not None
        assert mine.watch.live
        other.write(TierRecord(b"a", b"2"))
        assert self.hears(one, mine)
        again = one.write(TierRecord(b"a", b"mine again"))
        other.delete([b"a"])
        assert self.hears(one, again)

    def read_or_write(self, tier: SharedTier) -> Versioned:
        """Return something that is watched under the key `a`."""
        tier.write(TierRecord(b"a", b"first"))
        return self.read(tier, b"a")

    def test_after_a_barrier_everything_acknowledged_has_been_told(
        self, one: SharedTier, other: SharedTier
    ) -> None:
        for turn in range(200):
            found = self.read(one, b"a") if turn else self.read_or_write(one)
            assert one.barrier([found.feed]).covers(found.feed)
            assert found.watch is not None
            assert found.watch.live
            other.write(TierRecord(b"a", b"%d" % turn))
            assert one.barrier([found.feed]).covers(found.feed)
            assert not found.watch.live

    def test_callbacks_are_told_what_has_changed(self, one: SharedTier, other: SharedTier) -> None:
        told: list[Changes | None] = []
        one.fetch([], [b"t"])  # whatever had to be made for that is there now
        one.on_invalidated(told.append)
        one.fetch([b"a", b"b"], [b"t"])
        other.write(TierRecord(b"b", b"1"))
        other.delete([b"a"])
        other.write(TierRecord(b"never read", b"1"))
        other.bump([b"t"])
        one.barrier()
        changes = [change for change in told if change is not None]
        assert len(changes) == len(told)
        # In whatever order: there may be several connections.
        assert sorted(key for change in changes for key in change.keys) == [b"a", b"b"]
        assert [name for change in changes for name in change.names] == [b"t"]

    def test_a_callback_that_was_taken_out_is_told_nothing_more(
        self, one: SharedTier, other: SharedTier
    ) -> None:
        first: list[Changes | None] = []
        second: list[Changes | None] = []
        one.fetch([b"a"], [b"t"])  # whatever had to be made for that is there now
        end = one.on_invalidated(first.append)
        one.on_invalidated(first.append)  # the same function, added twice, is told twice
        one.on_invalidated(second.append)
        one.read_many([b"a"])
        other.write(TierRecord(b"a", b"1"))
        one.barrier()
        assert [change and change.keys for change in first] == [(b"a",)] * 2
        end()
        end()  # once more does nothing
        one.read_many([b"a"])
        other.write(TierRecord(b"a", b"2"))
        one.barrier()
        assert [change and change.keys for change in first] == [(b"a",)] * 3
        assert [change and change.keys for change in second] == [(b"a",)] * 2

    def test_a_lost_connection_ends_everything(self, one: SharedTier, other: SharedTier) -> None:
        told: list[Changes | None] = []
        one.write(TierRecord(b"a", b"1"))
        fetched = one.fetch([b"a"], [b"t"])
        one.on_invalidated(told.append)
        self.lose(one)
        record, count = fetched.records[0], fetched.counts[0]
        assert self.hears(one, record)
        assert count.watch is not None
        assert not count.watch.live
        assert told[:1] == [None]
        assert not fetched.feed.live
        found = self.read(one, b"a")
        assert found.feed is not fetched.feed
        other.write(TierRecord(b"a", b"2"))
        assert self.hears(one, found)

    def test_clearing_voids_everything(self, one: SharedTier, other: SharedTier) -> None:
        one.write(TierRecord(b"a", b"1"))
        found = self.read(one, b"a")
        token = one.lease(b"b", b"me", _LONG).token
        assert token is not None
        other.clear()
        assert self.hears(one, found)
        left = self.read(one, b"a")
        assert left.value is None
        assert one.fill(TierRecord(b"b", b"from before"), token) is None
        assert one.write(TierRecord(b"a", b"2")).version > left.version
        assert self.read(other, b"a").value == b"2"

    # ---- loading

    def test_one_of_two_may_load(self, one: SharedTier, other: SharedTier) -> None:
        lease = one.lease(b"a", b"me", _LONG)
        assert lease.token is not None
        assert lease.found is not None
        waiting = other.lease(b"a", b"you", _LONG)
        assert waiting.token is None
        assert waiting.found is not None
        assert waiting.found.value is None
        assert 0 < waiting.seconds <= _LONG
        filled = one.fill(TierRecord(b"a", b"loaded"), lease.token)
        assert filled is not None
        assert filled.version > lease.token.version
        assert self.hears(other, waiting.found)
        there = other.lease(b"a", b"you", _LONG)
        assert there.token is None
        assert there.found is not None
        assert (there.found.value, there.found.version) == (b"loaded", filled.version)
        assert one.fill(TierRecord(b"a", b"twice"), lease.token) is None

    @pytest.mark.parametrize("change", ["write", "delete"])
    @pytest.mark.parametrize("before", ["nothing", "tombstone"])
    def test_any_change_voids_a_lease(
        self, one: SharedTier, other: SharedTier, change: str, before: str
    ) -> None:
        if before == "tombstone":
            one.delete([b"a"])
        lease = one.lease(b"a", b"me", _LONG)
        assert lease.token is not None
        if change == "write":
            other.write(TierRecord(b"a", b"new"))
        else:
            other.delete([b"a"])
        assert one.fill(TierRecord(b"a", b"stale"), lease.token) is None
        assert not one.release(b"a", lease.token)
        assert self.read(one, b"a").value == (b"new" if change == "write" else None)

    def test_a_value_of_no_use_does_not_stand_in_the_way(self, one: SharedTier) -> None:
        useless = one.write(TierRecord(b"a", b"outdated")).version
        assert one.lease(b"a", b"me", _LONG).token is None
        assert one.lease(b"a", b"me", _LONG, void=useless - 1).token is None
        lease = one.lease(b"a", b"me", _LONG, void=useless)
        assert lease.token is not None
        assert one.fill(TierRecord(b"a", b"new"), lease.token) is not None

    def test_what_has_expired_does_not_stand_in_the_way(
        self, one: SharedTier, clock: ManualClock
    ) -> None:
        # By our clock, whatever that of the store says.
        before = one.write(TierRecord(b"a", b"1", clock.time() + 10))
        clock.advance(10)
        lease = one.lease(b"a", b"me", _LONG)
        assert lease.token is not None
        filled = one.fill(TierRecord(b"a", b"2"), lease.token)
        assert filled is not None
        assert filled.version > before.version

    def test_an_owner_is_granted_it_anew(self, one: SharedTier) -> None:
        first = one.lease(b"a", b"me", _LONG).token
        second = one.lease(b"a", b"me", _LONG).token
        assert first is not None
        assert second is not None
        assert one.fill(TierRecord(b"a", b"1"), first) is None
        assert one.fill(TierRecord(b"a", b"2"), second) is not None

    def test_a_lease_given_back_is_there_for_others(
        self, one: SharedTier, other: SharedTier
    ) -> None:
        token = one.lease(b"a", b"me", _LONG).token
        waiting = other.lease(b"a", b"you", _LONG)
        assert token is not None
        assert one.release(b"a", token)
        assert self.hears(other, waiting.found)
        assert other.lease(b"a", b"you", _LONG).token is not None
        assert not one.release(b"a", token)

    def test_who_dies_delays_others_for_the_time_of_the_lease(
        self, one: SharedTier, other: SharedTier, clock: ManualClock
    ) -> None:
        token = one.lease(b"a", b"me", 0.05).token
        assert token is not None
        self.pass_time(clock, 0.06)
        taken = other.lease(b"a", b"you", _LONG).token
        assert taken is not None
        assert one.fill(TierRecord(b"a", b"late"), token) is None
        assert other.fill(TierRecord(b"a", b"1"), taken) is not None

    def test_a_filled_value_is_watched(self, one: SharedTier, other: SharedTier) -> None:
        token = one.lease(b"a", b"me", _LONG).token
        assert token is not None
        filled = one.fill(TierRecord(b"a", b"1"), token)
        other.write(TierRecord(b"a", b"2"))
        assert self.hears(one, filled)

    def test_many_who_miss_load_once(self, one: SharedTier, other: SharedTier) -> None:
        loads: list[bytes] = []
        values: list[bytes | None] = []
        begin = threading.Barrier(8)

        def get(tier: SharedTier, owner: bytes) -> None:
            begin.wait()
            while True:
                lease = tier.lease(b"a", owner, _LONG)
                if lease.token is not None:
                    loads.append(owner)
                    tier.fill(TierRecord(b"a", owner), lease.token)
                elif lease.found is not None and lease.found.value is not None:
                    values.append(lease.found.value)
                    return
                else:
                    self.hears(tier, lease.found)

        threads = [
            threading.Thread(target=get, args=((one, other)[number % 2], b"%d" % number))
            for number in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(loads) == 1
        assert values == loads * 8

    # ---- generations

    def test_generations_are_watched(self, one: SharedTier, other: SharedTier) -> None:
        (before,) = one.fetch([], [b"t"]).counts
        (begun,) = other.advance([b"t"])
        assert begun.value > before.value
        assert before.watch is not None
        assert one.until_changed(before.watch, _PATIENCE)
        (now,) = one.fetch([], [b"t"]).counts
        assert now.value == begun.value
        assert one.counters([b"t"]) == [begun.value]
        one.bump([b"t"])
        assert begun.watch is not None
        assert other.until_changed(begun.watch, _PATIENCE)
        assert now.watch is not None
        assert one.until_changed(now.watch, _PATIENCE)

    def test_a_lease_comes_with_generations(self, one: SharedTier) -> None:
        bumped = one.bump([b"s"])
        counts = one.lease(b"a", b"me", _LONG, names=[b"s", b"t"]).counts
        assert [count.value for count in counts] == bumped + one.counters([b"t"])

    # ---- the rest

    def test_both_are_of_one_epoch(self, one: SharedTier, other: SharedTier) -> None:
        assert one.feed().epoch == other.feed().epoch != b""
        assert one.feed().covers(one.feed())
        assert not one.feed().covers(other.feed())

    def test_records_with_versions_are_apart_from_others(self, one: SharedTier) -> None:
        one.put_many([TierRecord(b"a", b"plain")])
        one.write(TierRecord(b"a", b"versioned"))
        assert one.get_many([b"a"]) == [b"plain"]
        assert self.read(one, b"a").value == b"versioned"

    def test_refuses_what_makes_no_sense(self, one: SharedTier) -> None:
        wrong: list[Any] = [
            lambda: one.read_many([b""]),
            lambda: one.fetch([], ["t"]),  # type: ignore[list-item]
            lambda: one.write(TierRecord(b"a", "text")),  # type: ignore[arg-type]
            lambda: one.delete(b"a"),  # type: ignore[arg-type]
            lambda: one.lease(b"", b"me", _LONG),
            lambda: one.lease(b"a", b"", _LONG),
            lambda: one.on_invalidated(None),  # type: ignore[arg-type]
        ]
        for call in wrong:
            with pytest.raises(InvalidArgumentError):
                call()
        assert one.read_many([b"a"]) == [None]

    def test_a_closed_tier_says_so(self, one: SharedTier) -> None:
        found = self.read_or_write(one)
        one.close()
        assert found.watch is not None
        assert not found.watch.live
        for call in (lambda: one.read_many([b"a"]), one.barrier, lambda: one.delete([b"a"])):
            with pytest.raises(TierClosedError):
                call()
