"""The checker of recorded histories, by hand; and short runs, with and without known bugs."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
from collections import Counter
from math import inf

import pytest

from scrubjay.errors import InvalidArgumentError, TierUnavailableError
from scrubjay.types import CacheConsistencyLevel
from scrubjay.verify import bugs
from scrubjay.verify.checker import check
from scrubjay.verify.findings import Findings
from scrubjay.verify.history import NO_TAG, Kind, Recorder
from scrubjay.verify.passing import Pass, Passes
from scrubjay.verify.register import Pauses
from scrubjay.verify.run import Result, verify
from scrubjay.verify.server import Server

pytestmark = pytest.mark.any_build

LEVELS = {level.value: number for number, level in enumerate(CacheConsistencyLevel)}
BOUND = 2.0


class History:
    """A history, written down as processes do."""

    def __init__(self, directory):
        self.directory = directory
        self.recorder = Recorder(directory, "0-1")
        self.session = 1000

    def put(self, start, end, version, value=None, *, session=0, kind=Kind.PUT, made=None,
            tag=NO_TAG, generation=0, expires=inf, key=1):  # fmt: skip
        value = version if value is None else value
        made = start if made is None else made
        self.begin(start, value, session=session, kind=kind, tag=tag, expires=expires, key=key)
        self.recorder.note(
            kind, 0, 0, session, key, tag, 0, start, end, made, version, value, expires, generation
        )

    def begin(self, start, value, *, session=0, kind=Kind.PUT, tag=NO_TAG, expires=inf, key=1):
        self.recorder.note(
            Kind.BEGUN, kind, 0, session, key, tag, 0, start, inf, start, 0, value, expires, 0
        )

    def delete(self, start, end, version, **more):
        self.put(start, end, version, 0, kind=Kind.DELETE, **more)

    def bump(self, start, end, generation, *, session=0, tag=0):
        self.put(start, end, generation, 0, kind=Kind.BUMP, session=session, tag=tag,
                 generation=generation, key=tag)  # fmt: skip

    def read(self, level, start, end, version, value=None, *, session=None, tag=NO_TAG,
             generation=0, expires=inf, key=1, made=0.0):  # fmt: skip
        if session is None:  # each its own, of a number that fits the level
            self.session += 4
            session = self.session + LEVELS[level]
        value = version if value is None else value
        kind = Kind.READ if value else Kind.MISS
        self.recorder.read(
            kind, LEVELS[level], 0, session, key, tag, 1, start, end, made, version, value,
            expires, generation,
        )  # fmt: skip

    def check(self):
        self.recorder.close()
        return check(self.directory, BOUND)

    def violations(self):
        return {name: count for name, count in self.check().violations.items() if count}


@pytest.fixture
def history(tmp_path):
    return History(tmp_path)


def of_level(level):
    """Return the number of a session of a level."""
    return 4 + LEVELS[level]


def test_a_history_in_which_all_is_well(history):
    history.put(1.0, 2.0, 10)
    history.read("strong", 1.5, 1.6, 10)  # while it is written
    history.read("strong", 1.7, 1.8, 10)
    history.put(3.0, 4.0, 20)
    history.read("strong", 3.1, 3.2, 10)
    history.read("strong", 3.3, 3.4, 20)
    history.read("eventual", 5.0, 5.1, 10)
    history.delete(6.0, 7.0, 30)
    history.read("strong", 8.0, 8.1, 30, 0)
    history.read("strong", 9.0, 9.1, 0, 0)
    found = history.check()
    assert found.violations == {}
    assert found.operations == 10
    assert found.reads == {"strong": 6, "eventual": 1}
    assert found.stale == {"eventual": 1}
    assert found.stalest["eventual"] == pytest.approx(1.0)
    assert found.staleness == {"up to 1000 ms": 1}
    assert found.unexplained_misses == 0


def test_a_strong_read_of_what_was_overtaken(history):
    history.put(1.0, 2.0, 10)
    history.put(3.0, 4.0, 20)
    history.read("strong", 4.001, 5.0, 10)
    assert history.violations() == {"strong": 1}


def test_two_strong_reads_out_of_order(history):
    history.put(1.0, 2.0, 10)
    history.put(3.0, 9.0, 20)
    history.read("strong", 4.0, 5.0, 20)
    history.read("strong", 5.1, 6.0, 10)
    assert history.violations() == {"strong": 1}


def test_a_strong_read_of_a_value_that_was_removed(history):
    history.put(1.0, 2.0, 10)
    history.delete(3.0, 4.0, 20)
    history.read("strong", 4.1, 5.0, 10)
    assert history.violations() == {"strong": 1}


def test_eventual_reads_are_bound(history):
    history.put(1.0, 2.0, 10)
    history.put(3.0, 4.0, 20)
    history.read("eventual", 5.9, 6.0, 10)
    history.read("eventual", 6.1, 6.2, 10)
    assert history.violations() == {"eventual": 1}


@pytest.mark.parametrize(("process", "found"), [(0, {}), (1, {"eventual": 1})])
def test_no_time_passes_for_a_process_that_stands_still(history, tmp_path, process, found):
    history.put(1.0, 2.0, 10)
    history.put(3.0, 4.0, 20)
    history.read("eventual", 7.0, 7.1, 10)
    history.recorder.close()
    pauses = Pauses({process: [(1.0, 4.5), (6.0, 9.0)]})
    assert check(tmp_path, BOUND, pauses).violations == found


@pytest.mark.parametrize(
    ("process", "level", "found"),
    [(0, "eventual", {}), (0, "strong", {"strong": 2}), (1, "eventual", {"eventual": 1})],
)
def test_nor_does_it_for_what_the_shared_tier_may_have_got(
    history, tmp_path, process, level, found
):
    history.begin(1.0, 5)
    history.put(3.0, 4.0, 20)
    history.read(level, 5.5, 5.6, 0, 5, made=1.0)
    history.read(level, 7.0, 7.1, 0, 5, made=1.0)
    history.recorder.close()
    pauses = Pauses({process: [(0.0, 3.5), (6.0, 9.0)]})
    assert check(tmp_path, BOUND, pauses).violations == found


@pytest.mark.parametrize("level", ["session", "monotonic"])
def test_a_session_that_does_not_read_what_it_wrote(history, level):
    mine = of_level(level)
    history.put(1.0, 2.0, 10)
    history.put(3.0, 4.0, 20, session=mine)
    history.read(level, 4.1, 4.2, 10)
    history.read(level, 4.1, 4.2, 10, session=mine)
    assert history.violations() == {level: 1}


def test_only_monotonic_sessions_must_not_go_back(history):
    history.put(1.0, 2.0, 10)
    history.put(3.0, 4.0, 20)
    for level in ("session", "monotonic"):
        history.read(level, 4.1, 4.2, 20, session=of_level(level))
        history.read(level, 4.3, 4.4, 10, session=of_level(level))
    assert history.violations() == {"monotonic": 1}


def test_a_load_that_supersedes_what_was_written_meanwhile(history):
    history.put(1.0, 2.0, 10)
    history.delete(5.0, 6.0, 20)
    history.put(3.0, 7.0, 30, kind=Kind.FILL, made=4.0)
    assert history.violations() == {"writes": 1}


def test_a_load_that_began_after_what_was_written(history):
    history.delete(5.0, 6.0, 20)
    history.put(3.0, 7.0, 30, kind=Kind.FILL, made=5.5)
    history.put(8.0, 9.0, 15, kind=Kind.FILL, made=4.0, key=2)
    assert history.violations() == {}


def test_a_load_with_a_generation_that_is_younger(history):
    history.bump(1.0, 2.0, 7)
    history.put(1.0, 9.0, 10, kind=Kind.FILL, made=3.0, tag=0, generation=7)
    history.bump(4.0, 5.0, 8)
    history.put(1.0, 9.0, 11, kind=Kind.FILL, made=3.0, tag=0, generation=8, key=2)
    assert history.violations() == {"writes": 1}


def test_strong_reads_of_what_a_tag_has_made_void(history):
    history.bump(0.1, 0.2, 7)
    history.put(1.0, 2.0, 10, tag=0, generation=7)
    history.bump(3.0, 4.0, 8)
    history.read("strong", 3.5, 3.6, 10, tag=0, generation=7)
    history.read("strong", 4.5, 4.6, 10, tag=0, generation=7)
    history.read("strong", 4.5, 4.6, 10, 0, tag=0, generation=8)
    assert history.violations() == {"strong": 1}


def test_values_that_nobody_wrote_or_that_share_a_version(history):
    history.put(1.0, 2.0, 10)
    history.read("eventual", 3.0, 3.1, 10, 99)
    history.read("eventual", 3.0, 3.1, 11, 98)
    assert history.violations() == {"writes": 3}


def test_a_value_read_before_it_was_written(history):
    history.put(4.0, 5.0, 10)
    history.read("eventual", 1.0, 2.0, 10)
    assert history.violations() == {"writes": 1}


def test_writes_with_versions_out_of_order(history):
    history.put(1.0, 2.0, 20)
    history.put(3.0, 4.0, 10)
    assert history.violations() == {"writes": 1}


def test_expired_values(history):
    history.put(1.0, 1.2, 10, expires=3.0)
    history.read("eventual", 2.9, 3.5, 10, expires=3.0)
    history.read("eventual", 3.2, 3.5, 10, expires=3.0)  # its time may have begun at 1.2
    history.read("eventual", 3.24, 3.5, 10, expires=3.0)  # or it was kept a little late
    history.read("eventual", 3.26, 3.6, 10, expires=3.0)
    assert history.violations() == {"eventual": 1}


def test_a_value_may_be_had_from_its_loading_while_that_has_no_end(history):
    history.begin(1.0, 77, kind=Kind.FILL)
    history.read("eventual", 1.0, 3.0, 0, 77, expires=1.5)  # who loads it; it was stored in vain
    history.read("eventual", 2.5, 3.0, 0, 77, expires=1.5)  # who waits for that
    assert not history.violations()


def test_but_not_after_somebody_has_had_it(history):
    history.begin(1.0, 77, kind=Kind.FILL)
    history.read("eventual", 3.1, 3.2, 0, 77, expires=1.5)
    history.read("eventual", 1.0, 3.0, 0, 77, expires=1.5)
    assert history.violations() == {"eventual": 1}


def test_a_write_whose_outcome_is_unknown_may_have_happened_or_not(history):
    history.put(1.0, 2.0, 10)
    history.begin(3.0, 77)
    history.read("strong", 4.0, 4.1, 10)
    history.read("strong", 5.0, 5.1, 20, 77)
    found = history.check()
    assert found.violations == {}
    assert found.indeterminate == 1


def test_and_if_it_was_seen_it_stays(history):
    history.put(1.0, 2.0, 10)
    history.begin(3.0, 77)
    history.read("strong", 4.0, 4.1, 20, 77)
    history.read("strong", 5.0, 5.1, 10)
    assert history.violations() == {"strong": 1}


@pytest.mark.parametrize(
    ("reason", "missing"),
    [("none", 1), ("removed", 0), ("expired", 0), ("void", 0), ("unknown", 0)],
)
def test_misses_without_a_reason_are_counted(history, reason, missing):
    history.put(
        1.0, 2.0, 10, tag=0 if reason == "void" else NO_TAG,
        expires=3.0 if reason == "expired" else inf,
    )  # fmt: skip
    if reason == "removed":
        history.delete(2.5, 9.0, 20)
    if reason == "void":
        history.bump(2.5, 9.0, 8)
    if reason == "unknown":
        history.begin(2.5, 0, kind=Kind.DELETE)
    history.read("strong", 4.0, 4.1, 0, 0)
    found = history.check()
    assert (found.unexplained_misses, found.violations) == (missing, {})


def test_what_a_kill_cut_off_is_left_out(history, tmp_path):
    history.put(1.0, 2.0, 10)
    for path in tmp_path.glob("*"):
        with path.open("ab") as file:
            file.write(b"half a line")
    assert history.check().operations == 1


def test_sessions_are_handed_on_once(tmp_path):
    passes = Passes(tmp_path)
    passes.give(Pass(3, "token"))
    draw = random.Random(1)
    assert Passes(tmp_path).take(draw) == Pass(3, "token")
    assert passes.take(draw) is None


@pytest.mark.parametrize(
    ("argument", "name"),
    [
        ({"bug": "none such"}, "bug"),
        ({"seconds": 0}, "seconds"),
        ({"processes": 0}, "processes"),
        ({"url": "unix:///somewhere"}, "url"),
        ({"url": "rediss://somewhere"}, "url"),
    ],
)
def test_arguments_that_make_no_sense(argument, name):
    with pytest.raises(InvalidArgumentError, match=name):
        verify(**argument)


def test_the_url_behind_a_proxy_keeps_who_asks(redis_server):
    with Server(f"redis://user:pass@127.0.0.1:{redis_server.port}/3") as server:
        assert server.behind(77) == "redis://user:pass@127.0.0.1:77/3"
        assert not server.stoppable
    with Server(redis_server.tcp_url) as server:
        assert server.version().partition(" ")[0] in {"Redis", "Valkey"}
        assert server.ask((b"PING",)) == "PONG" or server.ask((b"PING",)) == b"PONG"


# ---- runs

SECONDS = (3, 6, 12, 24, 48)  # of runs, until one has done enough: a busy machine does little


@pytest.mark.timeout(240)
@pytest.mark.parametrize("caches", [False, True])
def test_a_short_run_finds_nothing_wrong(redis_server, caches):
    for seconds in SECONDS[1:]:  # none has faults in its last 3.5 seconds
        result = verify(seconds=seconds, processes=3, seed=1, caches=caches)
        found = result.findings
        assert found.examples == []
        assert result.violations == 0
        if found.operations > 1000 and sum(result.faults.values()) >= 1:
            break
    else:
        pytest.fail("it has done too little")
    for level in CacheConsistencyLevel:
        assert found.reads[level.value]
        assert found.copies[level.value]
    assert all(found.by_kind[kind] for kind in ("put", "delete", "fill", "bump", "miss"))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("bug", bugs.BUGS)
def test_known_bugs_are_found(redis_server, bug):
    # What needs a cut takes longer than what happens all the time.
    tries = {"no-flush": (12, 30, 60), "forgotten-write": SECONDS}.get(bug, (1.5, *SECONDS))
    for attempt, seconds in enumerate(tries):
        result = verify(
            seconds=seconds, processes=3, bug=bug, seed=attempt, caches=bug == "disk-floor"
        )
        if result.violations:
            return
    pytest.fail("it was not found")


@pytest.mark.timeout(60)
def test_the_command(redis_server):
    command = [sys.executable, "-m", "scrubjay", "verify", redis_server.tcp_url]
    done = subprocess.run(
        [*command, "--seconds", "4", "--processes", "2", "--json", "--no-faults"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["violations"] == dict.fromkeys((*LEVELS, "writes"), 0)
    assert told["operations"] > 100
    bad = subprocess.run([*command, "--bug", "none"], capture_output=True, text=True, check=False)
    assert bad.returncode == 2
    assert "is not one of no-barrier" in bad.stderr


@pytest.mark.parametrize("cluster", [False, True])
def test_a_server_that_does_not_answer_is_no_success(cluster):
    with pytest.raises(TierUnavailableError, match="does not answer"):
        verify("redis://127.0.0.1:1", seconds=1, cluster=cluster)


def test_nor_is_one_that_refuses_who_asks(redis_server):
    with pytest.raises(TierUnavailableError, match="WRONGPASS"):
        verify(f"redis://somebody:wrong@127.0.0.1:{redis_server.port}", seconds=1)


@pytest.mark.parametrize("written", [0, 1])
def test_a_run_that_has_written_nothing_is_no_success(monkeypatch, capsys, written):
    typer = pytest.importorskip("typer")
    from scrubjay.verify.command import verify_command

    def run(*args, **options):
        findings = Findings()
        findings.by_kind["read"] = 100
        findings.by_kind["put"] = written
        return Result("Redis", 1.0, 0.0, 1, findings=findings)

    monkeypatch.setattr("scrubjay.verify.run.verify", run)
    if written:
        verify_command("redis://somewhere", as_json=True)
        return
    with pytest.raises(typer.Exit) as left:
        verify_command("redis://somewhere", as_json=True)
    assert left.value.exit_code == 1
    assert "nothing was verified" in capsys.readouterr().err


@pytest.mark.timeout(60)
def test_the_command_says_that_the_server_does_not_answer():
    command = [sys.executable, "-m", "scrubjay", "verify", "redis://127.0.0.1:1", "--seconds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "127.0.0.1:1 cannot be verified: it does not answer" in done.stderr
    assert not done.stdout


def test_what_people_are_told(history):
    pytest.importorskip("rich")
    from rich.console import Console

    from scrubjay.verify.report import print_result
    from scrubjay.verify.run import Result

    history.put(1.0, 2.0, 10)
    history.put(3.0, 4.0, 20)
    history.read("strong", 4.5, 4.6, 10)
    history.read("eventual", 4.5, 4.6, 10)
    history.read("strong", 4.7, 4.8, 0, 0)
    result = Result("Redis 9", 60.0, 1.0, 3, Counter({"cut": 2}), findings=history.check())
    console = Console(file=io.StringIO(), width=200)
    print_result(result, console)
    told = console.file.getvalue()
    assert "Redis 9: 3 processes, 60 s" in told
    assert "5 operations (2 put, 2 read, 1 miss)" in told
    assert "2 faults: 2 cut" in told
    assert "violation at strong: key 1: version 10 was read after 20" in told
    assert "1 strong reads missed what should have been there" in told
    assert told.rstrip().endswith("1 violations")


def test_the_command_lists_bugs():
    command = [sys.executable, "-m", "scrubjay", "verify", "--bug", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(bugs.BUGS)
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    assert list(json.loads(done.stdout)) == list(bugs.BUGS)
