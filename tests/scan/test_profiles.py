"""What a profile sets, what it pins, and what it demands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from forensic.errors import UsageError
from forensic.scan.profiles import PROFILES

VALUES: dict[str, Any] = {
    "engine": None,
    "device": "cpu",
    "scores": False,
    "thumbnails": "full",
    "case": Path("x.case"),
    "examiner": "E",
    "case_number": "7",
    "question": "Q",
    "exhibit": None,
    "note": None,
}


def test_standard_changes_nothing() -> None:
    assert PROFILES["standard"].settle(VALUES, frozenset()) == VALUES


def test_a_default_gives_way_and_a_pin_does_not() -> None:
    triage, court = PROFILES["triage"], PROFILES["court"]
    assert triage.settle(VALUES, frozenset())["thumbnails"] == "none"
    assert triage.settle(VALUES, frozenset({"thumbnails"}))["thumbnails"] == "full"
    settled = court.settle(VALUES, frozenset())
    assert (settled["engine"], settled["device"], settled["scores"]) == ("torch", "cpu", True)
    assert court.settle(VALUES, frozenset({"scores"}))["scores"] is False
    with pytest.raises(UsageError, match="pins --engine torch, and onnx was asked for"):
        court.settle(VALUES | {"engine": "onnx"}, frozenset({"engine"}))
    assert court.settle(VALUES | {"engine": "torch"}, frozenset({"engine"}))["engine"] == "torch"


@pytest.mark.parametrize("name", ["case", "examiner", "case_number", "question"])
def test_what_a_court_needs(name: str) -> None:
    with pytest.raises(UsageError, match=f"needs --{name.replace('_', '-')}"):
        PROFILES["court"].settle(VALUES | {name: None}, frozenset())
