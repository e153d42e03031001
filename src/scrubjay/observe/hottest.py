"""Which tags and namespaces are used most, by a look at a sample of the entries."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from time import perf_counter
from typing import Any

from scrubjay.observe.statistics import HotGroup, HotLabel

_SAMPLE = 256  # entries looked at
_LONGEST = 0.002  # seconds after which those looked at must do
_MOST = 10  # labels told
_LENGTH = 100  # characters of a label


def namespace(key: Any) -> str:
    """Return what a key has in common with others of its kind.

    Of ``"user:42"`` that is ``"user"``, of a tuple what its first string has, and of
    anything else the name of its type: never the key itself.
    """
    if isinstance(key, tuple):
        key = next((part for part in key if isinstance(part, str)), key)
    if isinstance(key, str):
        head, separator, _ = key.partition(":")
        return head[:_LENGTH] if separator else "str"
    return type(key).__name__


def hottest(store: Any) -> HotGroup:
    """Return the tags and namespaces whose entries were used most.

    Entries evenly spread over the store are looked at, for two milliseconds at most; that
    is no use of them.

    Args:
        store: where they are.
    """
    entries: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    uses: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    used, now, sampled = store.used, store.now_seconds(), 0
    end = perf_counter() + _LONGEST
    for number in range(min(used, _SAMPLE)):
        row = store.row(number * used // min(used, _SAMPLE), now)
        if row is not None:
            sampled += 1
            with suppress(Exception):  # a key of a kind of its own may do anything
                labels = (row["tags"], (namespace(row["key"]),))
                for kind, names in enumerate(labels):
                    for name in names:
                        entries[kind][name] += 1
                        uses[kind][name] += row["hits"] + 1
        if perf_counter() > end:
            break
    return {
        "sampled": sampled,
        "tags": _most(entries[0], uses[0]),
        "namespaces": _most(entries[1], uses[1]),
    }


def _most(entries: Counter[str], uses: Counter[str]) -> list[HotLabel]:
    ranked = sorted(uses.items(), key=lambda item: (-item[1], item[0]))[:_MOST]
    return [
        {"name": str(name)[:_LENGTH], "entries": entries[name], "uses": count}
        for name, count in ranked
    ]
