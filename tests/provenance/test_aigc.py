"""The label of GB 45438-2025 in every form in which it is met."""

from __future__ import annotations

import json

import pytest

from forensic.provenance.aigc import KIND, aigc_claim
from forensic.provenance.claims import Claim

LABEL = {"Label": "1", "ContentProducer": "a producer", "ProduceID": "7", "ReservedCode1": "", "PropagateID": "9"}


def claim_in(key: str, text: str) -> Claim | None:
    return aigc_claim(key, text, text.encode(), "here")


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("TC260:AIGC", json.dumps(LABEL)),
        ("C260:AIGC", json.dumps(LABEL)),
        ("AIGC", json.dumps(LABEL)),
        ("AIGC", json.dumps({"AIGC": LABEL})),
        ("UserComment", json.dumps({"AIGC": LABEL})),
        ("Description", "words before AIGC" + json.dumps(LABEL)),
        ("APP11", "AIGC" + json.dumps(LABEL) + "\0\0"),
        ("Comment", "AIGC = " + json.dumps(LABEL)),
    ],
)
def test_forms(key: str, text: str) -> None:
    claim = claim_in(key, text)
    assert claim is not None
    assert (claim.kind, claim.state, claim.value) == (KIND, "unsigned", text)
    assert "of the image: made by artificial intelligence" in claim.says
    assert claim.details == ("Label: 1", "ContentProducer: a producer", "ProduceID: 7", "PropagateID: 9")


@pytest.mark.parametrize("label", [2, "2"])
def test_a_label_may_be_a_number(label: object) -> None:
    claim = claim_in("AIGC", json.dumps(LABEL | {"Label": label}))
    assert claim is not None
    assert "possibly" in claim.says


@pytest.mark.parametrize(
    "text", ["", "no JSON", "{", '{"Label": ', "[1]", '{"other": 1}', '{"AIGC":' * 100_000, '{"Label":' + "[" * 100_000]
)
def test_a_key_without_a_label_is_told(text: str) -> None:
    claim = claim_in("TC260:AIGC", text)
    assert claim is not None
    assert "holds no such JSON object" in claim.says


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("Comment", json.dumps(LABEL)),
        ("Comment", "about AIGC"),
        ("Comment", "AIGC" + " " * 1_000_000),
        ("Comment", 'AIGC {"other": 1}'),
        ("parameters", '{"a": 1}'),
    ],
)
def test_other_texts_are_no_labels(key: str, text: str) -> None:
    assert claim_in(key, text) is None


def test_long_fields_are_cut() -> None:
    claim = claim_in("AIGC", json.dumps({"Label": "1", "ReservedCode1": "x" * 1000}))
    assert claim is not None
    assert max(map(len, claim.details)) < 250
