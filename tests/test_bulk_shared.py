"""Several keys at once over a tier that nodes share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scrubjay import Cache, Layer
from scrubjay.codecs import KeyEncoder
from scrubjay.errors import EncodeError, InvalidArgumentError, TierUnavailableError
from scrubjay.testing import SharedMemory, SharedMemoryTier
from scrubjay.tiers import MemoryTier
from tests.door_helpers import Patient, opened, spin, wait


@pytest.fixture(params=["sync", "async"])
def make(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    with opened(request.param) as maker:
        yield maker


class Noting(SharedMemoryTier):
    """A connection that notes what is asked, and may be down."""

    def __init__(self, memory: SharedMemory) -> None:
        super().__init__(memory)
        self.calls: list[str] = []
        self.down = False

    def note(self, method: str) -> None:
        self.calls.append(method)
        if self.down:
            raise TierUnavailableError("it is down")

    def fetch(self, keys: Any, names: Any = ()) -> Any:
        self.note("fetch")
        return super().fetch(keys, names)

    async def afetch(self, keys: Any, names: Any = ()) -> Any:
        return self.fetch(keys, names)

    def delete(self, keys: Any) -> Any:
        self.note("delete")
        return super().delete(keys)

    async def adelete(self, keys: Any) -> Any:
        return self.delete(keys)


class Prompt(SharedMemoryTier):
    """A connection that reads what it is told while somebody waits for it, as real ones do."""

    def until_changed(self, watch: Any, seconds: float) -> bool:
        spin(lambda: self.deliver() or not watch.live)
        return True


@pytest.fixture(params=[False, True])
def node(request: pytest.FixtureRequest, make: Any) -> Callable[..., Any]:
    """Return a maker of nodes over one shared memory, perhaps with a tier between."""
    memory = SharedMemory()

    def made(**options: Any) -> Any:
        between = [MemoryTier(name="between")] if request.param else []
        tier = Noting(memory)
        cache = make(tiers=[*between, tier], **options)
        return cache, tier

    return made


def load(keys: list[Any]) -> dict[Any, Any]:
    return {key: f"loaded {key}" for key in keys}


def test_what_one_node_stores_the_others_read_at_once(node: Any) -> None:
    (one, _), (other, tier) = node(), node()
    assert one.put_many({"a": 1, "b": 2}, tags={"t"}) == 2
    one.put_many({"c": 3})
    assert other.get_many(["a", "b", "c", "d"]) == {"a": 1, "b": 2, "c": 3}
    assert tier.calls == ["fetch", "fetch"]  # the records, and the counters of their labels
    assert other.get_many(["a", "b", "c"]) == {"a": 1, "b": 2, "c": 3}
    assert len(tier.calls) == 2


def test_what_one_node_removes_the_others_lose(node: Any) -> None:
    (one, tier), (other, told) = node(), node()
    one.put_many({"a": 1, "b": 2, "c": 3})
    one.put_many({"d": 4}, tags={"t"})
    assert len(other.get_many(list("abcd"))) == 4
    one.invalidate_many(["a", "b"])
    one.invalidate_by_tags({"t"})
    assert tier.calls.count("delete") == 1
    told.deliver()
    spin(lambda: not any(key in other for key in "abd"))
    assert other.get_many(list("abcd")) == {"c": 3}


def test_what_is_loaded_is_there_for_all_nodes(node: Any) -> None:
    (one, told), (other, _) = node(), node()
    one.put("b", "there")
    assert one.get_many(["a", "b", "c"], load, tags={"t"}) == {
        "a": "loaded a",
        "b": "there",
        "c": "loaded c",
    }
    assert other.get_many(["a", "b", "c"]) == {"a": "loaded a", "b": "there", "c": "loaded c"}
    other.invalidate_by_tags({"t"})
    told.deliver()
    spin(lambda: "a" not in one)
    assert one.get_many(["a", "b", "c"]) == {"b": "there"}


def test_what_was_not_loaded_may_be_loaded_by_another_node_at_once(node: Any) -> None:
    (one, _), (other, _) = node(), node()
    assert one.get_many(["a", "b"], lambda keys: {}) == {}
    assert other.get_or_load("a", lambda key: 1) == 1
    assert other.get_many(["a", "b"], lambda keys: [2] * len(keys)) == {"a": 1, "b": 2}


def test_nodes_that_want_the_same_keys_load_each_once() -> None:
    memory = SharedMemory()
    loads: list[str] = []
    gate, begun = threading.Event(), threading.Event()

    def slow(keys: list[str]) -> dict[str, str]:
        loads.extend(keys)
        begun.set()
        wait(gate)
        return load(keys)

    with opened("sync") as maker:
        one, other = (maker(tiers=[Prompt(memory)]) for _ in range(2))
        first = Patient(one.get_many, ["a", "b"], slow)
        wait(begun)
        second = Patient(other.get_many, ["b", "c", "a"], slow)
        spin(lambda: "c" in loads)
        gate.set()
        assert first.result() == {"a": "loaded a", "b": "loaded b"}
        assert second.result() == {"b": "loaded b", "c": "loaded c", "a": "loaded a"}
        assert sorted(loads) == ["a", "b", "c"]


def test_an_invalidation_elsewhere_during_the_load_is_not_overwritten(node: Any) -> None:
    with opened("sync") as maker:
        memory = SharedMemory()
        one, other = (maker(tiers=[SharedMemoryTier(memory)]) for _ in range(2))

        def overtaken(keys: list[str]) -> dict[str, str]:
            other.invalidate_many(["b"])
            return load(keys)

        assert one.get_many(["a", "b"], overtaken) == {"a": "loaded a", "b": "loaded b"}
        assert other.get_many(["a", "b"]) == {"a": "loaded a"}
        assert one.get_many(["a", "b"]) == {"a": "loaded a"}


def test_sessions_read_what_they_wrote_on_other_nodes(node: Any) -> None:
    (one, _), (other, _) = (node(consistency_level="session") for _ in range(2))
    me = {"session_id": "me"}
    other.put_many({"a": 0, "b": 0})
    assert one.get_many(["a", "b"]) == {"a": 0, "b": 0}
    other.put_many({"a": 1}, context=me)
    one.session("me", other.session("me").token())
    assert one.get_many(["a", "b"], context=me) == {"a": 1, "b": 0}
    other.invalidate_many(["b"], context=me)
    one.session("me", other.session("me").token())
    assert one.get_many(["a", "b"], context=me) == {"a": 1}
    assert one.get_many(["b"], load, context=me) == {"b": "loaded b"}


def test_strong_reads_ask(node: Any) -> None:
    (one, _), (other, _) = node(), node()
    one.put_many({"a": 1, "b": 2})
    assert other.get_many(["a", "b"], consistency_level="strong") == {"a": 1, "b": 2}
    one.put_many({"a": 3})
    assert other.get_many(["a", "b"], consistency_level="strong") == {"a": 3, "b": 2}
    assert other.get_many(["c"], load, consistency_level="strong") == {"c": "loaded c"}


def test_nothing_is_stored_if_one_has_no_bytes(node: Any) -> None:
    one, _ = node()
    with pytest.raises(EncodeError):
        one.put_many({"a": 1, "b": object()})
    assert one.get_many(["a", "b"]) == {}


def test_without_the_tier_it_is_loaded_all_the_same(node: Any) -> None:
    one, tier = node()
    tier.down = True
    assert one.get_many(["a", "b"], load) == {"a": "loaded a", "b": "loaded b"}


def test_a_removal_that_nobody_was_told_of_is_an_error_unless_it_is_forgiven(node: Any) -> None:
    for level, forgiven in (("eventual", True), ("session", False)):
        one, tier = node(consistency_level=level)
        one.put_many({"a": 1, "b": 2})
        tier.down = True
        if forgiven:
            assert one.invalidate_many(["a", "b"]) == 2
        else:
            with pytest.raises(TierUnavailableError):
                one.invalidate_many(["a", "b"])
        assert "a" not in one
        assert "b" not in one
        tier.down = False
        assert one.get_many(["a", "b"]) == {}


def interrupted(keys: Any) -> Any:
    raise KeyboardInterrupt


@pytest.mark.parametrize("loader", [lambda keys: [1], lambda keys: 1, interrupted])
def test_a_loader_that_fails_in_any_way_lets_other_nodes_load(loader: Any) -> None:
    server = SharedMemory()
    cache: Cache[str, int] = Cache(max_entries=10, tiers=[Layer(SharedMemoryTier(server))])
    with pytest.raises((InvalidArgumentError, KeyboardInterrupt)):
        cache.get_many(["a", "b"], loader)
    with pytest.raises(KeyboardInterrupt):
        cache.get_or_load("c", interrupted)
    other, encode = SharedMemoryTier(server), KeyEncoder("default")
    for key in "abc":
        assert other.lease(encode(key), b"other", 60.0).token is not None
