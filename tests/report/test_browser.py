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


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 400)])  # a scheme changes colours alone
def test_nothing_sticks_out(open_page: Any, make_case: Any, scheme: str, width: int) -> None:
    rows = [*make_case.every_outcome(), (make_case.scored("in/" + "x" * 240 + ".png", 1.0, "real"), make_case.EMPTY)]
    page = open_page(make_case(rows), width=width, color_scheme=scheme).page
    measure = "document.documentElement.scrollWidth"
    assert page.evaluate(measure) == width
    page.locator("#list tr").first.click()
    assert page.evaluate(measure) == width
    page.keyboard.press("Escape")
    page.keyboard.press("v")
    page.locator("[data-facet=folder] summary").click()
    assert page.evaluate(measure) == width


@pytest.mark.parametrize("width", [320, 400])
def test_words_of_a_card_do_not_stick_out(open_page: Any, make_case: Any, width: int) -> None:
    """A reason without a blank in it, where the page has numbers."""
    card = make_case.header().card | {"metrics": {"val": {"auroc": {"reason": f"{MARKUP.replace(' ', '')}{'x' * 90}"}}}}
    page = open_page(make_case(card=card), width=width).page
    assert "onerror" in page.inner_text(".rates")
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_rows_built_by_script_are_the_rows_of_the_page(open_page: Any, make_case: Any) -> None:
    case = make_case()
    plain = open_page(case, script=False).page
    expected = plain.evaluate("[...document.querySelectorAll('#list tr')].map((row) => row.outerHTML)")
    page = open_page(case).page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.evaluate("for (const marks of document.querySelectorAll('#list .marks')) marks.remove()")
    compare = """(expected) => {
      const table = new DOMParser().parseFromString(`<table>${expected.join('')}</table>`, 'text/html');
      const rows = [...document.querySelectorAll('#list tr')], others = table.querySelectorAll('tr');
      return rows.map((row, n) => row.isEqualNode(document.importNode(others[n], true)) ? '' : row.outerHTML);
    }"""
    assert page.evaluate(compare, expected) == [""] * 10


def test_pictures_come_from_rows_data_and_sheets(
    open_page: Any, make_case: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html, "PLAIN_ROWS", 5)
    monkeypatch.setattr(pictures, "BUDGET", 8 * len(make_case.THUMBNAIL))
    monkeypatch.setattr(pictures, "FIRST_OF_CLASS", 1)
    case = make_case(make_case.long_rows(60), name="a b'c.case")
    opened = open_page(case, width=1400)
    page = opened.page
    page.keyboard.press("v")
    page.wait_for_selector("#tile-70")
    shown = page.evaluate(
        "[...document.querySelectorAll('.tile')].map((n) => n.firstChild.tagName + n.firstChild.className)"
    )
    assert shown.count("IMG") == 8
    assert shown[:5] == ["IMG"] * 5
    cells = [n for n, kind in enumerate(shown) if kind == "Icell"]
    assert len(cells) == 56
    sheets = [url for url in opened.asked if url.endswith(".webp")]
    assert {url.rsplit("/", 1)[0] for url in sheets} == {case.with_suffix(".assets").as_uri()}
    loaded = """(url) => new Promise((done) => { const image = new Image(); image.src = url;
      image.onload = () => done(image.naturalWidth); image.onerror = () => done(0); })"""
    assert page.evaluate(loaded, sheets[0]) == 768
    assert opened.said == []


def test_missing_sheets_are_told(open_page: Any, make_case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "BUDGET", 200 * len(make_case.THUMBNAIL))
    case = make_case(make_case.long_rows(300))
    out = case.with_suffix(".html")
    report.write(case, out)
    moved = out.rename(out.with_name("moved.html"))
    page = open_page(moved).page
    page.get_by_text("It is not there now.").wait_for()
    assert page.inner_text(".shown") == "310 rows"


def test_a_browser_that_can_not_unpack_keeps_the_plain_rows(open_page: Any, make_case: Any) -> None:
    case = make_case(make_case.long_rows(230))
    out = case.with_suffix(".html")
    report.write(case, out)
    text = out.read_text(encoding="utf-8")
    out.write_text(text.replace('id="block-path">', 'id="block-path">AAAA'), encoding="utf-8")
    page = open_page(out, ready=".banner").page
    assert "could not unpack the rows" in page.inner_text(".banner")
    assert page.locator("#list tr").count() == 200


def test_paper_gets_the_first_rows_chosen(open_page: Any, make_case: Any) -> None:
    opened = open_page(make_case(make_case.long_rows(240)))
    opened.choose("verdict", "known")
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert opened.page.inner_text(".rest").endswith("chosen, of 250 in all.")
    assert opened.page.locator("#list tr").count() == opened.page.locator("#list tr.known").count() > 100
    opened.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert opened.page.locator("#list tr").count() < 40


@pytest.mark.parametrize(("count", "told"), [(0, "0 rows"), (1, "1 row")])
def test_none_and_one_are_told_as_what_they_are(open_page: Any, make_case: Any, count: int, told: str) -> None:
    opened = open_page(make_case(make_case.every_outcome()[:count]))
    opened.page.keyboard.press("j")
    opened.page.keyboard.press("v")
    assert opened.page.inner_text(".shown") == told
    assert opened.said == []


def test_paper_gets_no_row_twice_when_the_list_was_scrolled(open_page: Any, make_case: Any) -> None:
    opened = open_page(make_case(make_case.long_rows(900)))
    page = opened.page
    page.focus(".list")
    page.keyboard.press("End")
    page.wait_for_selector("#row-910")
    # the shorter list is scrolled to its own end, and tells so a frame later
    page.evaluate("""new Promise((done) => { dispatchEvent(new Event('beforeprint'));
      requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50))); })""")
    assert opened.ids() == [f"row-{number}" for number in range(1, 201)]
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("#list tr").count() < 40
    assert opened.said == []


def test_paper_gets_two_hundred_rows_and_no_tools(open_page: Any, make_case: Any) -> None:
    page = open_page(make_case(make_case.long_rows(240))).page
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#list tr").count() == 200
    assert page.inner_text(".rest") == "Printed: rows 1 to 200 of 250 chosen, of 250 in all."
    assert page.locator(".tools").is_hidden()
    heights = page.evaluate(
        "[document.querySelector('.pane').clientHeight, document.querySelector('.list').clientHeight]"
    )
    assert heights[0] == heights[1] > 200 * 40


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
