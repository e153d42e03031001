"""The caches that are measured: how each is built, read and written.

To add one, add an entry to the function of its kind. A package that is not
installed is left out and named as missing; nothing here fails for it.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

HOUR = 3600.0
NAMES: dict[str, Any] = {"an_hour": timedelta(seconds=HOUR)}
"""What the statements use beside ``cache`` and ``k``."""
STRATEGIES = ("lru", "lfu", "ttl", "priority")
DICT = "dict"
LRU_CACHE = "functools.lru_cache"
SCRUBJAY = "scrubjay"

PACKAGES = {
    "scrubjay": "scrubjay",
    "cachebox": "cachebox",
    "theine": "theine",
    "cachetools": "cachetools",
    "moka_py": "moka-py",
    "lru": "lru-dict",
    "async_lru": "async-lru",
    "diskcache": "diskcache",
    "hiredis": "hiredis",
    "redis": "redis",
    "cashews": "cashews",
    "aiocache": "aiocache",
    "dogpile.cache": "dogpile.cache",
}
"""Import name to distribution name."""


@dataclass(frozen=True)
class Peer:
    """A cache, with the statements a user of it writes.

    Args:
        name: The name in tables.
        package: The module to import, "" for the standard library.
        build: Makes one from its capacity in entries.
        get: Statement that reads ``k``.
        put: Statement that stores ``k`` as its own value.
        value: Expression for the value of ``k`` that is None on a miss.
        reads: Whether it can be asked for a key without computing it.
        evicts: Whether it has a bound and an eviction policy.
    """

    name: str
    package: str
    build: Callable[[int], Any]
    get: str = "cache.get(k)"
    put: str = "cache[k] = k"
    value: str = "cache.get(k)"
    reads: bool = True
    evicts: bool = True


def same(key: object) -> object:
    """Return the argument: the trivial function that is memoized."""
    return key


@functools.cache
def load(package: str) -> Any:
    """Import a package, or return None if it is missing.

    Only ImportError counts as missing; a package that breaks otherwise is a
    finding and surfaces.
    """
    try:
        return importlib.import_module(package)
    except ImportError:
        return None


def versions() -> dict[str, str | None]:
    """Return the version of each package, or None for a missing one."""
    return {
        distribution: importlib.metadata.version(distribution) if load(package) else None
        for package, distribution in PACKAGES.items()
    }


def present(peers: Iterable[Peer]) -> list[Peer]:
    """Return the peers whose package is installed."""
    return [peer for peer in peers if not peer.package or load(peer.package)]


def stores(*, strategies: bool = True) -> list[Peer]:
    """Return the caches that are read and written key by key.

    Args:
        strategies: Whether scrubjay's other strategies are wanted too.
    """
    standard = [
        Peer(DICT, "", lambda capacity: {}, evicts=False),
        Peer(
            LRU_CACHE,
            "",
            lambda capacity: functools.lru_cache(capacity)(lambda k: k),
            get="cache(k)",
            put="cache(k)",
            value="cache(k)",
            reads=False,
        ),
    ]
    return present(standard + _scrubjays(strategies) + _others())


def scrubjay_default(capacity: int) -> Any:
    """Return a scrubjay cache with default settings, bounded by entries."""
    return load("scrubjay").Cache(max_entries=capacity)


def _scrubjays(strategies: bool) -> list[Peer]:
    names = STRATEGIES if strategies else ()
    put = "cache.put(k, k)"
    return [
        Peer(SCRUBJAY, "scrubjay", scrubjay_default, put=put),
        *(
            Peer(
                f"{SCRUBJAY} {name}",
                "scrubjay",
                lambda n, name=name: load("scrubjay").Cache(  # type: ignore[misc]
                    max_entries=n, eviction_strategy=name
                ),
                put=put,
            )
            for name in names
        ),
    ]


def _others() -> list[Peer]:
    return [
        Peer("cachebox FIFO", "cachebox", lambda n: load("cachebox").FIFOCache(n)),
        Peer("cachebox LFU", "cachebox", lambda n: load("cachebox").LFUCache(n)),
        Peer("cachebox LRU", "cachebox", lambda n: load("cachebox").LRUCache(n)),
        Peer("lru-dict", "lru", lambda n: load("lru").LRU(n)),
        Peer("cachetools LRU", "cachetools", lambda n: load("cachetools").LRUCache(n)),
        Peer("moka TinyLFU", "moka_py", lambda n: load("moka_py").Moka(n), put="cache.set(k, k)"),
        Peer(
            "theine",
            "theine",
            lambda n: load("theine").Cache(n),
            put="cache.set(k, k)",
            value="cache.get(k)[0]",
        ),
    ]


def expiring_stores() -> list[Peer]:
    """Return the caches whose entries all expire, in an hour."""
    return present(
        [
            Peer(
                SCRUBJAY,
                "scrubjay",
                lambda n: load("scrubjay").Cache(max_entries=n, ttl_seconds=HOUR),
                put="cache.put(k, k)",
            ),
            Peer(
                "cachebox TTL",
                "cachebox",
                lambda n: load("cachebox").TTLCache(n, global_ttl=HOUR),
            ),
            Peer(
                "cachebox VTTL",
                "cachebox",
                lambda n: load("cachebox").VTTLCache(n),
                put=f"cache.insert(k, k, ttl={HOUR})",
            ),
            Peer("cachetools TTL", "cachetools", lambda n: load("cachetools").TTLCache(n, HOUR)),
            Peer(
                "moka TTL",
                "moka_py",
                lambda n: load("moka_py").Moka(n, ttl=HOUR),
                put="cache.set(k, k)",
            ),
            Peer(
                "theine",
                "theine",
                lambda n: load("theine").Cache(n),
                put="cache.set(k, k, an_hour)",
            ),
        ]
    )


def conditional_stores() -> list[Peer]:
    """Return scrubjay with conditions named for each entry."""
    conditions = {"ttl_seconds=": f"ttl_seconds={HOUR}", "tags=": "tags={'profiles'}"}
    return [
        Peer(f"{SCRUBJAY} {name}", SCRUBJAY, scrubjay_default, put=f"cache.put(k, k, {given})")
        for name, given in conditions.items()
    ]


@dataclass(frozen=True)
class Memoizer:
    """A memoizing decorator.

    Args:
        name: The name in tables.
        package: The module to import, "" for the standard library.
        decorate: Wraps a function, keeping up to so many results.
    """

    name: str
    package: str
    decorate: Callable[[Callable[..., Any], int], Callable[..., Any]]


def memoizers(*, asynchronous: bool) -> list[Memoizer]:
    """Return the decorators for plain functions, or those for coroutine functions."""
    both = [
        Memoizer(SCRUBJAY, "scrubjay", lambda f, n: load("scrubjay").cached(max_entries=n)(f)),
        Memoizer("cachebox", "cachebox", _with_cachebox),
        Memoizer("moka", "moka_py", lambda f, n: load("moka_py").cached(maxsize=n)(f)),
        Memoizer("theine", "theine", lambda f, n: load("theine").Memoize(n, None)(f)),
    ]
    if asynchronous:
        alone = [
            Memoizer("async-lru", "async_lru", lambda f, n: load("async_lru").alru_cache(n)(f))
        ]
    else:
        alone = [
            Memoizer(LRU_CACHE, "", lambda f, n: functools.lru_cache(n)(f)),
            Memoizer(
                "cachetools",
                "cachetools",
                lambda f, n: load("cachetools").cached(load("cachetools").LRUCache(n))(f),
            ),
        ]
    return [one for one in alone + both if not one.package or load(one.package)]


def _with_cachebox(function: Callable[..., Any], capacity: int) -> Callable[..., Any]:
    cachebox = load("cachebox")
    wrapped: Callable[..., Any] = cachebox.cached(cachebox.LRUCache(capacity))(function)
    return wrapped
