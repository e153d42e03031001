"""What Prometheus is told, read back by prometheus-client's own parser."""

from __future__ import annotations

import gc
import json
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("prometheus_client", reason="the extra prometheus is not installed")

from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from scrubjay import AdaptiveCache, Cache, InvalidArgumentError, RemovalCause, cached
from scrubjay.events import Event, EventKind
from scrubjay.observe.histogram import Histogram
from scrubjay.observe.sinks.prometheus import PrometheusSink
from scrubjay.tiers.memory import MemoryTier

pytestmark = pytest.mark.any_build


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def sink(registry: CollectorRegistry) -> Iterator[PrometheusSink]:
    one = PrometheusSink(registry)
    yield one
    one.close()


def samples(registry: CollectorRegistry) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = generate_latest(registry).decode()
    found: dict[Any, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            place = (sample.name, tuple(sorted(sample.labels.items())))
            assert place not in found, place
            found[place] = sample.value
    return found


def value(registry: CollectorRegistry, name: str, **labels: str) -> float:
    return samples(registry)[name, tuple(sorted(labels.items()))]


def test_figures_are_those_of_the_statistics(
    registry: CollectorRegistry, sink: PrometheusSink
) -> None:
    cache: Cache[Any, Any] = Cache(max_size_mb=1, max_entries=5, name="users")
    sink.watch(cache)
    for number in range(12):
        cache.get_or_load(number % 8, lambda key: key)
    with pytest.raises(ZeroDivisionError):
        cache.get_or_load("bad", lambda key: 1 // 0)
    cache.put("k", 1, tags={"t"})
    cache.invalidate_by_tags({"t"})
    report = cache.get_detailed_statistics()
    performance = report["performance"]
    assert performance["evictions"] > 0
    hits, misses = performance["cache_hits"], performance["cache_misses"]
    assert value(registry, "scrubjay_requests_total", cache="users", result="hit") == hits
    assert value(registry, "scrubjay_requests_total", cache="users", result="miss") == misses
    for cause in RemovalCause:
        removed = performance["removals_by_cause"][cause.value]
        assert (
            value(registry, "scrubjay_removals_total", cache="users", cause=cause.value) == removed
        )
    assert value(registry, "scrubjay_loads_total", cache="users", outcome="error") == 1
    assert (
        value(registry, "scrubjay_loads_total", cache="users", outcome="ok")
        == performance["loads"] - 1
    )
    assert value(registry, "scrubjay_entries", cache="users") == len(cache)
    assert value(registry, "scrubjay_entries_limit", cache="users") == 5
    assert value(registry, "scrubjay_tier_limit_bytes", cache="users", tier="memory") == 1 << 20
    assert value(registry, "scrubjay_tier_ok", cache="users", tier="memory") == 1
    waits = report["latency"]["waits"]["count"]
    assert value(registry, "scrubjay_wait_seconds_count", cache="users") == waits
    assert value(registry, "scrubjay_wait_seconds_bucket", cache="users", le="+Inf") == waits


def test_every_tier_has_its_own_figures(registry: CollectorRegistry, sink: PrometheusSink) -> None:
    cache: Cache[Any, Any] = Cache(
        max_entries=5, name="users", tiers=[MemoryTier(name="shared")], eviction_strategy="lru"
    )
    sink.watch(cache)
    cache.put_many({str(number): number for number in range(8)})
    for number in range(9):
        cache.get(str(number))
    report = cache.get_detailed_statistics()
    assert report["tiers"]["shared"]["hits"] > 0
    for tier, group in report["tiers"].items():
        for result, figure in (("hit", group["hits"]), ("miss", group["misses"])):
            labels = {"cache": "users", "tier": tier, "result": result}
            assert value(registry, "scrubjay_tier_requests_total", **labels) == figure
        assert (
            value(registry, "scrubjay_tier_writes_total", cache="users", tier=tier)
            == group["writes"]
        )
    hits = report["performance"]["cache_hits"]
    assert hits == sum(group["hits"] for group in report["tiers"].values()) == 8
    assert value(registry, "scrubjay_requests_total", cache="users", result="hit") == hits


def test_it_is_valid_openmetrics_too(registry: CollectorRegistry, sink: PrometheusSink) -> None:
    cache: Cache[Any, Any] = Cache(max_entries=5, name="users")
    sink.watch(cache)
    cache.events.publish(Event(EventKind.DEGRADED, tier="redis"))
    text = generate_openmetrics(registry).decode()
    names = {family.name for family in parse_openmetrics(text)}
    assert {"scrubjay_requests", "scrubjay_wait_seconds", "scrubjay_events"} <= names


def test_no_key_and_no_tag_is_a_label(registry: CollectorRegistry, sink: PrometheusSink) -> None:
    cache: Cache[Any, Any] = Cache(max_entries=5, name="users")
    sink.watch(cache)
    for number in range(9):
        cache.put(f"secret:{number}", "private", tags={"hush"})
        cache.get_or_load(f"whisper:{number}", lambda key: "quiet")
    cache.events.publish(Event(EventKind.OVERFLOW, "secret:1", tier="disk", detail="secret"))
    text = generate_latest(registry).decode()
    for word in ("secret", "private", "hush", "whisper", "quiet"):
        assert word not in text
    assert 'kind="overflow",tier="disk"' in text


def test_series_never_collide(registry: CollectorRegistry, sink: PrometheusSink) -> None:
    caches: list[Any] = [Cache(max_entries=5, name=name) for name in ("a", "a", None, None, "a-2")]
    sink.watch(*caches)
    sink.watch(caches[0])  # once more is once
    labels = {dict(place)["cache"] for name, place in samples(registry) if name.endswith("entries")}
    assert labels == {"a", "a-2", "cache", "cache-2", "a-2-2"}


def test_a_label_with_quotes_and_line_breaks_comes_back_as_it_was(
    registry: CollectorRegistry, sink: PrometheusSink
) -> None:
    name = 'a"\\\n{}=,b'
    cache: Cache[Any, Any] = Cache(max_entries=5, name=name)
    sink.watch(cache)
    assert value(registry, "scrubjay_entries", cache=name) == 0


def test_every_door_can_be_watched(registry: CollectorRegistry, sink: PrometheusSink) -> None:
    @cached(name="function", max_entries=5)
    def double(number: int) -> int:
        return number * 2

    door: AdaptiveCache[Any, Any] = AdaptiveCache(max_entries=5, name="door")
    sink.watch(door, double)
    double(1)
    assert value(registry, "scrubjay_requests_total", cache="function", result="miss") == 1
    assert value(registry, "scrubjay_entries", cache="door") == 0
    with pytest.raises(InvalidArgumentError, match="cache"):
        sink.watch({})


def test_a_sink_keeps_no_cache_alive(registry: CollectorRegistry, sink: PrometheusSink) -> None:
    cache: Cache[Any, Any] | None = Cache(max_entries=5, name="gone")
    sink.watch(cache)
    assert ("scrubjay_entries", (("cache", "gone"),)) in samples(registry)
    del cache
    gc.collect()
    assert ("scrubjay_entries", (("cache", "gone"),)) not in samples(registry)


def test_a_cache_that_is_gone_leaves_no_series(
    registry: CollectorRegistry, sink: PrometheusSink
) -> None:
    for number in range(3):
        cache: Cache[Any, Any] = Cache(max_entries=5, name=f"tenant-{number}")
        sink.watch(cache)
        cache.events.publish(Event(EventKind.FULL, tier="disk"))
        assert value(registry, "scrubjay_events_total", cache=cache.name, kind="full", tier="disk")
    del cache
    gc.collect()
    assert samples(registry) == {}


def test_a_closed_sink_listens_no_more(registry: CollectorRegistry) -> None:
    cache: Cache[Any, Any] = Cache(max_entries=5)
    sink = PrometheusSink(registry).watch(cache)
    assert cache.events.wanted
    sink.close()
    assert not cache.events.wanted
    assert generate_latest(registry) == b""


def test_rare_events_are_counted(registry: CollectorRegistry, sink: PrometheusSink) -> None:
    cache: Cache[Any, Any] = Cache(max_entries=5, name="users")
    sink.watch(cache)
    for _ in range(3):
        cache.events.publish(Event(EventKind.OVERFLOW, "k", tier="redis", amount=5))
    assert (
        value(registry, "scrubjay_events_total", cache="users", kind="overflow", tier="redis") == 15
    )


def test_cumulative_counts_of_a_histogram() -> None:
    durations = Histogram()
    for seconds in (1e-6, 1e-3, 1e-3, 0.5, 1e5):
        durations.record(seconds)
    assert durations.cumulative([1e-7, 1e-5, 1e-2, 1.0, 1e6]) == [0, 1, 3, 4, 4]


def test_the_dashboard_for_grafana_asks_for_what_there_is(
    registry: CollectorRegistry, sink: PrometheusSink
) -> None:
    cache: Cache[Any, Any] = Cache(1, max_entries=5, tiers=[MemoryTier(name="shared")])
    sink.watch(cache)
    cache.events.publish(Event(EventKind.FULL, tier="shared"))
    there = samples(registry)
    labels: dict[str, set[str]] = {}
    for name, place in there:
        labels.setdefault(name, set()).update(label for label, _ in place)
    board = json.loads((Path(__file__).parents[1] / "docs" / "grafana.json").read_text())
    asked: set[str] = set()
    for panel in board["panels"]:
        for target in panel["targets"]:
            for name in re.findall(r"scrubjay_\w+", target["expr"]):
                assert name in labels, (panel["title"], name)
                asked.add(name)
                for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
                    assert label in labels[name] | {"le"}, (panel["title"], label)
    told = {name.removesuffix("_count").removesuffix("_sum") for name in labels}
    assert {name for name in told if name.endswith("_total")} <= asked | {
        "scrubjay_tier_writes_total",
        "scrubjay_tier_demoted_total",
        "scrubjay_tier_lost_total",
    }
    assert board["templating"]["list"][1]["query"]["query"].startswith(
        "label_values(scrubjay_entries,"
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.mark.skipif(
    shutil.which("prometheus") is None,
    reason="there is no prometheus here (on Debian: the package of that name)",
)
def test_a_real_prometheus_scrapes_it(
    registry: CollectorRegistry, sink: PrometheusSink, tmp_path: Path
) -> None:
    cache: Cache[Any, Any] = Cache(max_entries=5, name="users")
    sink.watch(cache)
    for number in range(12):
        cache.get_or_load(number % 8, lambda key: key)
    server, thread = start_http_server(0, "127.0.0.1", registry)
    config = tmp_path / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\n"
        "scrape_configs: [{job_name: test, static_configs: [{targets: "
        f"['127.0.0.1:{server.server_port}']}}]}}]\n"
    )
    address = f"127.0.0.1:{free_port()}"
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address={address}",
    ]
    query = "sum by (result) (scrubjay_requests_total)"
    url = f"http://{address}/api/v1/query?" + urllib.parse.urlencode({"query": query})
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as running:
        try:
            end = time.monotonic() + 60
            found: list[Any] = []
            while not found:
                assert running.poll() is None
                assert time.monotonic() < end
                time.sleep(0.2)
                with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
                    found = json.load(answer)["data"]["result"]
        finally:
            running.kill()
            server.shutdown()
            server.server_close()
            thread.join()
    numbers = cache.statistics
    assert {each["metric"]["result"]: int(each["value"][1]) for each in found} == {
        "hit": numbers.cache_hits,
        "miss": numbers.cache_misses,
    }
