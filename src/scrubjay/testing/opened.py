"""Two tiers over one store, for the suites of what nodes share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scrubjay.clock import ManualClock
from scrubjay.tiers import SharedTier
from scrubjay.versions import Versioned

_EPOCH = 1_800_000_000.0
PATIENCE = 10.0  # seconds after which a watch is taken not to end


class Opened:
    """Tiers of one kind of `SharedTier`; a subclass says how to open and to lose one."""

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
        return tier.until_changed(record.watch, PATIENCE)
