"""What the tiers below memory have of one key, for people who look. It is no use of the key.

Only the conditions of a record are read, never its value. A tier that failed lately is not
asked; what is asked is counted as a call, but as no request.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from scrubjay._core.terms import Terms
from scrubjay._flow.effects import Effect, Flow
from scrubjay._flow.flight import Flight
from scrubjay._flow.level import Level
from scrubjay._flow.records import Records
from scrubjay.codecs import Undecodable
from scrubjay.errors import ConsistencyError, TierError
from scrubjay.observe.key_report import TierReport

_MOST = 20  # tags and dependencies told
_LENGTH = 120  # characters of one


class _Looking:
    """Owns looks, which are no loads."""

    def waited(self, seconds: float) -> None:
        """Forget how long somebody waited."""


_looking = _Looking()


def probe(
    records: Records, name: bytes, shared: Level | None = None, watched: int | None = None
) -> Flow:
    """Find out what each tier has of a key, the nearest first; return a flight with `TierReport`s.

    Args:
        records: of the tiers, but for the shared one.
        name: the key as bytes.
        shared: the tier that nodes share; None for none.
        watched: the version that is watched there; only a local record of that one counts.
    """
    found = []
    for level in records.levels if shared is None else (*records.levels, shared):
        try:
            if level is shared:
                report = yield from _versioned(records, level, name)
            else:
                (blob,) = yield from level.get((name,))
                report = yield from _judged(records, level, name, blob, shared is None)
                if shared is not None and report["state"] == "valid":
                    report["state"] = "valid" if report["version"] == watched else "void"
        except (TierError, ConsistencyError) as error:
            report = _report(level, "unreachable", str(error))
        found.append(report)
    look = Flight(_looking, name, Terms(), None)
    look.complete(found)
    return look


def _versioned(records: Records, level: Level, name: bytes) -> Generator[Effect, Any, TierReport]:
    fetched = yield from level.ask("fetch", (name,), ())
    (record,) = fetched.records
    if record is None:
        return _report(level, "absent")
    if record.value is None:
        report = _report(level, "removed")
    else:
        report = yield from _judged(records, level, name, record.value, True)
    report["version"] = record.version
    return report


def _judged(
    records: Records, level: Level, name: bytes, blob: bytes | None, counted: bool
) -> Generator[Effect, Any, TierReport]:
    """Return what a blob is worth.

    Args:
        counted: whether the tier's counters tell if what it was made from has changed.
    """
    if blob is None:
        return _report(level, "absent")
    meta = records.conditions(name, blob)
    if isinstance(meta, Undecodable):  # its detail may quote the blob
        report = _report(level, "unreadable", meta.reason.value)
        report["size_bytes"] = len(blob)
        return report
    report = _report(level, "expired" if records.age(meta) >= 0.0 else "valid")
    labels = records.labels_of(meta)
    if labels and counted:
        counters = yield from level.ask("counters", list(labels))
        if dict(zip(labels, counters, strict=True)) != labels:
            report["state"] = "void"
    report["size_bytes"] = len(blob)
    report["age_seconds"] = records.since(meta)
    if meta.expires is not None:
        report["expires_in_seconds"] = -records.age(meta)
    report["version"] = meta.version
    report["tags"] = [tag[:_LENGTH] for tag in sorted(meta.tags)[:_MOST]]
    named = map(records.readable, list(meta.dependencies)[:_MOST])
    report["dependencies"] = [text[:_LENGTH] for text in named]
    return report


def _report(level: Level, state: str, detail: str = "") -> TierReport:
    return {
        "tier": level.name,
        "state": state,
        "detail": detail,
        "size_bytes": None,
        "age_seconds": None,
        "expires_in_seconds": None,
        "version": None,
        "tags": [],
        "dependencies": [],
    }
