"""How to connect, and how long to wait: what both drivers are told."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scrubjay.errors import TierClosedError, TierUnavailableError
from scrubjay.tiers._redis.address import Address
from scrubjay.tiers._redis.session import Session

STALL_FACTOR = 2.0  # timeouts without a byte after which a connection counts as dead


@dataclass(frozen=True)
class Settings:
    """What both drivers are told.

    Args:
        address: the server.
        name: of the tier, for errors.
        client_name: of the connections, in the server's lists.
        generation_key: see `session`.
        timeout: seconds that an operation may take, with connecting.
        connect_timeout: seconds that connecting may take, within that.
        heartbeat: seconds between two looks whether the server is there, if it is asked at all.
        tell: told of changes, see `session`.
        now: the monotonic time that feeds are dated by.
        opens: makes the session of a new connection; None for that of a server alone.
    """

    address: Address
    name: str
    client_name: str
    generation_key: bytes
    timeout: float
    connect_timeout: float
    heartbeat: float = 1.0
    tell: Callable[[Sequence[bytes] | None], object] = bool
    now: Callable[[], float] = time.monotonic
    opens: Callable[[], Session] | None = None

    def session(self) -> Session:
        """Return the session of a new connection."""
        if self.opens is not None:
            return self.opens()
        return Session(self.generation_key, self.tell, self.now)

    def late(self) -> TierUnavailableError:
        """Return the error for an operation that took too long."""
        return TierUnavailableError(
            f"tier {self.name}: no answer from {self.address} within {self.timeout:g} s"
        )

    def waiting(self, left: float, reason: str) -> TierUnavailableError:
        """Return the error for an operation between two attempts to connect."""
        after = f", after: {reason.removeprefix(f'tier {self.name}: ')}" if reason else ""
        return TierUnavailableError(
            f"tier {self.name}: {self.address} could not be reached; "
            f"it is tried again in {left:.2f} s{after}"
        )

    def unreachable(self, error: BaseException) -> TierUnavailableError:
        """Return the error for an attempt to connect that failed."""
        reason = str(error) or type(error).__name__
        return TierUnavailableError(
            f"tier {self.name}: {self.address} could not be reached: {reason}"
        )

    def gone(self, reason: str) -> TierUnavailableError:
        """Return the error for a connection that was lost."""
        return TierUnavailableError(
            f"tier {self.name}: the connection to {self.address} was lost: {reason}"
        )

    def closed(self) -> TierClosedError:
        """Return the error for a closed tier."""
        return TierClosedError(f"tier {self.name} is closed")
