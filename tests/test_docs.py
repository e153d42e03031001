"""Every Python block of the documentation runs.

The blocks of one file run in order, in one namespace and one event loop; `await` is
allowed at the top level. There is no way to skip a block: what is not meant to run is
fenced as `text` or `console`.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import shlex
import sys
import textwrap
import traceback
import types
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.any_build

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(
    r"^(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[^\s`]*)[^\n]*\n"
    r"(?P<body>.*?)"
    r"^(?P=indent)(?P=fence)[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
# Spellings under which a block would look like Python and yet not be run.
DISGUISES = {"", "py", "py3", "python3", "pycon", "ipython", "python-console"}


class Block(NamedTuple):
    """A fenced block: its language, its text, and the line its text begins on."""

    language: str
    body: str
    line: int


def blocks(text: str) -> list[Block]:
    return [
        Block(
            match["language"].lower(),
            textwrap.dedent(match["body"]),
            text.count("\n", 0, match.start("body")) + 1,
        )
        for match in FENCE.finditer(text)
    ]


def run(name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # A module of its own, so that dataclasses, annotations and pickle find their way.
    module = types.ModuleType("documentation")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    loop = asyncio.new_event_loop()
    try:
        for block in blocks(text):
            if block.language == "python":
                code = compile(
                    "\n" * (block.line - 1) + block.body,  # so that tracebacks point here
                    name,
                    "exec",
                    flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
                    dont_inherit=True,
                )
                # Outside the loop unless it awaits: a snippet may call asyncio.run().
                result = eval(code, module.__dict__)
                if code.co_flags & inspect.CO_COROUTINE:
                    loop.run_until_complete(result)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_python_block_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a snippet may write files
    run(str(page), page.read_text(encoding="utf-8"), monkeypatch)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_python_hides_in_another_fence(page: Path) -> None:
    found = blocks(page.read_text(encoding="utf-8"))
    assert [block for block in found if block.language in DISGUISES] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_line_of_ours_is_understood(page: Path) -> None:
    typer = pytest.importorskip("typer")
    from scrubjay.cli import _build_app

    commands = typer.main.get_command(_build_app()).commands
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.language == "console":
            for line in block.body.replace("\\\n", "").splitlines():
                if line.startswith("$ scrubjay "):
                    name, *arguments = shlex.split(line.partition(" > ")[0])[2:]
                    if not name.startswith("-"):
                        # Options are read and checked; nothing is run.
                        commands[name].make_context(name, arguments)


def test_the_readme_has_python_to_run() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert any(block.language == "python" for block in blocks(readme))


def test_blocks_share_a_namespace_and_may_await(monkeypatch: pytest.MonkeyPatch) -> None:
    text = textwrap.dedent("""\
        1. indented, as in a list:

           ```python
           import asyncio
           async def double(n):
               return n * 2
           ```

        ```text
        this is not Python
        ```

        ```python
        six = await asyncio.wait_for(double(3), 1)
        ```

        ```python
        from __future__ import annotations
        assert six == 6
        assert asyncio.run(double(2)) == 4
        ```
        """)
    assert [block.language for block in blocks(text)] == ["python", "text", "python", "python"]
    run("page.md", text, monkeypatch)


def test_a_failing_block_is_reported_at_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "intro\n\n```python\nassert 1 == 1\nassert 1 == 2\n```\n"
    with pytest.raises(AssertionError) as caught:
        run("page.md", text, monkeypatch)
    last = traceback.extract_tb(caught.tb)[-1]
    assert (last.filename, last.lineno) == ("page.md", 5)
