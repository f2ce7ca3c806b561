from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from forensic.calibration.logistic import fit_logistic
from forensic.calibration.units import side


def test_two_pairs_of_equal_scores_give_ratios_by_hand() -> None:
    # scores 0 and 1, three in four of the first at 1, one in four of the second: the fit meets both points. With
    # targets (n + 1)/(n + 2), n = 4: at 1 the mean target is (3 * 5/6 + 1/6)/4 = 2/3, odds 2; at 0 odds 1/2
    fitted = fit_logistic(side([1.0, 1.0, 1.0, 0.0]), side([0.0, 0.0, 0.0, 1.0]))
    assert 10 ** fitted.ratios(np.array([0.0, 1.0])) == pytest.approx([0.5, 2.0], rel=1e-9)


def test_it_is_scikit_learns_on_the_same_targets(seeded) -> None:
    draws = seeded(3)
    first, second = draws.normal(1, 1, 40), draws.normal(-1, 2, 25)
    fitted = fit_logistic(side(first), side(second))
    # a soft target t is an image with label 1 and weight t, and one with label 0 and weight 1 - t
    scores = np.concatenate([first, second])
    targets = np.repeat([26 / 27, 1 / 27], [40, 25])
    weights = np.repeat([0.5 / 40, 0.5 / 25], [40, 25])
    model = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000).fit(
        np.tile(scores, 2)[:, None],
        np.repeat([1, 0], 65),
        sample_weight=np.concatenate([targets * weights, (1 - targets) * weights]),
    )
    expected = (model.coef_[0, 0] / np.log(10), model.intercept_[0] / np.log(10))
    assert tuple(fitted) == pytest.approx(expected, rel=1e-4)


def test_sides_that_do_not_overlap_give_a_finite_slope() -> None:
    fitted = fit_logistic(side([5.0, 6.0, 7.0]), side([-5.0, -6.0]))
    assert 0 < fitted.slope < 1


def test_three_generators_of_many_images_are_three() -> None:
    units = [str(place % 3) for place in range(300)]
    many = fit_logistic(side(np.full(300, 2.0)), side(np.full(300, -2.0), units))
    few = fit_logistic(side(np.full(300, 2.0)), side(np.full(3, -2.0)))
    assert tuple(many) == pytest.approx(tuple(few), rel=1e-9)
    assert 10 ** many.ratios(np.array([2.0]))[0] == pytest.approx(4.0)  # (3 + 1)/(3 + 2) against 1/5


def test_scores_that_run_the_wrong_way_or_do_not_differ_say_nothing() -> None:
    assert fit_logistic(side([0.0, 1.0]), side([4.0, 5.0])) == (0.0, 0.0)
    assert fit_logistic(side([3.0, 3.0]), side([3.0])) == (0.0, 0.0)


def test_a_shift_and_a_stretch_of_the_score_change_no_ratio(seeded) -> None:
    first, second = seeded(1).normal(2, 1, 30), seeded(2).normal(0, 1, 30)
    plain = fit_logistic(side(first), side(second)).ratios(first)
    other = fit_logistic(side(1000 * first + 7), side(1000 * second + 7)).ratios(1000 * first + 7)
    assert other == pytest.approx(plain, rel=1e-8)


@pytest.mark.parametrize(("first", "second"), [([], [1.0]), ([1.0], []), ([np.inf], [1.0])])
def test_what_can_not_be_fitted_is_refused(first, second) -> None:
    with pytest.raises(ValueError, match="expected"):
        fit_logistic(side(first), side(second))
