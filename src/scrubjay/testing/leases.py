"""What the leases of a shared tier must do, as tests to be inherited."""

from __future__ import annotations

import threading

import pytest

from scrubjay.clock import ManualClock
from scrubjay.testing.opened import Opened
from scrubjay.tiers import SharedTier, TierRecord

LONG = 30.0  # seconds of a lease that does not end by itself


class LeaseSuite(Opened):
    """Tests of the leases of one kind of `SharedTier`."""

    def test_one_of_two_may_load(self, one: SharedTier, other: SharedTier) -> None:
        lease = one.lease(b"a", b"me", LONG)
        assert lease.token is not None
        assert lease.found is not None
        waiting = other.lease(b"a", b"you", LONG)
        assert waiting.token is None
        assert waiting.found is not None
        assert waiting.found.value is None
        assert 0 < waiting.seconds <= LONG
        filled = one.fill(TierRecord(b"a", b"loaded"), lease.token)
        assert filled is not None
        assert filled.version > lease.token.version
        assert self.hears(other, waiting.found)
        there = other.lease(b"a", b"you", LONG)
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
        lease = one.lease(b"a", b"me", LONG)
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
        assert one.lease(b"a", b"me", LONG).token is None
        assert one.lease(b"a", b"me", LONG, void=useless - 1).token is None
        lease = one.lease(b"a", b"me", LONG, void=useless)
        assert lease.token is not None
        assert one.fill(TierRecord(b"a", b"new"), lease.token) is not None

    def test_what_has_expired_does_not_stand_in_the_way(
        self, one: SharedTier, clock: ManualClock
    ) -> None:
        # By our clock, whatever that of the store says.
        before = one.write(TierRecord(b"a", b"1", clock.time() + 10))
        clock.advance(10)
        lease = one.lease(b"a", b"me", LONG)
        assert lease.token is not None
        filled = one.fill(TierRecord(b"a", b"2"), lease.token)
        assert filled is not None
        assert filled.version > before.version

    def test_an_owner_is_granted_it_anew(self, one: SharedTier) -> None:
        first = one.lease(b"a", b"me", LONG).token
        second = one.lease(b"a", b"me", LONG).token
        assert first is not None
        assert second is not None
        assert one.fill(TierRecord(b"a", b"1"), first) is None
        assert one.fill(TierRecord(b"a", b"2"), second) is not None

    def test_a_lease_given_back_is_there_for_others(
        self, one: SharedTier, other: SharedTier
    ) -> None:
        token = one.lease(b"a", b"me", LONG).token
        waiting = other.lease(b"a", b"you", LONG)
        assert token is not None
        assert one.release(b"a", token)
        assert self.hears(other, waiting.found)
        assert other.lease(b"a", b"you", LONG).token is not None
        assert not one.release(b"a", token)

    def test_who_dies_delays_others_for_the_time_of_the_lease(
        self, one: SharedTier, other: SharedTier, clock: ManualClock
    ) -> None:
        token = one.lease(b"a", b"me", 0.05).token
        assert token is not None
        self.pass_time(clock, 0.06)
        taken = other.lease(b"a", b"you", LONG).token
        assert taken is not None
        assert one.fill(TierRecord(b"a", b"late"), token) is None
        assert other.fill(TierRecord(b"a", b"1"), taken) is not None

    def test_a_filled_value_is_watched(self, one: SharedTier, other: SharedTier) -> None:
        token = one.lease(b"a", b"me", LONG).token
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
                lease = tier.lease(b"a", owner, LONG)
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

    def test_a_lease_comes_with_generations(self, one: SharedTier) -> None:
        bumped = one.bump([b"s"])
        counts = one.lease(b"a", b"me", LONG, names=[b"s", b"t"]).counts
        assert [count.value for count in counts] == bumped + one.counters([b"t"])
