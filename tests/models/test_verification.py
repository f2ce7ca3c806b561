from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from forensic.models.score_kinds import TRACE_FEATURES
from forensic.models.verification import (
    LIMIT,
    Verification,
    fit_verification,
    log_ratio,
    verification_from_tensors,
    verification_of_training,
)

CLASSES, IMAGES, FORMS = 6, 24, 2


@pytest.fixture(scope="module")
def training() -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Traces in which classes differ along a few directions, and photographs along others, far more."""
    draws = np.random.default_rng(0)
    own = np.zeros((CLASSES, TRACE_FEATURES))
    own[:, :40] = draws.normal(0, 1.5, (CLASSES, 40))
    content = np.zeros((IMAGES, TRACE_FEATURES))
    content[:, 40:] = draws.normal(0, 5, (IMAGES, TRACE_FEATURES - 40))
    labels = np.repeat(np.arange(CLASSES), IMAGES * FORMS)
    photos = [f"photo-{image}" for _ in range(CLASSES) for image in range(IMAGES) for _ in range(FORMS)]
    shown = np.tile(np.repeat(np.arange(IMAGES), FORMS), CLASSES)
    traces = own[labels] + content[shown] + draws.normal(0, 1, (len(labels), TRACE_FEATURES))
    return traces.astype(np.float32), labels, photos


@pytest.fixture(scope="module")
def fitted(training: tuple[np.ndarray, np.ndarray, list[str]]) -> tuple[Verification, dict]:
    found, block = fit_verification(*training, FORMS, seed=0)
    assert found is not None
    return found, block


def log_density(values: np.ndarray, covariance: np.ndarray) -> float:
    _, logarithm = np.linalg.slogdet(2 * np.pi * covariance)
    return float(-0.5 * (logarithm + values @ np.linalg.solve(covariance, values)))


@pytest.mark.parametrize("sizes", [(1, 1), (3, 10)])
def test_ratio_is_that_of_two_gaussian_densities(sizes: tuple[int, int], seeded) -> None:
    draws = seeded()
    between = np.array([4.0, 0.5])
    one, other = draws.normal(size=(2, 2))
    expected = 0.0
    for axis, power in enumerate(between):
        both = np.array([one[axis], other[axis]])
        alone = np.diag([power + 1 / size for size in sizes])
        together = alone + power * (1 - np.eye(2))
        expected += log_density(both, together) - log_density(both, alone)
    assert log_ratio(one[None], other[None], sizes, between)[0] == pytest.approx(expected, rel=1e-12)


def test_generators_left_out_are_told_apart_and_more_images_tell_more(fitted: tuple[Verification, dict]) -> None:
    rows = fitted[1]["rows"]
    assert [row["images"] for row in rows] == [[1, 1], [1, 3], [1, 10], [3, 3], [3, 10], [10, 10]]
    assert rows[-1]["auroc"] > 0.95
    costs = [rows[place]["c_llr"] for place in (0, 3, 5)]
    assert all(later < earlier for earlier, later in pairwise(costs))
    for row in rows:
        assert row["pairs_same"] == row["pairs_different"] == 15 * 2 * 40
        assert 0 <= row["false_same"] <= row["false_same_worst_two"] <= 1
        assert row["false_different"] + row["undecided_same"] <= 1


def test_sets_of_new_generators(fitted: tuple[Verification, dict], seeded) -> None:
    verification, _ = fitted
    draws = seeded(5)
    one, other = draws.normal(0, np.sqrt(verification.between), (2, CLASSES - 1)) * 1.5
    first, again = one + draws.normal(size=(2, 10, CLASSES - 1))
    second = other + draws.normal(size=(10, CLASSES - 1))
    assert verification(first, again).verdict == "same source"
    assert verification(first, second).verdict == "different sources"
    assert verification(first, second) == verification(second, first)
    assert verification(first, second).counts == (10, 10)
    assert verification(first[:4], second[:1]).counts == (1, 3)
    assert abs(verification(first, again * 1000).log10_ratio) <= LIMIT


def test_place_is_a_mean_over_tiles_and_classes_lie_where_between_says(
    fitted: tuple[Verification, dict], training: tuple[np.ndarray, np.ndarray, list[str]]
) -> None:
    verification, _ = fitted
    traces, labels, _ = training
    means = np.stack([verification.place(traces[labels == label]) for label in range(CLASSES)])
    np.testing.assert_allclose(means.var(axis=0, ddof=1), verification.between, rtol=1e-3)
    singly = np.mean([verification.place(row[None]) for row in traces[:5]], axis=0)
    np.testing.assert_allclose(verification.place(traces[:5]), singly, rtol=1e-4, atol=1e-4)


def test_same_seed_same_numbers(training: tuple[np.ndarray, np.ndarray, list[str]], fitted) -> None:
    again = fit_verification(*training, FORMS, seed=0)
    assert again.block == fitted[1]
    np.testing.assert_array_equal(again.verification.calibration, fitted[0].calibration)


def test_tensors_come_back(fitted: tuple[Verification, dict]) -> None:
    verification, _ = fitted
    again = verification_from_tensors(verification.tensors(), CLASSES)
    for name in Verification.names:
        np.testing.assert_array_equal(getattr(again, name), getattr(verification, name))


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("directions", np.zeros((TRACE_FEATURES, 2)), "directions: expected"),
        ("between", -np.ones(CLASSES - 1), "between: variances"),
        ("calibration", np.array([[3.0, 3.0, 1.0, 0.0]]), "calibration: must begin"),
        ("extra", np.zeros(1), "extra: unexpected"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(
    fitted: tuple[Verification, dict], name: str, value: np.ndarray, told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        verification_from_tensors({**fitted[0].tensors(), name: value}, CLASSES)


def test_what_can_not_be_compared_is_refused(fitted: tuple[Verification, dict]) -> None:
    places = np.zeros((2, CLASSES - 1))
    with pytest.raises(ValueError, match="N >= 1"):
        fitted[0](places, places[:0])
    with pytest.raises(ValueError, match="not finite"):
        fitted[0](places, places * np.nan)


def test_too_few_classes_and_other_scores_give_none(training: tuple[np.ndarray, np.ndarray, list[str]]) -> None:
    traces, labels, photos = training
    some = labels < 4
    assert fit_verification(traces[some], labels[some], photos, FORMS, seed=0).verification is None
    assert verification_of_training(traces, labels, [], "softmax", 0) == (None, {})
