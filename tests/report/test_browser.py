"""The page in Chromium: nothing from evidence runs, nothing is refused, and script and HTML make the same rows."""

from __future__ import annotations

import re
from typing import Any

import pytest

from forensic import report
from forensic.report import html, pictures

pytestmark = pytest.mark.browser

MARKUP = "<img src=x onerror=alert(1)><script>alert(2)</script>"


def hostile_rows(make_case: Any) -> list[Any]:
    """Markup and worse in every field that a finding has."""
    fields: dict[str, Any] = {
        "format": MARKUP,
        "flags": (MARKUP, f"duplicate-of={MARKUP}", "\u202e"),
        "decoder": MARKUP,
        "engine": MARKUP,
        "scores": {MARKUP: 1.0, "__proto__": 2.0},
    }
    named = make_case.scored(f"in/{MARKUP}.png", 1.0, MARKUP, **fields)
    return [*make_case.every_outcome(), (named, make_case.EMPTY)]


def test_evidence_runs_nothing_and_asks_for_nothing(open_page: Any, make_case: Any) -> None:
    case = make_case(hostile_rows(make_case))
    opened = open_page(case)
    page = opened.page
    assert page.title() == "Attribution report: 2026-1187"
    assert "</script><svg onload=x>.png" in page.inner_text("#list")
    for row in range(11):
        page.keyboard.press("End" if row == 10 else "j")
        page.locator("#list tr").nth(row).click()
        assert page.locator(".drawer h3").is_visible()
    assert MARKUP in page.inner_text(".drawer .scores")
    assert page.inner_text(".drawer .flags").count(MARKUP) == 2
    for menu in page.locator(".facet summary").all():
        menu.click()
    page.keyboard.press("Escape")
    page.locator(".drawer").get_by_role("button", name="Close the details").click()
    page.keyboard.press("v")
    assert page.locator("img[src=x], script[src], iframe, object, embed, base, form").count() == 0
    assert opened.said == []
    assert [url for url in opened.asked if not url.startswith("data:")] == [case.with_suffix(".html").as_uri()]


def test_an_address_is_read_as_text(open_page: Any, make_case: Any) -> None:
    fragment = "#q=%3Cimg%20src%3Dx%3E&class=%3Cb%3E&order=constructor&view=__proto__&row=1e9&toString=1"
    opened = open_page(make_case(), fragment=fragment)
    assert opened.page.input_value("input[type=search] >> nth=0") == "<img src=x>"
    assert opened.page.inner_text(".shown") == "No row fits"
    assert opened.said == []


def test_page_is_whole_without_javascript(open_page: Any, make_case: Any) -> None:
    page = open_page(make_case(make_case.long_rows(230)), script=False).page
    assert page.locator("#list tr").count() == 200
    assert page.locator(".tools").is_hidden()
    assert "Not calibrated" in page.inner_text("main")
    assert "need JavaScript" in page.inner_text(".rowhead")


@pytest.mark.parametrize(("scheme", "rules"), [("light", []), ("dark", ["color-contrast"])])
def test_nothing_shuts_a_reader_out(open_page: Any, make_case: Any, scheme: str, rules: list[str]) -> None:
    opened = open_page(make_case(finish=False), color_scheme=scheme)
    page = opened.page
    assert opened.axe(*rules) == []
    page.focus(".list")
    for key in ("x", "3", "Enter"):
        page.keyboard.press(key)
    assert opened.axe(*rules) == []
    page.locator("[data-facet=class] summary").click()
    assert opened.axe(*rules) == []
    page.keyboard.press("Escape")
    page.keyboard.press("v")
    assert opened.axe(*rules) == []
    page.keyboard.press("?")
    assert opened.axe(*rules) == []


def test_plain_page_shuts_no_reader_out(open_page: Any, make_case: Any) -> None:
    out = make_case().with_suffix(".html")
    report.write(out.with_suffix(".case"), out)
    page = re.sub(r"<script>.*?</script>", "", out.read_text(encoding="utf-8"), flags=re.DOTALL)
    out.write_text(page, encoding="utf-8")
    assert open_page(out, ready="#list").axe() == []


def test_every_control_is_reached_by_the_tab_key(open_page: Any, make_case: Any) -> None:
    page = open_page(make_case()).page
    page.focus(".tools input >> nth=0")
    reached = []
    for _ in range(20):
        reached.append(page.evaluate("document.activeElement.textContent || document.activeElement.tagName"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none" or "list" in page.evaluate("document.activeElement.className")
        if page.evaluate("document.activeElement.matches('.list')"):
            break
        page.keyboard.press("Tab")
    for name in ("Gallery", "Blur", "Export", "Notes", "?", "Verdict", "Class", "Score", "Format", "Folder", "Flag"):
        assert name in reached
    assert page.evaluate("document.activeElement.matches('.list')")
