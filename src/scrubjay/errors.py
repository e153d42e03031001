"""Every error that scrubjay raises on its own account, in one hierarchy."""

from __future__ import annotations

__all__ = [
    "CacheError",
    "ConfigurationError",
    "ConsistencyError",
    "ConsistencyUnavailableError",
    "EncodeError",
    "EpochChangedError",
    "InvalidArgumentError",
    "InvalidArgumentTypeError",
    "InvalidKeyError",
    "InvalidTokenError",
    "LoadTimeoutError",
    "MissingExtraError",
    "ReentrantLoadError",
    "SnapshotError",
    "StaleReadError",
    "TierClosedError",
    "TierDeniedError",
    "TierError",
    "TierFullError",
    "TierUnavailableError",
    "UnpicklableCacheError",
    "UnsupportedStrategyError",
]


class CacheError(Exception):
    """Base class of every error of this package."""


class InvalidArgumentError(CacheError, ValueError):
    """An argument has a value that makes no sense; the message names it."""


class ConfigurationError(InvalidArgumentError):
    """Arguments make sense each, but not together; the message says why."""


class InvalidArgumentTypeError(InvalidArgumentError, TypeError):
    """An argument has a type that is not accepted; the message names it."""


class InvalidKeyError(InvalidArgumentTypeError):
    """A key cannot be hashed, or cannot be written as bytes for a lower tier."""


class EncodeError(CacheError, ValueError):
    """A value cannot be written as bytes so that it would come back as it was."""


class MissingExtraError(CacheError, ImportError):
    """Something was asked for whose package is not installed; the message names the extra."""


class LoadTimeoutError(CacheError, TimeoutError):
    """A load takes longer than the cache may wait; it goes on, and its value is stored."""


class ReentrantLoadError(CacheError, RuntimeError):
    """A loader waits, directly or through others, for its own key: it would never end."""


class UnpicklableCacheError(CacheError, TypeError):
    """A cache was pickled or copied; it holds threads, callbacks and live state."""


class UnsupportedStrategyError(CacheError, RuntimeError):
    """The eviction strategy of this cache cannot do what was asked for."""


class ConsistencyError(CacheError):
    """A read or write cannot be as fresh as it was asked to be."""


class ConsistencyUnavailableError(ConsistencyError, RuntimeError):
    """A level cannot be promised here, whatever is tried: the message says what stands against it."""


class StaleReadError(ConsistencyError, RuntimeError):
    """The shared tier itself has something older than what a session has seen or written."""


class EpochChangedError(ConsistencyError, RuntimeError):
    """A session's token is of another server, or of one that has lost its history since."""


class InvalidTokenError(ConsistencyError, InvalidArgumentError):
    """A session's token was damaged, forged, or is none."""


class SnapshotError(CacheError, OSError):
    """Memory cannot be saved to a file, or what is there is none that can be read."""


class TierError(CacheError):
    """A tier could not do what it was asked for."""


class TierUnavailableError(TierError, OSError):
    """A tier cannot be reached or used now; it may be later, and tries again by itself."""


class TierDeniedError(TierUnavailableError):
    """A tier refuses who asks: a password is wrong or a permission is missing."""


class TierFullError(TierError, OSError):
    """There is no room for a record; what was stored under its key before is gone."""


class TierClosedError(TierError, ValueError):
    """A tier was used after it had been closed."""
