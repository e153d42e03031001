"""The package is what it says: what is compiled, what is shipped, what it needs."""

from __future__ import annotations

import importlib
import re
import runpy
import subprocess
import sys
from importlib import metadata
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from pathlib import Path

import pytest

import scrubjay

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "scrubjay"
INSTALLED = Path(scrubjay.__file__).parent
SETUP = runpy.run_path(str(ROOT / "setup.py"), run_name="setup")
BUILD_LIST = SETUP["build_list"]()


def module_name(path: Path, package: Path) -> str:
    return ".".join(("scrubjay", *path.relative_to(package).with_suffix("").parts))


def files(package: Path, pattern: str) -> set[str]:
    return {path.relative_to(package).as_posix() for path in package.rglob(pattern)}


def compiled_modules() -> set[str]:
    """The extension modules that lie in the installed package."""
    found = set()
    for suffix in EXTENSION_SUFFIXES:
        for path in INSTALLED.rglob(f"*{suffix}"):
            stem = path.with_name(path.name.removesuffix(suffix))
            if "." not in stem.name:  # ".so" also ends ".cpython-311-x86_64-linux-gnu.so"
                found.add(module_name(stem, INSTALLED))
    return found


def test_every_pxd_file_is_in_the_build_list() -> None:
    # An __init__.pxd declares nothing: it marks a package in which Cython looks for others.
    declared = {
        module_name(path, SOURCE) for path in SOURCE.rglob("*.pxd") if path.stem != "__init__"
    }
    assert declared
    assert declared == set(BUILD_LIST)


def test_the_build_list_is_what_is_compiled() -> None:
    expected = {*BUILD_LIST, SETUP["SHARED"]} if scrubjay.compiled else set()
    assert compiled_modules() == expected


@pytest.mark.parametrize("name", sorted(BUILD_LIST))
def test_each_module_runs_from_the_build_it_should(name: str) -> None:
    loader = importlib.import_module(name).__spec__.loader
    assert isinstance(loader, ExtensionFileLoader) == scrubjay.compiled


def test_no_build_leaves_anything_in_the_source_tree() -> None:
    for suffix in (*EXTENSION_SUFFIXES, ".c", ".cpp"):
        assert files(SOURCE, f"*{suffix}") == set()


def test_every_source_and_declaration_is_shipped() -> None:
    for pattern in ("*.py", "*.pxd"):
        assert files(INSTALLED, pattern) == files(SOURCE, pattern)


def test_the_type_marker_is_shipped() -> None:
    assert (INSTALLED / "py.typed").is_file()


def test_the_version_is_the_same_everywhere() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    declared = re.search(r'^version = "(.+)"$', project, re.MULTILINE)
    assert declared is not None
    assert scrubjay.__version__ == metadata.version("scrubjay") == declared[1]


def test_nothing_is_required_at_run_time() -> None:
    required = metadata.requires("scrubjay") or []
    assert [line for line in required if "extra ==" not in line] == []


def test_importing_loads_only_the_standard_library() -> None:
    program = (
        "import sys; before = set(sys.modules); import scrubjay; "
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True
    )
    # Compiled modules share their run-time support under names of Cython's making.
    support = ("_cython_", "cython_runtime", "_cyutility")
    foreign = {name for name in done.stdout.split() if not name.startswith(support)}
    assert foreign - sys.stdlib_module_names == {"scrubjay"}


class TestSwitches:
    """The environment variables that setup.py reads."""

    @pytest.fixture(autouse=True)
    def _unset(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SCRUBJAY_PURE_PYTHON", raising=False)
        monkeypatch.delenv("SCRUBJAY_REQUIRE_COMPILED", raising=False)

    def test_compiling_is_tried_by_default(self) -> None:
        assert SETUP["wants_compiling"]() is (sys.implementation.name == "cpython")

    @pytest.mark.parametrize(("value", "expected"), [("1", False), ("0", True), ("", True)])
    def test_it_can_be_switched_off(
        self, value: str, expected: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SCRUBJAY_PURE_PYTHON", value)
        assert SETUP["wants_compiling"]() is (expected and sys.implementation.name == "cpython")

    def test_contradicting_switches_are_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SCRUBJAY_PURE_PYTHON", "1")
        monkeypatch.setenv("SCRUBJAY_REQUIRE_COMPILED", "1")
        with pytest.raises(SystemExit, match="contradict"):
            SETUP["wants_compiling"]()

    def test_an_orphan_declaration_is_not_built(self, tmp_path: Path) -> None:
        core = tmp_path / "src" / "scrubjay" / "_core" / "policies"
        core.mkdir(parents=True)
        for name in ("lru.py", "lru.pxd", "plain.py", "orphan.pxd", "__init__.py"):
            (core / name).touch()
        assert SETUP["build_list"](tmp_path) == {
            "scrubjay._core.policies.lru": "src/scrubjay/_core/policies/lru.py"
        }
