"""Some tens of tasks at once, doing on the cache what the workload says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from time import perf_counter
from typing import Any, NamedTuple, TypeVar

from scrubjay import AdaptiveCache
from scrubjay.demo.pages import SEARCH_SECONDS, SEARCH_TAG, Page, Pages
from scrubjay.demo.queries import Answer
from scrubjay.demo.recording import Recording
from scrubjay.demo.schema import seeded_random
from scrubjay.demo.source import Source
from scrubjay.demo.verify import Ledger
from scrubjay.demo.workload import TASKS, Action, Session, Workload

T = TypeVar("T")

_SOURCE_THREADS = 4
_COMPARED_A_WRITE = 3
_COMPARED_AT_END = 400


class _Read(NamedTuple):
    """A read that is done: who read, what was given, and from when to when."""

    session: str
    page: Page
    answer: Answer
    mark: int
    began: float
    ended: float


class Traffic:
    """The users of the demonstration, and what is noted of what they do.

    Args:
        cache: the cache they use.
        source: what it caches.
        workload: what they do.
        seed: seed of what they write.

    Attributes:
        operations: how many operations are done.
        writes: how many of them were writes.
        phase: the phase that was entered last, from 0.
        sessions: how many sessions were begun.
        users: who began them.
        sync_reads: how many reads went through the synchronous door.
        seconds_reading: sum of the latencies of all reads.
        recording: the traffic so far.
        ledger: what was found by checking it.
    """

    def __init__(
        self, cache: AdaptiveCache[Any, Answer], source: Source, workload: Workload, seed: int
    ) -> None:
        self.operations = 0
        self.writes = 0
        self.phase = 0
        self.sessions = 0
        self.users: set[int] = set()
        self.sync_reads = 0
        self.seconds_reading = 0.0
        self.recording = Recording()
        self.ledger = Ledger()
        self._cache = cache
        self._source = source
        self._workload = workload
        self._seed = seed
        self._pages = Pages(source.catalogue, source.followed_topics())
        self._pool = ThreadPoolExecutor(_SOURCE_THREADS, "source")
        # SQLite has one writer at a time; holding this, what was written stays
        # as it is until it has been compared.
        self._writing = asyncio.Lock()
        self._started = perf_counter()

        # The same as the decorator @cache.cached(...) above the function.
        self._search = cache.cached(
            ttl_seconds=SEARCH_SECONDS, tags={SEARCH_TAG}, ignore=("traffic",)
        )(search)

    async def run(self) -> None:
        """Make all of the traffic, then compare what is left in the cache."""
        tasks = [asyncio.create_task(self._run_task(number)) for number in range(TASKS)]
        try:
            await asyncio.gather(*tasks)
            await self._compare_rest()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._pool.shutdown()

    async def _run_task(self, number: int) -> None:
        for session in self._workload.sessions(number):
            self.phase = max(self.phase, session.phase)
            self.sessions += 1
            self.users.add(session.user)
            context = {"session_id": session.name, "user_id": session.user}
            if session.is_batch:
                for read in await asyncio.to_thread(self._read_batch, session, context):
                    self._note(read)
                    self.sync_reads += 1
                    self.operations += 1
            else:
                await self._run_session(session, context)
            # A hit does not suspend; without this, sessions would not mingle.
            await asyncio.sleep(0)

    async def _run_session(self, session: Session, context: dict[str, object]) -> None:
        for position, operation in enumerate(session.operations):
            if operation.action is Action.READ:
                await self._read(operation.key, context)
            else:
                random = seeded_random(self._seed, session.name, position)
                await self._write(operation.action, session.user, random, context)
                self.writes += 1
            self.operations += 1

    async def _read(self, key: str, context: dict[str, object]) -> Answer:
        """Read through the asynchronous door."""
        page = self._pages[key]
        mark = self.ledger.begin()
        began = perf_counter()
        kind, _, argument = key.partition(":")
        if kind == "search":
            answer: Answer = await self._search(self, argument)
        else:
            answer = await self._cache.get_or_load(
                key,
                # The cache runs a plain function in a worker thread by itself.
                self._source.load if kind == "ticker" else self.load,
                ttl_seconds=page.ttl_seconds,
                priority=page.priority,
                tags=page.tags,
                dependencies=page.dependencies,
                context=context,
            )
        self._note(_Read(str(context["session_id"]), page, answer, mark, began, perf_counter()))
        return answer

    def _read_batch(self, session: Session, context: dict[str, object]) -> list[_Read]:
        """Read what a session reads through the synchronous door, in a worker thread."""
        reads: list[_Read] = []
        for operation in session.operations:
            page = self._pages[operation.key]
            mark = self.ledger.begin()
            began = perf_counter()
            answer = self._cache.sync.get_or_load(
                page.key,
                self._source.load,
                ttl_seconds=page.ttl_seconds,
                priority=page.priority,
                tags=page.tags,
                dependencies=page.dependencies,
                context=context,
            )
            reads.append(_Read(session.name, page, answer, mark, began, perf_counter()))
        return reads

    def _note(self, read: _Read) -> None:
        page, recording = read.page, self.recording
        self.ledger.check(page.key, read.answer, read.mark, read.began, page.ttl_seconds)
        recording.events.append((read.began - self._started, page, read.session))
        recording.read_seconds.append(read.ended - read.began)
        self.seconds_reading += read.ended - read.began
        if page.key not in recording.sizes:
            entry = self._cache.entry(self._stored_key(page.key))
            if entry is not None:
                recording.sizes[page.key] = entry.size_bytes

    async def _write(
        self, action: Action, user: int, random: Random, context: dict[str, object]
    ) -> None:
        async with self._writing:
            if action is Action.ORDER:
                write = await self._in_pool(self._source.place_order, user, random)
            elif action is Action.EDIT:
                write = await self._in_pool(self._source.edit_document, random)
            else:
                write = await self._in_pool(self._source.rename_documents, random)
            began = perf_counter()
            if write.keys:
                await self._cache.invalidate_many(write.keys)
            if write.tags:
                await self._cache.invalidate_by_tags(write.tags)
            self.ledger.acknowledge(write.revisions)
            self.recording.events.append((began - self._started, write, ""))
            for key in random.sample(write.affected, min(_COMPARED_A_WRITE, len(write.affected))):
                answer = await self._read(key, context)
                self.ledger.compare(key, answer, await self._in_pool(self._source.look_up, key))

    async def _compare_rest(self) -> None:
        """Compare a sample of what is in the cache with the database, now that it is still."""
        keys = [key for key in self.recording.sizes if not key.startswith("ticker:")]
        sample = seeded_random(self._seed, "sample").sample(keys, min(_COMPARED_AT_END, len(keys)))
        for key in sample:
            entry = self._cache.entry(self._stored_key(key))
            if entry is not None and not entry.is_expired:
                truth = await self._in_pool(self._source.look_up, key)
                self.ledger.compare(key, entry.value, truth)

    async def load(self, key: str) -> Answer:
        """Ask the source."""
        return await self._in_pool(self._source.load, key)

    async def _in_pool(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    def _stored_key(self, key: str) -> Any:
        kind, _, argument = key.partition(":")
        return self._search.key_for(self, argument) if kind == "search" else key


async def search(traffic: Traffic, word: str) -> Answer:
    """Return what a search finds."""
    return await traffic.load(f"search:{word}")
