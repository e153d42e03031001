"""What is done on a cluster, and by which member, without a socket.

An operation on a whole tier is split into errands, each on one bucket or on one primary: an
operation as for a server alone. `Course` carries errands out side by side. It yields what a
driver is to do: connect, send requests to several members at once, wait a little. Commands
that a member sends elsewhere are sent there, one by one, as they have not been done.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from typing import Any, TypeVar

from scrubjay.errors import TierError, TierUnavailableError
from scrubjay.tiers._redis import redirects, topology
from scrubjay.tiers._redis.errands import Connect, Errand, Links, Pause, Send, Split, Steps
from scrubjay.tiers._redis.exchange import Request
from scrubjay.tiers._redis.failures import CutOffError, UnsentError, word
from scrubjay.tiers._redis.generation import as_request
from scrubjay.tiers._redis.nodes import NodeSession
from scrubjay.tiers._redis.operations import CONNECT, Operation
from scrubjay.tiers._redis.roster import Roster
from scrubjay.tiers._redis.topology import Topology, Where
from scrubjay.tiers._redis.wire import Command

_T = TypeVar("_T")
_MOST_REDIRECTS = 12
_PATIENT_REDIRECTS = 2  # then members do not agree yet: each is given longer than the one before
_FIRST_PAUSE = 0.005  # seconds
_MOST_PRIMARIES = 3  # that are tried for one slot, as the slots change


class Course:
    """Carries out operations of the tier by one face of it.

    Args:
        roster: what is known of the cluster.
        seeds: whom to ask first of all.
        links: the face's connections.
        epoch_of: the operation that asks a primary for its epoch.
    """

    def __init__(
        self,
        roster: Roster,
        seeds: Sequence[Where],
        links: Links,
        epoch_of: Callable[[], Operation[Any]],
    ) -> None:
        self._roster = roster
        self._seeds = frozenset(seeds)
        self._named = tuple(seeds)
        self._links = links
        self._epoch_of = epoch_of

    def run(self, split: Split[_T], deadline: float) -> Steps[_T]:
        """Carry an operation of the tier out."""
        results: Any = None
        failure: Exception | None = None
        acquainted = False
        while True:
            try:
                wanted = split.send(results) if failure is None else split.throw(failure)
            except StopIteration as end:
                if acquainted and not self._roster.epoch:  # somebody has joined meanwhile
                    with contextlib.suppress(TierError):
                        yield from self._acquaint(deadline)
                result: _T = end.value
                return result
            results = failure = None
            try:
                if wanted is None:
                    acquainted = True
                    yield from self._acquaint(deadline)
                else:
                    results = yield from self._all(wanted, deadline)
            except Exception as error:
                failure = error

    def _all(self, errands: Sequence[Errand], deadline: float) -> Steps[list[Any]]:
        """Carry errands out, and all of them to their end, before a failure is told."""
        yield from self._each(errands, deadline)
        for errand in errands:
            if errand.error is not None:
                raise errand.error
        return [errand.result for errand in errands]

    def _each(self, errands: Sequence[Errand], deadline: float) -> Steps[None]:
        running = list(errands)
        while running:
            asking: list[tuple[Errand, Request]] = []
            for errand in running:
                while (step := errand.step()) is CONNECT:
                    try:
                        errand.view = self._at_hand(errand)
                        if errand.view is None:
                            errand.view = yield from self._view(errand, deadline)
                    except TierError as error:
                        errand.take(error)
                    else:
                        errand.take(errand.view)
                if step is not errand:
                    step.deadline = deadline
                    step.scope = errand.view
                    asking.append((errand, step))
            if asking:
                sent = [(_node(errand.view), request) for errand, request in asking]
                outcomes = yield Send(sent)
                for (errand, request), outcome in zip(asking, outcomes, strict=True):
                    errand.take((yield from self._settled(errand, request, outcome, deadline)))
            running = [errand for errand, _ in asking]

    def _settled(
        self, errand: Errand, request: Request, outcome: Any, deadline: float
    ) -> Steps[Any]:
        """Return what an errand is told of its request, when redirects have been followed."""
        if type(outcome) is not list:
            self._roster.suspect()
            return outcome
        if request.stays or not any(isinstance(reply, Exception) for reply in outcome):
            return outcome
        try:
            return (yield from self._followed(errand.view, request, outcome, deadline))
        except (CutOffError, UnsentError) as error:
            return CutOffError(str(error))  # what went before may have been done
        except TierError as error:
            return error

    # ---- redirects

    def _followed(
        self, view: Any, request: Request, replies: list[Any], deadline: float
    ) -> Steps[list[Any]]:
        host = _node(view).where.host
        followed = list(replies)
        for place, command in enumerate(redirects.commands_of(request)):
            reply = replies[place]
            kind = word(reply)
            if kind == "CLUSTERDOWN":
                self._roster.suspect()
            elif redirects.redirect_of(reply, host) is not None:
                followed[place] = yield from self._follow(command, reply, host, deadline)
                request.followed = True
            if word(followed[place]) == redirects.TRY_AGAIN and command[0] == b"MGET":
                # Some of its keys have gone to the other member, and some have not yet.
                followed[place] = yield from self._one_by_one(command, _node(view), deadline)
                request.followed = True
        return followed

    def _one_by_one(self, command: Command, node: NodeSession, deadline: float) -> Steps[list[Any]]:
        single = [(b"GET", key) for key in command[1:]]
        request = as_request(list(single))
        request.deadline = deadline
        (replies,) = yield Send([(node, request)])
        if type(replies) is not list:
            raise replies
        found: list[Any] = []
        for one, reply in zip(single, replies, strict=True):
            if redirects.redirect_of(reply, node.where.host) is None:
                found.append(reply)
            else:
                found.append((yield from self._follow(one, reply, node.where.host, deadline)))
        return found

    def _follow(self, command: Command, reply: Any, host: str, deadline: float) -> Steps[Any]:
        """Send a command where a reply says, and on; return the reply that does not."""
        for turn in range(-_PATIENT_REDIRECTS, _MOST_REDIRECTS - _PATIENT_REDIRECTS):
            redirect = redirects.redirect_of(reply, host)
            if redirect is None:
                return reply
            pause = _FIRST_PAUSE * 2.0**turn
            if turn >= 0:
                if monotonic() + pause >= deadline:
                    break
                yield Pause(pause)
            commands = [redirects.ASKING, command]
            if redirect.kind == redirects.MOVED:
                self._roster.suspect(surely=True)
                commands = [command]
            host = redirect.where.host
            session = yield from self._session_at(redirect.where, deadline)
            request = as_request(commands)
            request.deadline = deadline
            (outcome,) = yield Send([(session, request)])
            if type(outcome) is not list:
                self._roster.suspect()
                raise outcome
            reply = outcome[-1]
        raise TierUnavailableError("the members of the cluster send a command to and fro")

    # ---- whom to ask

    def _at_hand(self, errand: Errand) -> Any:
        """Return what an errand works on if nothing has to be found out first: the usual case."""
        known = self._roster.topology
        if known is None or self._roster.stale:
            return None
        if errand.where is not None:
            return self._links.of(errand.where).current()
        where = known.owners[errand.slot]
        session = None if where is None else self._links.of(where).current()
        return None if session is None else session.view(errand.key)

    def _view(self, errand: Errand, deadline: float) -> Steps[Any]:
        if errand.where is not None:
            return (yield from self._session_at(errand.where, deadline))
        session = yield from self._session_of(errand.slot, deadline)
        return session.view(errand.key)

    def _session_of(self, slot: int, deadline: float) -> Steps[NodeSession]:
        """Return the session of the primary that has a slot."""
        tried = 0
        while True:
            known = yield from self._known(deadline)
            where = known.owners[slot]
            if where is None:
                self._roster.suspect()
                raise TierUnavailableError(f"no primary of the cluster has slot {slot}")
            try:
                return (yield from self._session_at(where, deadline))
            except TierUnavailableError:
                tried += 1
                self._roster.suspect()
                known = yield from self._known(deadline)
                if tried == _MOST_PRIMARIES or known.owners[slot] in {where, None}:
                    raise

    def _session_at(self, where: Where, deadline: float) -> Steps[NodeSession]:
        link = self._links.of(where)
        session: NodeSession | None = link.current()
        if session is None:
            session = yield Connect(link, deadline)
        assert session is not None
        return session

    def _known(self, deadline: float) -> Steps[Topology]:
        """Return the slots, and look for them first if they may be elsewhere."""
        if self._roster.due:
            known = self._roster.topology
            self._roster.looking()
            try:
                yield from self._look(deadline)
            except TierError:
                self._roster.suspect()
                if known is None:
                    raise
        assert self._roster.topology is not None
        return self._roster.topology

    def _look(self, deadline: float) -> Steps[None]:
        """Ask one member after the other who has which slots."""
        oldest = self._roster.topology
        behind: Topology | None = None
        failure: TierError = TierUnavailableError("no member of the cluster could be asked")
        for where in self._members():
            now = monotonic()
            # One that is silent must leave time for others.
            until = now + (deadline - now) / 2.0
            try:
                session = yield from self._session_at(where, until)
                request = as_request(topology.QUESTIONS)
                request.deadline = until
                (outcome,) = yield Send([(session, request)])
                if type(outcome) is not list:
                    raise outcome
                found = topology.read(outcome, where.host)
            except TierError as error:
                failure = error
                continue
            if oldest is None or found.epoch >= oldest.epoch:
                self._take(found)
                return
            behind = found  # it was cut off from the others, perhaps
        if behind is None:
            raise failure
        self._take(behind)

    def _take(self, found: Topology) -> None:
        known = self._roster.topology
        self._roster.found(found)
        before = frozenset() if known is None else known.primaries
        # Who has no slots any more tells nothing of them; the copies it told of are to go.
        self._links.leave((before | self._seeds) - found.primaries)

    def _members(self) -> Iterator[Where]:
        """Return whom to ask: first who was heard of last, last those who were named at first."""
        known = self._roster.topology
        primaries = list(known.primaries) if known is not None else []
        primaries.sort(key=self._silence_of)
        return iter(dict.fromkeys([*primaries, *self._named]))

    def _silence_of(self, where: Where) -> float:
        session = self._links.of(where).current()
        return math.inf if session is None else monotonic() - session.exchange.heard

    def _acquaint(self, deadline: float) -> Steps[None]:
        yield from self._known(deadline)
        missing = self._roster.unacquainted()
        if missing:
            now = monotonic()
            errands = [Errand(self._epoch_of(), where=where) for where in missing]
            yield from self._each(errands, now + (deadline - now) / 2.0)


def _node(view: Any) -> NodeSession:
    """Return the session by which a bucket is seen."""
    node: NodeSession = view if isinstance(view, NodeSession) else view.node
    return node
