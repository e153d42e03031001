"""Caches of others over a Redis server, as they come, on a Unix socket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers import load

CASHEWS = "cashews"
AIOCACHE = "aiocache"
DOGPILE = "dogpile.cache"


@dataclass(frozen=True)
class Peer:
    """A cache of somebody else, with values in it.

    Args:
        name: The name in tables.
        get: Reads one value; awaitable unless the cache blocks.
        get_many: Reads several values, likewise.
        blocking: Whether it blocks.
        close: Closes its connections; awaitable unless the cache blocks.
    """

    name: str
    get: Callable[[str], Any]
    get_many: Callable[[Sequence[str]], Any]
    blocking: bool
    close: Callable[[], Any]


async def installed(path: Path, keys: Sequence[str], value: bytes) -> list[Peer]:
    """Return the peers that are installed, each with the value under every key."""
    makers: dict[str, Callable[[Path, Sequence[str], bytes], Awaitable[Peer]]] = {
        "cashews": _cashews,
        "aiocache": _aiocache,
        "dogpile.cache": _dogpile,
    }
    return [await make(path, keys, value) for name, make in makers.items() if load(name)]


async def _cashews(path: Path, keys: Sequence[str], value: bytes) -> Peer:
    settings = load("cashews.wrapper.backend_settings")
    settings.register_backend("unix", load("cashews.backends.redis").Redis, pass_uri=True)
    cache = load("cashews").Cache()
    cache.setup(f"unix://{path}", max_connections=64)
    await cache.set_many(dict.fromkeys(keys, value))
    return Peer(CASHEWS, cache.get, lambda some: cache.get_many(*some), False, cache.close)


async def _aiocache(path: Path, keys: Sequence[str], value: bytes) -> Peer:
    cache = load("aiocache").RedisCache(namespace="aiocache:")
    client = load("redis.asyncio").Redis(unix_socket_path=str(path), decode_responses=False)
    cache.client = client  # it takes no path of a socket
    cache.serializer = load("aiocache.serializers").PickleSerializer()
    await cache.multi_set([(key, value) for key in keys])
    return Peer(AIOCACHE, cache.get, cache.multi_get, False, client.aclose)


async def _dogpile(path: Path, keys: Sequence[str], value: bytes) -> Peer:
    region = load("dogpile.cache").make_region(key_mangler=lambda key: f"dogpile:{key}")
    region.configure("dogpile.cache.redis", arguments={"url": f"unix://{path}"})
    await asyncio.to_thread(region.set_multi, dict.fromkeys(keys, value))
    return Peer(DOGPILE, region.get, region.get_multi, True, region.backend.writer_client.close)
