"""Workloads made to order, with seeds: the same arguments give the same requests.

Each function returns a `Trace`; `from_text` takes the same as text, which the
command line accepts in place of a file, with ``gen:`` before it::

    gen:zipf:keys=10000,requests=200000,seed=7

All take ``seed``, and ``weighted`` for sizes and costs: drawn for each key,
log-uniform, from 100 bytes to 1 MB and from 1 to 1,000, unrelated to how
popular the key is.
"""

from __future__ import annotations

from array import array
from bisect import bisect
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from inspect import signature
from itertools import accumulate, count, islice
from pathlib import Path
from random import Random

from scrubjay.errors import InvalidArgumentError
from scrubjay.lab.model import ReadOptions, Trace

PREFIX = "gen:"
"""Starts a workload where the name of a file is expected."""


def zipf(
    *,
    keys: int = 10_000,
    requests: int = 100_000,
    skew: float = 0.9,
    seed: int = 0,
    weighted: bool = False,
) -> Trace:
    """Make requests whose popularity falls with a power of the rank.

    Args:
        keys: How many different keys there may be.
        requests: How many requests to make.
        skew: The power; 0 for keys that are all as popular.
        seed: Seed of the random numbers.
        weighted: Whether to draw sizes and costs.
    """
    random = Random(seed)
    return _make("zipf", _zipf(random, keys, skew), requests, seed, weighted)


def loop(
    *, keys: int = 1_000, requests: int = 100_000, seed: int = 0, weighted: bool = False
) -> Trace:
    """Make requests for the same keys in the same order, again and again.

    Args:
        keys: Length of the loop.
        requests: How many requests to make.
        seed: Seed of the random numbers.
        weighted: Whether to draw sizes and costs.
    """
    return _make("loop", (number % keys for number in count()), requests, seed, weighted)


def scan(
    *,
    keys: int = 10_000,
    requests: int = 100_000,
    skew: float = 0.9,
    length: int = 5_000,
    every: int = 20_000,
    seed: int = 0,
    weighted: bool = False,
) -> Trace:
    """Make zipf requests, interrupted by scans of keys that are asked for once.

    Args:
        keys: How many keys the zipf requests ask for.
        requests: How many requests to make, scans included.
        skew: See `zipf`.
        length: Requests in a scan.
        every: Requests from the start of a scan to that of the next.
        seed: Seed of the random numbers.
        weighted: Whether to draw sizes and costs.
    """

    def stream() -> Iterator[int]:
        popular, once = _zipf(Random(seed), keys, skew), count(keys)
        while True:
            yield from islice(popular, max(0, every - length))
            yield from islice(once, min(length, every))

    return _make("scan", stream(), requests, seed, weighted)


def phases(
    *,
    keys: int = 10_000,
    requests: int = 200_000,
    skew: float = 0.9,
    window: int = 1_000,
    length: int = 25_000,
    seed: int = 0,
    weighted: bool = False,
) -> Trace:
    """Make requests that suit frequency and recency in turn.

    In the odd phases a third of the requests are for keys never seen again,
    and the others are zipf.  In the even ones the requests are for keys among
    those first seen last, and new ones keep coming.

    Args:
        keys: How many keys the zipf requests ask for.
        requests: How many requests to make.
        skew: See `zipf`.
        window: How many recent keys are asked for again.
        length: Requests in a phase.
        seed: Seed of the random numbers.
        weighted: Whether to draw sizes and costs.
    """

    def stream() -> Iterator[int]:
        random, fresh = Random(seed), count(keys)
        popular = _zipf(random, keys, skew)
        while True:
            for _ in range(length):
                yield next(fresh) if random.random() < 1 / 3 else next(popular)
            recent = deque(islice(fresh, window), maxlen=window)
            for _ in range(length):
                if random.random() < 0.1:
                    recent.append(next(fresh))
                    yield recent[-1]
                else:
                    yield random.choice(recent)

    return _make("phases", stream(), requests, seed, weighted)


def sessions(
    *,
    keys: int = 10_000,
    requests: int = 100_000,
    skew: float = 0.9,
    active: int = 20,
    length: int = 200,
    shared: float = 0.4,
    seed: int = 0,
    weighted: bool = False,
) -> Trace:
    """Make the mixed requests of users whose sessions begin and end.

    A session asks for keys that all share, and goes over its own again from
    the first on while they grow in number, as a conversation does with its
    past.  When it ends, its keys are dead.  The sessions are the clients.

    Args:
        keys: How many keys are shared.
        requests: How many requests to make.
        skew: Popularity of the shared keys; see `zipf`.
        active: Sessions at a time.
        length: Mean number of requests in a session.
        shared: The part of the requests that are for shared keys.
        seed: Seed of the random numbers.
        weighted: Whether to draw sizes and costs.
    """
    clients = array("Q")

    def stream() -> Iterator[int]:
        random, fresh, numbers = Random(seed), count(keys), count()
        popular = _zipf(random, keys, skew)

        def begin() -> tuple[int, list[int], int]:
            return next(numbers), [next(fresh)], 0

        running = [begin() for _ in range(active)]
        while True:
            place = random.randrange(active)
            client, own, position = running[place]
            clients.append(client)
            if random.random() < shared:
                yield next(popular)
            else:
                yield own[position]
                position += 1
                if position == len(own):
                    own.append(next(fresh))
                    position = 0
            running[place] = (client, own, position)
            if random.random() < 1 / length:
                running[place] = begin()

    return _make("sessions", stream(), requests, seed, weighted, clients)


WORKLOADS: dict[str, Callable[..., Trace]] = {
    make.__name__: make for make in (zipf, loop, scan, phases, sessions)
}
"""The workloads by name."""


def from_text(text: str) -> Trace:
    """Make a workload that is described by a text.

    Args:
        text: Its name, and after a colon its arguments: ``zipf:keys=100,seed=7``.

    Returns:
        The requests.

    Raises:
        InvalidArgumentError: There is no such workload or argument, or a
            value makes no sense.
    """
    name, _, listed = text.removeprefix(PREFIX).partition(":")
    make = WORKLOADS.get(name)
    if make is None:
        raise InvalidArgumentError(f"workload {name!r} is none of {', '.join(WORKLOADS)}")
    known = signature(make).parameters
    arguments: dict[str, float] = {}
    for item in filter(None, listed.split(",")):
        argument, _, value = item.partition("=")
        if argument not in known:
            raise InvalidArgumentError(f"{name} takes {', '.join(known)}, not {argument!r}")
        kind = type(known[argument].default)
        try:
            arguments[argument] = kind(float(value) if kind is float else int(value))
        except ValueError:
            raise InvalidArgumentError(
                f"{name}: {argument} is {value!r}, not a number of its kind"
            ) from None
        if kind is int and arguments[argument] > _MOST:
            raise InvalidArgumentError(f"{name}: {argument} is {value}, which is too much")
        if not arguments[argument] >= 0 or (not arguments[argument] and argument in _ABOVE_ZERO):
            raise InvalidArgumentError(f"{name}: {argument} is {value}, which is too little")
    return make(**arguments)


_MOST = 1 << 32  # it is all made in memory
_ABOVE_ZERO = frozenset({"keys", "requests", "window", "length", "every", "active"})


class Workloads:
    """Reads workloads made to order as if they were files."""

    name = "gen"
    suffixes: tuple[str, ...] = ()

    def recognises(self, path: Path, options: ReadOptions) -> bool:
        """None lies in a directory; see `TraceFormat.recognises`."""
        return False

    def read(self, path: Path, options: ReadOptions) -> Trace:
        """Make the requests; see `TraceFormat.read`."""
        trace = from_text(str(path))
        end = options.limit
        return Trace(
            path.name,
            trace.keys[:end],
            sizes=trace.sizes and trace.sizes[:end],
            clients=trace.clients and trace.clients[:end],
            costs=trace.costs and trace.costs[:end],
        )


FORMAT = Workloads()


def _zipf(random: Random, keys: int, skew: float) -> Iterator[int]:
    bounds = list(accumulate(rank**-skew for rank in range(1, keys + 1)))
    total, last = bounds[-1], keys - 1
    while True:
        yield min(last, bisect(bounds, random.random() * total))


def _make(
    name: str,
    stream: Iterable[int],
    requests: int,
    seed: int,
    weighted: bool,
    clients: array[int] | None = None,
) -> Trace:
    keys = array("Q", islice(stream, requests))
    if not weighted:
        return Trace(name, keys, clients=clients)
    random = Random(f"weights {seed}")
    weights: dict[int, tuple[int, float]] = {}
    for key in keys:
        if key not in weights:
            weights[key] = (int(10 ** random.uniform(2, 6)), 10 ** random.uniform(0, 3))
    sizes = array("Q", (weights[key][0] for key in keys))
    costs = array("d", (weights[key][1] for key in keys))
    return Trace(name, keys, sizes=sizes, clients=clients, costs=costs)
