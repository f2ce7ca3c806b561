"""Cases made by hand: a header and findings as a scan would give them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from forensic.case.ledger import Root, RunStart, create_case
from forensic.case.rows import Artefacts, CaseHeader, Finding

CLASSES = ("real", "alpha")


def made_header(**changes: Any) -> CaseHeader:
    fields: dict[str, Any] = {
        "question": "",
        "examiner": "",
        "case_number": "",
        "exhibit": "",
        "note": "",
        "weights": "0123456789ab",
        "weights_name": "two",
        "preprocessing": "tiles-128-v1",
        "configuration": {"threshold": None, "tiles": 25},
        "card": {"classes": list(CLASSES)},
        "classes": CLASSES,
        "class_spectra": {"alpha": ((5.0, 4.5), (0.25, 0.5))},
        "tool_version": "0.1.0",
    }
    return CaseHeader(**(fields | changes))


def made_finding(number: int, **changes: Any) -> Finding:
    fields: dict[str, Any] = {
        "path": f"in/{number:04d}.png",
        "sha256": f"{number:064x}",
        "bytes": 100 + number,
        "format": "PNG",
        "width": 128,
        "height": 128,
        "status": "ok",
        "verdict": "known",
        "label": "alpha",
        "nearest": "alpha",
        "score": 0.1 + number,
        "threshold": 0.0,
        "preprocessing": "tiles-128-v1",
        "weights": "0123456789ab",
        "decoder": "opencv 5.0.0",
    }
    return Finding(**(fields | changes))


def made_unreadable(number: int) -> Finding:
    empty = dict.fromkeys(("verdict", "label", "nearest", "score", "threshold", "width", "height", "decoder"))
    return made_finding(number, status="unreadable", reason="truncated", **empty)


@pytest.fixture
def header() -> Callable[..., CaseHeader]:
    return made_header


@pytest.fixture
def finding() -> Callable[..., Finding]:
    return made_finding


@pytest.fixture
def unreadable() -> Callable[[int], Finding]:
    return made_unreadable


@pytest.fixture
def write_case(tmp_path: Path) -> Callable[..., Path]:
    """`write_case(findings, complete=True)`: a case file with one artefact a finding."""

    def write(findings: list[Finding], *, complete: bool = True, name: str = "made.case") -> Path:
        path = tmp_path / name
        start = RunStart(started="2026-01-02T03:04:05+00:00", argv=("forensic", "scan"), versions={"forensic": "0.1.0"})
        with create_case(path, made_header(), roots=[Root(b"in", b"/evidence/in")], run=start) as case:
            places = [_place(finding) for finding in findings]
            case.append([(entry, Artefacts(thumbnail=b"webp", spectrum=(1.5, -2.25))) for entry in findings], places)
            if complete:
                case.finish(other_files=7, ended="2026-01-02T03:05:00+00:00")
        return path

    return write


def _place(finding: Finding) -> Any:
    from forensic.case.ledger import Place

    return Place(0, finding.path.encode().removeprefix(b"in/"), 1_000)
