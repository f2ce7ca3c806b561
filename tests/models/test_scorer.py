from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import logsumexp
from sklearn.covariance import LedoitWolf

from forensic.models.score_kinds import KINDS, SPECTRUM_FEATURES, TERMS, TRACE_FEATURES, ScoreKind, appended
from forensic.models.scorer import SoftmaxScorer, StandardisedScorer, fit_scorer, log_odds, scorer_from_tensors

K, D = 3, 6
STANDARDISED = tuple(kind for kind in KINDS if kind != "softmax")


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
def scorer(images) -> StandardisedScorer:
    embeddings, labels, logits = images
    validation = [(logits[n : n + 1], embeddings[n : n + 1]) for n in range(0, 90, 2)]
    return fit_scorer(embeddings, labels, validation, K)


@pytest.fixture
def columns(images, seeded) -> Callable[[str], np.ndarray]:
    """Kind -> features (90, D) or wider, whose spectrum and traces tell the classes apart too."""
    embeddings, labels, _ = images
    draws = seeded(5)
    mixing = draws.normal(0, 1, (SPECTRUM_FEATURES, SPECTRUM_FEATURES))
    spectrum = 20 * np.eye(K, SPECTRUM_FEATURES)[labels] + draws.normal(0, 1, (90, SPECTRUM_FEATURES)) @ mixing
    traces = 3 * np.eye(K, TRACE_FEATURES)[labels] + draws.normal(0, 0.5, (90, TRACE_FEATURES))
    behind = {"": embeddings[:, :0], "spectrum": spectrum, "traces": np.concatenate([spectrum, traces], axis=1)}
    return lambda kind: np.concatenate([embeddings, behind[appended(kind)]], axis=1, dtype=np.float32)


def fitted(kind: ScoreKind, features: np.ndarray, labels: np.ndarray, logits: np.ndarray) -> StandardisedScorer:
    validation = [(logits[n : n + 1], features[n : n + 1]) for n in range(0, 90, 2)]
    made = fit_scorer(features, labels, validation, K, kind=kind)
    assert isinstance(made, StandardisedScorer)
    return made


def squared(rows: np.ndarray, centre: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Squared Mahalanobis distances by the formula."""
    return np.array([(row - centre) @ np.linalg.inv(covariance) @ (row - centre) for row in rows])


def by_formula(term: str, logits: np.ndarray, rows: np.ndarray, labels: np.ndarray, tiles: slice) -> list[float]:
    """One term for each class, of an image whose tiles are `tiles`; covariances are scikit-learn's."""
    l = logits[tiles].astype(float).mean(axis=0)  # noqa: E741 - the docstring's name
    if term == "log-odds":
        return [l[k] - logsumexp(np.delete(l, k)) for k in range(K)]
    if term == "margin":
        return [l[k] - np.delete(l, k).max() for k in range(K)]
    if term == "energy":
        return [logsumexp(l)] * K
    rows = rows.astype(float)
    means = np.stack([rows[labels == k].mean(axis=0) for k in range(K)])
    shared = LedoitWolf(assume_centered=True).fit(rows - means[labels]).covariance_
    near = np.stack([squared(rows[tiles], mean, shared) for mean in means], axis=1)
    if term == "distance":
        return list(np.sqrt(near).mean(axis=0))
    overall = LedoitWolf(assume_centered=True).fit(rows - rows.mean(axis=0)).covariance_
    return list((squared(rows[tiles], rows.mean(axis=0), overall)[:, None] - near).mean(axis=0))


def by_plane(term: str, made: StandardisedScorer, rows: np.ndarray) -> list[float]:
    """Of the tiles' mean traces, (T, 900), in the plane that the discriminant found; see test_discriminant."""
    plane = made.discriminant
    assert plane is not None
    place = (rows.astype(float).mean(axis=0) - plane.offset) @ plane.directions
    near = [((place - mean) ** 2).sum() for mean in plane.classes]
    if term == "trace-distance":
        return list(np.sqrt(near))
    return [np.delete(near, k).min() - near[k] for k in range(K)]


@pytest.mark.parametrize("kind", STANDARDISED)
@pytest.mark.parametrize("tiles", [slice(7, 8), slice(28, 33)])
def test_a_kind_is_its_formula(kind: ScoreKind, tiles: slice, images, columns) -> None:
    _, labels, logits = images
    features = columns(kind)
    made = fitted(kind, features, labels, logits)
    found = made.terms(logits[tiles], features[tiles])
    assert tuple(found) == TERMS[kind]
    expected = np.zeros(K)
    for place, (term, values) in enumerate(found.items()):
        if term.startswith("trace"):
            raw = by_plane(term, made, features[tiles, -TRACE_FEATURES:])
        else:
            rows = features[:, D : D + SPECTRUM_FEATURES] if term == "spectrum" else features[:, :D]
            raw = by_formula(term, logits, rows, labels, tiles)
        np.testing.assert_allclose(values, raw, rtol=1e-4, atol=1e-4)
        mean, deviation = made.constants[2 * place : 2 * place + 2]
        weight = 0.5 if (kind, term) == ("traces", "log-odds") else 1.0
        expected += (-weight if term in ("distance", "trace-distance") else weight) * (values - mean) / deviation
    scored = made(logits[tiles], features[tiles])
    np.testing.assert_allclose(scored.per_class, expected, rtol=1e-12, atol=1e-12)
    deciding = expected if appended(kind) == "traces" else logits[tiles].astype(float).mean(axis=0)
    assert scored.label == deciding.argmax()
    assert made.lead(logits[tiles], features[tiles]) == pytest.approx(np.sort(deciding)[-1] - np.sort(deciding)[-2])
    assert scored.score == scored.per_class[scored.label]


@pytest.mark.parametrize("kind", STANDARDISED)
def test_known_validation_images_have_mean_zero_and_unit_terms(kind: ScoreKind, images, columns) -> None:
    _, labels, logits = images
    features = columns(kind)
    made = fitted(kind, features, labels, logits)
    places = range(0, 90, 2)
    scores = [made(logits[n : n + 1], features[n : n + 1]).score for n in places]
    assert np.mean(scores) == pytest.approx(0, abs=1e-9)
    if len(TERMS[kind]) == 1:
        assert np.std(scores) == pytest.approx(1)
    assert "deviations of known validation images" in made.scale


@pytest.mark.parametrize("kind", ["distance", "relative", "spectrum", "sum", "odds-spectrum"])
def test_an_image_far_from_its_class_scores_low(kind: ScoreKind, images, columns) -> None:
    _, labels, logits = images
    features = columns(kind)
    made = fitted(kind, features, labels, logits)
    strange = features[:1].copy()
    start, stop = (D, None) if appended(kind) else (0, D)
    means = [features[labels == k, start:stop].mean(axis=0) for k in range(K)]
    strange[0, start:stop] += means[1] - means[0]  # what class 0 said and class 1 looks like
    assert made(logits[:1], strange).score < made(logits[:1], features[:1]).score - 1


def test_with_traces_both_parts_decide_on_the_label(images, columns) -> None:
    _, labels, logits = images
    features = columns("traces")
    made = fitted("traces", features, labels, logits)
    other = np.flatnonzero(labels == 1)[:1]
    swapped = np.concatenate([features[:1, :D], features[other, D:]], axis=1)
    assert made(logits[:1], features[:1]).label == 0
    assert made(logits[:1], swapped).label == 1  # clear traces outweigh logits
    assert made(logits[:1], swapped).score < made(logits[other], features[other]).score


def test_what_is_odd_whatever_made_it_costs_a_relative_score_little(images, seeded) -> None:
    """Pictures that differ along one direction in every class; one of them lies ten deviations out."""
    _, labels, logits = images
    draws = seeded(8)
    rows = (np.eye(K, D)[labels] + draws.normal(0, 0.1, (90, D))).astype(np.float32)
    odd = np.zeros(D, dtype=np.float32)
    odd[D - 1] = 10 * rows[:, D - 1].std()
    relative, distance = (fitted(kind, rows, labels, logits) for kind in ("relative", "distance"))
    fall = [made(logits[:1], rows[:1]).score - made(logits[:1], rows[:1] + odd).score for made in (relative, distance)]
    assert fall[1] > 3
    assert abs(fall[0]) < fall[1] / 3


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
    distances = scorer.terms(logits[7:8], embeddings[7:8])["distance"]
    np.testing.assert_allclose(distances, expected, rtol=1e-4)


def test_score_is_standardised_on_validation(images, scorer) -> None:
    embeddings, _, logits = images
    parts = []
    for n in range(0, 90, 2):
        margins, distances = scorer.terms(logits[n : n + 1], embeddings[n : n + 1]).values()
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
        (np.zeros((2, K)), np.zeros((1, D)), r"features: expected \(2, 6\), got \(1, 6\)"),
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


def test_tensors_there_and_back(images, columns) -> None:
    _, labels, logits = images
    for one in (SoftmaxScorer(K, D), *(fitted(kind, columns(kind), labels, logits) for kind in STANDARDISED)):
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
        (
            "softmax",
            dict.fromkeys(("means", "whitening", "constants")) | {"temperature": np.full(1, 0.1)},
            "temperature: must be 1",
        ),
        ("relative", {}, "centre: missing"),
        ("energy", {}, "means: unexpected for the kind energy"),
        ("energy", {"means": None, "whitening": None}, r"constants: expected \(2,\), got \(4,\)"),
        ("odds-spectrum", {"means": None, "whitening": None}, "spectrum_centre: missing"),
        ("entropy", {}, "the kind 'entropy' is unknown to this version"),
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
    with pytest.raises(ValueError, match=r"kind: expected one of sum, softmax, margin, .*, got entropy"):
        fit_scorer(embeddings, labels, [(logits[:1], embeddings[:1])], K, kind="entropy")
