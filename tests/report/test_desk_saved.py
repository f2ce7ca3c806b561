"""What the page lets the reader save: exports as `forensic report` writes them, marks as docs/triage.md says."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from forensic import report
from forensic.case.annotations import Mark, marks
from forensic.case.ledger import open_case

pytestmark = pytest.mark.browser


def exported(case: Path, suffix: str) -> str:
    report.write(case, case.with_suffix(suffix))
    return case.with_suffix(suffix).read_bytes().decode("utf-8")


@pytest.fixture(scope="module")
def case(make_shared_case: Any) -> Path:
    """Every outcome, and numbers and texts that Python and JavaScript write differently unless told."""
    odd = [
        ("in/1", {"score": 1e-7, "llr": 1e22, "p": 5e-324}),
        ("in/2", {"score": 3.0, "llr": -0.0, "p": 123456789012345680.0}),
        ("in/3", {"score": 1e16, "scores": {"real": 1e-5, "alpha": 0.1, "é\x7f": 2.0}}),
        ("in/é\u2028\U0001f600\x7f\\\"'.png", {"score": 0.30000000000000004, "flags": ("=a,b", '"q"')}),
        ("in/4", {"score": 2.0, "engine": "onnx", "bytes": 2**31 + 5}),
    ]
    scored, nothing = make_shared_case.scored, make_shared_case.EMPTY
    rows = [(scored(path, fields.pop("score"), "real", **fields), nothing) for path, fields in odd]
    return make_shared_case([*make_shared_case.every_outcome(), *rows])


@pytest.fixture(scope="module")
def plain(open_shared_page: Any, case: Path) -> Any:
    """A page on which nothing is chosen or marked."""
    return open_shared_page(case)


def test_jsonl_is_exactly_what_report_writes(plain: Any, case: Path) -> None:
    assert plain.saved("Export", "Chosen rows as JSON Lines") == exported(case, ".jsonl")


def test_csv_is_exactly_what_report_writes(plain: Any, case: Path) -> None:
    assert plain.saved("Export", "Chosen rows as CSV") == exported(case, ".csv")


def test_export_is_of_what_is_chosen_in_its_order(open_page: Any, case: Path) -> None:
    opened = open_page(case)
    opened.choose("verdict", "unknown")
    opened.page.get_by_label("Order").select_option("high")
    lines = opened.saved("Export", "Chosen rows as JSON Lines").splitlines()
    wanted = [line for line in exported(case, ".jsonl").splitlines() if json.loads(line)["verdict"] == "unknown"]
    assert lines == sorted(wanted, key=lambda line: -json.loads(line)["score"])


@pytest.fixture(scope="module")
def triaged(open_shared_page: Any, case: Path) -> Any:
    """A page on which rows 1 and 3 were marked by keys; what is chosen is taken back."""
    opened = open_shared_page(case)
    page = opened.page
    page.focus(".list")
    page.keyboard.press("x")
    page.keyboard.press("4")
    page.keyboard.press("t")
    page.keyboard.type("second look, =risk")
    page.keyboard.press("Tab")
    page.keyboard.type('=HYPERLINK("x") é')
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("5")
    page.keyboard.press("0")
    page.keyboard.press("j")
    page.keyboard.press("2")
    return opened


def test_triage_is_saved_as_documented(triaged: Any, case: Path) -> None:
    page = triaged.page
    assert page.locator("#row-1 .marks b").all_inner_texts() == ["flagged", "grade 4", "=risk", "second look", "note"]
    assert page.locator("#row-2 .marks b").count() == 0
    page.locator(".menu summary", has_text="Notes").click()
    page.get_by_label("Marked by").fill("M. Okafor")
    page.keyboard.press("Escape")
    saved = json.loads(triaged.saved("Notes", "Save marks to a file"))
    with open_case(case) as reader:
        rows = [finding for _, finding, _ in reader.rows()]
        digest = reader.closing_digest
    assert (saved["format"], saved["version"], saved["by"]) == ("forensic-triage", 1, "M. Okafor")
    assert saved["case"] == {"digest": digest, "complete": True, "findings": 15}
    first, second = saved["entries"]
    for entry in saved["entries"]:
        assert entry.pop("changed")[10:11] == "T"
    assert first == {
        "seq": 0,
        "path": rows[0].path,
        "sha256": rows[0].sha256,
        "flagged": True,
        "grade": 4,
        "tags": ["=risk", "second look"],
        "note": '=HYPERLINK("x") é',
    }
    assert second == {
        "seq": 2,
        "path": rows[2].path,
        "sha256": rows[2].sha256,
        "flagged": False,
        "grade": 2,
        "tags": [],
        "note": "",
    }
    assert triaged.said == []


def test_triage_goes_into_the_case(triaged: Any, case: Path, tmp_path: Path, run_forensic: Any) -> None:
    own = Path(shutil.copy(case, tmp_path))
    file = tmp_path / "triage.json"
    file.write_text(triaged.saved("Notes", "Save marks to a file"), encoding="utf-8")
    ran = run_forensic("case", "import", own, file, "--by", "M. Okafor")
    assert ran.code == 0, ran.err
    with open_case(own) as reader:
        held = marks(reader)
    assert held == {
        0: Mark(flagged=True, grade=4, tags=("=risk", "second look"), note='=HYPERLINK("x") é'),
        2: Mark(grade=2),
    }


def test_exact_paths_stand_in_a_triage_file(open_page: Any, case: Path) -> None:
    opened = open_page(case)
    opened.page.focus(".list")
    for row in range(15):
        opened.page.keyboard.press("x")
        if row < 14:
            opened.page.keyboard.press("j")
    entries = json.loads(opened.saved("Notes", "Save marks to a file"))["entries"]
    with open_case(case) as reader:
        rows = [finding for _, finding, _ in reader.rows()]
    assert [(entry["seq"], entry["path"], entry["sha256"]) for entry in entries] == [
        (number, finding.path, finding.sha256) for number, finding in enumerate(rows)
    ]
    assert entries[9]["path_b64"] == rows[9].path_b64
    assert [entry["path"] for entry in entries if "path_b64" in entry] == [rows[9].path]


def test_marks_are_kept_by_the_browser_and_come_back(triaged: Any, case: Path) -> None:
    again = triaged.context.new_page()
    again.goto(case.with_suffix(".html").as_uri())
    assert again.locator("#row-1 .marks b").first.inner_text() == "flagged"
    again.close()


def test_marks_are_loaded_from_a_file_of_this_case_only(
    open_page: Any, triaged: Any, case: Path, tmp_path: Path
) -> None:
    other = json.loads(triaged.saved("Notes", "Save marks to a file"))
    other["entries"][1]["sha256"] = "0" * 64
    other["entries"].append({"seq": 10**9, "path": "x", "sha256": None})
    file = tmp_path / "triage.json"
    file.write_text(json.dumps(other), encoding="utf-8")

    fresh = open_page(case.with_suffix(".html"))
    fresh.page.set_input_files("input[type=file]", file)
    told = fresh.page.locator(".tools > .told")
    told.get_by_text("1 marks were taken, 2 do not fit this case and were left aside").wait_for()
    assert fresh.page.locator("#row-1 .marks b").first.inner_text() == "flagged"
    assert fresh.page.locator("#row-3 .marks b").count() == 0

    for wrong, why in ((other | {"version": 2}, "version 1"), (other | {"case": {"digest": "0"}}, "another case")):
        file.write_text(json.dumps(wrong), encoding="utf-8")
        fresh.page.set_input_files("input[type=file]", file)
        told.get_by_text(why).wait_for()
    file.write_text("<script>", encoding="utf-8")
    fresh.page.set_input_files("input[type=file]", file)
    told.get_by_text("Nothing was taken").wait_for()
    assert fresh.said == []


def test_nothing_is_hidden_in_marks_that_another_wrote(
    open_page: Any, triaged: Any, case: Path, tmp_path: Path
) -> None:
    """A file of marks is somebody's input: what the eye would not see in a tag or a note is written out."""
    saved = json.loads(triaged.saved("Notes", "Save marks to a file"))
    saved["entries"][0] |= {"tags": ["\u202egnp.exe"], "note": "a\n\u202eb\x1b"}
    file = tmp_path / "triage.json"
    file.write_text(json.dumps(saved), encoding="utf-8")
    opened = open_page(case.with_suffix(".html"))
    page = opened.page
    page.set_input_files("input[type=file]", file)
    page.locator(".tools > .told").get_by_text("2 marks were taken").wait_for()
    assert page.locator("#row-1 .marks b").all_inner_texts() == ["flagged", "grade 4", "\\u202egnp.exe", "note"]
    opened.choose("triage", "tag \\u202egnp.exe")
    assert opened.ids() == ["row-1"]
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#row-1 .note").text_content() == "Note: a\n\\u202eb\\x1b"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.keyboard.press("Escape")
    kept = json.loads(opened.saved("Notes", "Save marks to a file"))["entries"][0]
    assert (kept["tags"], kept["note"]) == (["\u202egnp.exe"], "a\n\u202eb\x1b")


def test_marks_are_a_facet_and_go_into_the_csv(triaged: Any) -> None:
    triaged.choose("triage", "grade 2")
    assert triaged.ids() == ["row-3"]
    triaged.choose("triage", "tag second look")
    assert triaged.ids() == ["row-1", "row-3"]
    triaged.page.keyboard.press("Escape")
    rows = list(csv.DictReader(io.StringIO(triaged.saved("Export", "Chosen rows as CSV"), newline="")))
    triaged.page.get_by_role("button", name="Clear search and filters").click()
    assert [(row["flagged"], row["grade"], row["tags"], row["note"]) for row in rows] == [
        ("yes", "4", "'=risk;second look", '\'=HYPERLINK("x") é'),
        ("", "2", "", ""),
    ]


def test_notes_are_printed(triaged: Any) -> None:
    triaged.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert 'Note: =HYPERLINK("x") é' in triaged.page.inner_text("#row-1")
    triaged.page.evaluate("dispatchEvent(new Event('afterprint'))")
