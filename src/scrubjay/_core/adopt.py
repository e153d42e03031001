"""Compiled methods, called through a subclass as fast as through their own class.

CPython 3.11 and later specialise a call of a C method where the object is exactly of the
class that defines it. A Python subclass of a compiled class misses that for each method
that it inherits, and pays a quarter of a lookup. It may have descriptors of its own for
the same C functions.
"""

from __future__ import annotations

from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from scrubjay._core import _cython as cython

if not cython.compiled:

    def scrubjay_adopt(cls: type, method: Any) -> Any:
        """Return the method: it is a plain function."""
        return method


def adopt(cls: type, *names: str) -> None:
    """Give a class descriptors of its own for compiled methods that it inherits.

    Args:
        cls: a Python subclass of a compiled class.
        names: of inherited methods.
    """
    for name in names:
        method = getattr(cls, name)
        adopted = scrubjay_adopt(cls, method)
        if adopted is not method:
            setattr(cls, name, adopted)
