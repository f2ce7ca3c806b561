"""A case that was scanned with a calibration: what it says must stand in the page, and in the details of each image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from forensic import report
from forensic.calibration.file import sealed
from forensic.calibration.fit import Terms, fit_calibration
from forensic.calibration.pictures import Condition, Picture
from forensic.calibration.record import Calibration
from forensic.calibration.scale import read_scale
from forensic.calibration.weigh import NO_RATE, weigh
from forensic.calibration.words import beside_in_words, in_words, real_by_calibration, taken_in_words
from forensic.case.rows import Artefacts, Finding
from forensic.errors import MissingError
from forensic.report.calibrated import Wording

CLASSES = ("real", "alpha", "beta")
PNG = Condition("PNG", 128, 128, 1)
WHOLE = Condition("PNG", 640, 448, 8)


def made(*, generators: int = 4, mean: float = -2.0) -> Calibration:
    """Of drawn scores: known images about 3, those of unknown generators about `mean`."""
    draws = np.random.default_rng(0)
    known, unknown = [], []
    for label, name in enumerate(CLASSES):
        for number in range(30):
            scores = draws.normal(-6, 1, 3)
            scores[label] = draws.normal(3, 1)
            known.append(Picture(f"{name}{number}", f"p{number % 22}", name, label, label, scores, PNG))
    for place in range(generators):
        for number in range(20):
            scores = draws.normal(mean, 2, 3)
            digest = f"{place} {number}"
            unknown.append(Picture(digest, digest, f"g{place}<b>", -1, int(scores.argmax()), scores, PNG))
    terms = Terms("ab" * 32, "three", "tiles-128-v1", CLASSES, "real", read_scale(), "by hand")
    return sealed(fit_calibration(known, unknown, terms))


def weighed_finding(
    make_case: Any, calibration: Calibration, path: str, score: float, name: str, **more: Any
) -> Finding:
    """As a scan gives it: ratio, p and flags of the calibration."""
    found = weigh(calibration, name, score, more.pop("condition", PNG))
    threshold = 0.25 if found.threshold is None else found.threshold
    fields = {"llr": found.llr, "p": found.p, "flags": found.flags}
    return make_case.scored(path, score, name, threshold=threshold, **fields)


def keeping(make_case: Any, calibration: Calibration) -> dict[str, Any]:
    """What the header of a case has of a calibration, as a scan writes it."""
    header = make_case.header()
    return {
        "card": header.card | {"calibration": in_words(calibration)},
        "configuration": header.configuration | {"calibration": calibration.hash},
    }


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return made()


@pytest.fixture(scope="module")
def rows(make_shared_case: Any, calibration: Calibration) -> list[tuple[Finding, Artefacts]]:
    """Known as real, known as another, unknown, outside of what is covered, and one without a score."""
    told = [
        weighed_finding(make_shared_case, calibration, "in/a.png", 4.0, "real"),
        weighed_finding(make_shared_case, calibration, "in/b.png", 4.0, "alpha"),
        weighed_finding(make_shared_case, calibration, "in/c.png", -5.0, "beta"),
        weighed_finding(make_shared_case, calibration, "in/d.png", 4.0, "real", condition=WHOLE),
    ]
    broken = Finding(path="in/e.png", status="unreadable", reason="truncated", **make_shared_case.BASE)
    return [(finding, Artefacts()) for finding in (*told, broken)]


@pytest.fixture(scope="module")
def case(make_shared_case: Any, rows: Any, calibration: Calibration) -> Any:
    return make_shared_case(rows, **keeping(make_shared_case, calibration))


@pytest.fixture(scope="module")
def plain(open_shared_page: Any, case: Any) -> Any:
    """The page without script; not to be changed."""
    return open_shared_page(case, script=False).page


@pytest.fixture(scope="module")
def opened(open_shared_page: Any, case: Any) -> Any:
    """The page with script, on which details are shown and nothing is chosen."""
    return open_shared_page(case)


def expected(calibration: Calibration, finding: Finding) -> str:
    known = finding.verdict == "known"
    return beside_in_words(calibration, finding.nearest or "", finding.llr, finding.flags, known=known)


def test_a_narrow_page_names_every_figure_and_keeps_captions_whole(open_page: Any, opened: Any, case: Any) -> None:
    """Without its head a row of six numbers says nothing; a caption in a column of a word each is not read."""
    page = open_page(case, width=400).page
    heads = page.locator("table.calibration thead th").all_text_contents()
    named = "cells => cells.map((cell) => getComputedStyle(cell, '::before').content.replaceAll('\"', ''))"
    rows = page.locator("table.calibration tbody tr")
    assert rows.count() == 3
    for row in rows.all():
        assert row.locator("td").evaluate_all(named) == heads[1:]
    widths = page.locator("table.rates caption").evaluate_all("all => all.map((one) => one.clientWidth)")
    assert min(widths) > 300
    wide = opened.page.locator("table.calibration tbody td")
    assert set(wide.evaluate_all(named)) == {"none"}


def test_a_figure_stands_on_one_line_of_paper(open_page: Any, case: Any) -> None:
    page = open_page(case, width=680).page  # A4 less its margins
    page.emulate_media(media="print")
    heights = page.locator("table.calibration tbody tr").evaluate_all("all => all.map((one) => one.clientHeight)")
    assert len(heights) == 3
    assert max(heights) < 30
    assert page.evaluate("document.documentElement.scrollWidth") == 680


def test_the_first_page_says_what_the_terminal_says(plain: Any, calibration: Calibration) -> None:
    strong = plain.inner_text("section[aria-labelledby=h-strong]")
    for said in taken_in_words(calibration):
        assert said in strong
    assert "over 4 generators" in strong
    assert "a generator made it that is none of the known classes" in strong
    assert "of class real that a camera made it" in strong
    assert f"{NO_RATE}, neither ratio nor p. Here: 1 of 4." in strong
    lines = plain.locator("table.calibration tbody tr").all_inner_texts()
    assert [line.split("\t")[0] for line in lines] == list(CLASSES)
    own = calibration.classes["alpha"]
    assert f"{round(own.kept * 22)} of 22" in lines[1]
    assert own.ratio is not None
    assert f"{10**own.ratio.bounds.lower:.2g} to {10**own.ratio.bounds.upper:.2g}" in lines[1]
    assert "at the weights' own threshold" in strong


def test_class_real_never_stands_without_how_many_others_come_out_so(
    plain: Any, opened: Any, calibration: Calibration
) -> None:
    said = real_by_calibration(calibration)
    found = plain.inner_text("section[aria-labelledby=h-found]")
    assert said in found
    assert "Of the 2 images attributed to it here, 1 is not in the condition of the calibration" in found
    assert said in plain.inner_text("#row-1")
    assert "in this condition was not measured" in plain.inner_text("#row-4")
    assert said in opened.page.inner_text(".rowhead .weighs")
    opened.page.locator("#list tr").first.click()
    assert said in opened.page.inner_text(".drawer")


def test_every_finding_has_its_sentence_in_the_plain_row_and_in_the_details(
    plain: Any, opened: Any, rows: Any, calibration: Calibration
) -> None:
    for number, (finding, _) in enumerate(rows):
        wanted = [expected(calibration, finding)] if finding.score is not None else []
        assert plain.locator(f"#row-{number + 1} .weighed").all_inner_texts() == wanted
        opened.page.locator("#list tr").nth(number).click()
        assert opened.page.locator(".drawer .weighed").all_inner_texts() == wanted
        if wanted:
            assert "a generator made it that is none of the known classes" in wanted[0]
    assert NO_RATE in expected(calibration, rows[3][0])
    assert opened.page.locator("#list .weighed").first.is_hidden()  # rows of one height; the details have it
    assert opened.said == []


def test_paper_has_it_too(open_page: Any, case: Any, rows: Any, calibration: Calibration) -> None:
    page = open_page(case).page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert expected(calibration, rows[0][0]) in page.inner_text("#list")


@pytest.mark.parametrize(("scheme", "width"), [("light", 400), ("dark", 1400)])
def test_nothing_sticks_out_and_nobody_is_shut_out(open_page: Any, case: Any, scheme: str, width: int) -> None:
    opened = open_page(case, width=width, color_scheme=scheme)
    opened.page.locator("#list tr").first.click()
    assert opened.page.evaluate("document.documentElement.scrollWidth") == width
    assert opened.axe() == []


def test_without_generators_it_says_what_was_not_measured(make_case: Any, tmp_path: Any) -> None:
    alone = made(generators=0)
    finding = weighed_finding(make_case, alone, "in/a.png", 4.0, "real")
    report.write(make_case([(finding, Artefacts())], **keeping(make_case, alone)), tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "How often images of unknown generators come out as class real was not measured." in page
    assert "none: no images of unknown generators" in page
    assert page.count("No ratio is given for: a camera made the image (class real)") == 1


def test_a_case_without_a_calibration_says_nothing_of_one(make_case: Any) -> None:
    wording = Wording(make_case.header())
    assert wording.calibration is None
    assert wording.front(3, 0) is None
    assert wording.beside(make_case.scored("in/a.png", 1.0, "real")) == ""


def test_a_calibration_that_was_changed_is_refused(make_case: Any, calibration: Calibration) -> None:
    kept = keeping(make_case, calibration)
    kept["card"]["calibration"]["toml"] = kept["card"]["calibration"]["toml"].replace("keep = 0.95", "keep = 0.5")
    with pytest.raises(MissingError, match="does not fit its hash"):
        Wording(make_case.header(**kept))
    another = keeping(make_case, made(mean=-1.0)) | {"configuration": keeping(make_case, calibration)["configuration"]}
    with pytest.raises(MissingError, match="is not the one that the case was begun with"):
        Wording(make_case.header(**another))
