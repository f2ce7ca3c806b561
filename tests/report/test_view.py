"""Rows and sums in words."""

from __future__ import annotations

from typing import Any

from forensic.case.ledger import open_case
from forensic.case.rows import Artefacts, Counts
from forensic.report.view import RowWriter, row_views, survey


def test_survey_adds_up(make_case: Any) -> None:
    found = survey(make_case.every_outcome())
    assert found.rows == 10
    assert found.counts == Counts(known=3, unknown=2, unreadable=2, skipped=3)
    assert found.classes == {"alpha": 2, "real": 1}
    assert found.nearest == {"real": 1, "beta": 1}
    assert found.reasons["skipped", "link, not followed"] == 2
    assert found.formats == {"PNG": 5}
    assert found.flags == {"exif-rotated": 1, "small": 1, "duplicate-of": 1, "salvaged": 1}
    assert found.bytes == 5 * 20_000 + 48_210
    assert found.thresholds == {0.25: 5}


def views(case: Any) -> list[Any]:
    with open_case(case) as reader:
        found = survey((finding, artefacts) for _, finding, artefacts in reader.rows())
        return list(row_views(reader, RowWriter(reader.header, found), found.rows))


def test_rows_in_words(make_case: Any) -> None:
    rows = views(make_case())
    assert [row.number for row in rows] == list(range(1, 11))
    assert (rows[1].path, rows[1].name, rows[1].about) == ("in/a.png", "a.png", "PNG · 640 × 448 px · 20,000 bytes")
    assert rows[1].said == "attributed to class alpha"
    assert rows[2].said == "attributed to no known class; nearest is real"
    assert rows[5].said == "JPEG ends at byte 31744 of 48210"
    assert (rows[5].score, rows[5].curve) == ("", "")
    assert rows[3].curve_text == ""
    assert rows[4].against == "against nearest class beta"
    assert rows[4].band == 2


def test_spectrum_against_its_class(make_case: Any) -> None:
    row = views(make_case())[4]
    # falling(-0.4) against falling(0.4) with a spread of 0.3: 0.8 below everywhere, first at bin 2
    assert "within one spread of its mean at 0 of 62 frequencies" in row.curve_text
    assert "farthest 0.80 decades (2.7 spreads) below it" in row.curve_text


def test_spectrum_without_class_spectra(make_case: Any) -> None:
    row = views(make_case(class_spectra={}))[1]
    assert row.curve.startswith("M20 ")
    assert (row.band, row.against) == (None, "no class spectrum to compare with")


def test_scores_of_several_thresholds_share_a_scale(make_case: Any) -> None:
    rows = [
        (make_case.scored("a.png", 0.0, "real"), Artefacts()),
        (make_case.scored("b.png", 0.0, "real", threshold=-1.0), Artefacts()),
    ]
    first, second = views(make_case(rows))
    assert first.threshold_at > second.threshold_at
    assert (first.state, second.state) == ("unknown", "known")
