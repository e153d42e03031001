"""One writer at a time, among the threads of a process and among processes."""

from __future__ import annotations

import threading
import time

from scrubjay.errors import TierUnavailableError

try:
    import fcntl
except ImportError:  # pragma: no cover - not on Windows; the tier says so when it is made
    fcntl = None  # type: ignore[assignment]

SUPPORTED = fcntl is not None
_YIELDS = 20  # tries that only let others run; most waits are shorter
_PAUSE = 0.000_05
_LONGEST_PAUSE = 0.002


def lock_file(descriptor: int, deadline: float, *, shared: bool = False) -> None:
    """Lock an open file against other processes.

    The system gives the lock back when its holder dies. Nothing but asking again has a
    time limit on every system.

    Args:
        descriptor: the open file.
        deadline: monotonic time, in seconds.
        shared: whether others may share it.

    Raises:
        TierUnavailableError: it was not to be had in time.
    """
    how = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
    tries = 0
    pause = _PAUSE
    while True:
        try:
            fcntl.flock(descriptor, how)
            return
        except BlockingIOError:
            tries += 1
        if tries <= _YIELDS:
            time.sleep(0)
            continue
        if time.monotonic() >= deadline:
            raise TierUnavailableError("another process holds the lock for too long")
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def try_lock_file(descriptor: int) -> bool:
    """Lock an open file if nobody else has; tell whether it is locked now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def unlock_file(descriptor: int) -> None:
    """Give a lock back."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


class Exclusive:
    """A context in which nobody else changes the files.

    Args:
        descriptor: the open file that processes lock.
        timeout: seconds to wait at most.
    """

    def __init__(self, descriptor: int, timeout: float) -> None:
        self._descriptor = descriptor
        self._timeout = timeout
        self._threads = threading.Lock()

    def __enter__(self) -> None:
        # A timeout costs half a microsecond, even if there is nobody to wait for.
        if not self._threads.acquire(False) and not self._threads.acquire(timeout=self._timeout):
            raise TierUnavailableError("another thread holds the lock for too long")
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            try:
                lock_file(self._descriptor, time.monotonic() + self._timeout)
            except BaseException:
                self._threads.release()
                raise
        except BaseException:
            self._threads.release()
            raise

    def __exit__(self, *error: object) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        finally:
            self._threads.release()
