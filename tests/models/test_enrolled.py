"""Weights with added classes are a function of the weights before and of what was added."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from forensic.errors import WeightsError
from forensic.models.enrolled import put_together, taken_apart
from forensic.models.weights import load_weights, read_pair


def test_taken_apart_and_put_together(eight: Path, of_traces: Path) -> None:
    card, tensors = read_pair(eight)
    trained, added = taken_apart(eight, card, tensors)
    before, own = read_pair(of_traces)
    assert (trained.card, trained.card.hash) == (before, before.hash)
    assert trained.tensors.keys() == own.keys()
    for name, value in own.items():
        np.testing.assert_array_equal(trained.tensors[name], value)
        assert trained.tensors[name].dtype == value.dtype
    assert put_together(trained, []) == (trained.card, trained.tensors)
    again, same = put_together(trained, added)
    assert again == card
    assert same.keys() == tensors.keys()
    for name, value in tensors.items():
        np.testing.assert_array_equal(same[name], value)


def test_counts_are_of_the_kept_images_by_the_shipped_scorer(eight: Path) -> None:
    weights = load_weights(eight)
    trained, _ = taken_apart(eight, *read_pair(eight))
    offset, dimension = trained.enrolment.whitening.offset, weights.scorer.embedding_dim
    threshold = weights.card.threshold.value
    counts = dict.fromkeys(("known_accepted", "known_taken_for_it"), 0)
    for one in trained.enrolment.images.judged(offset):
        features = np.concatenate([np.full(dimension + 48, 9.0), one.features])[None]  # the embedding does not matter
        scored = weights.scorer(np.zeros((1, 7)), features)
        if one.form != "jpeg" or scored.score < threshold:
            continue
        counts["known_accepted"] += one.known
        counts["known_taken_for_it"] += one.known and scored.label == 7
    entry = weights.card.enrolled["dotted"]["jpeg"]
    assert counts["known_accepted"] == entry["known_accepted"]
    assert counts["known_taken_for_it"] == entry["known_taken_for_it"]
    accepted = weights.card.metrics["jpeg"]["known_accepted"]["value"]
    assert accepted == pytest.approx(entry["known_accepted"] / entry["known"])


def test_weights_that_keep_nothing(tiny_weights: Path) -> None:
    with pytest.raises(WeightsError, match="--score traces"):
        taken_apart(tiny_weights, *read_pair(tiny_weights))
