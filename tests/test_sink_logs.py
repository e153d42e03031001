"""What the log says, and how seldom."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from scrubjay import Cache, InvalidArgumentError, ManualClock
from scrubjay.events import Event, EventKind
from scrubjay.observe.sinks.logs import PROBLEMS, LoggingSink

pytestmark = pytest.mark.any_build


class Collecting(logging.Handler):
    """Keeps records, and lets a test wait for them."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self._more = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self._more:
            self.records.append(record)
            self._more.notify_all()

    def wait(self, count: int) -> list[logging.LogRecord]:
        with self._more:
            assert self._more.wait_for(lambda: len(self.records) >= count, 30)
        return self.records


@pytest.fixture
def handler() -> Iterator[Collecting]:
    one = Collecting()
    logger = logging.getLogger("test.scrubjay")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(one)
    yield one
    logger.removeHandler(one)


def watched(**options: Any) -> tuple[Cache[Any, Any], LoggingSink]:
    cache: Cache[Any, Any] = Cache(max_entries=5, name="users")
    return cache, LoggingSink("test.scrubjay", **options).watch(cache)


def test_a_failed_load_is_logged_without_its_key_or_what_the_error_says(
    handler: Collecting,
) -> None:
    cache, sink = watched()

    def load(key: str) -> str:
        raise TimeoutError("the password is swordfish")

    with pytest.raises(TimeoutError):
        cache.get_or_load("user:42", load)
    (record,) = handler.wait(1)
    assert record.levelno == logging.WARNING
    fields = record.scrubjay  # type: ignore[attr-defined]
    assert fields.pop("seconds") > 0
    assert fields == {
        "kind": "load_error",
        "cache": "users",
        "namespace": "user",
        "error": "TimeoutError",
    }
    message = record.getMessage()
    assert message.startswith("load_error cache=users namespace=user seconds=")
    assert "42" not in message.partition("seconds")[0]
    assert "swordfish" not in message
    sink.close()


def test_it_is_quiet_unless_asked(handler: Collecting) -> None:
    cache, sink = watched()
    for number in range(20):
        cache.get_or_load(number, lambda key: key)
    assert cache.events.wanted == PROBLEMS
    cache.events.publish(Event(EventKind.FULL, tier="disk", detail="no room"))
    (record,) = handler.wait(1)
    assert record.getMessage() == "full cache=users tier=disk detail='no room'"
    sink.close()


def test_one_a_second_is_enough_and_says_how_many_were_left_out(handler: Collecting) -> None:
    clock = ManualClock()
    cache, sink = watched(clock=clock.monotonic, kinds=["full", "discard"])
    for _ in range(10):
        cache.events.publish(Event(EventKind.FULL, tier="disk"))
    cache.events.publish(Event(EventKind.FULL, tier="redis"))
    cache.events.publish(Event(EventKind.DISCARD, tier="disk"))
    assert len(handler.wait(3)) == 3
    clock.advance(1.0)
    cache.events.publish(Event(EventKind.FULL, tier="disk"))
    last = handler.wait(4)[-1]
    assert last.getMessage() == "full cache=users tier=disk left_out=9"
    sink.close()


def test_nothing_is_remembered_of_a_cache_that_is_gone(handler: Collecting) -> None:
    sink = LoggingSink("test.scrubjay", kinds=["full"])
    for seen, name in enumerate(["tenant-0", "tenant-1", "tenant-0"], 1):
        cache: Cache[Any, Any] = Cache(max_entries=5, name=name)
        sink.watch(cache)
        cache.events.publish(Event(EventKind.FULL, tier="disk"))  # the first of its cache
        handler.wait(seen)
        del cache
        gc.collect()
    names = [record.scrubjay["cache"] for record in handler.records]  # type: ignore[attr-defined]
    assert names == ["tenant-0", "tenant-1", "tenant-0"]
    sink.close()


def test_what_is_logged_stays_one_line_that_can_be_read_back(handler: Collecting) -> None:
    cache, sink = watched(kinds=["stale_served"], keys=True)
    cache.events.publish(Event(EventKind.STALE_SERVED, "a\nb=c", detail="x y\n=z"))
    (record,) = handler.wait(1)
    message = record.getMessage()
    assert "\n" not in message
    assert message.endswith("detail='x y\\n=z'")
    assert record.levelno == logging.INFO
    sink.close()


def test_a_closed_sink_listens_no_more() -> None:
    cache, sink = watched()
    sink.close()
    assert not cache.events.wanted


@pytest.mark.parametrize("options", [{"kinds": ["nonsense"]}, {"kinds": 7}, {"interval": -1}])
def test_bad_arguments(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError):
        LoggingSink(**options)
