"""CSV and JSON Lines: exact where they are exact, guarded where a spreadsheet would act."""

from __future__ import annotations

import base64
import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from forensic import report
from forensic.case.rows import finding_to_dict, finding_to_json
from forensic.errors import UsageError
from forensic.report.rows import CSV_COLUMNS, SALVAGED, guarded


def rows_of(case: Path) -> list[dict[str, str]]:
    out = case.with_suffix(".csv")
    report.write(case, out)
    return list(csv.DictReader(io.StringIO(out.read_bytes().decode("utf-8"), newline="")))


def test_jsonl_is_exactly_the_lines_of_scan(make_case: Any) -> None:
    case = make_case()
    report.write(case, case.with_suffix(".jsonl"))
    lines = [finding_to_json(finding) for finding, _ in make_case.every_outcome()]
    assert case.with_suffix(".jsonl").read_bytes() == "".join(f"{line}\n" for line in lines).encode("ascii")


def test_csv_has_a_line_for_every_finding(make_case: Any) -> None:
    rows = rows_of(make_case())
    assert [tuple(row) for row in rows] == [(*CSV_COLUMNS, SALVAGED)] * 10
    assert [row["status"] for row in rows] == ["ok"] * 5 + ["unreadable", "skipped", "unreadable", "skipped", "skipped"]
    assert rows[2]["score"] == "-2.0"
    assert rows[2]["label"] == ""
    assert rows[2]["flags"] == "small;duplicate-of=in/a.png"
    assert [row["claims"] for row in rows[2:5]] == ["", "c2pa;generator;tool", ""]


def test_csv_of_a_scan_with_salvage_has_a_column_more(make_case: Any) -> None:
    rows = rows_of(make_case())
    part = finding_to_dict(make_case.every_outcome()[5][0])["salvaged"]
    assert [json.loads(row[SALVAGED]) if row[SALVAGED] else None for row in rows] == [None] * 5 + [part] + [None] * 4
    assert (rows[5]["verdict"], rows[5]["score"]) == ("", "")
    plain = make_case(name="plain.case", configuration={})
    assert [tuple(row) for row in rows_of(plain)] == [CSV_COLUMNS] * 10


def test_csv_path_is_guarded_and_its_bytes_stand_beside(make_case: Any) -> None:
    first, *_, last = rows_of(make_case())
    assert first["path"] == "'=cmd|' /C calc'!A0.png"
    assert base64.b64decode(first["path_b64"]) == b"=cmd|' /C calc'!A0.png"
    assert last["path"] == "in/\\xff\\xfe.png"
    assert base64.b64decode(last["path_b64"]) == b"in/\xff\xfe.png"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_formula_is_guarded(text: str) -> None:
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "a=1", " =1", "in/-1.png", "5"])
def test_other_text_is_left_alone(text: str) -> None:
    assert guarded(text) == text


@pytest.mark.parametrize("name", ["a.txt", "a", "a.html.gz"])
def test_another_suffix_is_refused(make_case: Any, name: str) -> None:
    case = make_case()
    with pytest.raises(UsageError, match=r"Choose one of \.html, \.csv, \.jsonl"):
        report.write(case, case.parent / name)


def test_no_case_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        report.write(tmp_path / "none.case", tmp_path / "out.html")
    assert list(tmp_path.iterdir()) == []


def test_case_is_not_overwritten_by_its_report(make_case: Any) -> None:
    case = make_case(name="a.html")
    before = case.read_bytes()
    with pytest.raises(UsageError, match="is the case itself"):
        report.write(case, case)
    assert case.read_bytes() == before


def test_missing_folder_is_told(make_case: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="its folder does not exist"):
        report.write(make_case(), tmp_path / "none" / "out.html")


def test_failed_report_leaves_the_old_one(make_case: Any) -> None:
    case = make_case()
    out = case.with_suffix(".csv")
    out.write_text("old")
    case.write_bytes(b"no case at all" * 100)
    with pytest.raises(Exception, match="case"):
        report.write(case, out)
    assert out.read_text() == "old"
    assert sorted(path.name for path in case.parent.iterdir()) == ["a.case", "a.csv"]
