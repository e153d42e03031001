"""The store, compiled where there was a compiler, plain Python where there was none."""

from __future__ import annotations

from scrubjay._core.section import is_uncompiled
from scrubjay._core.store import Store

compiled = not is_uncompiled(Store)
