from __future__ import annotations

import numpy as np
import pytest

from forensic.calibration.conformal import conformal_p, least_p


@pytest.mark.parametrize(("score", "expected"), [(0.0, 1 / 5), (1.0, 2 / 5), (2.5, 3 / 5), (9.0, 1.0)])
def test_p_counts_the_scores_at_or_below(score, expected) -> None:
    assert conformal_p(score, [1.0, 2.0, 3.0, 4.0]) == pytest.approx(expected, abs=1e-15)


def test_twenty_two_photographs_give_no_p_below_one_in_twenty_three() -> None:
    assert conformal_p(-100.0, np.arange(22.0)) == least_p(22) == 1 / 23


def test_without_a_calibration_p_says_nothing() -> None:
    assert conformal_p(-5.0, []) == 1.0


def test_a_new_score_of_the_same_kind_is_rarely_unusual(seeded) -> None:
    draws = seeded(1)
    found = np.array([conformal_p(draws.normal(), draws.normal(size=19)) for _ in range(4000)])
    # exact: p <= 0.05 in 1 of 20 cases; four standard errors of 4,000 draws
    assert (found <= 0.05).mean() == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 4000))


def test_a_score_that_is_no_number_has_no_p() -> None:
    with pytest.raises(ValueError, match="finite"):
        conformal_p(float("nan"), [1.0])
