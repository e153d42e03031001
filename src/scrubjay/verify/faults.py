"""What goes wrong during a run, on purpose, and is put right again."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress

from scrubjay.testing.faults import FaultProxy
from scrubjay.verify.cluster import ClusterServers
from scrubjay.verify.server import Server

__all__ = ["Faults"]


class Faults:
    """Makes one fault after the other.

    Args:
        proxies: one for each process, or for each primary of a cluster.
        pids: of the processes of now.
        replace: kills a process, by its place, and starts another.
        server: for what only it can do; what it cannot is left out.
        draw: of random numbers.
        namespace: of the run, whose slots are moved on a cluster.
    """

    def __init__(
        self,
        proxies: Sequence[FaultProxy],
        pids: Callable[[], list[int]],
        replace: Callable[[int], None],
        server: Server | ClusterServers,
        draw: random.Random,
        namespace: str = "",
    ) -> None:
        self._proxies = proxies
        self._pids = pids
        self._replace = replace
        self._server = server
        self._draw = draw
        self._namespace = namespace
        self._kinds: list[Callable[[], None]] = [
            self.pause_process, self.kill_clients, self.kill_process,
        ]  # fmt: skip
        if proxies:
            self._kinds += [self.cut, self.cut, self.black_hole, self.delay, self.refuse]
        if server.stoppable:
            self._kinds.append(self.stop_server)
            if isinstance(server, ClusterServers):
                self._kinds += [self.move_slots] * 3
        #: how many there were, by name
        self.made: Counter[str] = Counter()
        #: when processes stood still, by their pid
        self.pauses: dict[int, list[tuple[float, float]]] = {}

    def one(self) -> None:
        """Make a fault, and put it right."""
        fault = self._draw.choice(self._kinds)
        fault()
        self.made[fault.__name__] += 1

    def _some(self) -> list[FaultProxy]:
        if self._draw.random() < 0.3:
            return list(self._proxies)
        return [self._draw.choice(list(self._proxies))]

    def _last(self, shortest: float, longest: float) -> None:
        time.sleep(shortest + (longest - shortest) * self._draw.random() ** 2)

    def cut(self) -> None:
        """Cut connections."""
        for proxy in self._some():
            proxy.cut()

    def black_hole(self) -> None:
        """Swallow everything for some time; connections that had traffic stay silent for ever."""
        some = self._some()
        for proxy in some:
            proxy.black_hole = True
        self._last(0.05, 2.0)
        for proxy in some:
            proxy.black_hole = False

    def delay(self) -> None:
        """Hold answers back."""
        some = self._some()
        for proxy in some:
            proxy.delay_seconds = self._draw.choice((0.001, 0.02, 0.1))
        self._last(0.1, 1.0)
        for proxy in some:
            proxy.delay_seconds = 0.0

    def refuse(self) -> None:
        """Refuse connections for some time."""
        some = self._some()
        for proxy in some:
            proxy.refuse()
        self._last(0.05, 0.5)
        for proxy in some:
            proxy.accept()

    def pause_process(self) -> None:
        """Have a process stand still, longer than anything else waits."""
        pid = self._draw.choice(self._pids())
        since = time.monotonic()
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
        self._last(0.05, 3.0)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
        self.pauses.setdefault(pid, []).append((since, time.monotonic()))

    def kill_process(self) -> None:
        """Kill a process in whatever it does; another takes its place."""
        self._replace(self._draw.randrange(len(self._pids())))

    def kill_clients(self) -> None:
        """Have the server cut the connections of this run."""
        self._server.kill_clients()

    def move_slots(self) -> None:
        """Move slots of a cluster to another primary."""
        assert isinstance(self._server, ClusterServers)
        self._server.move_slots(self._namespace)

    def stop_server(self) -> None:
        """Have the server stand still."""
        self._server.stop()
        self._last(0.05, 1.5)
        self._server.resume()
