"""What OpenTelemetry is told, received by its own in-memory exporters."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk", reason="opentelemetry-sdk is not installed")

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode, Tracer

from scrubjay import AdaptiveCache, Cache
from scrubjay.events import Event, EventKind
from scrubjay.observe.sinks.opentelemetry import OpenTelemetrySink
from scrubjay.tiers.memory import MemoryTier

pytestmark = pytest.mark.any_build


class Receiver:
    """An SDK whose exporters keep what they get."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader])
        self.sink = OpenTelemetrySink(self.meters, self.tracers)
        self.tracer: Tracer = self.tracers.get_tracer("test")

    def spans(self) -> dict[str, ReadableSpan]:
        spans = self.exporter.get_finished_spans()
        named = {span.name: span for span in spans}
        assert len(named) == len(spans)
        return named

    def metrics(self) -> dict[tuple[str, frozenset[tuple[str, Any]]], float]:
        data: Any = self.reader.get_metrics_data()
        return {
            (metric.name, frozenset(point.attributes.items())): point.value
            for metric in data.resource_metrics[0].scope_metrics[0].metrics
            for point in metric.data.data_points
        }


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    yield one
    one.sink.close()
    one.meters.shutdown()


def parent(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def test_a_load_is_a_span_below_its_request_and_above_what_the_loader_does(
    receiver: Receiver,
) -> None:
    cache: Cache[str, str] = Cache(max_entries=5, name="users")
    receiver.sink.watch(cache)

    def load(key: str) -> str:
        with receiver.tracer.start_as_current_span("query"):
            return key.upper()

    with receiver.tracer.start_as_current_span("request"):
        cache.get_or_load("user:1", load)
        with receiver.tracer.start_as_current_span("after"):
            pass
    spans = receiver.spans()
    assert set(spans) == {"request", "scrubjay.load", "query", "after"}
    request, loading = spans["request"].context, spans["scrubjay.load"].context
    assert parent(spans["scrubjay.load"]) == request.span_id
    assert parent(spans["query"]) == loading.span_id
    assert parent(spans["after"]) == request.span_id  # the context is as it was
    assert dict(spans["scrubjay.load"].attributes or {}) == {
        "scrubjay.cache": "users",
        "scrubjay.namespace": "user",
    }


def test_loads_within_loads_are_spans_within_spans(receiver: Receiver) -> None:
    cache: Cache[str, str] = Cache(max_entries=5)
    receiver.sink.watch(cache)

    def outer(key: str) -> str:
        return cache.get_or_load("inner:1", str.upper)

    cache.get_or_load("outer:1", outer)
    inner, outer_span = receiver.exporter.get_finished_spans()  # in the order of their ends
    assert inner.attributes is not None
    assert inner.attributes["scrubjay.namespace"] == "inner"
    assert parent(inner) == outer_span.context.span_id


def test_a_waiter_is_linked_to_the_load_of_another(receiver: Receiver) -> None:
    async def main() -> None:
        cache: AdaptiveCache[str, str] = AdaptiveCache(max_entries=5, name="users")
        receiver.sink.watch(cache)
        started, go = asyncio.Event(), asyncio.Event()

        async def load(key: str) -> str:
            with receiver.tracer.start_as_current_span("query"):
                started.set()
                await go.wait()
            return key

        async def ask(name: str) -> str:
            with receiver.tracer.start_as_current_span(name):
                return await cache.get_or_load("user:1", load)

        owner = asyncio.create_task(ask("owner"))
        await started.wait()
        waiter = asyncio.create_task(ask("waiter"))
        while not cache.sync._loads._flights.get("user:1")._callbacks[1:]:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0)
        go.set()
        assert await asyncio.gather(owner, waiter) == ["user:1", "user:1"]

    asyncio.run(main())
    spans = receiver.spans()
    assert set(spans) == {"owner", "waiter", "scrubjay.load", "query", "scrubjay.wait"}
    loading, waiting = spans["scrubjay.load"], spans["scrubjay.wait"]
    assert parent(loading) == spans["owner"].context.span_id
    assert parent(spans["query"]) == loading.context.span_id
    assert parent(waiting) == spans["waiter"].context.span_id
    assert [link.context.span_id for link in waiting.links] == [loading.context.span_id]
    assert loading.context.trace_id != waiting.context.trace_id
    assert not loading.links
    assert waiting.start_time is not None
    assert waiting.end_time is not None
    assert waiting.end_time > waiting.start_time


def test_a_plain_loader_in_a_worker_thread_is_below_its_load(receiver: Receiver) -> None:
    threads: list[threading.Thread] = []

    def load(key: str) -> str:
        threads.append(threading.current_thread())
        with receiver.tracer.start_as_current_span("query"):
            return key

    async def main() -> None:
        cache: AdaptiveCache[str, str] = AdaptiveCache(max_entries=5)
        receiver.sink.watch(cache)
        await cache.get_or_load("a", load)

    asyncio.run(main())
    assert threads[0] is not threading.main_thread()
    spans = receiver.spans()
    assert parent(spans["query"]) == spans["scrubjay.load"].context.span_id


def test_a_failed_load_is_a_failed_span_that_quotes_nothing(receiver: Receiver) -> None:
    cache: Cache[str, str] = Cache(max_entries=5)
    receiver.sink.watch(cache)

    def load(key: str) -> str:
        raise TimeoutError("the password is swordfish")

    with pytest.raises(TimeoutError):
        cache.get_or_load("a", load)
    span = receiver.spans()["scrubjay.load"]
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes["error.type"] == "TimeoutError"
    assert "swordfish" not in span.to_json()


def test_a_cancelled_load_ends_its_span(receiver: Receiver) -> None:
    cache: Cache[str, str] = Cache(max_entries=5)
    receiver.sink.watch(cache)

    def load(key: str) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.get_or_load("a", load)
    span = receiver.spans()["scrubjay.load"]
    assert span.attributes is not None
    assert span.attributes["scrubjay.cancelled"] is True


class Failing(MemoryTier):
    """A tier that takes nothing."""

    def put_many(self, records: Any) -> list[bool]:
        raise OSError("the password is swordfish")


@pytest.mark.parametrize("door", ["sync", "async"])
def test_calls_of_lower_tiers_are_spans_below_the_request(receiver: Receiver, door: str) -> None:
    tiers = [MemoryTier(name="near"), Failing(name="far")]
    if door == "sync":
        cache: Cache[str, str] = Cache(max_entries=5, name="users", tiers=tiers)
        receiver.sink.watch(cache)
        with receiver.tracer.start_as_current_span("request"):
            cache.get_or_load("user:1", str.upper)
    else:

        async def main() -> None:
            cache: AdaptiveCache[str, str] = AdaptiveCache(max_entries=5, name="users", tiers=tiers)
            receiver.sink.watch(cache)
            with receiver.tracer.start_as_current_span("request"):
                await cache.get_or_load("user:1", str.upper)

        asyncio.run(main())
    spans = receiver.exporter.get_finished_spans()
    (request,) = [span for span in spans if span.name == "request"]
    calls = [span for span in spans if span.name.startswith("scrubjay.tier.")]
    names = {(span.name, (span.attributes or {})["scrubjay.tier"]) for span in calls}
    assert {
        ("scrubjay.tier.get_many", "near"),
        ("scrubjay.tier.get_many", "far"),
        ("scrubjay.tier.put_many", "near"),
        ("scrubjay.tier.put_many", "far"),
    } <= names
    for span in calls:
        assert span.context.trace_id == request.context.trace_id
        assert span.parent is not None
        assert span.start_time is not None
        assert span.end_time is not None
        assert span.end_time >= span.start_time
        failed = (
            span.name.endswith("put_many") and (span.attributes or {})["scrubjay.tier"] == "far"
        )
        assert (span.status.status_code is StatusCode.ERROR) is failed
        assert "swordfish" not in span.to_json()


def test_a_call_of_a_tier_that_took_long_began_long_ago(receiver: Receiver) -> None:
    cache: Cache[str, str] = Cache(max_entries=5)
    receiver.sink.watch(cache)
    with receiver.tracer.start_as_current_span("request"):
        cache.events.publish(
            Event(EventKind.TIER_CALL, tier="disk", seconds=0.25, detail="get_many")
        )
        cache.events.publish(Event(EventKind.STALE_SERVED, "a:1", detail="the loader failed"))
    spans = receiver.spans()
    span, request = spans["scrubjay.tier.get_many"], spans["request"]
    assert span.start_time is not None
    assert span.end_time is not None
    assert 0.25 <= (span.end_time - span.start_time) / 1e9 < 30
    assert [event.name for event in request.events] == ["scrubjay.stale_served"]


def test_keys_are_told_only_where_asked_for() -> None:
    receiver = Receiver()
    sink = OpenTelemetrySink(receiver.meters, receiver.tracers, key_attribute=lambda key: key[:6])
    cache: Cache[str, str] = Cache(max_entries=5)
    sink.watch(cache)
    cache.get_or_load("user:42", str.upper)
    attributes = receiver.spans()["scrubjay.load"].attributes or {}
    assert attributes["scrubjay.key"] == "user:4"
    sink.close()
    receiver.meters.shutdown()


def test_metrics_are_those_of_the_statistics(receiver: Receiver) -> None:
    cache: Cache[Any, Any] = Cache(max_entries=5, name="users")
    receiver.sink.watch(cache)
    for number in range(12):
        cache.get_or_load(number % 8, lambda key: key)
    cache.get(11 % 8)
    numbers = cache.statistics
    metrics = receiver.metrics()

    def value(name: str, **attributes: Any) -> float:
        return metrics[name, frozenset({"scrubjay.cache": "users", **attributes}.items())]

    assert numbers.cache_hits > 0
    assert value("scrubjay.requests", result="hit") == numbers.cache_hits
    assert value("scrubjay.requests", result="miss") == numbers.cache_misses
    assert value("scrubjay.removals", cause="evicted") == numbers.evictions > 0
    assert value("scrubjay.loads", outcome="ok") == numbers.loads
    assert value("scrubjay.tier.requests", tier="memory", result="hit") == numbers.cache_hits
    assert value("scrubjay.entries") == 5
    assert value("scrubjay.latency", quantile="0.99") == numbers.p99_latency_ms / 1e3


def test_without_spans_nothing_is_listened_for() -> None:
    receiver = Receiver()
    sink = OpenTelemetrySink(receiver.meters, receiver.tracers, spans=False)
    cache: Cache[Any, Any] = Cache(max_entries=5)
    sink.watch(cache)
    assert not cache.events.wanted
    sink.close()
    receiver.meters.shutdown()
