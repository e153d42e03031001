"""Several nodes on one page, by what they leave in the tier that they share."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrubjay import Cache, InvalidArgumentError, Layer, ManualClock, Redis
from scrubjay.codecs import AesGcm, HmacSha256, Serializer
from scrubjay.testing import RedisCluster, RedisServer, SharedMemory, SharedMemoryTier
from scrubjay.tiers.memory import MemoryTier
from scrubjay.web import snapshots
from scrubjay.web.afar import nodes_on
from scrubjay.web.board import LIFE, SLOTS, Board
from scrubjay.web.gathering import Gatherer
from scrubjay.web.local import Local
from scrubjay.web.local import process as own
from scrubjay.web.nodes import Nodes
from scrubjay.web.publishing import Publisher
from scrubjay.web.shapes import fits

pytestmark = pytest.mark.any_build


class Idle(Publisher):
    """A publisher that takes a turn only when it is told to."""

    def _run(self) -> None:
        pass


class Node:
    """What a process has that takes part, without its threads."""

    def __init__(self, server: SharedMemory, name: str = "profiles", **options: Any) -> None:
        self.local = Local(f"{name}.py (1)")
        self.tier = SharedMemoryTier(server)
        self.cache: Cache[Any, Any] = Cache(
            max_entries=10, name=name, tiers=[Layer(self.tier)], clock=server.clock, **options
        )
        self.local.add(self.cache)
        self.publisher = Idle(self.local)
        self.nodes = Nodes(self.local._boards, server.clock.monotonic)
        self.nodes._thread = threading.Thread()  # nobody looks but the test

    def publish(self) -> Callable[[], None]:
        board = self.cache.node_board()
        assert board is not None
        end = self.publisher.add(self.cache, board)
        self.publisher.publish()
        return end

    def seen(self) -> dict[str, Any]:
        """Return what this node knows of others by now: their names and rows."""
        self.nodes.look()
        return {row["name"]: row for row in self.nodes.told()["rows"]}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def server(clock: ManualClock) -> SharedMemory:
    return SharedMemory(clock)


def test_a_node_sees_what_another_one_tells(server: SharedMemory) -> None:
    here, there = Node(server, "here"), Node(server, "there")
    for number in range(20):
        there.cache.get_or_load(f"user:{number % 7}", str.upper, tags={"team"})
    assert here.seen() == {}  # nobody tells unless he is asked to
    there.publish()
    row = here.seen()["there"]
    numbers = there.cache.statistics
    assert (row["requests"], row["hits"]) == (numbers.total_requests, numbers.cache_hits)
    assert row["process"].startswith("there.py (1) on ")
    assert row["node"] == there.local.node
    detail = here.nodes.detail(row["id"])
    assert detail is not None
    assert detail["id"] == row["id"]
    statistics = there.cache.get_detailed_statistics()
    assert detail["statistics"]["performance"] == statistics["performance"]
    assert detail["statistics"]["hot"]["tags"][0]["name"] == "team"
    assert detail["explanation"]["reason"] == there.cache.explain().reason


def test_telling_gathers_no_evidence_and_asks_nothing_of_the_cache(server: SharedMemory) -> None:
    here, there = Node(server), Node(server, "there")
    there.publish()
    assert not there.cache.gathers_advice
    detail = here.nodes.detail(next(iter(here.seen().values()))["id"])
    assert detail is not None
    assert detail["advice"] is None
    there.cache.advise()
    there.publisher.publish()
    detail = here.nodes.detail(here.seen()["there"]["id"])
    assert detail is not None
    assert detail["advice"] is not None  # it was gathered anyway
    assert there.cache.statistics.total_requests == 0


def test_what_is_told_no_more_is_gone_at_once_and_what_died_after_a_while(
    server: SharedMemory, clock: ManualClock
) -> None:
    here, polite, killed = Node(server, "here"), Node(server, "polite"), Node(server, "killed")
    end = polite.publish()
    killed.publish()
    assert set(here.seen()) == {"polite", "killed"}
    end()
    end()  # once more does nothing
    polite.publisher.publish()
    assert set(here.seen()) == {"killed"}
    clock.advance(LIFE - 1)
    assert here.seen()["killed"]["silent"] == LIFE - 1  # it is shown with its age
    clock.advance(1.5)
    assert here.seen() == {}


def test_a_node_that_goes_on_telling_stays(server: SharedMemory, clock: ManualClock) -> None:
    here, there = Node(server, "here"), Node(server, "there")
    there.publish()
    for _ in range(20):
        clock.advance(2)
        there.publisher.publish()
        assert here.seen()["there"]["silent"] == 0


def test_nodes_that_took_the_same_place_part(
    server: SharedMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, one, other = Node(server, "here"), Node(server, "one"), Node(server, "other")
    with monkeypatch.context() as patched:
        patched.setattr(Publisher, "_free_slot", staticmethod(lambda board: 5))
        one.publish()
        other.publish()  # it saw the place free, too
    assert set(here.seen()) == {"other"}
    one.publisher.publish()
    other.publisher.publish()
    assert set(here.seen()) == {"one", "other"}


def test_every_place_can_be_taken_and_no_more(
    server: SharedMemory, caplog: pytest.LogCaptureFixture
) -> None:
    here = Node(server, "here")
    nodes = [Node(server, f"node-{number}") for number in range(SLOTS + 1)]
    for node in nodes[:SLOTS]:
        node.publish()
    assert len(here.seen()) == SLOTS
    assert "which is the most" not in caplog.text
    nodes[SLOTS].publish()
    assert "which is the most" in caplog.text
    assert len(here.seen()) == SLOTS


def test_what_is_told_is_bounded(server: SharedMemory) -> None:
    here, there = Node(server, "here"), Node(server, "there")
    for number in range(10):
        name = os.urandom(60).hex()
        there.cache.put(name + ":" + str(number), 1, tags={os.urandom(60).hex() for _ in range(5)})
    there.publish()
    board = there.cache.node_board()
    assert board is not None
    bodies, _ = board.read()
    assert all(len(body) <= snapshots.MOST_BYTES for body in bodies.values())
    there.cache.put("b", 1, tags={"x" * 60_000, "y" * 60_000})  # they compress well
    there.publisher.publish()
    assert here.seen()["there"]["entries"] == 10
    assert here.nodes.told()["notices"] == []


def make_snapshot() -> snapshots.Snapshot:
    local = Local("program (1)")
    cache: Cache[Any, Any] = Cache(max_entries=10, name="profiles")
    label = local.add(cache)
    cache.get_or_load("a:1", str.upper, tags={"t"})
    cache.optimize()
    return snapshots.make("host", local.row(label, cache), local.detail(label))


def test_what_is_least_needed_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = make_snapshot()
    whole = len(snapshots.pack(snapshot))
    seen = []
    for bound in range(whole, 0, -20):
        monkeypatch.setattr(snapshots, "MOST_BYTES", bound)
        try:
            body = snapshots.pack(snapshot)
        except ValueError:
            break
        assert len(body) <= bound
        read = snapshots.unpack(body)
        assert read is not None
        assert read["row"]["requests"] == snapshot["row"]["requests"]
        detail = read["detail"]
        if detail is None:
            what = "row"
        elif not detail["statistics"]["hot"]["namespaces"]:
            what = "figures"
        elif not detail["rounds"]:
            what = "without rounds"
        else:
            what = "all"
        if what not in seen:
            seen.append(what)
    assert seen == ["all", "without rounds", "figures", "row"]
    assert snapshot == make_snapshot() | snapshot  # it was not changed


# What nobody should have written


STEP = ("factor", "memory", "miss_ratio", "bound", "hits")


def spoiled(change: Callable[[Any], Any]) -> bytes:
    snapshot: Any = json.loads(json.dumps(make_snapshot()))
    change(snapshot)
    return zlib.compress(json.dumps(snapshot).encode())


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found.update(format=2),
        lambda found: found.pop("row"),
        lambda found: found["row"].pop("tiers"),
        lambda found: found["row"].update(tiers={}),
        lambda found: found["row"].update(requests="many"),
        lambda found: found["row"].update(p50_ms=float("nan")),
        lambda found: found["row"].update(node="12"),
        lambda found: found["row"].update(requests=10**400),
        lambda found: found["row"].update(removals={}),
        lambda found: found["detail"].update(
            advice={"reason": "", "in_bytes": True, "steps": [dict.fromkeys(STEP, 1)]}
        ),
        lambda found: found["row"].update(node="n../../../etc/pass"),
        lambda found: found["detail"].update(slowest=[1]),
        lambda found: found.update(more=[{} for _ in range(5000)]),  # 2 KB, and 400 KB in memory
        lambda found: found.update(more="x" * 65536),
        lambda found: found["detail"]["statistics"].pop("performance"),
        lambda found: found["detail"]["statistics"]["memory"].update(max_size_mb=[]),
    ],
)
def test_what_has_another_shape_is_not_shown(change: Callable[[Any], Any]) -> None:
    assert snapshots.unpack(spoiled(lambda found: None)) is not None
    assert snapshots.unpack(spoiled(lambda found: found.update(more=1))) is not None
    assert snapshots.unpack(spoiled(change)) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        zlib.compress(b"{"),
        zlib.compress(b"[]"),
        zlib.compress(b'"row"'),
        zlib.compress(b"[" * 100_000),
        zlib.compress(b"1e999"),
        zlib.compress(b" " * 10_000_000),  # a bomb
        zlib.compress(b"{}")[:-3],
    ],
)
def test_nonsense_is_not_shown(body: bytes) -> None:
    assert snapshots.unpack(body) is None


@pytest.mark.parametrize("evil", ["\x1b]0;mine\x07\x1b[2J", "\ud800", "\u202e", "\n\x7f\x9b"])
def test_no_text_tells_a_terminal_what_to_do(evil: str) -> None:
    def change(found: Any) -> None:
        found["host"] = found["row"]["name"] = found["detail"]["explanation"]["reason"] = evil
        found["detail"]["statistics"]["performance"]["removals_by_cause"][evil] = 1

    snapshot = snapshots.unpack(spoiled(change))
    assert snapshot is not None
    detail = snapshot["detail"]
    assert detail is not None
    assert "\ufffd" in snapshot["row"]["id"]
    assert snapshot["row"]["id"].isprintable()
    assert snapshot["row"]["process"].isprintable()
    assert detail["explanation"]["reason"].isprintable()
    assert all(map(str.isprintable, detail["statistics"]["performance"]["removals_by_cause"]))


@given(st.binary(max_size=200))
def test_whatever_is_there_it_raises_nothing(body: bytes) -> None:
    assert snapshots.unpack(body) is None
    assert snapshots.unpack(zlib.compress(body)) is None


class Inner(TypedDict):
    names: list[str]


class Outer(TypedDict):
    inner: Inner | None
    numbers: dict[str, float]
    anything: Any


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"inner": None, "numbers": {}, "anything": {}}, True),
        ({"inner": {"names": ["a"]}, "numbers": {"a": 1, "b": 1.5}, "anything": None}, True),
        ({"inner": None, "numbers": {}, "anything": 1, "more": 2}, True),
        ({"inner": None, "numbers": {}}, False),
        ({"inner": {"names": "a"}, "numbers": {}, "anything": 1}, False),
        ({"inner": {"names": [1]}, "numbers": {}, "anything": 1}, False),
        ({"inner": None, "numbers": {"a": True}, "anything": 1}, False),
        ({"inner": None, "numbers": [], "anything": 1}, False),
        (None, False),
    ],
)
def test_shapes(value: Any, expected: bool) -> None:
    assert fits(value, Outer) is expected


def test_what_cannot_be_read_is_counted(server: SharedMemory) -> None:
    here = Node(server, "here")
    there = Node(server, "there", serializer=Serializer(encrypt=AesGcm({1: b"k" * 32})))
    there.publish()
    assert here.seen() == {}
    (notice,) = here.nodes.told()["notices"]
    assert "1 cannot be read" in notice
    friend = Node(server, "friend", serializer=Serializer(encrypt=AesGcm({1: b"k" * 32})))
    assert set(friend.seen()) == {"there"}


def test_values_of_any_codec_can_be_told_beside(server: SharedMemory) -> None:
    serializer = Serializer(type=int, schema=7, sign=HmacSha256({1: b"k" * 32}))
    here, there = (Node(server, name, serializer=serializer) for name in ("here", "there"))
    there.cache.put("a", 1)
    there.publish()
    assert here.seen()["there"]["entries"] == 1


def test_namespaces_and_tenants_are_apart(server: SharedMemory) -> None:
    here, there = Node(server, "here"), Node(server, "there", tenant="acme")
    there.publish()
    assert here.seen() == {}
    assert here.nodes.told()["notices"] == []


def test_telling_changes_nothing_that_the_cache_has(server: SharedMemory) -> None:
    there = Node(server, "there")
    there.cache.put("a", 1)
    marks = copy.copy(server.marks)
    there.publish()
    assert server.marks == marks
    there.cache.clear()  # takes what was told away, too, until the next turn
    there.publisher.publish()
    assert set(Node(server, "here").seen()) == {"there"}


def test_a_tier_that_is_away_hides_no_local_cache(
    server: SharedMemory, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    here, there = Node(server, "here"), Node(server, "there")
    there.publish()
    gatherer = Gatherer(here.local, machine=False)
    gatherer._nodes = [here.nodes]
    here.nodes.look()
    gatherer.look()
    assert {row["name"] for row in gatherer.rows()} == {"here", "there"}
    assert gatherer.notices() == []
    here.tier.reachable = there.tier.reachable = False
    here.cache.get("a")
    there.publisher.publish()
    there.publisher.publish()
    assert caplog.text.count("other nodes are not told") == 1
    clock.advance(LIFE + 1)
    here.nodes.look()
    gatherer.look()
    (row,) = gatherer.rows()
    assert (row["name"], row["requests"]) == ("here", 1)
    (notice,) = gatherer.notices()
    assert "cannot be reached" in notice
    here.tier.reachable = there.tier.reachable = True
    there.publisher.publish()
    here.nodes.look()
    gatherer.look()
    assert {row["name"] for row in gatherer.rows()} == {"here", "there"}
    assert gatherer.notices() == []


def test_what_is_here_is_not_shown_twice(server: SharedMemory) -> None:
    here = Node(server, "here")
    here.publish()
    gatherer = Gatherer(here.local, machine=False)
    gatherer._nodes = [here.nodes]
    here.nodes.look()
    gatherer.look()
    (row,) = gatherer.rows()
    assert row["id"] == f"{os.getpid()}/here"


def test_a_cache_of_another_node_has_its_detail_and_no_keys(server: SharedMemory) -> None:
    here, there = Node(server, "here"), Node(server, "there")
    there.publish()
    gatherer = Gatherer(here.local, machine=False)
    gatherer._nodes = [here.nodes]
    here.nodes.look()
    gatherer.look()
    (identity,) = [row["id"] for row in gatherer.rows() if row["name"] == "there"]
    assert gatherer.detail(identity)["statistics"]["identity"]["name"] == "there"
    assert "own machine" in gatherer.inspect(identity, "a")["elsewhere"]
    assert len(gatherer.samples(identity)) == 1
    gatherer.look()
    assert len(gatherer.samples(identity)) == 1  # the same snapshot is no second sample


def test_nobody_looks_where_nothing_is_shared() -> None:
    local = Local("here (1)")
    local.add(Cache[Any, Any](max_entries=5))
    assert local.nodes.told(wait=60) == {"rows": [], "notices": []}
    assert local.nodes._thread is None


def test_a_thread_that_cannot_be_started_leaves_nothing_behind(
    server: SharedMemory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SCRUBJAY_RUNTIME_DIR", str(tmp_path / "r"))
    node = Node(server)

    def fail(cache: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("scrubjay.web.exposing.publish", fail)
    before = len(own.local)
    with pytest.raises(RuntimeError, match="new thread"):
        node.cache.expose(nodes=True)
    assert len(own.local) == before


def test_only_a_cache_on_a_shared_tier_can_tell_other_nodes() -> None:
    for options in ({}, {"tiers": [MemoryTier()]}):
        cache: Cache[Any, Any] = Cache(max_entries=5, **options)
        with pytest.raises(InvalidArgumentError, match="no tier that nodes share"):
            cache.expose(nodes=True)
        assert not cache.events.wanted


def test_a_publisher_keeps_no_cache_alive(server: SharedMemory) -> None:
    there = Node(server, "there")
    there.publish()
    assert there.publisher._posts
    there.local.remove(there.cache)  # it may be looked at no more
    there.publisher.publish()
    assert not there.publisher._posts


def test_a_closed_cache_is_told_of_no_more(server: SharedMemory) -> None:
    there = Node(server, "there")
    there.publish()
    there.tier.close()
    there.publisher.publish()
    assert not there.publisher._posts


def test_a_board_is_apart_from_the_keys_of_its_namespace(server: SharedMemory) -> None:
    node = Node(server)
    board = node.cache.node_board()
    assert isinstance(board, Board)
    lower = node.cache._stack.lower  # type: ignore[union-attr]
    for key in ("!node:0", "node:0", b"!node:0", ("!node", 0)):
        assert lower.name_of(key) not in board._names


# The real thing


CHILD = """
import sys
from scrubjay import Cache, Redis
cache = Cache(max_entries=100, name=sys.argv[2], tiers=[Redis(sys.argv[1])], namespace="shop")
for number in range(7):
    cache.get_or_load(f"user:{number}", str.upper)
end = cache.expose(nodes=True)
print("ready", flush=True)
for line in sys.stdin:
    if line == "end\\n":
        end()
        print("ended", flush=True)
    else:
        cache.get("user:1")
        print("asked", flush=True)
"""


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    if RedisServer.program() is None:
        if os.environ.get("CI"):
            pytest.fail("there is no redis-server")
        pytest.skip("neither redis-server nor valkey-server is installed")
    with RedisServer(tmp_path_factory.mktemp("r")) as one:
        yield one


@contextmanager
def process(url: str, name: str, place: Path) -> Iterator[Callable[[str], None]]:
    """Run a process with a cache; what is yielded has it do something and waits for it."""
    environment = {**os.environ, "SCRUBJAY_RUNTIME_DIR": str(place)}
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, url, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"

        def do(what: str) -> None:
            assert running.stdin is not None
            assert running.stdout is not None
            running.stdin.write(f"{what}\n")
            running.stdin.flush()
            running.stdout.readline()

        try:
            yield do
        finally:
            running.kill()


def look_until(gatherer: Gatherer, done: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Look again and again until the rows, by name, are as they should be."""
    rows: dict[str, Any] = {}
    waiting = threading.Event()
    for _ in range(300):
        gatherer.look()
        rows = {row["name"]: row for row in gatherer.rows()}
        if done(rows):
            return rows
        waiting.wait(0.1)
    raise AssertionError((rows, gatherer.notices()))


def test_nodes_on_a_cluster_are_seen_from_afar(redis_cluster: RedisCluster) -> None:
    with Cache[Any, Any](
        max_entries=10, name="there", tiers=[Redis(redis_cluster.url, cluster=True)]
    ) as cache:
        local = Local("there.py (1)")
        local.add(cache)
        publisher = Idle(local)
        board = cache.node_board()
        assert board is not None
        publisher.add(cache, board)
        nodes = nodes_on(redis_cluster.url, "default", cluster=True)
        nodes._thread = threading.Thread()  # nobody looks but the test
        ((_, afar),) = nodes._boards()
        with closing(afar._tier):
            rows = []
            for _ in range(30):  # on a busy machine no answer may come within a second
                publisher.publish()
                nodes.look()
                if rows := nodes.told()["rows"]:
                    break
            assert [row["name"] for row in rows] == ["there"]


@pytest.mark.parametrize("command", ["top", "dashboard"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--redis", "http://localhost"], "url:"),
        (["--redis", "redis://localhost:1", "--namespace", ""], "namespace"),
    ],
)
def test_a_server_that_makes_no_sense_is_refused(
    command: str, options: list[str], message: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scrubjay", command, *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no Unix sockets")
def test_machines_that_share_a_redis_are_on_one_page(
    redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each runtime directory stands for a machine: processes of two do not find each other.
    here, there = tmp_path / "h", tmp_path / "t"
    monkeypatch.setenv("SCRUBJAY_RUNTIME_DIR", str(here))
    with process(redis.url, "near", here) as near, process(redis.url, "far", there) as far:
        gatherer = Gatherer(None)
        rows = look_until(gatherer, lambda rows: set(rows) == {"near", "far"})
        assert rows["far"]["loads"] + rows["near"]["loads"] == 7  # the second found them in Redis
        assert " on " in rows["far"]["process"]
        assert " on " not in rows["near"]["process"]
        before = rows["far"]["requests"]
        far("ask")
        rows = look_until(gatherer, lambda rows: rows["far"]["requests"] > before)
        detail = gatherer.detail(rows["far"]["id"])
        assert detail["statistics"]["performance"]["total_requests"] == before + 1
        told = subprocess.run(
            [sys.executable, "-m", "scrubjay", "top", "--json"],
            capture_output=True,
            text=True,
            check=True,
        )
        printed = {each["name"]: each for each in json.loads(told.stdout)["caches"]}
        assert printed["far"]["detail"]["statistics"]["identity"]["name"] == "far"
        monkeypatch.setenv("SCRUBJAY_RUNTIME_DIR", str(tmp_path / "nobody"))
        command = [sys.executable, "-m", "scrubjay", "top", "--json", "--redis", redis.url]
        for namespace, expected in (("shop", {"near", "far"}), ("other", set())):
            told = subprocess.run(
                [*command, "--namespace", namespace], capture_output=True, text=True, check=True
            )
            names = {each["name"] for each in json.loads(told.stdout)["caches"]}
            assert names == expected  # from a machine without any of them
        monkeypatch.setenv("SCRUBJAY_RUNTIME_DIR", str(here))
        redis.kill()
        look_until(gatherer, lambda rows: bool(gatherer.notices()))
        near("ask")
        rows = look_until(gatherer, lambda rows: rows["near"]["requests"] == 8)
        assert "far" in rows  # for a while, with its age
        redis.start()
        rows = look_until(
            gatherer,
            lambda rows: not gatherer.notices() and rows.get("far", {}).get("silent", 9) < 2.5,
        )
        far("end")
        look_until(gatherer, lambda rows: set(rows) == {"near"})
