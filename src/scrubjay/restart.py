"""A cache that can be saved to a file, and restored from it: what the doors share."""

from __future__ import annotations

import os
from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeVar

from scrubjay import arguments
from scrubjay._flow import blocking
from scrubjay._flow.effects import Flow
from scrubjay._flow.warm import Warm
from scrubjay.clock import Clock
from scrubjay.codecs import KeyEncoder, Serializer
from scrubjay.errors import InvalidArgumentError, InvalidArgumentTypeError
from scrubjay.reading import Reading
from scrubjay.tiers.snapshot import spare_others

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

PathLike = str | os.PathLike[str]


class Restartable(Reading[K, V]):
    """A store that may be warm when its process begins again."""

    _wall: Clock
    _warm: Warm | None = None
    _warm_file: str | None = None
    _serializer: Serializer | None = None

    def keep_warm(self, warm_file: PathLike | None, warm_rate: float | None) -> None:
        """Restore what a file holds, in the background, and save to it at the end."""
        if warm_file is None:
            if warm_rate is not None:
                raise InvalidArgumentError("warm_rate: there is no warm_file")
            return
        rate = arguments.positive_or_none("warm_rate", warm_rate)
        path = file_path("warm_file", warm_file)
        spare_others(path)
        blocking.run(self._warmth().begin(path, rate))
        self._warm_file = path

    def saving(self, path: PathLike) -> Flow:
        """Return the flow that saves memory to a file; its flight has the number of entries."""
        return self._warmth().save(file_path("path", path))

    def restoring(self, path: PathLike, rate: float | None) -> Flow:
        """Return the flow that restores memory from a file; its flight has the number."""
        checked = arguments.positive_or_none("rate", rate)
        return self._warmth().restore(file_path("path", path), checked)

    def ending(self) -> Flow | None:
        """Return the flow that ends restoring, and saves memory once; None where there is none."""
        path, self._warm_file = self._warm_file, None
        return None if self._warm is None else self._warm.end(path)

    def _warmth(self) -> Warm:
        if self._warm is None:
            serializer = Serializer() if self._serializer is None else self._serializer
            self._warm = Warm(
                self,
                self._loads,
                self._stack,
                self._shared is not None,
                KeyEncoder(self.namespace, self.tenant),
                serializer,
                self._wall,
                self.events,
            )
        return self._warm


def file_path(name: str, value: Any) -> str:
    """Return the path of a file, checked: absolute, as a process may change its directory."""
    try:
        path = os.fsdecode(value)
    except TypeError:
        raise InvalidArgumentTypeError(f"{name}: {value!r} is no path") from None
    if not path or "\0" in path:
        raise InvalidArgumentError(f"{name}: {value!r} is no path")
    return str(Path(path).absolute())


def checked_serializer(serializer: Any) -> Serializer | None:
    """Return a serializer, or None for None."""
    if serializer is not None and not isinstance(serializer, Serializer):
        raise InvalidArgumentTypeError(f"serializer: {serializer!r} is not a Serializer")
    return serializer
