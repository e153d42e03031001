"""What a shared tier with versions must do, as tests to be inherited."""

from __future__ import annotations

from typing import Any

import pytest

from scrubjay.clock import ManualClock
from scrubjay.errors import InvalidArgumentError, TierClosedError
from scrubjay.testing.leases import LONG, LeaseSuite
from scrubjay.testing.opened import PATIENCE
from scrubjay.tiers import SharedTier, TierRecord
from scrubjay.versions import Changes, Versioned

__all__ = ["CoherenceSuite"]


class CoherenceSuite(LeaseSuite):
    """Tests of one kind of `SharedTier`; a subclass says how to open and to lose one."""

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
            other.lease(b"a", b"me", LONG)
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
        token = one.lease(b"b", b"me", LONG).token
        assert token is not None
        other.clear()
        assert self.hears(one, found)
        left = self.read(one, b"a")
        assert left.value is None
        assert one.fill(TierRecord(b"b", b"from before"), token) is None
        assert one.write(TierRecord(b"a", b"2")).version > left.version
        assert self.read(other, b"a").value == b"2"

    # ---- generations

    def test_generations_are_watched(self, one: SharedTier, other: SharedTier) -> None:
        (before,) = one.fetch([], [b"t"]).counts
        (begun,) = other.advance([b"t"])
        assert begun.value > before.value
        assert before.watch is not None
        assert one.until_changed(before.watch, PATIENCE)
        (now,) = one.fetch([], [b"t"]).counts
        assert now.value == begun.value
        assert one.counters([b"t"]) == [begun.value]
        one.bump([b"t"])
        assert begun.watch is not None
        assert other.until_changed(begun.watch, PATIENCE)
        assert now.watch is not None
        assert one.until_changed(now.watch, PATIENCE)

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
            lambda: one.lease(b"", b"me", LONG),
            lambda: one.lease(b"a", b"", LONG),
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
