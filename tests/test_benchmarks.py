"""The benchmark suite runs, with scrubjay as the only cache installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.environments import untraced

ROOT = Path(__file__).resolve().parent.parent
PEERS = (
    "cachebox",
    "theine",
    "cachetools",
    "moka_py",
    "lru",
    "async_lru",
    "diskcache",
    "redis",
    "cashews",
    "aiocache",
    "dogpile",
)
DISTRIBUTIONS = (
    "cachebox",
    "theine",
    "cachetools",
    "moka-py",
    "lru-dict",
    "async-lru",
    "diskcache",
    "redis",
    "cashews",
    "aiocache",
    "dogpile.cache",
)

pytestmark = [
    pytest.mark.any_build,
    pytest.mark.skipif(
        not (ROOT / "benchmarks").is_dir(),
        reason="the benchmarks are not part of this distribution",
    ),
]


@pytest.fixture
def without_peers(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which no peer can be imported, installed or not."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    for peer in PEERS:
        (hidden / f"{peer}.py").write_text("raise ImportError('hidden for a test')\n")
    path = os.pathsep.join(filter(None, [str(hidden), os.environ.get("PYTHONPATH", "")]))
    return untraced(PYTHONPATH=path)


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("redis_server")
def test_a_quick_run_needs_no_peer(tmp_path: Path, without_peers: dict[str, str]) -> None:
    output = tmp_path / "results"
    command = [sys.executable, "-m", "benchmarks.run", "--quick", "--output", str(output)]
    done = subprocess.run(
        command, cwd=ROOT, env=without_peers, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    missing = next(line for line in done.stdout.splitlines() if line.startswith("Missing"))
    assert all(name in missing for name in DISTRIBUTIONS)

    (path,) = output.glob("*.json")
    written = json.loads(path.read_text())
    assert all(not case["failures"] for case in written["cases"].values())
    assert all(
        "scrubjay" in case["subjects"]
        for name, case in written["cases"].items()
        if not name.startswith("threads")
    )
    # Some goals compare with a peer; the others have a figure without any.
    unmeasured = [one["goal"] for one in written["goals"] if one["figure"] is None]
    assert unmeasured[0] == "zipf(0.99) get or put / theine"
    assert unmeasured[-1] == "on a server, get, 64 tasks / redis-py asyncio"
    assert all(goal.endswith("/ diskcache") for goal in unmeasured[1:-1])
    assert len(unmeasured) == 8


def test_results_name_neither_the_machine_nor_its_paths(
    tmp_path: Path, without_peers: dict[str, str]
) -> None:
    output = tmp_path / "results"
    command = [sys.executable, "-m", "benchmarks.run", "--quick", "--case", "hit"]
    subprocess.run([*command, "--output", str(output)], cwd=ROOT, env=without_peers, check=True)
    text = "".join(path.read_text() for path in output.iterdir())
    assert os.uname().nodename not in text
    assert str(ROOT) not in text
    assert str(Path.home()) not in text


def test_an_unknown_case_is_refused_by_name() -> None:
    command = [sys.executable, "-m", "benchmarks.run", "--case", "nonsense"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "nonsense" in done.stderr
