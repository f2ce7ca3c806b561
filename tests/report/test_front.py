"""The first page's sums and facts."""

from __future__ import annotations

from typing import Any

import pytest

from forensic.case.ledger import open_case
from forensic.case.rows import Artefacts, Finding
from forensic.report.front import Extent, Page, front_page
from forensic.report.view import RowWriter, survey


def page_of(case: Any) -> Page:
    with open_case(case) as reader:
        found = survey((finding, artefacts) for _, finding, artefacts in reader.rows())
        extent = Extent(complete=reader.complete, digest=reader.closing_digest, plain=found.rows, beside=0)
        return front_page(reader, case.name, found, RowWriter(reader.header, found), extent)


def test_bar_of_outcomes_fills_its_length(make_case: Any) -> None:
    shares = page_of(make_case()).shares
    assert [(share.state, share.x, share.width) for share in shares] == [
        ("known", 0, 300),
        ("unknown", 300, 200),
        ("unreadable", 500, 200),
        ("skipped", 700, 300),
    ]


def test_every_known_class_is_listed_in_label_order(make_case: Any) -> None:
    rows = [(row.name, row.attributed, row.nearest) for row in page_of(make_case()).classes]
    assert rows == [("real", "1", "1"), ("alpha", "2", "0"), ("beta", "0", "1")]


def test_reasons_beyond_a_dozen_are_added_up(make_case: Any) -> None:
    base = {"preprocessing": "tiles-128-v1", "weights": "8d21c0f3a7be"}
    rows = [
        (Finding(path=f"{n:02d}", status="unreadable", reason=f"ends at byte {n:02d}", **base), Artefacts())
        for n in range(20)
    ]
    reasons = page_of(make_case(rows)).reasons
    assert len(reasons) == 13
    assert (reasons[-1].reason, reasons[-1].count) == ("other reasons, each with its image below", "8")


def test_configuration_stands_under_method(make_case: Any) -> None:
    method = dict(page_of(make_case()).method)
    assert method["Engine"] == ("torch cpu",)
    assert method["Largest image, pixels"] == ("250,000,000",)
    assert method["Links followed"] == ("no",)
    assert method["Thresholds (images)"] == ("0.25 (5)",)
    assert method["Decoded by (images)"] == ("opencv 5.0.0 (5)",)


def test_scale_of_the_score_is_the_card_s(make_case: Any) -> None:
    assert "Scale of the score" not in dict(page_of(make_case()).method)
    method = dict(page_of(make_case(name="b.case", card={"score": "largest softmax; 0 to 1"})).method)
    assert method["Scale of the score"] == ("largest softmax; 0 to 1",)


def test_the_tolerance_that_section_7_speaks_of_stands_under_method(make_case: Any) -> None:
    name = "Tolerance of a score, between machines"
    assert name not in dict(page_of(make_case()).method)
    assert dict(page_of(make_case(name="b.case", card={"tolerance": 0.001})).method)[name] == ("0.001",)


@pytest.mark.parametrize(("name", "shown"), [("x\u202ey", "x\\u202ey"), ("<b>", "<b>")])
def test_examiner_s_words_are_shown_as_they_are(make_case: Any, name: str, shown: str) -> None:
    page = page_of(make_case(case_number=name))
    assert page.heading == shown
    assert dict(page.ids)["Case"] == shown


def test_without_a_case_number_the_file_s_name_heads_the_page(make_case: Any) -> None:
    assert page_of(make_case(case_number="", name="holiday.case")).heading == "holiday"


def test_flags_in_use_are_explained(make_case: Any) -> None:
    assert [name for name, _ in page_of(make_case()).flag_notes] == [
        "duplicate-of",
        "exif-rotated",
        "salvaged",
        "small",
    ]
