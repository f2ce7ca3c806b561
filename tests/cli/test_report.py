"""`forensic report` as a user runs it."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from forensic.case.ledger import Root, RunStart, create_case, open_case
from forensic.case.rows import Artefacts, CaseHeader, Finding, finding_to_json

FINDING = Finding(
    path="in/[bold]a.png",
    status="ok",
    verdict="unknown",
    nearest="real",
    score=-1.0,
    threshold=0.5,
    preprocessing="tiles-128-v1",
    weights="8d21c0f3a7be",
)


@pytest.fixture
def case(tmp_path: Path) -> Path:
    header = CaseHeader(
        question="",
        examiner="",
        case_number="",
        exhibit="",
        note="",
        weights="8d21c0f3a7be",
        weights_name="two",
        preprocessing="tiles-128-v1",
        configuration={},
        card={},
        classes=("real", "alpha"),
        class_spectra={},
        tool_version="0.1.0",
    )
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    path = tmp_path / "scan.case"
    roots = [Root(b"evidence", str(evidence).encode())]
    with create_case(path, header, roots=roots, run=RunStart(started="2026-11-25T09:12:04+00:00")) as writer:
        writer.append([(FINDING, Artefacts())])
        writer.finish(ended="2026-11-25T09:14:51+00:00")
    return path


@pytest.mark.parametrize(("choice", "pictures"), [("full", 1), ("blur", 1), ("none", 0)])
def test_thumbnails_as_kept_blurred_or_none(case: Path, run_forensic: Any, choice: str, pictures: int) -> None:
    stored = io.BytesIO()
    Image.effect_noise((96, 96), 80).convert("RGB").save(stored, "WEBP")
    shown = case.with_name("shown.case")
    with open_case(case) as reader, create_case(shown, reader.header) as writer:
        writer.append([(FINDING, Artefacts(thumbnail=stored.getvalue()))])
        writer.finish()
    out = case.with_name(f"{choice}.html")
    ran = run_forensic("report", shown, "--out", out, "--thumbnails", choice)
    assert ran.code == 0, ran.err
    page = out.read_text(encoding="utf-8")
    assert page.count('src="data:image/webp;base64,') == pictures
    assert (base64.b64encode(stored.getvalue()).decode() in page) == (choice == "full")


def test_each_form_is_written_and_named(case: Path, run_forensic: Any) -> None:
    for suffix in (".html", ".csv", ".jsonl"):
        out = case.with_suffix(suffix)
        ran = run_forensic("report", case, "--out", out)
        assert (ran.code, ran.out) == (0, ""), ran.err
        assert str(out) in ran.err
        assert "[bold]a.png" in out.read_text(encoding="utf-8")
    assert case.with_suffix(".jsonl").read_text() == finding_to_json(FINDING) + "\n"


def test_a_large_page_is_warned_of_and_other_reports_are_not(
    case: Path, forensic: Any, tiny_weights: Path, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pytest-html 552: a page of 119 MB, and nobody said so."""
    written = ("report", case, "--out")
    assert "larger than" not in forensic(*written, "a.html").err
    monkeypatch.setattr("forensic.cli.report._LARGE", 100)
    assert "forensic: a.html is larger than 50 MB; some browsers" in forensic(*written, "a.html").err
    assert "larger than" not in forensic(*written, "a.jsonl").err
    scanned = forensic("scan", min(samples.glob("*.png")), "--weights", tiny_weights, "--report", "b.html")
    assert (scanned.code, "forensic: b.html is larger than 50 MB" in scanned.err) == (0, True)


def test_report_replaces_an_old_one(case: Path, run_forensic: Any) -> None:
    out = case.with_suffix(".jsonl")
    out.write_text("old")
    assert run_forensic("report", case, "--out", out).code == 0
    assert out.read_text() != "old"


@pytest.mark.parametrize(
    ("out", "told"), [("report.pdf", "no report ends in .pdf"), ("none/report.html", "its folder does not exist")]
)
def test_wrong_target_is_exit_2(case: Path, run_forensic: Any, out: str, told: str) -> None:
    ran = run_forensic("report", case, "--out", case.parent / out)
    assert ran.code == 2
    assert told in ran.err
    assert len(ran.err.splitlines()) == 1


def test_no_report_into_the_evidence(case: Path, run_forensic: Any) -> None:
    ran = run_forensic("report", case, "--out", case.parent / "evidence" / "report.html")
    assert ran.code == 2
    assert "lies inside the evidence folder" in ran.err
    assert list((case.parent / "evidence").iterdir()) == []


def test_no_case_is_exit_2(tmp_path: Path, run_forensic: Any) -> None:
    ran = run_forensic("report", tmp_path / "none.case", "--out", tmp_path / "a.html")
    assert ran.code == 2
    assert "none.case" in ran.err
    assert list(tmp_path.iterdir()) == []
