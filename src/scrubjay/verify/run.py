"""A run: processes, proxies, faults, and then the check."""

from __future__ import annotations

import json
import multiprocessing
import random
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scrubjay import arguments
from scrubjay.testing.faults import FaultProxy
from scrubjay.verify import bugs
from scrubjay.verify.checker import check
from scrubjay.verify.cluster import ClusterServers
from scrubjay.verify.faults import Faults
from scrubjay.verify.findings import Findings
from scrubjay.verify.passing import Pass, Passes
from scrubjay.verify.process import work
from scrubjay.verify.register import Pauses
from scrubjay.verify.server import Server
from scrubjay.verify.workload import Plan

__all__ = ["Result", "verify"]

_KEYS = 40
_TAGS = 6
_SESSIONS = 24  # of a process at a time, on an event loop
_THREADS = 6  # the same, by threads
_EVERY = 3  # process by threads; the others on event loops
_MAX_SILENCE = 2.0
_PAUSE = 0.5  # seconds between two faults, on average
_PATIENCE = 20.0


@dataclass
class Result:
    """The outcome of a run.

    Attributes:
        server: its name and version.
        seconds: that the processes worked.
        checking: seconds that the check took.
        processes: how many at a time.
        faults: that were made, by name.
        failed: operations that failed, as the tier could not be reached or used.
        refused: operations that were refused, as a level could not be kept.
        findings: of the check.
    """

    server: str
    seconds: float
    checking: float
    processes: int
    faults: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    refused: int = 0
    findings: Findings = field(default_factory=Findings)

    @property
    def violations(self) -> int:
        """How many there are in all."""
        return sum(self.findings.violations.values())


class _Processes:
    """The processes of a run, each behind a proxy of its own."""

    def __init__(self, plans: list[Plan], end: float, passes: Passes) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._plans = plans
        self._end = end
        self._passes = passes
        self._generation = 0
        self._sessions = 0
        #: the numbers of all processes that there were, by their pid
        self.numbers: dict[int, int] = {}
        self.running = [self._start(place) for place in range(len(plans))]

    def _start(self, place: int) -> Any:
        self._generation += 1
        plan = self._plans[place]._replace(
            name=f"{place}-{self._generation}",
            process=self._generation,
            seconds=max(0.0, self._end - time.monotonic()),
            seed=self._plans[place].seed + self._generation,
        )
        for _ in range(plan.sessions):  # in place of those which a killed one has taken along
            self._passes.give(Pass(self._sessions, ""))
            self._sessions += 1
        process = self._context.Process(target=work, args=(plan,), daemon=True)
        process.start()
        assert process.pid is not None
        self.numbers[process.pid] = self._generation
        return process

    def replace(self, place: int) -> None:
        """Kill a process and start another in its place."""
        self.running[place].kill()
        self.running[place].join()
        self.running[place] = self._start(place)

    def pids(self) -> list[int]:
        """Return the numbers of the processes."""
        return [process.pid for process in self.running]

    def join(self) -> None:
        """Wait for all of them to end."""
        end = time.monotonic() + _PATIENCE
        for process in self.running:
            process.join(max(0.1, end - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()


def verify(
    url: str = "",
    *,
    seconds: float = 60.0,
    processes: int = 3,
    bug: str = "",
    faults: bool = True,
    caches: bool = True,
    cluster: bool = False,
    seed: int | None = None,
) -> Result:
    """Work on a server for some time, with faults, and check what was seen.

    Args:
        url: of the server, by TCP without TLS; "" to start one.
        seconds: how long.
        processes: how many.
        bug: the name of a bug to build in, to see that it is found.
        faults: whether to make any.
        caches: whether by caches with memory, disk and the server, or by the protocol alone.
        cluster: whether the URL is that of a member of a cluster; one is started without a URL.
        seed: of what is drawn; None for another each time.

    Raises:
        InvalidArgumentError: an argument makes no sense.
        TierUnavailableError: the server cannot be asked.
    """
    arguments.positive("seconds", seconds)
    arguments.count("processes", processes)
    bugs.check_name(bug)
    draw = random.Random(seed)
    with ExitStack() as stack:
        server: Server | ClusterServers = (
            ClusterServers(url, random.Random(draw.getrandbits(30))) if cluster else Server(url)
        )
        stack.enter_context(server)
        server.require()
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sjv")))
        urls = [server.url] * processes
        if isinstance(server, ClusterServers):
            proxies = server.proxies
        else:
            where = server.address
            proxies = [
                stack.enter_context(FaultProxy(where.host, where.port)) for _ in range(processes)
            ]
            urls = [server.behind(proxy.port) for proxy in proxies]
        by_threads = [place % _EVERY == _EVERY - 1 for place in range(processes)]
        plans = [
            Plan(
                where_to, f"verify-{draw.getrandbits(40):x}", directory, "", 0,
                seconds, _KEYS, _TAGS, _THREADS if threads else _SESSIONS, threads, _MAX_SILENCE,
                caches, bug, draw.getrandbits(30), cluster,
            )
            for where_to, threads in zip(urls, by_threads, strict=True)
        ]  # fmt: skip
        plans = [plan._replace(namespace=plans[0].namespace) for plan in plans]
        begun = time.monotonic()
        running = _Processes(plans, begun + seconds, Passes(directory))
        maker = Faults(proxies, running.pids, running.replace, server, draw, plans[0].namespace)
        result = Result(server.version(), seconds, 0.0, processes, maker.made)
        while (left := begun + seconds - time.monotonic()) > 0.5:
            time.sleep(min(left - 0.4, draw.expovariate(1 / _PAUSE)))
            if faults and begun + seconds - time.monotonic() > 3.5:
                maker.one()
        running.join()
        result.seconds = time.monotonic() - begun
        for path in directory.glob("*.failures"):
            failures = json.loads(path.read_text())
            result.failed += failures["failed"]
            result.refused += failures["refused"]
        begun = time.monotonic()
        # A cache looks at no clock where it has a copy: its link has to be heard first.
        stood_still = {running.numbers[pid]: times for pid, times in maker.pauses.items() if caches}
        result.findings = check(directory, _MAX_SILENCE, Pauses(stood_still))
        result.checking = time.monotonic() - begun
        return result
