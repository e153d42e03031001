"""Predictive prefetch as people see it: what is predicted, and what came of that."""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from scrubjay import arguments
from scrubjay._core.terms import Terms
from scrubjay._flow.known import MOST_KNOWN, Known
from scrubjay._flow.prefetching import Prefetching
from scrubjay._flow.sources import Sources
from scrubjay.errors import InvalidArgumentError, InvalidArgumentTypeError
from scrubjay.events import Events
from scrubjay.prefetch import saving
from scrubjay.prefetch.constants import HIT, MISS
from scrubjay.prefetch.planner import Planner

__all__ = ["PredictivePrefetcher"]

_log = logging.getLogger("scrubjay")
_ROOM = 1024  # entries that a prefetcher without a cache plans for
_SMOOTHING = 0.1  # weight of the latest prediction in the accuracy
_CONFIDENT = 0.3
_MODEL = "planner"  # the name of its bytes in a saved file
_told = False


class PredictivePrefetcher:
    """Learns which keys follow which, and tells what will be asked for next.

    A cache with a loader has one, `cache.prefetcher`, which learns from its requests and
    loads ahead by itself; what is told here comes on top of that. One that is made by itself
    learns only from `record_access`, and loads nothing.

    Args:
        learning_window: accesses that `access_history` remembers.
        prediction_horizon: keys predicted at a time, at most.

    Attributes:
        prediction_accuracy: a moving average of how often `update_prediction_accuracy` was
            told of a right prediction, from 0 to 1.

    Raises:
        InvalidArgumentError: an argument makes no sense.
    """

    def __init__(self, learning_window: int = 1000, prediction_horizon: int = 10) -> None:
        self.learning_window = arguments.count("learning_window", learning_window)
        self.prediction_horizon = arguments.count("prediction_horizon", prediction_horizon)
        self.access_history: deque[tuple[Any, float]] = deque(maxlen=self.learning_window)
        self.prediction_accuracy = 0.0
        self._engine: Prefetching | None = None
        self._planner = Planner(_ROOM)

    @classmethod
    def for_cache(
        cls,
        store: Any,
        loading: Any,
        sources: Sources,
        cost_ratio: float,
        wall: Any,
        events: Events,
        enabled: bool,
    ) -> PredictivePrefetcher | None:
        """Return the prefetcher of a cache, or None if there is nothing to load with.

        The arguments are those of `Prefetching`, and whether prefetching is wanted.
        """
        if not enabled or not sources.all:
            if enabled:
                _tell_once()
            return None
        made = cls.__new__(cls)
        made.learning_window, made.prediction_horizon = 1000, 10
        made.access_history = deque(maxlen=made.learning_window)
        made.prediction_accuracy = 0.0
        made._engine = Prefetching(store, loading, sources, cost_ratio, wall, events)
        return made

    # Told and asked by hand

    def record_access(
        self,
        key: Hashable,
        timestamp: datetime | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        """Learn from an access that no cache has seen.

        Args:
            key: what was asked for.
            timestamp: when; None for now.
            context: who asked, such as ``{"session_id": ...}``.
        """
        moment = time.time() if timestamp is None else timestamp.timestamp()
        stream = arguments.asker(context) & 0x1FFFFFFF
        self.access_history.append((key, moment))

        def learn(planner: Planner) -> None:
            # Without a cache nothing stays: each key may be predicted again at once.
            planner.accessed(key, stream, moment, MISS if self._engine is None else HIT)
            if self._engine is None:
                planner.evicted(key)

        self._use(learn)

    async def predict_next_accesses(
        self, current_key: Hashable, context: Mapping[str, Any] | None = None
    ) -> list[tuple[Any, float]]:
        """Return what will probably be asked for after a key, and how probably, best first.

        Args:
            current_key: the key asked for last.
            context: who asks.
        """
        return self._predicted(current_key, context)

    def update_prediction_accuracy(
        self, predicted_keys: Iterable[Hashable], actual_key: Hashable
    ) -> None:
        """Let `prediction_accuracy` know whether a key had been predicted.

        Args:
            predicted_keys: what had been.
            actual_key: what was asked for.
        """
        right = 1.0 if actual_key in list(predicted_keys) else 0.0
        self.prediction_accuracy += (right - self.prediction_accuracy) * _SMOOTHING

    def get_prefetch_recommendations(
        self, current_context: Mapping[str, Any], cache_capacity_remaining: float
    ) -> list[Any]:
        """Return keys that are worth loading ahead, the most probable first.

        Args:
            current_context: who asks, and under ``"last_accessed_key"`` for what.
            cache_capacity_remaining: the share of the cache that is free, from 0 to 1. There
                is no recommendation below a tenth, and ten at most if all is free.
        """
        key = current_context.get("last_accessed_key")
        if cache_capacity_remaining < 0.1 or key is None:
            return []
        predicted = self._predicted(key, current_context)
        most = int(10 * cache_capacity_remaining)
        return [each for each, probability in predicted if probability >= _CONFIDENT][:most]

    def _predicted(
        self, key: Hashable, context: Mapping[str, Any] | None
    ) -> list[tuple[Any, float]]:
        stream = arguments.asker(context) & 0x1FFFFFFF
        most = self.prediction_horizon
        guesses = self._use(lambda planner: planner.predict(key, stream, most))
        return [(guess.key, guess.probability) for guess in guesses]

    def _use(self, work: Callable[[Planner], Any]) -> Any:
        engine = self._engine
        return work(self._planner) if engine is None else engine.use(work)

    # What is remembered

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all that has been learned to a file, at once or not at all.

        Args:
            path: the file; one that is there is replaced.

        Raises:
            OSError: it cannot be written.
        """
        header: dict[str, Any] = {}
        if self._engine is not None:
            header["known"] = self._engine.known.written()
        data = saving.pack(header, {_MODEL: self._use(lambda planner: planner.save())})
        target = Path(path)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).replace(target)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise

    def load(self, path: str | os.PathLike[str]) -> None:
        """Go on from what `save` has written, in place of what has been learned so far.

        A model that was trained on a trace is taken, too; of that no key is loaded ahead
        before the cache's own loader has loaded it once.

        Args:
            path: the file.

        Raises:
            OSError: it cannot be read.
            InvalidArgumentError: it holds something else; nothing has changed.
        """
        data = Path(path).read_bytes()
        most = self._use(lambda planner: planner.most_keys)
        header, tables = saving.unpack(data, most + MOST_KNOWN)
        model = tables.get(_MODEL)
        # That of a trained one is another thing.
        known = Known.read(header.get("known", ())) if model is not None else []
        self._use(lambda planner: planner.load(data if model is None else model))
        if self._engine is not None:
            for key, terms in known:
                self._engine.known.note(key, terms)

    # What it does

    def statistics(self) -> dict[str, Any]:
        """Return what was loaded ahead, what became of it, and how the sources do."""
        report: dict[str, Any] = {"model": self._use(lambda planner: planner.statistics())}
        engine = self._engine
        if engine is not None:
            report.update(engine.counts(), sources=engine.paces())
        report["prediction_accuracy"] = self.prediction_accuracy
        return report

    def explain(self, key: Hashable) -> str:
        """Tell why a key was loaded ahead, or how it stands with that, in a few words."""
        why: str | None = self._use(lambda planner: planner.explain(key))
        state = "" if self._engine is None else self._engine.state(key)
        return "; ".join(part for part in (state, why) if part) or "nothing is known of it"

    def score(self, key: Hashable) -> float:
        """Return how likely an entry was thought to be asked for, until it is."""
        return 0.0 if self._engine is None else self._engine.score(key)

    def demanded(self, key: Any, terms: Terms) -> None:
        """Note that the cache's own loader loads a key; called by the cache."""
        if self._engine is not None:
            self._engine.demanded(key, terms)

    def join(self, seconds: float | None = None) -> bool:
        """Wait until all requests so far are learned from, and what they suggest is loaded.

        For tests and scripts: programs that serve requests need not wait. It must not be
        called on an event loop that loads: await `ajoin` there.

        Args:
            seconds: how long at most; None for as long as it takes.

        Returns:
            Whether all is done.
        """
        bound = None if seconds is None else arguments.positive("seconds", seconds)
        end = time.monotonic() + (threading.TIMEOUT_MAX if bound is None else bound)
        while self._engine is not None:
            flights = self._engine.unfinished()
            if flights is None:
                break
            for flight in flights:
                done = threading.Event()
                flight.when_done(done.set)
                if not done.wait(max(0.0, min(end - time.monotonic(), threading.TIMEOUT_MAX))):
                    return False
        return True

    async def ajoin(self) -> None:
        """Wait, as `join` does, on an event loop."""
        loop = asyncio.get_running_loop()
        while self._engine is not None:
            flights = self._engine.unfinished()
            if flights is None:
                break
            for flight in flights:
                done = asyncio.Event()
                flight.when_done(partial(loop.call_soon_threadsafe, done.set))
                await done.wait()
            await asyncio.sleep(0)  # a thread may be about to begin something

    def close(self) -> None:
        """End loading ahead: cancel what can be, and let go what cannot."""
        if self._engine is not None:
            self._engine.close()

    async def aclose(self) -> None:
        """End loading ahead, and wait for what is cancelled on this event loop."""
        if self._engine is None:
            return
        loop = asyncio.get_running_loop()
        tasks = [task for task in self._engine.close() if task.get_loop() is loop]
        if tasks:
            await asyncio.wait(tasks)

    def open(self) -> None:
        """Go on after `close`."""
        if self._engine is not None:
            self._engine.open()


def loaders_of(
    loader: Any, batch_loader: Any, loaders: Any, concurrency: Any, rate: Any
) -> Sources:
    """Return the loaders of a cache, checked; the arguments are those of `Cache`."""
    by_prefix: dict[str, Callable[[Any], Any]] = {}
    if loaders is not None:
        if not isinstance(loaders, Mapping):
            raise InvalidArgumentTypeError(f"loaders: {loaders!r} is not a mapping")
        for prefix, function in loaders.items():
            if not isinstance(prefix, str):
                raise InvalidArgumentTypeError(f"loaders: {prefix!r} is not a string")
            if not prefix:
                raise InvalidArgumentError("loaders: a prefix is empty; give a `loader` instead")
            by_prefix[prefix] = arguments.function("loaders", function)
    return Sources(
        arguments.function_or_none("loader", loader),
        arguments.function_or_none("batch_loader", batch_loader),
        by_prefix,
        arguments.count("prefetch_concurrency", concurrency),
        arguments.positive_or_none("prefetch_rate", rate),
    )


def _tell_once() -> None:
    """Say, once in a process, that nothing is loaded ahead without a loader."""
    global _told  # noqa: PLW0603 - one word about it is enough
    if not _told:
        _told = True
        _log.info(
            "prefetching is enabled, but the cache has no loader of its own: nothing is "
            "recorded or loaded ahead (give `loader`, `batch_loader` or `loaders`)"
        )
