"""The page in headless Chromium: drawn, quiet, usable by keyboard and by a screen reader."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from made_report import made_report

from bench.reports.page.html import page as built

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
if not Path(CHROMIUM).exists():
    pytest.skip("no Chromium: apt-get install chromium", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: make install")

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
FLAGS += ["--no-first-run", "--disable-component-update", "--disable-dev-shm-usage"]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    made = folder / "index.html"
    made.write_text(built(made_report(folder)), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as tool:
        started = tool.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


Open = Callable[..., Any]


@pytest.fixture
def opened(browser: Any, file: Path) -> Iterator[Open]:
    """Give a function that opens the page; console errors and requests must be none in the end."""
    contexts: list[Any] = []
    wrong: list[str] = []

    def request(one: Any) -> None:
        if not one.url.startswith(("file:", "data:")):
            wrong.append(f"request: {one.url}")

    def say(one: Any) -> None:
        if one.type in ("error", "warning"):
            wrong.append(f"console: {one.text}")

    def show(width: int = 1280, scheme: str = "light") -> Any:
        size = {"width": width, "height": 800}
        contexts.append(browser.new_context(viewport=size, color_scheme=scheme))
        page = contexts[-1].new_page()
        page.on("console", say)
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
        page.on("request", request)
        page.goto(file.as_uri())
        return page

    yield show
    for context in contexts:
        context.close()
    assert not wrong


def test_every_figure_and_clip_has_a_size(opened: Open) -> None:
    page = opened()
    drawn = page.locator(".plot svg, .videos img")
    assert drawn.count() == 3
    for one in drawn.all():
        one.scroll_into_view_if_needed()
        box = one.bounding_box()
        assert box["width"] > 100 and box["height"] > 50
    loaded = page.evaluate("[...document.images].map((one) => one.complete && one.naturalWidth)")
    assert loaded == [1, 1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(opened: Open, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = opened(scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    alike = "tbody tr:nth-child(n + 4), .records:nth-of-type(n + 3)"
    page.evaluate(f"document.querySelectorAll('{alike}').forEach((one) => one.remove())")
    page.locator("#table-ablation-table a[data-tip]").first.focus()
    found = axe.run(page).response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert not [(one["id"], one["nodes"][0]["html"][:200]) for one in serious]


def _column(page: Any, at: int, table: str = "ablation") -> list[str]:
    cells = page.locator(f"#table-{table}-table tbody tr:not([hidden]) > :nth-child({at})")
    return [text.replace("\xa0", " ").strip() for text in cells.all_text_contents()]


def test_sorting_by_keyboard_puts_numbers_in_order_and_missing_last(opened: Open) -> None:
    page = opened()
    first = _column(page, 2)
    head = page.locator("#table-ablation-table thead tr:last-child > :nth-child(2)")
    head.locator("button").focus()
    for state, sign in (("descending", -1), ("ascending", 1)):
        page.keyboard.press("Enter")
        assert head.get_attribute("aria-sort") == state
        texts = _column(page, 2)
        values = [float(text) for text in texts if text != "—"]
        assert values == sorted(values, key=lambda value: sign * value)
        assert texts[len(values) :] == ["—"] * (len(texts) - len(values)) != []
    page.keyboard.press("Space")
    assert head.get_attribute("aria-sort") == "none"
    assert _column(page, 2) == first


def test_filtering_by_keyboard_says_how_many_rows_are_left(opened: Open) -> None:
    page = opened()
    box = page.get_by_label("Filter rows").nth(1)  # of the comparison
    box.focus()
    page.keyboard.type("aurl_no_cg ± half10")
    shown = _column(page, 1, "comparison-with-other-systems")
    assert shown == ["aurl_no_cg"]
    count = page.locator("[data-count='table-comparison-with-other-systems']")
    assert count.text_content().startswith(f"{len(shown)} of ")
    box.fill("poster")
    every = len(_column(page, 1, "comparison-with-other-systems"))
    box.press("Tab")
    page.keyboard.press("Space")  # measured here only
    assert 0 < len(_column(page, 1, "comparison-with-other-systems")) < every
    box.fill("no such row")
    assert count.text_content().startswith("no row of ")


def test_a_number_says_its_spread_and_leads_to_its_records(opened: Open) -> None:
    page = opened()
    link = page.locator("#table-ablation-table a[href='#records-aurl']").first
    link.focus()
    tip = page.get_by_role("tooltip")
    assert "n = 3 seeds" in tip.text_content() and "3 records of aurl" in tip.text_content()
    assert link.get_attribute("aria-describedby") == "tip"
    page.keyboard.press("Escape")
    assert not tip.is_visible()
    page.keyboard.press("Enter")
    records = page.locator("#records-aurl")
    records.locator("tbody tr").first.wait_for()
    assert records.locator(".lit").count() == 4  # the metric's name and its three values
    assert records.locator("th.lit").text_content() == "mini_ucf.full.top1"
    assert page.evaluate("document.activeElement.parentElement.id") == "records-aurl"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_is_turned_and_remembered(opened: Open, scheme: str) -> None:
    page = opened(scheme=scheme)
    ground = "getComputedStyle(document.body).backgroundColor"
    before, button = page.evaluate(ground), page.get_by_role("button", name="Dark")
    assert button.get_attribute("aria-pressed") == str(scheme == "dark").lower()
    button.press("Enter")
    after = page.evaluate(ground)
    assert before != after
    page.reload()
    assert page.evaluate(ground) == after


def test_a_telephone_scrolls_tables_and_never_the_page(opened: Open) -> None:
    page = opened(360)
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    box = page.locator(".box").first
    name = box.locator("tbody th").first
    before = name.bounding_box()
    box.evaluate("(one) => (one.scrollLeft = 300)")
    assert box.evaluate("(one) => one.scrollLeft") == 300
    assert name.bounding_box() == before  # the name of the row stays


def test_print_cuts_no_table_and_shows_no_control(opened: Open) -> None:
    page = opened(1032)  # A4 across without its margins
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") == 1032
    wide = "[...document.querySelectorAll('table')].filter((one) => one.offsetWidth > 1032).length"
    assert page.evaluate(wide) == 0
    head = page.locator("#table-ablation-table thead tr:last-child th").first
    said = head.evaluate("(one) => getComputedStyle(one, '::after').content")
    assert said == '"method"'  # not by a button: a head that is repeated shows none
    assert not page.locator("#theme, .controls, .bar").locator("visible=true").count()


def test_the_first_key_offers_to_skip_to_the_content(opened: Open) -> None:
    page = opened()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_nothing_moves_by_itself(opened: Open) -> None:
    page = opened()
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate("document.getAnimations().length") == 0
    smooth = "getComputedStyle(document.documentElement).scrollBehavior"
    assert page.evaluate(smooth) == "auto"
