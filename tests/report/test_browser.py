"""The page in Chromium: nothing from evidence runs, nothing is refused, and script and HTML make the same rows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forensic import report
from forensic.report import html

pytestmark = pytest.mark.browser
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs Chromium and playwright")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, "--no-first-run"])
        yield chromium
        chromium.close()


class Opened:
    """A page with everything it said and asked for."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page = browser.new_page(**options)
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("dialog", lambda dialog: self.said.append(dialog.message))
        self.page.goto(path.as_uri())
        if options.get("java_script_enabled", True):
            self.page.wait_for_selector(".tools:not([hidden])")


def written(case: Path) -> Path:
    out = case.with_suffix(".html")
    report.write(case, out)
    return out


def test_evidence_runs_nothing_and_asks_for_nothing(browser: Any, make_case: Any) -> None:
    path = written(make_case())
    opened = Opened(browser, path)
    assert opened.page.title() == "Attribution report: 2026-1187"
    assert opened.said == []
    assert [url for url in opened.asked if not url.startswith("data:")] == [path.as_uri()]
    assert "</script><svg onload=x>.png" in opened.page.inner_text("#list")


def test_page_is_whole_without_javascript(browser: Any, make_case: Any) -> None:
    page = Opened(browser, written(make_case()), java_script_enabled=False).page
    assert page.locator("#list tr").count() == 10
    assert page.locator(".tools").is_hidden()
    assert "Not calibrated" in page.inner_text("main")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_nothing_sticks_out(browser: Any, make_case: Any, scheme: str, width: int) -> None:
    rows = [*make_case.every_outcome(), (make_case.scored("in/" + "x" * 240 + ".png", 1.0, "real"), make_case.EMPTY)]
    viewport = {"width": width, "height": 800}
    page = Opened(browser, written(make_case(rows)), viewport=viewport, color_scheme=scheme).page
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_rows_built_by_script_are_the_rows_of_the_page(
    browser: Any, make_case: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Opened(browser, written(make_case(name="plain.case")), java_script_enabled=False).page
    expected = plain.evaluate("[...document.querySelectorAll('#list tr')].map((row) => row.outerHTML)")
    monkeypatch.setattr(html, "ALL_PLAIN", 0)
    monkeypatch.setattr(html, "PLAIN_ROWS", 1)
    page = Opened(browser, written(make_case(name="packed.case"))).page
    page.evaluate("for (const plot of document.querySelectorAll('.plot')) plot.removeAttribute('tabindex')")
    compare = """(expected) => {
      const table = new DOMParser().parseFromString(`<table>${expected.join('')}</table>`, 'text/html');
      const rows = [...document.querySelectorAll('#list tr')], others = table.querySelectorAll('tr');
      return rows.map((row, n) => row.isEqualNode(document.importNode(others[n], true)) ? '' : row.outerHTML);
    }"""
    assert page.evaluate(compare, expected) == [""] * 10


def shown(page: Any) -> list[str]:
    names: list[str] = page.evaluate("[...document.querySelectorAll('#list tr')].map((row) => row.id)")
    return names


def test_filters_search_and_pages(browser: Any, make_case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "ALL_PLAIN", 20)
    monkeypatch.setattr(html, "PLAIN_ROWS", 7)
    opened = Opened(browser, written(make_case(make_case.long_rows(240))))
    page = opened.page
    assert shown(page) == [f"row-{n}" for n in range(1, 101)]
    assert page.inner_text(".shown") == "1–100 of 250"
    page.get_by_label("Next rows").click()
    page.get_by_label("Next rows").click()
    assert shown(page) == [f"row-{n}" for n in range(201, 251)]
    assert page.get_by_label("Next rows").is_disabled()
    page.get_by_label("Verdict or outcome").select_option("unreadable")
    assert shown(page) == ["row-246", "row-248"]
    page.get_by_label("Verdict or outcome").select_option("")
    page.get_by_label("Class attributed or nearest").select_option("beta")
    assert page.inner_text(".shown") == "1–81 of 81, 250 in all"
    page.get_by_label("Class attributed or nearest").select_option("")
    page.keyboard.press("/")
    page.keyboard.type("u202e")
    assert shown(page) == ["row-248"]
    page.get_by_label("Search all rows").fill("no such thing")
    assert page.inner_text(".shown") == "No row fits"
    page.get_by_label("Search all rows").fill("")
    page.get_by_label("Order").select_option("low")
    scores = [
        float(value)
        for value in page.evaluate("[...document.querySelectorAll('#list tr')].map((row) => row.dataset.score)")
    ]
    assert scores == sorted(scores)
    assert opened.said == []


def test_large_spectrum_opens_by_mouse_and_by_key(browser: Any, make_case: Any) -> None:
    opened = Opened(browser, written(make_case()))
    page = opened.page
    page.locator("#row-2 .plot").click()
    assert page.locator("dialog").is_visible()
    assert page.inner_text("dialog h3") == "in/a.png"
    assert page.inner_text("dialog p").startswith("Radial spectrum against class alpha")
    page.keyboard.press("Escape")
    assert page.locator("dialog").is_hidden()
    page.locator("#row-2 .plot").focus()
    page.keyboard.press("Enter")
    assert page.locator("dialog").is_visible()
    assert opened.said == []


def test_paper_gets_the_first_rows_chosen(browser: Any, make_case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "ALL_PLAIN", 20)
    page = Opened(browser, written(make_case(make_case.long_rows(240)))).page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert len(shown(page)) == 200
    assert page.inner_text(".rest") == "Printed: rows 1 to 200 of 250 chosen, of 250 in all."
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert len(shown(page)) == 100


def test_text_has_contrast(browser: Any, make_case: Any) -> None:
    measure = """() => {
      const light = (c) => { const v = c / 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
      const luminance = (rgb) => 0.2126 * light(rgb[0]) + 0.7152 * light(rgb[1]) + 0.0722 * light(rgb[2]);
      const rgb = (text) => text.match(/[0-9.]+/g).map(Number);
      const back = (node) => { for (let n = node; n; n = n.parentElement) {
        const c = rgb(getComputedStyle(n).backgroundColor);
        if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
      const low = [];
      for (const node of document.querySelectorAll('body *')) {
        const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
        if (!own || node.closest('svg, script, .hidden, .skip, :disabled')) continue;
        const [a, b] = [luminance(rgb(getComputedStyle(node).color)), luminance(back(node))].sort((x, y) => y - x);
        const ratio = (a + 0.05) / (b + 0.05);
        if (ratio < 4.5) low.push([node.className, node.textContent.slice(0, 30), ratio]);
      }
      return low; }"""
    for scheme in ("light", "dark"):
        page = Opened(browser, written(make_case(finish=False, name=f"{scheme}.case")), color_scheme=scheme).page
        assert page.evaluate(measure) == []
