"""How fresh a read must be, and who keeps the promise."""

from __future__ import annotations

from scrubjay.consistency.manager import ConsistencyManager

__all__ = ["ConsistencyManager"]
