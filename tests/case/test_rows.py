from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forensic.case.rows import (
    OPTIONAL_KEYS,
    Counts,
    Finding,
    display_path,
    exact_path,
    finding_from_json,
    finding_to_json,
)


def test_every_key_is_there_and_in_order(unreadable) -> None:
    row = json.loads(finding_to_json(unreadable(1)))
    expected = [name for name in Finding.__dataclass_fields__ if name not in OPTIONAL_KEYS]
    assert list(row) == expected
    assert row["score"] is None
    assert row["verdict"] is None


def test_optional_keys_are_there_when_they_apply(finding) -> None:
    row = json.loads(finding_to_json(finding(1, scores={"real": 1.0, "alpha": 2.0}, path_b64="AA==")))
    assert row["scores"] == {"real": 1.0, "alpha": 2.0}
    assert row["path_b64"] == "AA=="
    assert "llr" not in row


def test_line_is_ascii_and_one_line(finding) -> None:
    line = finding_to_json(finding(1, path="a\n\u202e\x1b[31m\u00e9.png"))
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line)["path"] == "a\n\u202e\x1b[31m\u00e9.png"


def test_a_number_that_is_not_finite_never_becomes_a_line(finding) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        finding_to_json(finding(1, score=float("nan")))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_scores_come_back_exactly(score: float) -> None:
    made = Finding(path="x", status="ok", score=score, preprocessing="p", weights="w")
    assert finding_from_json(finding_to_json(made)) == made


@given(st.binary(min_size=1, max_size=40).filter(lambda raw: b"\0" not in raw))
def test_exact_bytes_of_a_path_come_back(raw: bytes) -> None:
    shown, exact = display_path(raw)
    assert exact_path(Finding(path=shown, path_b64=exact, status="ok", preprocessing="p", weights="w")) == raw


def test_bytes_that_are_no_text_are_shown_and_kept() -> None:
    assert display_path(b"a\xff\xfe.png") == ("a\\xff\\xfe.png", "Yf/+LnBuZw==")
    assert display_path(os.fsencode("é.png")) == ("é.png", None)


def test_counts_keep_the_unreadable_apart() -> None:
    counts = Counts(known=3, unknown=2, unreadable=5, skipped=7)
    assert (counts.scored, counts.total) == (5, 17)


def test_what_a_flag_says_to_be_withheld_is_null(finding) -> None:
    made = finding(1, flags=("llr-withheld=small",), p=0.25)
    row = json.loads(finding_to_json(made))
    assert (row["llr"], row["p"]) == (None, 0.25)
    assert finding_from_json(finding_to_json(made)) == made
    assert "p" not in json.loads(finding_to_json(finding(1, flags=("llr-withheld=small",))))
