"""What a type checker sees: wrapped signatures, keys and values."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import scrubjay

pytest.importorskip("mypy", reason="mypy is not installed: make types")

SNIPPET = """
from typing import Any

from scrubjay import AdaptiveCache, Cache, CacheEntry, CacheInfo, CacheStatistics, ManualClock
from scrubjay import RemovalCause, cached, register_strategy


@cached
def bare(a: int, b: str = "x") -> float:
    return 1.0


@cached(max_entries=5, ttl_seconds=3)
def with_options(a: int) -> str:
    return ""


@cached
async def coroutine(a: int) -> bytes:
    return b""


class Holder:
    @cached
    def method(self, x: int) -> str:
        return ""


shared: Cache[Any, Any] = Cache(max_entries=5)
asynchronous: AdaptiveCache[Any, Any] = AdaptiveCache(max_entries=5)


@shared.cached
def in_shared(a: int) -> str:
    return ""


@shared.cached(ttl_seconds=5)
def in_shared_with_options(a: int) -> str:
    return ""


@asynchronous.cached(tags={"t"})
async def in_asynchronous(a: int) -> bytes:
    return b""


cache: Cache[str, int] = Cache(8, max_entries=5, clock=ManualClock())


async def main(door: AdaptiveCache[str, int]) -> None:
    reveal_type(bare(1, b="y"))  # float
    reveal_type(bare.refresh(1))  # float
    reveal_type(bare.invalidate(1))  # int
    reveal_type(bare.cache_info())  # CacheInfo
    reveal_type(with_options(1))  # str
    reveal_type(await coroutine(1))  # bytes
    reveal_type(Holder().method(1))  # str
    reveal_type(in_shared(1))  # str
    reveal_type(in_shared_with_options(1))  # str
    reveal_type(await in_asynchronous(1))  # bytes
    reveal_type(cache["a"])  # int
    reveal_type(cache.get("a"))  # int | None
    reveal_type(cache.get("a", 0))  # int
    reveal_type(cache.get_many(["a"]))  # dict[str, int]
    reveal_type(cache.get_or_load("a", len))  # int
    reveal_type(cache.entry("a"))  # CacheEntry | None
    reveal_type(cache.put("a", 1))  # bool
    reveal_type(cache.statistics)  # CacheStatistics
    reveal_type(list(cache.items()))  # list[tuple[str, int]]
    reveal_type(list(cache.values()))  # list[int]
    reveal_type(await door.get("a"))  # int | None
    reveal_type(await door.get("a", default=0))  # int
    reveal_type(await door.get_or_load("a", len))  # int
    reveal_type(door.sync)  # Cache[str, int]


def removed(key: str, value: int, cause: RemovalCause) -> None: ...


cache.on_removal(removed, [RemovalCause.EVICTED])

bare("x")  # error
bare()  # error
bare(1, c=2)  # error
with_options(b=1)  # error
Holder().method("x")  # error
in_shared("x")  # error
in_shared_with_options(1, 2)  # error
cache.put(1, 1)  # error
cache.put("a", "x")  # error
cache["a"] = "x"  # error
cache[1]  # error
cache.get_or_load("a", str)  # error
cache.put("a", 1, ttl_seconds="x")  # error
cache.put("a", 1, tags=5)  # error
Cache(max_entries="x")  # error
cached(5)  # error
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    """What mypy says of each line of the snippet."""
    folder = tmp_path_factory.mktemp("typing")
    (folder / "snippet.py").write_text(SNIPPET)
    package = Path(scrubjay.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(folder), "snippet.py"],
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(package) if "site-packages" not in str(package) else ""},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    lines: dict[int, str] = {}
    for line in done.stdout.splitlines():
        found = re.match(r"snippet\\.py:(\\d+): (.*)".replace("\\\\", "\\"), line)
        if found:
            number = int(found[1])
            lines[number] = lines.get(number, "") + found[2] + "\n"
    return lines


def plain(text: str) -> str:
    """A type as it is written: no module names, no inferred details."""
    text = re.sub(r"tuple\[.*fallback=([\w.]+)\]", r"\1", text)
    return re.sub(r"\b(?:\w+\.)+(\w+)", r"\1", text)


def expectations(mark: str) -> list[tuple[int, str, str]]:
    return [
        (number, *line.strip().split("  # "))  # type: ignore[misc]
        for number, line in enumerate(SNIPPET.splitlines(), 1)
        if "  # " in line and (line.endswith("# error")) == (mark == "error")
    ]


@pytest.mark.parametrize(("number", "line", "kind"), expectations("type"))
def test_what_is_revealed(said: dict[int, str], number: int, line: str, kind: str) -> None:
    revealed = re.search(r'Revealed type is "(.*)"', said[number])
    assert revealed
    assert sorted(plain(revealed[1]).split(" | ")) == sorted(kind.split(" | ")), line


@pytest.mark.parametrize(("number", "line", "kind"), expectations("error"))
def test_what_is_refused(said: dict[int, str], number: int, line: str, kind: str) -> None:
    assert "error:" in said.get(number, ""), line


def test_nothing_else_is_said(said: dict[int, str]) -> None:
    expected = {number for mark in ("type", "error") for number, _, _ in expectations(mark)}
    assert {number: text for number, text in said.items() if number not in expected} == {}
