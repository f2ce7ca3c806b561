from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from forensic.models.card import Threshold, Validated
from forensic.models.weights import bundled_folder, list_weights
from forensic.models.weights_page import said_measure, weights_page

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_page_is_that_of_the_cards() -> None:
    page = (REPOSITORY / "weights" / "README.md").read_text(encoding="utf-8")
    assert page == weights_page(list_weights(REPOSITORY / "weights")), (
        "write it anew: forensic weights list --format markdown > weights/README.md"
    )
    assert bundled_folder() == REPOSITORY / "weights"


def test_it_says_what_the_card_says(tiny_weights: Path) -> None:
    (entry,) = list_weights(tiny_weights.parent)
    page = weights_page([entry])
    card = entry.card
    assert card is not None
    assert "Default: `tiny`" in page
    assert card.short_hash in page
    assert card.limits in page
    assert all(f"`{name}`" in page for name in card.classes)
    assert said_measure(card.metrics["stored"]["auroc"]) in page


@pytest.mark.parametrize(
    ("value", "said"), [(-2.35151, "-2.352"), (0.6, "0.600"), (0.99951, "0.99951"), (0.999999991, "0.999999991")]
)
def test_scale_and_threshold_are_told(tiny_weights: Path, value: float, said: str) -> None:
    (entry,) = list_weights(tiny_weights.parent)
    assert entry.card is not None
    card = replace(entry.card, score="a scale", threshold=Threshold(value, "by hand"))
    page = weights_page([replace(entry, card=card)])
    assert "score: a scale.\n" in page
    assert f"Threshold {said}: by hand.\n" in page


def test_tolerances_of_engines_are_told(tiny_weights: Path) -> None:
    (entry,) = list_weights(tiny_weights.parent)
    assert entry.card is not None
    page = weights_page([replace(entry, card=replace(entry.card, tolerance=0.002))])
    assert (
        "may differ from those of torch in float32 by 0.002, in bfloat16\n  by 0.15, in 8-bit integers by 0.4;" in page
    )


def test_weights_that_were_not_validated(tiny_weights: Path) -> None:
    (entry,) = list_weights(tiny_weights.parent)
    assert entry.card is not None
    training = replace(entry.card.training, data="unknown", images={})
    card = replace(entry.card, validated=Validated((), (128, 128)), training=training, metrics={})
    page = weights_page([replace(entry, card=card)])
    assert "- Validated on no image: no error rate is known; every finding is flagged `not-validated`.\n" in page
    assert "| unknown | 7 | - / - | - / - |" in page
    assert "0 images" not in page


def test_measures_in_words() -> None:
    assert said_measure({"value": 0.9434, "low": 0.911, "high": 0.967}) == "0.943 (0.91-0.97)"
    assert said_measure({"value": 1.0}) == "1.000"
    assert said_measure({"reason": "no unknown images"}) == "-"
