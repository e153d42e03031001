"""What it costs a hit that somebody watches: it should be nothing."""

from __future__ import annotations

from typing import Any

from benchmarks import peers
from benchmarks.cases._setup import make_keys, shuffled
from benchmarks.cases.lookup import CAPACITY, PASSES, measure_reads
from benchmarks.peers import DICT, SCRUBJAY, Peer
from benchmarks.timing import Outcome, Scale

SINKS = f"{SCRUBJAY}, every sink"
PAGE = f"{SCRUBJAY}, every sink and the page"


def hit(scale: Scale) -> Outcome:
    """Read every key, in random order, by the objects that were stored."""
    keys = make_keys(scale.of(CAPACITY, 500))
    wanted = shuffled(keys) * PASSES
    plain = [peer for peer in peers.stores(strategies=False) if peer.name in {DICT, SCRUBJAY}]
    put = "cache.put(k, k)"
    # Named after one of their packages, so that they are left out without it.
    watched = peers.present(
        [
            Peer(SINKS, "prometheus_client", _with_sinks, put=put),
            Peer(PAGE, "prometheus_client", _with_page, put=put),
        ]
    )
    return measure_reads(scale, plain + watched, keys, lambda: wanted)


def _with_sinks(capacity: int) -> Any:
    from prometheus_client import CollectorRegistry

    from scrubjay.observe.sinks.logs import LoggingSink
    from scrubjay.observe.sinks.opentelemetry import OpenTelemetrySink
    from scrubjay.observe.sinks.prometheus import PrometheusSink

    cache = peers.scrubjay_default(capacity)
    PrometheusSink(CollectorRegistry()).watch(cache)
    OpenTelemetrySink().watch(cache)
    LoggingSink().watch(cache)
    cache.on_event(lambda event: None)
    return cache


def _with_page(capacity: int) -> Any:
    """Return one that a page looks at each second, and gathers evidence for advice."""
    from scrubjay.web.dashboard import Dashboard

    cache = _with_sinks(capacity)
    Dashboard(0, machine=False).show(cache)  # it lives until the process ends
    cache.advise()
    return cache
