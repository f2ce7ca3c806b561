"""Two sets to what is said of them: verdict, ratio, the error rates that go with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from forensic.errors import UsageError
from forensic.spectra.profile import frequencies
from forensic.spectra.reading import BINS, group_spectrum

if TYPE_CHECKING:
    from forensic.comparison.sets import ImageSet
    from forensic.models.card import Card
    from forensic.models.verification import Compared, Verification

MEANING = {
    "same source": "one generator explains both better than two: they are as like as images of one generator are; "
    "a near relation of it (the same network trained anew) can look so too",
    "different sources": "two generators explain them better than one",
    "no decision": "neither is ten times as probable as the other; more images of each may decide",
}
"""Verdict -> what it says, and what it does not."""


@dataclass(frozen=True)
class Comparison:
    """Two sets, and what was said of them."""

    one: ImageSet
    other: ImageSet
    compared: Compared
    rates: dict[str, Any]
    """Row of the card's block `comparison` for so many images."""
    shared: int
    """Files of the second set with the bytes of one in the first; they were left out of it."""


def compare_sets(one: ImageSet, other: ImageSet, card: Card, verification: Verification) -> Comparison:
    """Compares two sets, each with an image.

    Raises:
        UsageError: both hold the same files and nothing else.
    """
    digests = {image.sha256 for image in one.images}
    apart = [image for image in other.images if image.sha256 not in digests]
    shared = len(other.images) - len(apart)
    if not apart:
        raise UsageError(other.name, f"holds the same bytes as {one.name}", "Name two different images, or folders")
    other.left_out += [(image.path, "also in the first set") for image in other.images if image.sha256 in digests]
    other.images = apart
    compared = verification(one.places, other.places)
    rows = card.comparison.get("rows", [])
    rates: dict[str, Any] = next((row for row in rows if tuple(row["images"]) == compared.counts), {})
    return Comparison(one, other, compared, rates, shared)


def to_dict(comparison: Comparison, card: Card, name: str) -> dict[str, Any]:
    """Everything for JSON.

    Args:
        comparison: of two sets.
        card: of the weights.
        name: of the weights.
    """
    compared = comparison.compared
    groups = [group_spectrum([image.spectrum for image in each.images]) for each in (comparison.one, comparison.other)]
    return {
        "weights": {"name": name, "hash": card.short_hash},
        "verdict": compared.verdict,
        "meaning": MEANING[compared.verdict],
        "log10_ratio": round(compared.log10_ratio, 4),
        "raw": round(compared.raw, 4),
        "first": _set(comparison.one),
        "second": _set(comparison.other),
        "error_rates": comparison.rates,
        "measured_on": card.comparison.get("measured_on", ""),
        "spectrum": {
            "frequencies": frequencies(BINS).tolist(),
            "first_mean": groups[0].mean.tolist(),
            "second_mean": groups[1].mean.tolist(),
            "difference": (groups[1].mean - groups[0].mean).tolist(),
            "standard_error": np.sqrt(sum(group.spread**2 / group.count for group in groups)).tolist(),
        },
    }


def _set(images: ImageSet) -> dict[str, Any]:
    return {
        "path": images.name,
        "images": [{"path": image.path, "sha256": image.sha256, "flags": list(image.flags)} for image in images.images],
        "flags": images.flags,
        "left_out": [{"path": path, "reason": reason} for path, reason in images.left_out],
    }


def rates_in_words(comparison: Comparison, card: Card) -> str:
    """What the verdict's error rates are, and on what they were measured; empty where the card has none."""
    rates = comparison.rates
    if not rates:
        return ""
    smaller, larger = rates["images"]
    sizes = f"{smaller} and {larger} image{'s' if larger > 1 else ''}"
    return (
        f"Of sets of {sizes} by generators that training never saw: of different ones {rates['false_same']:.1%} are "
        f"called the same source (worst two generators {rates['false_same_worst_two']:.1%}) and "
        f"{rates['undecided_different']:.1%} are left open, of one generator {rates['false_different']:.1%} are called "
        f"different and {rates['undecided_same']:.1%} left open; AUROC {rates['auroc']:.3f}. Measured on "
        f"{card.comparison['measured_on']} ({card.training.data})."
    )
