"""`scrubjay record`: a program runs as it would without, and its caches are recorded."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap

import pytest

from scrubjay.lab import read_trace
from scrubjay.lab.recording import Counts, count_rows

pytestmark = pytest.mark.any_build

pytest.importorskip("typer")

USES_A_CACHE = """
import sys
from scrubjay import Cache

cache = Cache(max_entries=50)
for number in range(300):
    cache.get_or_load(number % 30, str)
"""


@pytest.fixture
def record(tmp_path):
    """Write a program and run it under `scrubjay record` in a directory of its own."""

    def record(program, *arguments, options=("--sample", "1"), name="app.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(program))
        return start(*options, name, *arguments)

    def start(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "scrubjay", "record", *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    record.start = start
    return record


def test_a_program_is_recorded(record, tmp_path):
    done = record(USES_A_CACHE + "print(sys.argv, __name__, sys.path[0])", "--sample", "x")
    assert done.returncode == 0
    # Its arguments are its own, and so is standard output.
    assert done.stdout == f"['app.py', '--sample', 'x'] __main__ {tmp_path}\n"
    path = tmp_path / "traffic.rec"
    assert len(read_trace(path)) == 300
    assert count_rows(path) == Counts(hits=270, misses=30, stores=30)
    for words in ("traffic.rec", "300", "90.00%", "330"):
        assert words in done.stderr


def test_a_program_may_go_to_another_directory(record, tmp_path):
    (tmp_path / "else").mkdir()
    program = (
        USES_A_CACHE + "import os; os.chdir('else'); later = Cache(max_entries=9); later.get(1)"
    )
    done = record(program, options=("--sample", "1", "--json"))
    told = json.loads(done.stdout)
    assert told["failures"] == []
    assert [row["file"] for row in told["recordings"]] == ["traffic.rec", "traffic.2.rec"]
    for row in told["recordings"]:
        assert len(read_trace(tmp_path / row["file"])) == row["requests"] > 0


def test_what_was_recorded_is_told_as_json_in_the_last_line(record, tmp_path):
    program = USES_A_CACHE + "Cache(max_entries=5, name='idle')\nprint('of the program')"
    done = record(program, options=("--sample", "1", "--json"))
    assert (done.returncode, done.stderr) == (0, "")
    first, last = done.stdout.splitlines()
    assert first == "of the program"
    assert json.loads(last) == {
        "sample": 1.0,
        "recordings": [
            {
                "file": "traffic.rec",
                "cache": "1",
                "requests": 300,
                "hits": 270,
                "rows": 330,
                "dropped": 0,
            }
        ],
        "empty": 1,
        "left_out": 0,
        "failures": [],
    }
    closing = record("import sys; sys.stdout.close()", options=("--json",))
    assert "Traceback" not in closing.stderr


def test_a_sample_under_a_secret(record, tmp_path):
    (tmp_path / "secret").write_text("s" * 64 + "\n")
    options = ["--sample", "0.5", "--secret-file", "secret", "-o"]
    record(USES_A_CACHE, options=[*options, "a.recording"])
    record(USES_A_CACHE, options=[*options, "b.recording"])
    one, two = (read_trace(tmp_path / name) for name in ("a.recording", "b.recording"))
    assert one.sample == 0.5
    assert 0 < one.unique_keys < 30
    # Which keys are in the sample depends on their hashes; what they are written as does not.
    assert set(one.keys) == set(two.keys)


@pytest.mark.parametrize(
    ("ending", "status", "message"),
    [
        ("sys.exit(7)", 7, ""),
        ("sys.exit('that is all')", 1, "that is all"),
        ("sys.exit()", 0, ""),
        ("raise ValueError('bad day')", 1, "ValueError: bad day"),
        ("raise KeyboardInterrupt", 130, "KeyboardInterrupt"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", 143, ""),
        ("import click; raise click.ClickException('mine')", 1, "mine"),
    ],
)
def test_the_status_is_passed_on_and_the_file_is_closed(record, tmp_path, ending, status, message):
    done = record(USES_A_CACHE + ending + "\n")
    assert done.returncode == status
    assert message in done.stderr
    assert count_rows(tmp_path / "traffic.rec").requests == 300
    assert "90.00%" in done.stderr
    for ours in ("runpy", "programs.py", "typer"):
        assert ours not in done.stderr


def test_an_error_in_the_program_is_shown_as_python_shows_it(record, tmp_path):
    program = "def fail():\n    raise ValueError('bad day')\nfail()\n"
    done = record(program)
    plain = subprocess.run(
        [sys.executable, "app.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    traceback = done.stderr.partition("nothing was recorded")[0]
    # A path may be written in full or not.
    assert traceback.replace(f"{tmp_path}/", "") == plain.stderr.replace(f"{tmp_path}/", "")
    assert not (tmp_path / "traffic.rec").exists()


@pytest.mark.usefixtures("interruptible")
def test_it_may_be_interrupted(record, tmp_path):
    (tmp_path / "app.py").write_text(USES_A_CACHE + "print('on', flush=True)\ninput()\n")
    with subprocess.Popen(
        [sys.executable, "-m", "scrubjay", "record", "--sample", "1", "app.py"],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout.readline() == "on\n"
        running.send_signal(signal.SIGINT)
        _, err = running.communicate()
    assert running.returncode == 130
    assert "90.00%" in err
    assert count_rows(tmp_path / "traffic.rec").requests == 300


def test_each_cache_has_a_file(record, tmp_path):
    done = record("""
        import threading
        from scrubjay import AdaptiveCache, Cache, cached

        caches = [Cache(max_entries=9, name=name) for name in ("a/b", "users", "users")]
        caches += [AdaptiveCache(max_entries=9, name="async").sync, Cache(max_entries=9)]

        @cached(max_entries=9)
        def double(number):
            return 2 * number

        Cache(max_entries=9, name="idle")

        def late():
            for size, cache in enumerate(caches, 1):
                for number in range(size):
                    cache.get(number)
            for number in range(20):
                double(number)

        threading.Thread(target=late).start()
    """)
    assert done.returncode == 0
    found = {path.name: count_rows(path).requests for path in tmp_path.glob("*.rec")}
    assert found == {
        "traffic.a_b.rec": 1,
        "traffic.users.rec": 2,
        "traffic.users.2.rec": 3,
        "traffic.async.rec": 4,
        "traffic.rec": 5,
        "traffic.2.rec": 20,
    }
    assert "1 caches without a request" in done.stderr


def test_what_cannot_be_recorded_is_told_and_stops_nothing(record, tmp_path):
    (tmp_path / "traffic.users.rec").mkdir()
    done = record("""
        import os
        from scrubjay import Cache

        Cache(max_entries=9, name="users").get(1)
        lost = Cache(max_entries=9, name="lost")
        lost.get(1)
        os.remove("traffic.lost.rec")
        caches = [Cache(max_entries=9) for _ in range(101)]
        caches[0].get(1)
        print("done")
    """)
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert "traffic.users.rec: [Errno 21]" in done.stderr
    assert "No such file" in done.stderr
    assert "98 caches without a request" in done.stderr
    assert "2 caches after the first 100 were not recorded" in done.stderr
    assert {path.name for path in tmp_path.glob("*.rec")} == {"traffic.rec", "traffic.users.rec"}


def test_children_are_not_recorded(record, tmp_path):
    done = record("""
        import os, sys
        from scrubjay import Cache

        cache = Cache(max_entries=9)
        cache.get(1)
        child = os.fork()
        if not child:
            Cache(max_entries=9, name="child").get(1)
            cache.get(2)
            sys.exit(3)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """)
    assert (done.returncode, done.stdout) == (0, "3\n")
    assert [path.name for path in tmp_path.glob("*.rec")] == ["traffic.rec"]
    assert count_rows(tmp_path / "traffic.rec").requests == 1
    assert done.stderr.count("Recorded") == 1


def test_a_module(record, tmp_path):
    program = USES_A_CACHE + "from package import part\nprint(part.it, sys.argv[1:], __package__)"
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "package" / "part.py").write_text("it = 5\n")
    (tmp_path / "package" / "__main__.py").write_text(program)
    done = record.start("--sample", 1, "-m", "package", "-m", "x")
    assert (done.returncode, done.stdout) == (0, "5 ['-m', 'x'] package\n")
    assert count_rows(tmp_path / "traffic.rec").requests == 300


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.py"], "nowhere.py: no such file"),
        (["-m", "nowhere.module"], "nowhere.module: no such module"),
        (["-o", "a.txt", "app.py"], "a.txt: a recording ends in .recording or .rec"),
        (["-o", "nowhere/a.rec", "app.py"], "its directory is not there"),
        (["--sample", "0", "app.py"], "sample: 0.0 is not above 0"),
        (["--secret-file", "nothing", "app.py"], "nothing: No such file"),
        (["--secret-file", "empty", "app.py"], "0 bytes, not 1 to 64"),
        ([], "PROGRAM"),
    ],
)
def test_wrong_calls(record, tmp_path, arguments, message):
    (tmp_path / "app.py").write_text("print('run')\n")
    (tmp_path / "empty").touch()
    done = record.start(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "nothing was recorded" not in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_of_this_is_loaded_with_the_package():
    code = "import sys, scrubjay; print([n for n in sys.modules if n.startswith('scrubjay.lab')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
