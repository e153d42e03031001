"""What every tier must do, as tests to be inherited."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from scrubjay.clock import Clock, ManualClock
from scrubjay.errors import InvalidArgumentError, TierClosedError
from scrubjay.tiers import ListedTier, Tier, TierRecord

__all__ = ["TierSuite"]

_EPOCH = 1_800_000_000.0


class TierSuite:
    """Tests of one kind of tier; a subclass says how to open it.

    The tier is to have room for some hundred records of 100 kB.
    """

    #: how many random sequences of calls are compared with the reference
    examples = 25
    #: whether the tier is a `ListedTier`
    lists = True

    @staticmethod
    def open_tier(directory: Path, clock: Clock) -> Tier:
        """Open a tier whose store belongs to a directory.

        Args:
            directory: an empty one, or one that the same tier has been opened for.
            clock: what the tier is to take the wall time from.
        """
        raise NotImplementedError

    @pytest.fixture
    def clock(self) -> ManualClock:
        """Return the clock of the tier."""
        return ManualClock(epoch=_EPOCH)

    @pytest.fixture
    def tier(self, tmp_path: Path, clock: ManualClock) -> Iterator[Tier]:
        """Yield an empty tier."""
        with self.open_tier(tmp_path / "tier", clock) as tier:
            yield tier

    @pytest.fixture
    def listed(self, tier: Tier) -> ListedTier:
        """Return the empty tier if it tells what it holds; skip the test if it does not."""
        if not self.lists:
            pytest.skip("this tier does not tell what it holds")
        return cast("ListedTier", tier)

    def test_says_what_it_is(self, tier: Tier) -> None:
        assert isinstance(tier.name, str)
        assert tier.name
        assert isinstance(tier.blocking, bool)

    def test_an_empty_tier_misses(self, tier: Tier) -> None:
        assert tier.get_many([]) == []
        assert tier.get_many([b"a", b"b", b"a"]) == [None, None, None]
        assert tier.delete_many([b"a"]) == 0
        self.check_entries(tier, set())

    def test_returns_what_was_stored_in_the_order_of_the_keys(self, tier: Tier) -> None:
        assert tier.put_many([TierRecord(b"a", b"1"), TierRecord(b"b", b"2")]) == [True, True]
        assert tier.get_many([b"b", b"c", b"a", b"b"]) == [b"2", None, b"1", b"2"]
        assert tier.get_many((b"a",)) == [b"1"]

    @pytest.mark.parametrize("size", [0, 1, 15, 63, 64, 1000, 4096, 40_000, 100_000])
    def test_values_of_all_sizes(self, tier: Tier, size: int) -> None:
        value = bytes(number * 31 % 251 for number in range(size))
        assert tier.put_many([TierRecord(b"key", value)]) == [True]
        assert tier.get_many([b"key"]) == [value]

    @pytest.mark.parametrize("length", [1, 7, 8, 9, 64, 1000, 65_535])
    def test_keys_of_all_lengths(self, tier: Tier, length: int) -> None:
        keys = [b"\0" * length, b"\xff" * length, b"\0" * (length - 1) + b"\1"]
        assert tier.put_many([TierRecord(key, key[-1:]) for key in keys]) == [True] * 3
        assert tier.get_many(keys) == [b"\0", b"\xff", b"\1"]

    def test_a_later_record_takes_the_place_of_an_earlier_one(self, tier: Tier) -> None:
        tier.put_many([TierRecord(b"a", b"1"), TierRecord(b"a", b"22")])
        assert tier.get_many([b"a"]) == [b"22"]
        tier.put_many([TierRecord(b"a", b"3")])
        assert tier.get_many([b"a"]) == [b"3"]
        self.check_entries(tier, {b"a"})

    def test_many_at_a_time(self, tier: Tier) -> None:
        records = [TierRecord(b"%d" % number, b"v%d" % number) for number in range(500)]
        assert tier.put_many(iter(records)) == [True] * 500
        assert tier.get_many([record.key for record in records]) == [one.value for one in records]
        self.check_entries(tier, {record.key for record in records})
        assert tier.delete_many([b"%d" % number for number in range(0, 1000, 2)]) == 250
        assert tier.get_many([b"0", b"1", b"498", b"499"]) == [None, b"v1", None, b"v499"]

    def test_removes_what_it_is_told_to(self, tier: Tier) -> None:
        tier.put_many([TierRecord(b"a", b"1"), TierRecord(b"b", b"2")])
        assert tier.delete_many([b"a", b"a", b"c"]) == 1
        assert tier.get_many([b"a", b"b"]) == [None, b"2"]
        tier.put_many([TierRecord(b"a", b"3")])
        assert tier.get_many([b"a"]) == [b"3"]

    def test_expiry(self, tier: Tier, clock: ManualClock) -> None:
        soon, later = clock.time() + 10, clock.time() + 20
        tier.put_many(
            [TierRecord(b"a", b"1", soon), TierRecord(b"b", b"2", later), TierRecord(b"c", b"3")]
        )
        clock.advance(9.5)
        assert tier.get_many([b"a", b"b", b"c"]) == [b"1", b"2", b"3"]
        clock.advance(0.5)
        assert tier.get_many([b"a", b"b", b"c"]) == [None, b"2", b"3"]
        if self.lists:
            assert b"a" not in {record.key for record in cast("ListedTier", tier).scan()}
        tier.put_many([TierRecord(b"b", b"4")])  # without the expiry of the one before
        clock.advance(100)
        assert tier.get_many([b"a", b"b", b"c"]) == [None, b"4", b"3"]

    def test_a_record_that_has_expired_is_not_kept(self, tier: Tier, clock: ManualClock) -> None:
        tier.put_many([TierRecord(b"a", b"old")])
        assert tier.put_many([TierRecord(b"a", b"new", clock.time())]) == [False]
        assert tier.get_many([b"a"]) == [None]

    def test_generations_rise(self, tier: Tier) -> None:
        first = tier.counters([b"x", b"y", b"x"])
        assert first[0] == first[2]
        assert tier.counters([b"x", b"y"]) == first[:2]
        known = {first[0]}
        for _ in range(50):
            (bumped,) = tier.bump([b"x"])
            assert tier.counters([b"x"]) == [bumped]
            assert bumped > max(known)
            known.add(bumped)
        assert tier.counters([b"y"]) == first[1:2]
        assert tier.bump([]) == tier.counters([]) == []
        both = tier.bump([b"x", b"y"])
        assert tier.counters([b"x", b"y"]) == both
        assert both[0] not in known

    def test_clearing_removes_records_and_no_generations(self, tier: Tier) -> None:
        (before,) = tier.bump([b"tag"])
        tier.put_many([TierRecord(b"%d" % number, b"v") for number in range(100)])
        tier.clear()
        assert tier.get_many([b"%d" % number for number in range(100)]) == [None] * 100
        self.check_entries(tier, set())
        assert tier.counters([b"tag"]) == [before]
        tier.put_many([TierRecord(b"1", b"again")])
        assert tier.get_many([b"1"]) == [b"again"]

    def test_scanning_gives_whole_records(self, listed: ListedTier, clock: ManualClock) -> None:
        tier = listed
        records = {
            TierRecord(b"a", b"1"),
            TierRecord(b"b", b"2" * 50_000, clock.time() + 1.5),
            TierRecord(b"c", b"", None, 2.5),
        }
        tier.put_many(records)
        assert set(tier.scan()) == records

    def test_scanning_begins_with_what_is_read_most(self, listed: ListedTier) -> None:
        tier = listed
        keys = [b"%d" % number for number in range(60)]
        tier.put_many([TierRecord(key, b"v") for key in keys])
        for _ in range(5):
            tier.get_many(keys[20:25])
        tier.get_many(keys[40:45])
        assert {record.key for record in tier.scan(5)} == set(keys[20:25])
        assert {record.key for record in tier.scan(10)} == set(keys[20:25] + keys[40:45])
        assert len(list(tier.scan(1000))) == 60

    def test_size_follows_what_is_stored(self, listed: ListedTier) -> None:
        tier = listed
        tier.put_many([TierRecord(b"a", b"1" * 1000), TierRecord(b"b", b"2" * 2000)])
        size = tier.size()
        assert size.entries == 2
        assert size.bytes >= 3000
        assert size.capacity is None or size.capacity >= size.bytes
        tier.delete_many([b"b"])
        assert tier.size().entries == 1
        assert tier.size().bytes < size.bytes
        tier.delete_many([b"a"])
        assert tier.size()[:2] == (0, 0)

    @pytest.mark.parametrize(
        "bad",
        [
            TierRecord("text", b"v"),  # type: ignore[arg-type]
            TierRecord(b"", b"v"),
            TierRecord(b"k" * 65_536, b"v"),
            TierRecord(b"k", "text"),  # type: ignore[arg-type]
            TierRecord(b"k", None),  # type: ignore[arg-type]
            TierRecord(b"k", bytearray(b"v")),  # type: ignore[arg-type]
            TierRecord(b"k", b"v", float("nan")),
            TierRecord(b"k", b"v", "soon"),  # type: ignore[arg-type]
            TierRecord(b"k", b"v", None, -1.0),
            None,
            (b"k",),
        ],
    )
    def test_a_bad_record_changes_nothing(self, tier: Tier, bad: Any) -> None:
        tier.put_many([TierRecord(b"a", b"1")])
        with pytest.raises(InvalidArgumentError):
            tier.put_many([TierRecord(b"a", b"2"), bad])
        assert tier.get_many([b"a"]) == [b"1"]

    @pytest.mark.parametrize("bad", [None, 3, "text", b"bytes", [b"a", "text"], [b"a", None]])
    def test_bad_keys_change_nothing(self, tier: Tier, bad: Any) -> None:
        tier.put_many([TierRecord(b"a", b"1")])
        before = tier.counters([b"a"])
        for call in (tier.get_many, tier.delete_many, tier.counters, tier.bump):
            with pytest.raises(InvalidArgumentError):
                call(bad)
        assert tier.get_many([b"a"]) == [b"1"]
        assert tier.counters([b"a"]) == before

    @pytest.mark.parametrize("bad", [0, -1, "many", 1.5])
    def test_a_bad_limit(self, listed: ListedTier, bad: Any) -> None:
        with pytest.raises(InvalidArgumentError):
            listed.scan(bad)

    def test_a_closed_tier_says_so(self, tmp_path: Path, clock: ManualClock) -> None:
        tier = self.open_tier(tmp_path / "tier", clock)
        tier.put_many([TierRecord(b"a", b"1")])
        tier.close()
        tier.close()
        calls: list[Callable[[], Any]] = [
            lambda: tier.get_many([b"a"]),
            lambda: tier.put_many([TierRecord(b"a", b"1")]),
            lambda: tier.delete_many([b"a"]),
            lambda: tier.counters([b"a"]),
            lambda: tier.bump([b"a"]),
            tier.clear,
        ]
        if self.lists:
            listed = cast("ListedTier", tier)
            calls += [listed.scan, listed.size]
        for call in calls:
            with pytest.raises(TierClosedError):
                call()

    def test_threads_see_each_others_writes(self, tier: Tier) -> None:
        problems: list[str] = []

        def work(number: int) -> None:
            mine = [b"%d:%d" % (number, key) for key in range(5)]
            for turn in range(60):
                value = b"%d" % turn
                tier.put_many([TierRecord(key, value) for key in mine])
                if tier.get_many(mine) != [value] * 5:
                    problems.append(f"thread {number} lost turn {turn}")
                (shared,) = tier.get_many([b"shared"])
                if shared is not None and not shared.endswith(b"!"):
                    problems.append(f"no one has written {shared!r}")
                tier.put_many([TierRecord(b"shared", b"%d!" % number)])

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []

    def test_closing_while_threads_use_it(self, tmp_path: Path, clock: ManualClock) -> None:
        for turn in range(10):
            tier = self.open_tier(tmp_path / "tier", clock)
            problems: list[BaseException] = []
            running = threading.Barrier(4)

            def work(
                tier: Tier = tier,
                running: threading.Barrier = running,
                problems: list[BaseException] = problems,
            ) -> None:
                try:
                    tier.put_many([TierRecord(b"a", b"1")])
                    running.wait()
                    while True:
                        assert tier.get_many([b"a"]) in ([b"1"], [b"2"])
                        tier.put_many([TierRecord(b"a", b"2")])
                except TierClosedError:
                    pass
                except BaseException as error:
                    problems.append(error)

            threads = [threading.Thread(target=work) for _ in range(3)]
            for thread in threads:
                thread.start()
            running.wait()
            tier.close()
            for thread in threads:
                thread.join()
            assert problems == [], f"turn {turn}"

    def test_behaves_like_the_reference(self, tmp_path: Path) -> None:
        # Hypothesis takes its time to import; processes that these suites start do without.
        from scrubjay.testing.model import check_against_reference  # noqa: PLC0415

        check_against_reference(self.open_tier, tmp_path, self.examples, lists=self.lists)

    def check_entries(self, tier: Tier, keys: set[bytes]) -> None:
        """Check that a tier tells of these keys and no others, if it tells at all."""
        if self.lists:
            listed = cast("ListedTier", tier)
            assert {record.key for record in listed.scan()} == keys
            size = listed.size()
            assert size.entries == len(keys)
            assert (size.bytes > 0) == bool(keys)
