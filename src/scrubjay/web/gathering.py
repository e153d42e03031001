"""Gathers what the caches of a machine tell, once a second, and remembers the last minutes."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

from scrubjay.errors import CacheError
from scrubjay.web.asking import answer, ask, others
from scrubjay.web.local import Local
from scrubjay.web.nodes import Nodes

_log = logging.getLogger("scrubjay")
_KEPT = 600  # looks remembered
_EVERY = 1.0  # seconds between two looks
_FIRST = 1.5  # seconds for a first look at other nodes
_ELSEWHERE = "Another node tells its figures alone. Look for a key on a page of its own machine."
_LEFT_ALONE = 5.0  # seconds in which a process that did not answer is not asked

Sample = tuple[float, int, list[int], int, float, float, float, int]
"""Time, requests, hits by tier, bytes, quantiles in milliseconds, entries."""


class Gatherer:
    """Asks this process and others, and remembers.

    Args:
        local: the caches of this process, or None to ask others only.
        machine: whether other processes of this user are asked.
        nodes: further nodes that are looked at.
    """

    def __init__(
        self, local: Local | None, machine: bool = True, nodes: Nodes | None = None
    ) -> None:
        self._local = local
        self._machine = machine
        self._nodes = [] if nodes is None else [nodes]
        if local is not None:
            self._nodes.append(local.nodes)
        self._notices: list[str] = []
        self._tellers: dict[str, Path | Nodes] = {}  # who told of a cache of another node
        self._looking = threading.Lock()  # an older look must not end after a newer one
        self._changed = threading.Condition()
        self._closed = False
        self._afar: list[dict[str, Any]] = []  # what other processes told last
        self._told_afar: list[tuple[Path | Nodes, Any]] = []  # and what they know of nodes
        self._silent: dict[int, float] = {}  # processes that did not answer, and until when
        self._rounds = 0
        self._rows: dict[str, dict[str, Any]] = {}
        self._samples: dict[str, deque[Sample]] = {}
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look, in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="scrubjay-gatherer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no more, and let go of who waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether it looks no more."""
        return self._closed

    def _run(self) -> None:
        while not self._closed:
            try:
                self.look()
            except Exception:
                _log.exception("a look at the caches failed")
            with self._changed:
                self._changed.wait_for(lambda: self._closed, _EVERY)

    def look(self, afar: bool = True, wait: bool = False) -> None:
        """Look at every cache, and tell those who wait for it.

        Args:
            afar: whether other processes are asked, for which one may have to wait.
            wait: whether to wait for a first look at other nodes.
        """
        with self._looking:
            rows: list[dict[str, Any]] = []
            if self._local is not None:
                rows.extend(self._local.overview())  # type: ignore[arg-type]
            told: list[tuple[Path | Nodes, Any]] = [
                (nodes, nodes.told(_FIRST if wait else 0.0)) for nodes in self._nodes
            ]
            if afar:
                self._afar, self._told_afar = self._ask_others(wait)
            rows += self._afar
            self._keep(rows + self._further(rows, told + self._told_afar))

    def _ask_others(
        self, wait: bool
    ) -> tuple[list[dict[str, Any]], list[tuple[Path | Nodes, Any]]]:
        """Return the rows of other processes, and what they know of other nodes."""
        rows: list[dict[str, Any]] = []
        told: list[tuple[Path | Nodes, Any]] = []
        now = time.monotonic()
        for number, path in self._others().items():
            if now < self._silent.get(number, 0.0):
                continue
            try:
                rows.extend(ask(path, {"ask": "overview"}) or ())
                told.append((path, ask(path, {"ask": "nodes", "wait": wait})))
            except (OSError, ValueError):  # it is ending, or too busy to answer
                self._silent[number] = now + _LEFT_ALONE
        return rows, told

    def _further(
        self, rows: list[dict[str, Any]], told: list[tuple[Path | Nodes, Any]]
    ) -> list[dict[str, Any]]:
        """Return the rows of nodes that are not here, the latest of each."""
        here = {(row.get("node"), row["name"]) for row in rows}
        further: dict[str, dict[str, Any]] = {}
        tellers: dict[str, Path | Nodes] = {}
        notices: dict[str, None] = {}
        for teller, what in told:
            if what is None:  # a process of an earlier version
                continue
            notices.update(dict.fromkeys(what["notices"]))
            for row in what["rows"]:
                known = further.get(row["id"])
                if (row["node"], row["name"]) not in here and (
                    known is None or known["at"] < row["at"]
                ):
                    further[row["id"]] = row
                    tellers[row["id"]] = teller
        self._tellers, self._notices = tellers, list(notices)
        return list(further.values())

    def _keep(self, rows: list[dict[str, Any]]) -> None:
        with self._changed:
            self._rows = {row["id"]: row for row in rows}
            for row in rows:
                samples = self._samples.setdefault(row["id"], deque(maxlen=_KEPT))
                if not samples or samples[-1][0] < round(row["at"], 2):
                    samples.append(_sample(row))
            for gone in self._samples.keys() - self._rows.keys():
                del self._samples[gone]
            self._rounds += 1
            self._changed.notify_all()

    def _others(self) -> dict[int, Any]:
        if not self._machine:
            return {}
        try:
            return others()
        except CacheError as error:
            _log.warning("other processes are not shown: %s", error)
            self._machine = False
            return {}

    def wait(self, seen: int, seconds: float) -> int:
        """Wait for a look after the one numbered `seen`; return the number of the last one."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._rounds != seen, seconds)
            return self._rounds

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each cache, as of the last look."""
        with self._changed:
            return list(self._rows.values())

    def notices(self) -> list[str]:
        """Return what could not be seen at the last look, and why, for people."""
        return self._notices

    def samples(self, identity: str) -> list[Sample]:
        """Return what is remembered of a cache, oldest first."""
        with self._changed:
            return list(self._samples.get(identity, ()))

    def detail(self, identity: str) -> Any:
        """Return all about one cache, or None if it is gone."""
        return self._ask(identity, {"ask": "detail"})

    def inspect(self, identity: str, key: str) -> Any:
        """Return what is known of a key of one cache, or None if that is gone."""
        return self._ask(identity, {"ask": "inspect", "key": key})

    def _ask(self, identity: str, request: dict[str, Any]) -> Any:
        teller = self._tellers.get(identity)
        if teller is not None:
            return self._ask_of_node(teller, identity, request)
        number, _, label = identity.partition("/")
        request["label"] = label
        if self._local is not None and number == str(os.getpid()):
            return answer(self._local, request)
        path = self._others().get(int(number)) if number.isdecimal() else None
        if path is None:
            return None
        try:
            return ask(path, request)
        except (OSError, ValueError):
            return None

    @staticmethod
    def _ask_of_node(teller: Path | Nodes, identity: str, request: dict[str, Any]) -> Any:
        """Return what is known of a cache of another node, which itself cannot be asked."""
        if request["ask"] == "inspect":
            return {"elsewhere": _ELSEWHERE}
        if isinstance(teller, Nodes):
            return teller.detail(identity)
        try:
            return ask(teller, {"ask": "node", "label": identity})
        except (OSError, ValueError):
            return None


def _sample(row: dict[str, Any]) -> Sample:
    return (
        round(row["at"], 2),
        row["requests"],
        list(row["tiers"].values()),
        row["bytes"],
        row["p50_ms"],
        row["p99_ms"],
        row["p999_ms"],
        row["entries"],
    )
