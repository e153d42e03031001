"""Environments for processes that tests start."""

from __future__ import annotations

import os


def measuring(name: str) -> bool:
    """Tell whether a variable has children measure what they cover."""
    return "COVERAGE" in name


def untraced(**more: str) -> dict[str, str]:
    """Return this environment and more, but for what has a child measure what it covers.

    For children that compute a lot, and that nothing is to be learned from in that respect.
    """
    return {name: value for name, value in os.environ.items() if not measuring(name)} | more
