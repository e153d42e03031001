"""Packages that not everybody needs: imported when first used, and named when missing."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from scrubjay.errors import MissingExtraError


def require(module: str, extra: str, purpose: str) -> Any:
    """Import a module of an optional package.

    Args:
        module: its name.
        extra: the extra of ours that brings it.
        purpose: what needs it, for the message.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{purpose} needs the extra {extra!r}: pip install 'scrubjay[{extra}]' ({error})"
        ) from error


def require_zstd() -> Any:
    """Import zstd: of the standard library from Python 3.14, else the backport."""
    module = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    return require(module, "codecs", "compression")
