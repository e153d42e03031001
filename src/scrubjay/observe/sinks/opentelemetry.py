"""Metrics and spans for OpenTelemetry; needs the extra ``opentelemetry``.

Only the API is needed here; without an SDK in the program everything is a no-op.
Metrics are read when they are exported. Spans are made of events: one around each call of
a loader, in whose context the loader runs, so that what it does is below it; one for each
wait for somebody else's load, linked to the span of that load; one for each call of a
lower tier.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextvars import Token
from typing import Any

from scrubjay.errors import MissingExtraError
from scrubjay.events import Event, EventKind
from scrubjay.observe.hottest import namespace
from scrubjay.observe.roster import Roster
from scrubjay.observe.sinks.sink import Sink

try:
    from opentelemetry import context, metrics, trace
    from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation
    from opentelemetry.trace import Link, Span, SpanContext, StatusCode, TracerProvider
except ImportError as error:
    raise MissingExtraError(
        "the OpenTelemetry sink needs the extra 'opentelemetry': "
        f"pip install 'scrubjay[opentelemetry]' ({error})"
    ) from error

__all__ = ["OpenTelemetrySink"]

_SCOPE = "scrubjay"
_REMEMBERED = 1024  # loads whose spans a late waiter can still be linked to
_ENDS = frozenset({EventKind.LOAD, EventKind.LOAD_ERROR, EventKind.LOAD_CANCEL})
_MARKS = frozenset(  # events of whatever span they happen in
    {
        EventKind.TIER_HIT,
        EventKind.TIER_MISS,
        EventKind.STALE_SERVED,
        EventKind.CONFLICT,
        EventKind.BREAKER,
        EventKind.DEGRADED,
        EventKind.RECOVERED,
        EventKind.UNDECODABLE,
        EventKind.OVERFLOW,
        EventKind.CORRUPTION,
    }
)
_TRACED = frozenset({EventKind.LOAD_START, EventKind.WAIT, EventKind.TIER_CALL, *_ENDS, *_MARKS})


class OpenTelemetrySink(Sink):
    """Feeds OpenTelemetry with what caches do.

    Args:
        meter_provider: where metrics go; None for the global one.
        tracer_provider: where spans go; None for the global one.
        spans: whether there are any.
        key_attribute: makes of a key what its spans say in ``scrubjay.key``; None for
            nothing: what keys have in common is in ``scrubjay.namespace``.
    """

    def __init__(
        self,
        meter_provider: MeterProvider | None = None,
        tracer_provider: TracerProvider | None = None,
        *,
        spans: bool = True,
        key_attribute: Callable[[Any], str] | None = None,
    ) -> None:
        super().__init__()
        self._tracer = trace.get_tracer(_SCOPE, tracer_provider=tracer_provider)
        self._spans = spans
        self._key_attribute = key_attribute
        self._lock = threading.Lock()
        self._open: dict[int, tuple[Span, Token[context.Context]]] = {}
        self._known: OrderedDict[int, SpanContext] = OrderedDict()
        _instruments(metrics.get_meter(_SCOPE, meter_provider=meter_provider), self._roster)

    def _begin(self, store: Any, label: str) -> Callable[[], None]:
        if not self._spans:
            return _nothing
        end: Callable[[], None] = store.on_event(
            lambda event: self._trace(label, event), _TRACED, queued=False
        )
        return end

    def _trace(self, label: str, event: Event) -> None:
        kind = event.kind
        if kind is EventKind.LOAD_START:
            self._start(label, event)
        elif kind in _ENDS:
            self._end(event)
        elif kind is EventKind.WAIT:
            known = self._known.get(event.load)
            links = () if known is None else (Link(known),)
            self._past(f"{_SCOPE}.wait", label, event, links).end()
        elif kind is EventKind.TIER_CALL:
            span = self._past(f"{_SCOPE}.tier.{event.detail}", label, event)
            span.set_attribute("scrubjay.tier", event.tier)
            if event.error is not None:
                _mark_failed(span, event.error)
            span.end()
        else:
            attributes = {"scrubjay.cache": label, "scrubjay.detail": event.detail}
            if event.tier:
                attributes["scrubjay.tier"] = event.tier
            trace.get_current_span().add_event(f"{_SCOPE}.{kind.value}", attributes)

    def _start(self, label: str, event: Event) -> None:
        """Open the span of a load, and let what the loader does be below it."""
        span = self._tracer.start_span(f"{_SCOPE}.load", attributes=self._attributes(label, event))
        token = context.attach(trace.set_span_in_context(span))
        with self._lock:
            self._open[event.load] = (span, token)
            self._known[event.load] = span.get_span_context()
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)

    def _end(self, event: Event) -> None:
        with self._lock:
            span, token = self._open.pop(event.load, (None, None))
        if span is None or token is None:
            return  # it began before anybody watched
        context.detach(token)
        if event.kind is EventKind.LOAD_ERROR:
            _mark_failed(span, event.error)
        elif event.kind is EventKind.LOAD_CANCEL:
            span.set_attribute("scrubjay.cancelled", True)
        span.end()

    def _past(self, name: str, label: str, event: Event, links: Iterable[Link] = ()) -> Span:
        """Return a span of what has just ended; its end is now."""
        return self._tracer.start_span(
            name,
            attributes=self._attributes(label, event),
            links=tuple(links),
            start_time=time.time_ns() - int(event.seconds * 1e9),
        )

    def _attributes(self, label: str, event: Event) -> dict[str, str]:
        attributes = {"scrubjay.cache": label}
        if event.key is not None:
            attributes["scrubjay.namespace"] = namespace(event.key)
            if self._key_attribute is not None:
                attributes["scrubjay.key"] = self._key_attribute(event.key)
        return attributes


def _nothing() -> None:
    """End nothing."""


def _mark_failed(span: Span, error: BaseException | None) -> None:
    """Say what failed by the name of its class: what errors say may quote values."""
    name = type(error).__name__
    span.set_attribute("error.type", name)
    span.set_status(StatusCode.ERROR, name)


def _instruments(meter: metrics.Meter, roster: Roster) -> None:
    """Make the instruments, which read the caches when they are exported."""

    def observed(
        read: Callable[[Any], Iterable[tuple[float, dict[str, str]]]],
    ) -> list[Callable[[CallbackOptions], Iterable[Observation]]]:
        def callback(options: CallbackOptions) -> Iterable[Observation]:
            return [
                Observation(value, {"scrubjay.cache": label, **attributes})
                for label, store in roster.items()
                for value, attributes in read(store)
            ]

        return [callback]

    def counter(name: str, unit: str, text: str, read: Any) -> None:
        meter.create_observable_counter(f"{_SCOPE}.{name}", observed(read), unit, text)

    def gauge(name: str, unit: str, text: str, read: Any) -> None:
        meter.create_observable_gauge(f"{_SCOPE}.{name}", observed(read), unit, text)

    counter("requests", "{request}", "Requests by result", _requests)
    counter("removals", "{entry}", "Entries gone, by cause", _removals)
    counter("loads", "{load}", "Calls of loaders by outcome", _loads)
    counter("load.time", "s", "Time spent in loaders", _load_time)
    counter("tier.requests", "{request}", "Requests by tier", _tier_requests)
    counter("prefetched", "{entry}", "Prefetched entries by fate", _prefetched)
    counter("conflicts", "{read}", "Reads refused as too old", _conflicts)
    gauge("entries", "{entry}", "Entries in memory", lambda store: [(store.count, {})])
    gauge("memory", "By", "What entries take", lambda store: [(store.memory_in_use(), {})])
    gauge("latency", "s", "Latencies of requests", _latency)


_Read = list[tuple[float, dict[str, str]]]


def _requests(store: Any) -> _Read:
    numbers = store.statistics
    return [(numbers.cache_hits, {"result": "hit"}), (numbers.cache_misses, {"result": "miss"})]


def _removals(store: Any) -> _Read:
    causes = store.statistics.removals_by_cause
    return [(number, {"cause": cause}) for cause, number in causes.items()]


def _loads(store: Any) -> _Read:
    numbers = store.statistics
    good = numbers.loads - numbers.load_errors
    return [(good, {"outcome": "ok"}), (numbers.load_errors, {"outcome": "error"})]


def _load_time(store: Any) -> _Read:
    return [(store.statistics.load_seconds, {})]


def _tier_requests(store: Any) -> _Read:
    return [
        (group[counted], {"tier": tier, "result": result})
        for tier, group in store.get_detailed_statistics()["tiers"].items()
        for result, counted in (("hit", "hits"), ("miss", "misses"))
    ]


def _prefetched(store: Any) -> _Read:
    numbers = store.statistics
    return [
        (numbers.prefetch_hits, {"fate": "used"}),
        (numbers.prefetch_misses, {"fate": "wasted"}),
    ]


def _conflicts(store: Any) -> _Read:
    return [(store.statistics.consistency_conflicts, {})]


def _latency(store: Any) -> _Read:
    numbers = store.statistics
    return [
        (numbers.p50_latency_ms / 1e3, {"quantile": "0.5"}),
        (numbers.p99_latency_ms / 1e3, {"quantile": "0.99"}),
        (numbers.p999_latency_ms / 1e3, {"quantile": "0.999"}),
    ]
