"""The list at work, in Chromium: 2,000 rows, chosen, sorted and walked through as a reader does."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from forensic.case.ledger import open_case
from forensic.case.rows import Artefacts, Finding
from forensic.report.escaping import visible

pytestmark = pytest.mark.browser
ROWS = 1_990


@pytest.fixture(scope="module")
def case(make_shared_case: Any) -> Path:
    """2,000 rows: folders in folders, two formats, flags, scores of every class for some; then every outcome."""
    rows: list[tuple[Finding, Artefacts]] = []
    for number, (finding, artefacts) in enumerate(make_shared_case.long_rows(ROWS)[:ROWS]):
        more: dict[str, Any] = {"format": "JPEG" if number % 2 else "PNG"}
        if number % 7 == 0:
            more["flags"] = ("small", f"duplicate-of=in/{number}")
        if number % 11 == 0:
            more["scores"] = {"real": 0.5, "alpha": float(number), "beta": -1.25}
        path = f"in/{'abc'[number % 3]}/{number // 1000}/{number:05}.png"
        assert finding.score is not None
        assert finding.nearest is not None
        rows.append((make_shared_case.scored(path, finding.score, finding.nearest, **more), artefacts))
    return make_shared_case([*rows, *make_shared_case.every_outcome()])


@pytest.fixture(scope="module")
def desk(open_shared_page: Any, case: Path) -> Any:
    """The page with nothing chosen; who chooses something takes it back."""
    return open_shared_page(case)


@cache
def findings(case: Path) -> list[Finding]:
    with open_case(case) as reader:
        return [finding for _, finding, _ in reader.rows()]


def expected(case: Path, keep: Any) -> int:
    return sum(bool(keep(finding)) for finding in findings(case))


def shows(opened: Any, count: str) -> None:
    """Waits until the page tells that it shows so many."""
    opened.page.locator(".shown", has_text=re.compile(f"^{count}$")).wait_for()


def search_nothing(opened: Any) -> None:
    """Takes back what was searched, and leaves the field."""
    opened.page.fill(".tools input >> nth=0", "")
    shows(opened, "2,000 rows")
    opened.page.keyboard.press("Escape")


def test_only_what_is_in_view_is_in_the_document(desk: Any) -> None:
    page = desk.page
    assert page.inner_text(".shown") == "2,000 rows"
    assert page.get_attribute(".list", "aria-rowcount") == "2001"
    for fraction in (0.0, 0.3, 1.0):
        page.evaluate(f"document.querySelector('.pane').scrollTop = {fraction} * 2000 * 104")
        page.wait_for_timeout(50)
        rows = desk.ids()
        assert 5 < len(rows) <= 100
        assert [int(row[4:]) for row in rows] == list(range(int(rows[0][4:]), int(rows[0][4:]) + len(rows)))
    assert desk.ids()[-1] == "row-2000"
    assert desk.said == []
    page.evaluate("document.querySelector('.pane').scrollTop = 0")


@pytest.mark.parametrize(
    ("facet", "value", "keep"),
    [
        ("verdict", "unknown", lambda f: f.verdict == "unknown"),
        ("verdict", "skipped", lambda f: f.status == "skipped"),
        ("class", "beta", lambda f: "beta" in (f.label, f.nearest)),
        ("class", "no class", lambda f: f.nearest is None),
        ("format", "JPEG", lambda f: f.format == "JPEG"),
        ("format", "not told", lambda f: f.format is None),
        ("folder", "in/b/", lambda f: f.path.startswith("in/b/")),
        ("folder", "in/b/1/", lambda f: f.path.startswith("in/b/1/")),
        ("flag", "duplicate-of", lambda f: any(flag.startswith("duplicate-of") for flag in f.flags)),
        ("flag", "no flag", lambda f: not f.flags),
        ("claims", "generator", lambda f: f.claims is not None),
        ("claims", "no claims", lambda f: f.claims is None),
        ("band", "no score", lambda f: f.score is None),
        ("band", "0 to 0.5 above the threshold", lambda f: f.score is not None and 0 <= f.score - f.threshold < 0.5),
        ("band", "0.5 to 1 below the threshold", lambda f: f.score is not None and -1 <= f.score - f.threshold < -0.5),
        ("triage", "unmarked", lambda _: True),
    ],
)
def test_facets(desk: Any, case: Path, facet: str, value: str, keep: Any) -> None:
    told = desk.page.locator(f"[data-facet={facet}] li").filter(has=desk.page.get_by_text(value, exact=True))
    desk.choose(facet, value)
    count = expected(case, keep)
    assert told.locator("b").inner_text() == f"{count:,}"
    assert desk.page.inner_text(".shown") == (f"{count:,} of 2,000 rows" if count < 2000 else "2,000 rows")
    desk.choose(facet, value)
    assert desk.page.inner_text(".shown") == "2,000 rows"
    desk.page.locator(f"[data-facet={facet}] summary").click()


def test_facets_together_and_their_counts(desk: Any, case: Path) -> None:
    desk.choose("class", "alpha")
    desk.choose("class", "beta")
    desk.choose("verdict", "known")
    both = expected(case, lambda f: f.label in ("alpha", "beta"))
    assert desk.page.inner_text(".shown") == f"{both:,} of 2,000 rows"
    counts = dict(
        zip(
            desk.page.locator("[data-facet=verdict] li span").all_inner_texts(),
            desk.page.locator("[data-facet=verdict] li b").all_inner_texts(),
            strict=True,
        )
    )
    unknown = expected(case, lambda f: f.verdict == "unknown" and f.nearest in ("alpha", "beta"))
    assert counts == {"known": f"{both:,}", "unknown": f"{unknown:,}", "unreadable": "0", "skipped": "0"}
    assert desk.page.inner_text("[data-facet=class] summary") == "Class: 2"
    desk.page.get_by_role("button", name="Clear search and filters").click()
    assert desk.page.inner_text(".shown") == "2,000 rows"
    assert desk.page.inner_text("[data-facet=class] summary") == "Class"
    desk.page.keyboard.press("Escape")


@pytest.mark.parametrize(
    ("query", "keep"),
    [
        ("00017", lambda f: "00017" in f.path),
        ("IN/A/1 jpeg", lambda f: "in/a/1" in f.path and f.format == "JPEG"),
        ("u202e", lambda f: "\u202e" in f.path),
        ("duplicate-of", lambda f: any("duplicate-of" in flag for flag in f.flags)),
        ("damaged", lambda f: "damaged" in (f.reason or "")),
        ("nothing has this", lambda _: False),
        ("g", lambda _: True),
    ],
)
def test_search(desk: Any, case: Path, query: str, keep: Any) -> None:
    desk.page.keyboard.press("/")
    desk.page.keyboard.type(query)
    count = expected(case, keep)
    told = "No row fits" if not count else "2,000 rows" if count == 2000 else f"{count:,} of 2,000 rows"
    shows(desk, told)
    search_nothing(desk)
    assert desk.said == []


def test_a_hash_is_found_whole_or_in_part(desk: Any, case: Path) -> None:
    wanted = findings(case)[1234].sha256
    assert wanted is not None
    for part in (wanted, wanted[20:40].upper(), wanted[-12:]):
        desk.page.fill(".tools input >> nth=0", part)
        desk.page.locator(".shown", has_text="1 of 2,000 rows").wait_for()
        assert desk.ids() == ["row-1235"]
    search_nothing(desk)


@pytest.mark.parametrize(
    ("order", "key"),
    [
        ("low", lambda f: f.score),
        ("high", lambda f: -f.score),
        ("near", lambda f: abs(f.score - f.threshold)),
    ],
)
def test_orders(desk: Any, case: Path, order: str, key: Any) -> None:
    desk.page.get_by_label("Order").select_option(order)
    rows = [(number, finding) for number, finding in enumerate(findings(case)) if finding.score is not None]
    rows.sort(key=lambda row: (key(row[1]), row[0]))
    shown = desk.ids()
    assert shown == [f"row-{number + 1}" for number, _ in rows[: len(shown)]]
    desk.page.focus(".list")
    desk.page.keyboard.press("G")  # what has no score comes last
    assert desk.ids()[-1] == "row-2000"
    desk.page.keyboard.press("g")
    desk.page.get_by_label("Order").select_option("path")
    assert desk.ids()[0] == "row-1"


def test_keys_walk_through_the_list(open_page: Any, case: Path) -> None:
    opened = open_page(case)
    page = opened.page
    walk = {"j": 2, "ArrowRight": 2, "k": 1, "G": 2000, "End": 2000, "g": 2000}
    page.focus(".list")
    for key, row in walk.items():
        page.keyboard.press(key)
        assert opened.marked() == f"row-{row}", key
    page.keyboard.press("g")
    assert opened.marked() == "row-1"
    page.keyboard.press("PageDown")
    assert opened.marked() != "row-1"
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    assert opened.marked() == "row-2"
    assert page.get_attribute(".list", "aria-activedescendant") == "row-2"
    assert page.evaluate("document.activeElement.className").startswith("list")


def test_keys_do_nothing_while_text_is_written(desk: Any) -> None:
    page = desk.page
    page.keyboard.press("/")
    page.keyboard.type("xjG1")
    assert page.input_value(".tools input >> nth=0") == "xjG1"
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.locator("dialog").is_visible()
    page.keyboard.press("x")
    page.keyboard.press("Escape")
    assert page.locator("dialog").is_hidden()
    assert page.locator(".marks b").count() == 0
    search_nothing(desk)


def test_drawer_tells_everything(open_page: Any, case: Path) -> None:
    opened = open_page(case)
    page = opened.page
    page.focus(".list")
    page.keyboard.press("Enter")
    drawer = page.locator(".drawer")
    assert page.evaluate("document.activeElement.className") == "drawer"
    words = drawer.inner_text()
    first = findings(case)[0]
    for told in (
        first.path,
        first.sha256,
        "20,000",
        "640",
        "448",
        "opencv 5.0.0",
        "tiles-128-v1",
        "8d21c0f3a7be",
        repr(first.score).replace("-", "−"),
    ):
        assert str(told) in words
    assert "A side is shorter than 128 pixels." in words  # what the flag means
    assert drawer.locator(".scores tbody th").all_inner_texts() == ["real", "alpha", "beta"]
    assert "alpha, next by score" in words
    page.keyboard.press("j")
    assert findings(case)[1].path in drawer.inner_text()
    assert drawer.locator(".scores").count() == 0
    assert "nearest of the others by this curve" in drawer.inner_text()
    page.keyboard.press("Escape")
    assert drawer.is_hidden()
    assert page.evaluate("document.activeElement.className").startswith("list")
    page.keyboard.press(" ")
    assert drawer.is_visible()
    page.keyboard.press(" ")
    assert drawer.is_hidden()


def test_drawer_tells_what_stands_beside(open_page: Any, make_case: Any) -> None:
    page = open_page(make_case()).page
    claims = make_case.every_outcome()[3][0].claims
    page.locator("#list tr").nth(3).click()
    part = page.locator(".drawer .claimed")
    assert part.locator("h4").inner_text() == "Claims carried by the file, no part of the verdict"
    assert part.locator("dt").all_inner_texts() == [claim.kind for claim in claims]
    words = part.inner_text()
    assert visible(claims[0].value) in words
    assert f"cut; all 9,000 bytes have the SHA-256 {'ab' * 32}" in words
    assert "signature not checked: not looked into" in words
    assert "PNG tEXt 'parameters' at byte 33, read by forensic" in words
    page.locator("#list tr").nth(5).click()
    assert part.locator("h4").inner_text() == "What is left of it"
    words = part.inner_text()
    assert "Salvaged part, in no count: 94 of 144 rows, attributed to no known class, nearest is al<b>pha" in words
    assert "−0.30000000000000004" in words
    page.locator("#list tr").nth(1).click()
    assert part.count() == 0


def test_address_brings_back_what_was_chosen(open_page: Any, case: Path) -> None:
    first = open_page(case)
    first.choose("verdict", "unknown")
    first.choose("folder", "in/a/")
    first.page.keyboard.press("Escape")
    first.page.get_by_label("Order").select_option("low")
    first.page.fill(".tools input >> nth=0", "png")
    first.page.locator("#list tr").nth(3).click()
    fragment = "#" + first.page.url.split("#")[1]
    again = open_page(case.with_suffix(".html"), fragment=fragment)
    assert again.page.inner_text(".shown") == first.page.inner_text(".shown")
    assert again.page.inner_text(".drawer h3") == first.page.inner_text(".drawer h3")
    assert again.ids() == first.ids()
    assert again.marked() == first.marked()


@pytest.mark.parametrize("fragment", ["#row=1500", "#row-1500"])
def test_address_of_a_row(open_page: Any, case: Path, fragment: str) -> None:
    opened = open_page(case, fragment=fragment)
    assert "No. 1,500" in opened.page.inner_text(".drawer")
    assert opened.marked() == "row-1500"
    opened.page.evaluate("location.hash = '#row=7'")
    opened.page.locator(".drawer a", has_text="No. 7").wait_for()


def test_gallery_shows_the_same_rows(open_page: Any, case: Path) -> None:
    opened = open_page(case)
    page = opened.page
    opened.choose("format", "JPEG")
    page.keyboard.press("Escape")
    page.keyboard.press("v")
    tiles = page.evaluate("[...document.querySelectorAll('.tile')].map((tile) => tile.id)")
    assert tiles[:3] == ["tile-2", "tile-4", "tile-6"]
    assert page.locator("[role=row]").count() <= 100
    page.keyboard.press("ArrowRight")
    assert opened.marked() == "tile-4"
    page.keyboard.press("ArrowDown")
    assert int(opened.marked()[5:]) > 10
    page.keyboard.press("G")
    page.keyboard.press("Enter")
    assert page.locator(".drawer h3").inner_text().endswith(".png")
    page.keyboard.press("Escape")
    page.keyboard.press("v")
    assert opened.marked().startswith("row-")


def test_a_long_facet_is_narrowed(open_page: Any, make_case: Any) -> None:
    rows = [(make_case.scored(f"in/{n:03}/a.png", 1.0, "real"), make_case.EMPTY) for n in range(300)]
    opened = open_page(make_case(rows))
    menu = opened.page.locator("[data-facet=folder]")
    menu.locator("summary").click()
    menu.locator("li").first.wait_for()  # it is filled once it is open
    assert menu.locator("li").count() == 200
    assert "and 101 more" in menu.inner_text()
    menu.get_by_role("searchbox").fill("/29")
    assert menu.locator("li").count() == 10
