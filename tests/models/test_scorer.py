from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.covariance import LedoitWolf

from forensic.models.scorer import (
    SoftmaxScorer,
    SumScorer,
    fit_scorer,
    log_odds,
    scorer_from_tensors,
    shrunk_covariance,
)

K, D = 3, 6


@pytest.fixture
def images(seeded):
    """Three separate classes: embeddings, labels, logits that fit them."""
    draws = seeded(4)
    labels = np.repeat(np.arange(K), 30)
    mixing = draws.normal(0, 1, (D, D))
    embeddings = (8 * np.eye(K, D)[labels] + draws.normal(0, 0.5, (90, D)) @ mixing).astype(np.float32)
    logits = (4 * np.eye(K)[labels] + draws.normal(0, 1, (90, K))).astype(np.float32)
    return embeddings, labels, logits


@pytest.fixture
def scorer(images) -> SumScorer:
    embeddings, labels, logits = images
    validation = [(logits[n : n + 1], embeddings[n : n + 1]) for n in range(0, 90, 2)]
    return fit_scorer(embeddings, labels, validation, K)


@pytest.mark.parametrize("shape", [(200, 8), (12, 20), (3, 5)])
def test_shrinkage_is_scikit_learns(shape, seeded) -> None:
    rows = seeded(2).normal(0, 1, shape) * np.linspace(0.2, 3, shape[1])
    expected = LedoitWolf(assume_centered=True).fit(rows).covariance_
    np.testing.assert_allclose(shrunk_covariance(rows), expected, rtol=1e-9, atol=1e-12)


def test_log_odds_by_hand() -> None:
    logits = np.array([1.0, -2.0, 0.5])
    p = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(log_odds(logits), np.log(p / (1 - p)), rtol=1e-12)
    assert log_odds(np.array([1000.0, 0.0]))[0] == 1000.0


def test_distance_is_mahalanobis(images, scorer) -> None:
    embeddings, labels, logits = images
    means = np.stack([embeddings[labels == k].astype(float).mean(axis=0) for k in range(K)])
    covariance = LedoitWolf(assume_centered=True).fit(embeddings - means[labels]).covariance_
    difference = embeddings[7] - means
    expected = np.sqrt(np.einsum("kd,de,ke->k", difference, np.linalg.inv(covariance), difference))
    _, distances = scorer.margins_and_distances(logits[7:8], embeddings[7:8])
    np.testing.assert_allclose(distances, expected, rtol=1e-4)


def test_score_is_standardised_on_validation(images, scorer) -> None:
    embeddings, _, logits = images
    parts = []
    for n in range(0, 90, 2):
        margins, distances = scorer.margins_and_distances(logits[n : n + 1], embeddings[n : n + 1])
        label = int(logits[n].argmax())
        parts.append((margins[label], distances[label]))
    margin_mean, margin_std, distance_mean, distance_std = scorer.constants
    margins, distances = np.array(parts).T
    assert (margins.mean(), margins.std()) == pytest.approx((margin_mean, margin_std))
    assert (distances.mean(), distances.std()) == pytest.approx((distance_mean, distance_std))
    scores = [scorer(logits[n : n + 1], embeddings[n : n + 1]).score for n in range(0, 90, 2)]
    assert np.mean(scores) == pytest.approx(0, abs=1e-9)


def test_far_from_every_class_scores_low(images, scorer) -> None:
    embeddings, _, logits = images
    near = scorer(logits[:1], embeddings[:1])
    far = scorer(logits[:1], embeddings[:1] + 50)
    unsure = scorer(logits[:1] * 0, embeddings[:1])
    assert far.score < near.score - 5
    assert unsure.score < near.score
    assert near.label == 0
    assert near.per_class[0] == near.score


def test_equal_tiles_score_like_one(images, scorer) -> None:
    embeddings, _, logits = images
    one = scorer(logits[:1], embeddings[:1])
    many = scorer(np.repeat(logits[:1], 9, axis=0), np.repeat(embeddings[:1], 9, axis=0))
    assert many.score == pytest.approx(one.score, abs=1e-9)
    np.testing.assert_allclose(many.per_class, one.per_class)


def test_label_is_of_the_mean_logits(scorer) -> None:
    logits = np.array([[5.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 3.0, 0.0]])
    assert scorer(logits, np.zeros((3, D))).label == 1
    assert scorer(np.ones((1, K)), np.zeros((1, D))).label == 0


@pytest.mark.parametrize(
    ("logits", "embeddings", "told"),
    [
        (np.zeros((0, K)), np.zeros((0, D)), r"logits: expected \(T, 3\) with T >= 1"),
        (np.zeros((2, K + 1)), np.zeros((2, D)), "logits: expected"),
        (np.zeros((2, K)), np.zeros((1, D)), r"embeddings: expected \(2, 6\), got \(1, 6\)"),
        (np.full((1, K), np.nan), np.zeros((1, D)), "not finite"),
        (np.zeros((1, K)), np.full((1, D), np.inf), "not finite"),
    ],
)
def test_what_can_not_be_scored_is_refused(scorer, logits, embeddings, told: str) -> None:
    for one in (scorer, SoftmaxScorer(K, D)):
        with pytest.raises(ValueError, match=told):
            one(logits, embeddings)


@pytest.mark.parametrize(
    ("labels", "validation", "classes", "told"),
    [
        ([0, 0, 1], 1, 3, "class 2 has no image"),
        ([0, 0, 1], 0, 2, "validation: expected at least one"),
        ([0, 0, 0], 1, 1, "num_classes: expected at least 2"),
    ],
)
def test_what_can_not_be_fitted_is_refused(labels, validation: int, classes: int, told: str) -> None:
    outputs = [(np.zeros((1, classes)), np.zeros((1, D)))] * validation
    with pytest.raises(ValueError, match=told):
        fit_scorer(np.zeros((3, D)), np.array(labels), outputs, classes)


def test_embeddings_without_spread_still_score() -> None:
    scorer = fit_scorer(np.zeros((2, D)), np.array([0, 1]), [(np.zeros((1, 2)), np.zeros((1, D)))], 2)
    assert np.isfinite(scorer(np.zeros((1, 2)), np.ones((1, D))).score)


def test_tensors_there_and_back(scorer) -> None:
    for one in (scorer, SoftmaxScorer(K, D)):
        again = scorer_from_tensors(one.tensors(), one.kind, K, D)
        assert type(again) is type(one)
        for name, value in one.tensors().items():
            np.testing.assert_array_equal(again.tensors()[name], value)


@pytest.mark.parametrize(
    ("kind", "change", "told"),
    [
        ("sum", {"means": None}, "means: missing"),
        ("sum", {"means": np.zeros((2, D))}, r"means: expected \(3, 6\), got \(2, 6\)"),
        ("sum", {"whitening": np.eye(2)}, r"whitening: expected \(6, 6\), got \(2, 2\)"),
        ("sum", {"constants": np.array([0.0, 0.0, 0.0, 1.0])}, "deviations must be above 0"),
        ("sum", {"temperature": np.ones(1)}, "temperature: unexpected for the kind sum"),
        ("softmax", {}, "constants: unexpected for the kind softmax"),
        ("softmax", {"means": None, "whitening": None, "constants": None}, "temperature: missing"),
        ("softmax", dict.fromkeys(SumScorer.names) | {"temperature": np.full(1, 0.1)}, "temperature: must be 1"),
        ("energy", {}, "the kind 'energy' is unknown to this version"),
    ],
)
def test_broken_tensors_are_refused(scorer, kind: str, change, told: str) -> None:
    tensors = {name: value for name, value in (scorer.tensors() | change).items() if value is not None}
    with pytest.raises(ValueError, match=told):
        scorer_from_tensors(tensors, kind, K, D)


@given(arrays(np.float32, st.tuples(st.integers(1, 5), st.just(K)), elements=st.floats(-1e4, 1e4, width=32)))
def test_softmax_is_that_of_the_mean_logits(logits) -> None:
    scored = SoftmaxScorer(K, D)(logits, np.zeros((len(logits), D)))
    mean = [math.fsum(float(value) for value in column) / len(logits) for column in logits.T]
    parts = [math.exp(value - max(mean)) for value in mean]
    np.testing.assert_allclose(scored.per_class, np.array(parts) / math.fsum(parts), rtol=1e-9, atol=1e-300)
    assert scored.score == scored.per_class[scored.label] == scored.per_class.max()
    assert 1 / K - 1e-12 <= scored.score <= 1


def test_softmax_label_is_the_first_of_the_best() -> None:
    scored = SoftmaxScorer(K, D)(np.array([[0.0, 2.0, 2.0], [0.0, 4.0, 4.0]]), np.zeros((2, D)))
    assert (scored.label, scored.score) == (1, pytest.approx(1 / (2 + math.exp(-3))))
    # two that one softmax can not tell apart, yet one of the logits is larger
    close = SoftmaxScorer(K, D)(np.array([[1.0, np.nextafter(1.0, 2.0), 0.0]]), np.zeros((1, D)))
    assert close.label == 1


def test_softmax_is_at_temperature_one_and_knows_no_embedding() -> None:
    logits = np.array([[math.log(6), math.log(3), 0.0]])
    for embedding in (np.zeros((1, D)), np.full((1, D), 50.0)):
        np.testing.assert_allclose(SoftmaxScorer(K, D)(logits, embedding).per_class, [0.6, 0.3, 0.1], rtol=1e-12)


def test_softmax_needs_no_fit(images) -> None:
    embeddings, labels, logits = images
    fitted = fit_scorer(embeddings, labels, [(logits[:1], embeddings[:1])], K, kind="softmax")
    assert fitted == SoftmaxScorer(K, D)
    with pytest.raises(ValueError, match="kind: expected one of sum, softmax, got energy"):
        fit_scorer(embeddings, labels, [(logits[:1], embeddings[:1])], K, kind="energy")
