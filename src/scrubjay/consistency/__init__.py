"""How fresh a read must be, and who keeps the promise."""

from __future__ import annotations

from scrubjay.consistency.manager import ConsistencyManager
from scrubjay.consistency.own_changes import OwnChanges
from scrubjay.consistency.replica import Replica
from scrubjay.consistency.steps import Barrier, Copy, Fetch, Found
from scrubjay.consistency.tokens import Session

__all__ = [
    "Barrier",
    "ConsistencyManager",
    "Copy",
    "Fetch",
    "Found",
    "OwnChanges",
    "Replica",
    "Session",
]
