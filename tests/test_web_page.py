"""The live page in a real Chromium, under live traffic."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from scrubjay import AdaptiveCache, Cache, Layer
from scrubjay.testing import SharedMemory, SharedMemoryTier
from scrubjay.tiers.memory import MemoryTier
from scrubjay.web.dashboard import Dashboard
from scrubjay.web.local import Local
from scrubjay.web.publishing import Publisher

pytestmark = pytest.mark.any_build

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed: make .venv/.extra-browser"
)

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, _BROWSERS)), None)
if CHROMIUM is None:
    pytest.skip(
        "there is no chromium here (on Debian: the package of that name)", allow_module_level=True
    )

IMAGES = Path(__file__).parents[1] / "docs" / "images"
KEEP = "SCRUBJAY_KEEP_SCREENSHOTS"  # set: pictures go to the documentation
NOTHING = "\N{EN DASH}"
OF_PERFORMANCE = (
    "total_requests",
    "hit_rate",
    "cache_hits",
    "cache_misses",
    "p50_latency_ms",
    "p99_latency_ms",
    "p999_latency_ms",
)
OF_MEMORY = ("current_size_mb", "max_size_mb", "entry_count", "utilization_percentage")
EVIL_KEY = "<img src=x onerror=document.title='owned'>"
EVIL_TAG = "<script>document.title='owned'</script>"
EVIL_NAME = "<b onmouseover=document.title='owned'>bold</b>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield one
        one.close()


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRUBJAY_RUNTIME_DIR", str(tmp_path / "run"))


class Visit:
    """A page that is open, and what it complained about and asked for."""

    def __init__(self, browser: Any, board: Dashboard, **options: Any) -> None:
        self.complaints: list[str] = []
        self.outside: list[str] = []
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self._board = board
        self.page.on("console", lambda message: self._hear(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._note)
        self.page.on("websocket", lambda socket: self.outside.append(socket.url))
        self._own = (board.url, "data:")
        self.page.goto(board.url)

    def _hear(self, text: str) -> None:
        if not (self._board.closed and "net::ERR_" in text):  # it has lost its server
            self.complaints.append(text)

    def _note(self, request: Any) -> None:
        if not request.url.startswith(self._own):
            self.outside.append(request.url)

    def value(self, figure: str) -> str:
        found: str = self.page.locator(f'[data-figure="{figure}"]').get_attribute("data-value")
        return found

    def wait(self, figure: str, value: object) -> None:
        """Wait until a figure has a value."""
        self.page.wait_for_selector(f'[data-figure="{figure}"][data-value="{value}"]')

    def agree(self, told: Callable[[], dict[str, float]]) -> None:
        """Wait until the page has been told what is so by now, and compare."""
        for _ in range(100):
            expected = told()  # anew: what is fetched ahead may arrive after the last request
            shown = {figure: float(self.value(figure)) for figure in expected}
            if shown == expected:
                return
            self.page.wait_for_timeout(100)
        assert shown == expected

    def end(self) -> None:
        self.context.close()
        assert self.complaints == []
        assert self.outside == []


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Visit]]:
    visits: list[Visit] = []

    def open_page(board: Dashboard, **options: Any) -> Visit:
        visits.append(Visit(browser, board, **options))
        return visits[-1]

    yield open_page
    for one in visits:
        one.end()


class Traffic:
    """A thread that asks a cache until it is stopped."""

    def __init__(self, cache: Cache[str, str]) -> None:
        self._cache = cache
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        number = 1
        while not self._stop.is_set():
            number = number * 48_271 % 2_147_483_647
            key = f"user:{int((number / 2_147_483_647) ** 4 * 4_000)}"
            self._cache.get_or_load(key, tags={f"team-{number % 4}"}, dependencies={"org:1"})
            if number % 500 == 0:
                self._cache.invalidate_by_tags({"team-1"})
            if number % 64 == 0:
                time.sleep(0.001)  # other threads have their turn

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)


def load(key: str) -> str:
    if key.endswith("13"):
        time.sleep(0.002)
    return key * 20


def figures(cache: Cache[str, str], of_memory: Iterable[str] = OF_MEMORY) -> dict[str, float]:
    """Return what the statistics say of what the page always shows."""
    report: Any = cache.get_detailed_statistics()
    shown = {name: report["performance"][name] for name in OF_PERFORMANCE}
    return shown | {name: report["memory"][name] for name in of_memory}


def all_figures(cache: Cache[str, str]) -> dict[str, float]:
    """Return what the statistics say of a cache that evicts and has a tier below."""
    report: Any = cache.get_detailed_statistics()
    shown = figures(cache)
    for cause, number in report["performance"]["removals_by_cause"].items():
        shown[f"removals.{cause}"] = number
    for tier, group in report["tiers"].items():
        shown[f"tiers.{tier}.hits"] = group["hits"]
        shown[f"tiers.{tier}.misses"] = group["misses"]
    shown["loads.count"] = report["loads"]["count"]
    assert shown["removals.evicted"] > 0
    assert shown["tiers.shared.hits"] > 0
    return shown


def test_figures_under_live_traffic_agree_with_the_statistics(
    visit: Callable[..., Visit],
) -> None:
    cache: Cache[str, str] = Cache(
        max_size_mb=0.25, loader=load, name="profiles", tiers=[MemoryTier(name="shared")]
    )
    with cache.dashboard(0) as board:
        one = visit(board)
        traffic = Traffic(cache)
        one.page.wait_for_selector("[data-figure=hit_rate]")
        before = int(one.value("total_requests"))
        one.page.wait_for_function(
            "before => +document.querySelector('[data-figure=total_requests]').dataset.value > before",
            arg=before,
        )  # it moves
        while not (cache.statistics.evictions and cache.lower_hits()):
            one.page.wait_for_timeout(10)
        traffic.stop()
        cache.optimize()
        one.agree(lambda: all_figures(cache))
        assert one.value("consistency.level") == "eventual"
        assert one.page.text_content("[data-figure=reason]") == cache.explain().reason
        labels = one.page.locator('table[aria-label="Hottest tags"] tbody tr td:first-child')
        shown = set(labels.all_text_contents())  # of what a look of two milliseconds saw
        assert shown
        assert shown <= {f"team-{number}" for number in range(4)}
        assert one.page.locator('svg[role="img"][aria-label^="Hit rate over time"]').count() == 1


def test_a_key_is_explained_and_its_value_kept(visit: Callable[..., Visit]) -> None:
    cache: Cache[Any, Any] = Cache(max_entries=50, name="profiles")
    cache.put(("search", 7), "the secret value", tags={"t"}, ttl_seconds=600)
    cache.put("page", 1, dependencies={("search", 7)})
    with cache.dashboard(0) as board:
        one = visit(board)
        one.page.fill("#key", "('search', 7)")
        one.page.click("form button")
        answer = one.page.wait_for_selector("[data-figure=key]").text_content()
        assert "('search', 7)" in answer
        assert "depending on itpage" in answer
        one.page.fill("#key", "nobody")
        one.page.press("#key", "Enter")
        one.page.wait_for_selector("text=it is not in memory")
        assert "secret" not in one.page.content()


def test_what_is_fetched_ahead_is_shown(visit: Callable[..., Visit]) -> None:
    async def read(key: int) -> str:
        return f"row {key}"

    cache: AdaptiveCache[int, str] = AdaptiveCache(max_entries=100, loader=read, name="rows")
    prefetcher = cache.prefetcher
    assert prefetcher is not None

    async def learn() -> None:
        for session in range(4):  # until it has seen what follows what
            for number in range(150):
                await cache.get_or_load(number, context={"session_id": str(session)})
                await prefetcher.ajoin()

    with ThreadPoolExecutor(1) as apart:  # playwright has a loop of its own on this thread
        apart.submit(asyncio.run, learn()).result()
    assert cache.statistics.prefetch_hits > 0
    with cache.dashboard(0) as board:
        one = visit(board)
        one.page.wait_for_selector("[data-figure=prefetch_accuracy]")
        group: Any = cache.get_detailed_statistics()["prefetch"]
        one.agree(
            lambda: {
                "prefetch_accuracy": group["accuracy"],
                "prefetch_used": group["used"],
                "prefetch_wasted": group["wasted"],
                "prefetch_waiting": group["waiting"],
            }
        )
        numbers = [value for value in group["details"].values() if type(value) in {int, float}]
        rows = one.page.locator('table[aria-label="Details"] tbody tr')
        assert rows.count() == len(numbers)


def test_a_script_in_a_key_a_tag_or_a_name_is_text(visit: Callable[..., Visit]) -> None:
    cache: Cache[str, int] = Cache(max_entries=50, name=EVIL_NAME)
    with cache.dashboard(0) as board:
        cache.get_or_load(EVIL_KEY, len, tags={EVIL_TAG})
        one = visit(board)
        one.page.wait_for_selector("[data-figure=hit_rate]")
        one.page.fill("#key", EVIL_KEY)
        one.page.click("form button")
        one.page.wait_for_selector("[data-figure=key]")
        text = one.page.locator("body").inner_text()
        for evil in (EVIL_KEY, EVIL_TAG, EVIL_NAME):
            assert evil in text
        assert one.page.title() == "scrubjay"
        assert one.page.locator("main img, main script, main b, nav b").count() == 0


def test_a_script_that_got_in_would_not_run(visit: Callable[..., Visit]) -> None:
    cache: Cache[str, int] = Cache(max_entries=50)
    with cache.dashboard(0) as board:
        one = visit(board)
        refused = one.page.evaluate(
            """() => {
                try { document.body.innerHTML = "<i></i>"; return "markup was taken"; } catch {}
                const script = document.createElement("script");
                try { script.text = "document.title = 'owned'"; document.body.append(script); } catch {}
                return document.title;
            }"""
        )
        assert refused == "scrubjay"
        assert one.complaints  # the browser says that it refused
        one.complaints.clear()


def test_a_hundred_caches_are_no_burden(visit: Callable[..., Visit]) -> None:
    caches: list[Cache[str, int]] = [
        Cache(max_entries=10, name=f"cache-{number:03}") for number in range(100)
    ]
    with caches[0].dashboard(0) as board:
        for one_cache in caches[1:]:
            board.show(one_cache)
        one = visit(board)
        one.page.wait_for_function("document.querySelectorAll('#caches li').length === 100")
        one.page.fill("#filter input", "cache-042")
        assert one.page.locator("#caches li:visible").count() == 1
        one.page.click("#caches button:visible")
        one.page.wait_for_selector("h2 >> text=cache-042")
        caches[42].get("x")
        one.wait("total_requests", 1)
        spent = one.page.evaluate(
            """() => {
                const begin = performance.now();
                for (let round = 0; round < 20; round += 1) {
                    document.querySelector("#filter input").dispatchEvent(new Event("input"));
                }
                return (performance.now() - begin) / 20;
            }"""
        )
        assert spent < 100, f"{spent} ms to draw the list"


def test_another_node_is_on_the_page_and_the_page_says_when_its_tier_is_away(
    visit: Callable[..., Visit],
) -> None:
    server = SharedMemory()
    tiers = [SharedMemoryTier(server) for _ in range(2)]
    here, there = (
        Cache[str, str](max_entries=50, loader=load, name=name, tiers=[Layer(tier)])
        for name, tier in zip(("here", "there"), tiers, strict=True)
    )
    afar = Local("elsewhere.py (1)")  # stands for another machine
    afar.add(there)
    publisher = Publisher(afar)
    place = there.node_board()
    assert place is not None
    end = publisher.add(there, place)
    with here.dashboard(0, host="127.0.0.1") as board:
        one = visit(board)
        one.page.wait_for_selector("#caches button >> text=there")
        one.page.click("#caches button >> text=there")
        one.page.wait_for_selector("h2 >> text=there")
        for number in range(300):
            there.get_or_load(f"user:{number % 70}")
        there.get_many(["user:1", "user:2"])
        one.agree(lambda: figures(there, of_memory=("entry_count", "current_size_mb")))
        assert "elsewhere.py (1) on " in one.page.text_content("#subtitle")
        one.page.fill("#key", "user:1")
        one.page.click("form button")
        one.page.wait_for_selector("#answer >> text=own machine")
        assert one.page.locator("#notices:visible").count() == 0
        tiers[0].reachable = False
        one.page.wait_for_selector("#notices >> text=cannot be reached")
        worst = one.page.evaluate(CONTRAST)
        assert worst["ratio"] >= 4.5, worst
        one.page.click("#caches button >> text=here")
        one.page.wait_for_selector("h2 >> text=here")
        here.get("nothing")
        one.wait("total_requests", 1)  # what is near goes on
        tiers[0].reachable = True
        one.page.wait_for_selector("#notices", state="hidden")
        end()
        one.page.wait_for_selector("#caches button >> text=there", state="detached")


def test_a_key_is_explained_in_every_tier(visit: Callable[..., Visit]) -> None:
    cache: Cache[Any, Any] = Cache(
        max_entries=1, name="profiles", tiers=[MemoryTier(name="disk"), MemoryTier(name="far")]
    )
    cache.put("user:1", "the secret", tags={"team"})
    cache.put("user:2", "the secret")
    with cache.dashboard(0) as board:
        one = visit(board)
        one.page.wait_for_selector("[data-figure=hit_rate]")
        one.page.fill("#key", "user:1")
        one.page.click("form button")
        one.page.wait_for_selector('[data-figure="key.disk"][data-value=valid]')
        assert one.value("key.far") == "valid"
        text = one.page.inner_text("#answer")
        assert "the next request finds it in disk" in text
        assert "team" in text
        assert "secret" not in text


def test_a_page_whose_program_has_gone_says_so(visit: Callable[..., Visit]) -> None:
    cache: Cache[str, int] = Cache(max_entries=50)
    with cache.dashboard(0) as board:
        one = visit(board)
        one.page.wait_for_selector("#status >> text=live")
    one.page.wait_for_selector("#status.lost")


@pytest.mark.parametrize(
    ("name", "scheme", "width", "height"),
    [("light", "light", 1280, 1500), ("dark", "dark", 1280, 1500), ("phone", "light", 390, 1400)],
)
def test_pictures(
    visit: Callable[..., Visit], tmp_path: Path, name: str, scheme: str, width: int, height: int
) -> None:
    cache: Cache[str, str] = Cache(
        max_size_mb=0.25, loader=load, name="profiles", tiers=[MemoryTier(name="shared")]
    )
    other: Cache[str, str] = Cache(max_entries=500, loader=load, name="sessions")
    with cache.dashboard(0) as board:
        board.show(other)
        one = visit(board, color_scheme=scheme, viewport={"width": width, "height": height})
        traffic = [Traffic(cache), Traffic(other)]
        keep = bool(os.environ.get(KEEP))
        one.page.wait_for_function(
            "least => document.querySelectorAll('svg path').length >= 5"
            " && +document.querySelector('[data-figure=total_requests]').dataset.value > least",
            arg=50_000 if keep else 1,
            timeout=90_000,
        )
        cache.optimize()
        one.page.fill("#key", "user:1")
        one.page.click("form button")
        one.page.wait_for_selector("[data-figure=key]")
        one.page.evaluate("scrollTo(0, 0)")
        assert one.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        place = IMAGES / f"dashboard-{name}.png" if keep else tmp_path / "page.png"
        one.page.screenshot(path=place)
        for each in traffic:
            each.stop()
        assert place.stat().st_size > 20_000


def test_figures_read_well(browser: Any) -> None:
    source = (files("scrubjay.web") / "assets" / "format.js").read_text("utf-8")
    cases = {
        "seconds(null)": NOTHING,
        "seconds(0)": "0",
        "seconds(2.5e-8)": "25 ns",
        "seconds(4.3e-4)": "430 µs",
        "seconds(9.996e-4)": "1000 µs",
        "seconds(0.0123)": "12.3 ms",
        "seconds(0.9999)": "1000 ms",
        "seconds(1.5)": "1.50 s",
        "seconds(600)": "10 min",
        "bytes(0)": "0 B",
        "bytes(1536)": "1.5 KB",
        "bytes(null)": NOTHING,
        "short(9999)": "9,999",
        "short(12345)": "12.3K",
        "percent(0.12345)": "12.3 %",
        "several(1, 'cache')": "1 cache",
        "several(0, 'cache')": "0 caches",
    }
    page = browser.new_page()
    for expression, expected in cases.items():
        assert page.evaluate(f"() => {{ {source}; return {expression}; }}") == expected, expression
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_background(visit: Callable[..., Visit], scheme: str) -> None:
    cache: Cache[str, str] = Cache(max_entries=50, loader=load, name="profiles")
    cache.get_or_load("user:1", tags={"t"})
    with cache.dashboard(0) as board:
        one = visit(board, color_scheme=scheme)
        one.page.wait_for_selector("[data-figure=hit_rate]")
        worst = one.page.evaluate(CONTRAST)
        assert worst["ratio"] >= 4.5, worst  # WCAG 2.2, level AA
        unnamed = one.page.evaluate(
            "[...document.querySelectorAll('button, input, svg, table, nav')].filter(e =>"
            " !(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length)).length"
        )
        assert unnamed == 0


CONTRAST = """() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const channels = (color) => {
        canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const light = (color) => channels(color).slice(0, 3).map((value) => value / 255)
        .map((value) => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
        .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
    const behind = (element) => {
        for (let each = element; each; each = each.parentElement) {
            const color = getComputedStyle(each).backgroundColor;
            if (channels(color)[3] === 255) return color;
        }
        return "white";
    };
    let worst = { ratio: 99, text: "" };
    for (const element of document.querySelectorAll("body *")) {
        if (![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) continue;
        if (!element.checkVisibility() || ["SCRIPT", "NOSCRIPT", "STYLE"].includes(element.tagName)) continue;
        const style = getComputedStyle(element);
        const ink = light(element instanceof SVGElement ? style.fill : style.color);
        const back = light(behind(element));
        const ratio = (Math.max(ink, back) + 0.05) / (Math.min(ink, back) + 0.05);
        if (ratio < worst.ratio) worst = { ratio, text: element.textContent.slice(0, 40) };
    }
    return worst;
}"""
