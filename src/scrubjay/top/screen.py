"""The full-screen view; needs the extra ``top``."""

from __future__ import annotations

from typing import Any, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import DataTable, Footer, Static

from scrubjay.top import figures
from scrubjay.web.gathering import Gatherer
from scrubjay.web.shapes import printable

_EMPTY = "No program of yours exposes a cache: it does by cache.expose(). Waiting."
_NOTICES = 3


class TopApp(App[None]):
    """Shows the caches that are exposed, and more about the one under the cursor.

    Args:
        gatherer: who asks the processes.
    """

    CSS = """
    DataTable { height: 1fr; min-height: 6; }
    #detail { height: auto; max-height: 50%; border-top: solid $primary; padding: 0 1; }
    #status { height: auto; padding: 0 1; color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("n", "order('name')", "By name"),
        Binding("r", "order('requests')", "By requests"),
        Binding("m", "order('memory')", "By memory"),
        Binding("p", "pause", "Pause"),
    ]
    ENABLE_COMMAND_PALETTE = False
    TITLE = "scrubjay top"

    def __init__(self, gatherer: Gatherer) -> None:
        super().__init__()
        self._gatherer = gatherer
        self._sorted_by = "requests"
        self._held = False
        self._rounds = -1

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        yield Static(_EMPTY, id="status", markup=False)
        yield DataTable(cursor_type="row", zebra_stripes=True)
        with VerticalScroll(id="detail"):
            yield Static(markup=False, id="words")
        yield Footer()

    def on_mount(self) -> None:
        """Begin to show."""
        table = self._table()
        for title in figures.TITLES:
            table.add_column(title, key=title)
        table.focus()
        self._gatherer.start()
        self.run_worker(self._follow, thread=True)

    def on_unmount(self) -> None:
        """Let the gatherer go."""
        self._gatherer.close()

    def _follow(self) -> None:
        """Wait for looks in a thread, and have them shown."""
        while not self._gatherer.closed:
            self._rounds = self._gatherer.wait(self._rounds, 5.0)
            if not self._held and not self._gatherer.closed:
                chosen = self.call_from_thread(self._chosen)
                told = self._gatherer.detail(chosen) if chosen else None
                self.call_from_thread(self.show, chosen, told)

    def show(self, chosen: str, told: dict[str, Any] | None) -> None:
        """Show what was gathered.

        Args:
            chosen: which cache the detail is of; an empty string for none.
            told: the detail.
        """
        rows = sorted(self._gatherer.rows(), key=self._rank)
        table = self._table()
        position = 0
        table.clear()
        for number, row in enumerate(rows):
            cells = figures.row(row, self._gatherer.samples(row["id"]))
            # As text: names of caches and keys are anybody's, and no markup of ours.
            table.add_row(*(Text(cell, no_wrap=True) for cell in cells), key=row["id"])
            if row["id"] == chosen:
                position = number
        if rows:
            table.move_cursor(row=position)
        noun = "cache" if len(rows) == 1 else "caches"
        words = f"{len(rows)} {noun}, by {self._sorted_by}{', paused' if self._held else ''}"
        notices = "".join(
            f"\n{printable(notice)}" for notice in self._gatherer.notices()[:_NOTICES]
        )
        self.query_one("#status", Static).update((words if rows else _EMPTY) + notices)
        lines = ""
        if chosen:
            lines = figures.detail(told, self._gatherer.samples(chosen), self.size.width - 4)
        self.query_one("#words", Static).update(Text(lines))

    def _table(self) -> DataTable[Text]:
        return self.query_one(DataTable)

    def _chosen(self) -> str:
        """Return the cache under the cursor; the first one before there is a cursor."""
        rows = sorted(self._gatherer.rows(), key=self._rank)
        table = self._table()
        if table.row_count and table.is_valid_row_index(table.cursor_row):
            keys = list(table.rows)
            name = keys[table.cursor_row].value if table.cursor_row < len(keys) else None
            if name is not None:
                return name
        return rows[0]["id"] if rows else ""

    def _rank(self, row: dict[str, Any]) -> tuple[Any, ...]:
        if self._sorted_by == "name":
            return (row["name"], row["id"])
        if self._sorted_by == "memory":
            return (-row["bytes"], row["id"])
        speed, _ = figures.lately(self._gatherer.samples(row["id"]))
        return (-round(speed), -row["requests"], row["id"])

    def action_order(self, order: str) -> None:
        """Show the caches in another order."""
        self._sorted_by = order
        self.show(self._chosen(), None)

    def action_pause(self) -> None:
        """Let the figures stand, or move again."""
        self._held = not self._held
        text = ", paused" if self._held else ""
        self.query_one("#status", Static).update(f"{len(self._gatherer.rows())} caches{text}")
