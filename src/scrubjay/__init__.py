"""scrubjay: a cache that learns what to keep.

from scrubjay import AdaptiveCache, Cache, cached
"""

from __future__ import annotations

from scrubjay._core import compiled
from scrubjay._core.strategies import EvictionPolicy, register_strategy
from scrubjay.aio import AdaptiveCache
from scrubjay.cache import Cache
from scrubjay.cached import cached
from scrubjay.clock import Clock, ManualClock
from scrubjay.consistency import ConsistencyManager
from scrubjay.decorators import CachedFunction
from scrubjay.errors import (
    CacheError,
    EncodeError,
    InvalidArgumentError,
    InvalidArgumentTypeError,
    InvalidKeyError,
    LoadTimeoutError,
    MissingExtraError,
    ReentrantLoadError,
    UnpicklableCacheError,
    UnsupportedStrategyError,
)
from scrubjay.events import Event, EventKind, Events
from scrubjay.layers import Disk, Layer, Memory, Redis
from scrubjay.prefetcher import PredictivePrefetcher
from scrubjay.types import (
    CacheConsistencyLevel,
    CacheEntry,
    CacheEvictionStrategy,
    CacheInfo,
    CacheObjective,
    CacheStatistics,
    Ignore,
    RemovalCause,
)

__version__ = "0.1.0"

__all__ = [
    "AdaptiveCache",
    "Cache",
    "CacheConsistencyLevel",
    "CacheEntry",
    "CacheError",
    "CacheEvictionStrategy",
    "CacheInfo",
    "CacheObjective",
    "CacheStatistics",
    "CachedFunction",
    "Clock",
    "ConsistencyManager",
    "Disk",
    "EncodeError",
    "Event",
    "EventKind",
    "Events",
    "EvictionPolicy",
    "Ignore",
    "InvalidArgumentError",
    "InvalidArgumentTypeError",
    "InvalidKeyError",
    "Layer",
    "LoadTimeoutError",
    "ManualClock",
    "Memory",
    "MissingExtraError",
    "PredictivePrefetcher",
    "Redis",
    "ReentrantLoadError",
    "RemovalCause",
    "UnpicklableCacheError",
    "UnsupportedStrategyError",
    "__version__",
    "cached",
    "compiled",
    "register_strategy",
]
