"""Who may look at the live page, and what is kept from everybody."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrubjay import Cache, InvalidArgumentError
from scrubjay.web.access import Access, checked, is_loopback
from scrubjay.web.dashboard import Dashboard

pytestmark = pytest.mark.any_build

TOKEN = "a-token-nobody-guesses"


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRUBJAY_RUNTIME_DIR", str(tmp_path / "run"))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("localhost.example.org", False),
        ("", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org"])
def test_no_address_that_others_reach_is_served_without_a_token(host: str) -> None:
    with pytest.raises(InvalidArgumentError, match="token"):
        Dashboard(0, host)


@pytest.mark.parametrize("token", ["", "short", 7, "ä" * 20])
def test_a_token_must_be_hard_to_guess(token: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="token"):
        checked("127.0.0.1", token)


@pytest.mark.parametrize("port", [-1, 65_536, "80", True, 1.5])
def test_ports_that_make_no_sense(port: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="port"):
        Cache(max_entries=5).dashboard(port)


@given(peer=st.sampled_from(["127.0.0.1", "::1", "10.0.0.1"]), name=st.none() | st.text())
def test_without_a_token_both_ends_must_be_this_machine(peer: str, name: str | None) -> None:
    allowed = Access(None).allows(peer, name, "Bearer x", "")
    if allowed:
        assert peer != "10.0.0.1"
        assert name is not None
    for good in ("localhost", "localhost:8710", "127.0.0.1:1", "[::1]:8710"):
        assert Access(None).allows(peer, good, "", "") is (peer != "10.0.0.1")
    for bad in ("evil.example:8710", "127.0.0.1.evil.example", "evil.example", ""):
        assert not Access(None).allows(peer, bad, "", "")


@given(shown=st.text())
def test_only_the_token_itself_opens(shown: str) -> None:
    access = Access(TOKEN)
    if shown.strip() != TOKEN:
        assert not access.allows("127.0.0.1", "localhost", f"Bearer {shown}", f"token={shown}")
        assert not access.matches(shown)
    assert access.allows("10.0.0.1", "any.example", f"bearer {TOKEN}", "")
    assert access.allows("10.0.0.1", "any.example", "", f"a=b; scrubjay_token={TOKEN}")


# A real server


def ask(
    board: Dashboard, path: str, host: str = "127.0.0.1", method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(host, board.port, timeout=30)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


@pytest.fixture
def cache() -> Cache[Any, Any]:
    one: Cache[Any, Any] = Cache(max_entries=10, name="users")
    one.put("user:1", "the secret value", tags={"t"}, dependencies={"org:1"})
    return one


@pytest.fixture
def board(cache: Cache[Any, Any]) -> Iterator[Dashboard]:
    with cache.dashboard(0) as one:
        yield one


def own_address() -> str:
    """Return an address of this machine that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent
            address: str = probe.getsockname()[0]
        except OSError:
            address = "127.0.0.1"
    if is_loopback(address):
        pytest.skip("this machine has no address but loopback")
    return address


def test_a_request_without_the_token_from_another_address_is_refused(
    cache: Cache[Any, Any],
) -> None:
    address = own_address()
    with cache.dashboard(0, host="0.0.0.0", token=TOKEN) as board:
        for path in ("/", "/feed", "/overview", "/detail?cache=x", "/key?cache=x&key=user:1"):
            status, _, body = ask(board, path, address)
            assert status == 401, path
            assert b"users" not in body
        for bad in (f"/?token={TOKEN}x", "/?token="):
            assert ask(board, bad, address)[0] == 401
        assert ask(board, "/overview", address, Authorization=f"Bearer {TOKEN}")[0] == 200
        assert ask(board, "/overview")[0] == 401  # from loopback, too: it may be a proxy


def test_a_token_in_the_address_becomes_a_cookie_that_scripts_cannot_read(
    cache: Cache[Any, Any],
) -> None:
    with cache.dashboard(0, token=TOKEN) as board:
        status, headers, _ = ask(board, f"/?token={TOKEN}")
        assert (status, headers["Location"]) == (303, "/")
        cookie = headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert ask(board, "/", Cookie=cookie.partition(";")[0])[0] == 200


def test_a_page_from_elsewhere_gets_nothing_under_its_own_name(board: Dashboard) -> None:
    assert ask(board, "/overview", Host="evil.example")[0] == 401
    assert ask(board, "/overview", Host=f"localhost:{board.port}")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_changed(board: Dashboard, method: str) -> None:
    assert ask(board, "/overview", method=method)[0] == 501


def test_the_policy_lets_only_the_page_itself_run(board: Dashboard) -> None:
    status, headers, body = ask(board, "/")
    assert status == 200
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    for name in ("X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy"):
        assert headers[name]
    assert "Access-Control-Allow-Origin" not in headers
    for outside in (b"https://", b"//cdn", b"@import", b"innerHTML", b"eval("):
        assert outside not in body
    assert body.count(b"http://") == body.count(b"http://www.w3.org/2000/svg")


def test_what_is_told_has_no_value_in_it(board: Dashboard, cache: Cache[Any, Any]) -> None:
    rows = json.loads(ask(board, "/overview")[2])
    (identity,) = [row["id"] for row in rows]
    quoted = identity.replace("/", "%2F")
    detail = ask(board, f"/detail?cache={quoted}")[2]
    key = ask(board, f"/key?cache={quoted}&key=user:1")[2]
    assert json.loads(detail)["statistics"]["identity"]["name"] == "users"
    told = json.loads(key)
    assert told["where"] == ["memory"]
    assert (told["memory"]["tags"], told["memory"]["dependencies"]) == (["t"], ["org:1"])
    assert told["why"]
    for text in (detail, key):
        assert b"secret" not in text
    assert cache.statistics.total_requests == 0  # looking is no use


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/detail",
        "/detail?cache=1/x",
        "/key?cache=a/b&key=c",
        "/../etc/passwd",
        "/detail?cache=-1/x",
    ],
)
def test_what_is_not_there_is_not_found(board: Dashboard, path: str) -> None:
    assert ask(board, path)[0] == 404


def test_it_can_be_had_on_the_other_loopback_address(cache: Cache[Any, Any]) -> None:
    try:
        board = cache.dashboard(0, host="::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    with board:
        assert board.url == f"http://[::1]:{board.port}/"
        assert ask(board, "/overview", "::1")[0] == 200


def test_an_address_that_is_taken_is_told(cache: Cache[Any, Any]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            cache.dashboard(taken.getsockname()[1])
    assert not cache.events.wanted


def test_too_many_feeds_are_sent_away(board: Dashboard) -> None:
    taken = 0
    while board._server.feeds.acquire(blocking=False):
        taken += 1
    assert taken == 32
    assert ask(board, "/feed")[0] == 503


def test_the_feed_tells_at_once_and_again(board: Dashboard, cache: Cache[Any, Any]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", board.port, timeout=30)
    connection.request("GET", "/feed")
    answer = connection.getresponse()
    assert answer.getheader("Content-Type") == "text/event-stream"
    heard: list[int] = []
    while len(heard) < 2:
        line = answer.readline().decode()
        if line.startswith("data: [{"):
            heard.append(json.loads(line[6:])[0]["requests"])
            cache.get("user:1")
    assert heard[0] == 0
    assert heard[1] >= 1
    connection.close()


def test_caches_that_name_one_port_are_on_one_page(cache: Cache[Any, Any]) -> None:
    other: Cache[Any, Any] = Cache(max_entries=5, name="others")
    with cache.dashboard(0) as board:
        assert other.dashboard(board.port) is board
        names = {row["name"] for row in json.loads(ask(board, "/overview")[2])}
        assert names == {"users", "others"}
        with pytest.raises(InvalidArgumentError, match="token"):
            other.dashboard(board.port, token=TOKEN)
    assert board.closed
    board.close()  # once more does nothing


def test_a_closed_page_listens_to_nothing_any_more(cache: Cache[Any, Any]) -> None:
    with cache.dashboard(0) as board:
        (identity,) = [row["id"] for row in json.loads(ask(board, "/overview")[2])]
        ask(board, f"/detail?cache={identity.replace('/', '%2F')}")
        assert cache.events.wanted
        assert cache.gathers_advice
    assert not cache.events.wanted
    assert not cache.gathers_advice


def test_evidence_that_somebody_else_asked_for_is_left_alone(cache: Cache[Any, Any]) -> None:
    cache.advise()
    with cache.dashboard(0) as board:
        (identity,) = [row["id"] for row in json.loads(ask(board, "/overview")[2])]
        ask(board, f"/detail?cache={identity.replace('/', '%2F')}")
    assert cache.gathers_advice
