"""What stands beside a finding survives its line of JSON, and older lines have none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from forensic.case.beside import CarriedClaim, Salvaged, beside_to_dict, is_told, salvaged_from_dict
from forensic.case.rows import Finding, finding_from_json, finding_to_json

CLAIM = CarriedClaim(
    kind="tool", place="tag Make", reader="forensic", state="unsigned", says="a camera", value="\ud800 <b>\u202e"
)
PART = Salvaged(rows=94, of_rows=144, verdict="known", score=0.1 + 0.2, scores={"real": 1.0}, flags=("grey", "a=b"))
BASE: dict[str, Any] = {"path": "x", "status": "unreadable", "preprocessing": "p", "weights": "w"}


def test_a_line_holds_both_and_reads_back() -> None:
    finding = Finding(**BASE, salvaged=PART, claims=(CLAIM, CLAIM))
    line = finding_to_json(finding)
    assert line.isascii()
    assert finding_from_json(line) == finding
    row = json.loads(line)
    assert list(row)[-2:] == ["salvaged", "claims"]
    assert row["verdict"] is None
    assert row["salvaged"]["flags"] == ["grey", "a=b"]
    assert list(row["claims"][0]) == list(CarriedClaim.__dataclass_fields__)


def test_a_line_without_them_is_as_it_was() -> None:
    line = finding_to_json(Finding(**BASE))
    assert not {"salvaged", "claims"} & set(json.loads(line))
    assert finding_from_json(line) == Finding(**BASE)


def test_a_part_with_another_key_is_refused() -> None:
    told = beside_to_dict(PART)
    assert salvaged_from_dict(told) == PART
    with pytest.raises(TypeError, match="other"):
        salvaged_from_dict(told | {"other": 1})


@pytest.mark.parametrize("state", ["unsigned", "present-not-checked", "unreadable", "not-kept"])
def test_what_counts_as_a_claim(state: str) -> None:
    claim = CarriedClaim(kind="tool", place="p", reader="r", state=state, says="s")
    assert is_told(claim) == (state in ("unsigned", "present-not-checked"))
