"""A number for the stream of requests that the present one belongs to.

Requests of one thread, or of one task of an event loop, follow one another; those of
several are interleaved by chance. Each task has a context of its own (PEP 567), and so has
each thread: compiled, the address of the present one is the number, for a nanosecond. It may
be that of an earlier stream which has ended.
"""

from __future__ import annotations

import asyncio
import threading

try:
    import cython
except ModuleNotFoundError:
    from scrubjay._core import _cython as cython

if not cython.compiled:

    def here() -> int:
        """Return a number of 29 bits for the running thread or task, never 0."""
        number = threading.get_ident()
        if asyncio._get_running_loop() is not None:
            task = asyncio.current_task()
            if task is not None:
                number = id(task)
        return ((number >> 4) ^ (number >> 33)) & 0x1FFFFFFF or 1
