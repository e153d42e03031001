"""Running a program with a recording of each cache that it makes.

The program runs in this process, as ``python program`` would run it, and its
code is not changed: each new `Cache` is told to record as soon as it is made.
Processes that the program starts are not recorded.
"""

from __future__ import annotations

import atexit
import os
import re
import runpy
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NoReturn

from scrubjay.cache import Cache
from scrubjay.errors import CacheError
from scrubjay.foundation import Foundation
from scrubjay.observe.recorder import Recording

MOST = 100
"""Caches that are recorded: each has a file and a thread of its own."""

_OUR_FRAMES = frozenset({__file__, runpy.__file__, "<frozen runpy>"})


@dataclass(frozen=True)
class Recorded:
    """One cache of the program, and the recording of it.

    Attributes:
        cache: the name of the cache, or its number among those without one.
        recording: the recording.
    """

    cache: str
    recording: Recording


class Recordings:
    """Records each cache that is made from now on, in this process.

    Args:
        path: the file of the first cache without a name.  The file of any
            other has the cache's name or number before the ending:
            ``traffic.users.rec``, ``traffic.2.rec``.
        sample: the share of the keys that is recorded; see `Cache.record`.
        secret: the key of the hashes; see `Cache.record`.
    """

    def __init__(self, path: Path, sample: float, secret: bytes | None) -> None:
        self.recorded: list[Recorded] = []
        self.left_out = 0
        self.failures: list[str] = []
        self.namespace: dict[str, Any] = {}
        self._path = path
        self._directory = path.parent.absolute()  # the program may go to another one
        self._sample = sample
        self._secret = secret
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._labels: set[str] = set()

    @property
    def ours(self) -> bool:
        """Whether this is the process that is recorded, and no child of it."""
        return self._process == os.getpid()

    def as_asked(self, path: Path) -> Path:
        """Return the path of a recording as it follows from the one that was asked for."""
        return self._path.with_name(path.name)

    def begin(self, cache: Cache[Any, Any]) -> None:
        """Record a cache; where that fails the program goes on without it."""
        if not self.ours:
            return
        with self._lock:
            if len(self.recorded) >= MOST:
                self.left_out += 1
                return
            label = self._label(cache)
            path = self._directory / self._file(label)
            try:
                recording = cache.record(path, sample=self._sample, secret=self._secret)
            except (OSError, RuntimeError) as error:  # a full disk, or no further thread
                self.failures.append(f"{path}: {error}")
            else:
                self.recorded.append(Recorded(label, recording))

    def end(self) -> None:
        """End all recordings; the files are complete when this returns."""
        for recorded in self.recorded:
            recorded.recording.stop()

    def _label(self, cache: Cache[Any, Any]) -> str:
        """A name that no other file has."""
        name = re.sub(r"[^\w-]+", "_", str(cache.name or ""))
        number = 1
        while (label := f"{name}.{number}" if name and number > 1 else name or str(number)) in (
            self._labels
        ):
            number += 1
        self._labels.add(label)
        return label

    def _file(self, label: str) -> str:
        if label == "1":
            return self._path.name
        return f"{self._path.stem}.{label}{self._path.suffix}"


def run_recorded(
    program: str,
    arguments: Sequence[str],
    recordings: Recordings,
    done: Callable[[], object],
    *,
    as_module: bool = False,
) -> NoReturn:
    """Run a program, and record its caches until it ends in whatever way.

    Args:
        program: a file, or a directory or archive with a ``__main__.py``.
        arguments: what it shall find in `sys.argv` after its own name.
        recordings: where to record.
        done: called once the program, its threads and what it has registered
            with `atexit` are done, and the recordings have ended.
        as_module: whether the program is the name of a module.

    Raises:
        CacheError: there is no such program.
        SystemExit: always otherwise, with the status of the program.
    """
    if not as_module and not Path(program).exists():
        raise CacheError(f"{program}: no such file or directory")

    def finish() -> None:
        Foundation.on_creation = None
        if recordings.ours:
            recordings.end()
            done()

    # What is registered first runs last, after the program's own functions and threads.
    atexit.register(finish)
    Foundation.on_creation = recordings.begin
    sys.excepthook = sys.__excepthook__
    sys.argv = [program, *arguments]
    if threading.current_thread() is threading.main_thread() and (
        signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    ):
        signal.signal(signal.SIGTERM, _leave)
    try:
        # The program's names live on until all is done, and so do its caches.
        recordings.namespace = _run(program, as_module=as_module)
    except SystemExit:
        raise
    except _NoSuchModuleError:
        atexit.unregister(finish)
        Foundation.on_creation = None
        raise
    except BaseException as error:
        traceback = _without_our_frames(error.__traceback__)
        sys.excepthook(type(error), error.with_traceback(traceback), traceback)
        raise SystemExit(
            128 + signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
        ) from None
    raise SystemExit(0)


class _NoSuchModuleError(CacheError):
    """The module that was to be run is not there."""


def _run(program: str, *, as_module: bool) -> dict[str, Any]:
    """Run a program; return its names."""
    if as_module:
        _set_first_path(Path.cwd())
        try:
            found = find_spec(program) is not None
        except ModuleNotFoundError as error:
            if not error.name or not program.startswith(error.name):
                raise
            found = False
        if not found:
            raise _NoSuchModuleError(f"{program}: no such module")
        return runpy.run_module(program, run_name="__main__", alter_sys=True)
    if Path(program).is_file():
        _set_first_path(Path(program).resolve().parent)
    return runpy.run_path(program, run_name="__main__")


def _set_first_path(directory: Path) -> None:
    """Import from where Python would if it had been asked to run the program."""
    if not getattr(sys.flags, "safe_path", False):
        sys.path[0] = str(directory)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """End in order when asked to terminate, so that the files are closed."""
    raise SystemExit(128 + number)


def _without_our_frames(traceback: TracebackType | None) -> TracebackType | None:
    """What Python would show if it had run the program."""
    while traceback is not None and traceback.tb_frame.f_code.co_filename in _OUR_FRAMES:
        traceback = traceback.tb_next
    return traceback
