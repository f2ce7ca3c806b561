"""Against counts at every threshold, the areas of openset.py and scikit-learn's curve."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from forensic.metrics.curves import oscr_curve, roc
from forensic.metrics.openset import auroc, oscr

few_scores = st.lists(st.integers(0, 5).map(float), min_size=1, max_size=10)


def trapezoid(curve) -> float:
    return float((np.diff(curve.x) * (curve.y[1:] + curve.y[:-1])).sum() / 2)


def test_points_by_hand() -> None:
    # .9 r, .6 right and unknown together, .6 wrong; then the unknown .2
    curve = oscr_curve([0.9, 0.6, 0.6, 0.1], [True, True, False, True], [0.6, 0.2])
    assert curve.thresholds.tolist() == [np.inf, 0.9, 0.6, 0.2, 0.1]
    assert curve.x.tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert curve.y.tolist() == [0.0, 0.25, 0.5, 0.5, 0.75]
    assert curve.reason is None


@given(few_scores, few_scores, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_every_point_is_a_count_and_the_areas_are_the_measures(known, unknown, random) -> None:
    correct = [random.random() < 0.7 for _ in known]
    ccr, tpr = oscr_curve(known, correct, unknown), roc(known, unknown)
    assert (ccr.x[0], ccr.y[0], tpr.y[0]) == (0, 0, 0)
    assert ccr.thresholds[1:].tolist() == sorted(set(known + unknown), reverse=True)
    for x, right, all_known, t in zip(ccr.x, ccr.y, tpr.y, ccr.thresholds, strict=True):
        assert x == sum(u >= t for u in unknown) / len(unknown)
        assert right == sum(k >= t and c for k, c in zip(known, correct, strict=True)) / len(known)
        assert all_known == sum(k >= t for k in known) / len(known)
    assert trapezoid(tpr) == pytest.approx(auroc(known, unknown).value, abs=1e-12)
    assert trapezoid(ccr) == pytest.approx(oscr(known, correct, unknown).value, abs=1e-12)
    both = list(zip(known, correct, strict=True))
    random.shuffle(both)
    again = oscr_curve([k for k, _ in both], [c for _, c in both], sorted(unknown))
    assert (again.x.tolist(), again.y.tolist()) == (ccr.x.tolist(), ccr.y.tolist())


def test_equal_to_scikit_learn(seeded) -> None:
    known, unknown = seeded(1).normal(0.5, 1, 80).round(1), seeded(2).normal(0, 1, 60).round(1)
    truth = np.r_[np.ones(80), np.zeros(60)]
    fpr, tpr, thresholds = roc_curve(truth, np.r_[known, unknown], drop_intermediate=False)
    curve = roc(known, unknown)
    np.testing.assert_allclose(curve.x, fpr, rtol=1e-14)
    np.testing.assert_allclose(curve.y, tpr, rtol=1e-14)
    np.testing.assert_array_equal(curve.thresholds, thresholds)


@pytest.mark.parametrize(
    ("known", "unknown", "reason"), [([1.0], [], "no unknown images"), ([], [1.0], "no known images")]
)
def test_one_side_only_has_no_curve(known, unknown, reason: str) -> None:
    curve = roc(known, unknown)
    assert curve.reason == reason
    assert curve.x.size == curve.y.size == curve.thresholds.size == 0


def test_the_caller_keeps_his_arrays() -> None:
    known, unknown = np.array([0.3, 0.9, 0.1]), np.array([0.7, 0.2])
    roc(known, unknown)
    assert known.tolist() == [0.3, 0.9, 0.1]
    assert unknown.tolist() == [0.7, 0.2]


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match=r"correct: expected shape \(2,\), got \(1,\)"):
        oscr_curve([1.0, 2.0], [True], [0.0])
