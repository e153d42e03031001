"""The store, compiled where there was a compiler, plain Python where there was none."""

from __future__ import annotations

from scrubjay._core.ledger import Ledger
from scrubjay._core.section import is_uncompiled

compiled = not is_uncompiled(Ledger)
