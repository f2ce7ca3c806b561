from __future__ import annotations

import numpy as np
import pytest

from forensic.calibration.logistic import fit_logistic
from forensic.calibration.ratio import Ratio, fit_ratio, left_out_ratios
from forensic.calibration.units import side


def known(draws, photographs: int = 22, images: int = 30):
    return side(draws.normal(3, 1, images), [f"p{place % photographs}" for place in range(images)])


def unknown(draws, generators: int, each: int = 20, mean: float = -3.0):
    return side(
        draws.normal(mean, 1, generators * each), [f"g{place % generators}" for place in range(generators * each)]
    )


def test_each_image_is_judged_by_a_fit_that_it_took_no_part_in(seeded) -> None:
    ours, others = known(seeded(1)), unknown(seeded(2), 3)
    first, second = left_out_ratios(ours, others)
    without = fit_logistic(ours, others.without("g1"))
    assert second.values[1] == pytest.approx(without.ratios(others.values[1:2])[0])
    assert second.values[1] != pytest.approx(fit_logistic(ours, others).ratios(others.values[1:2])[0], abs=1e-9)
    without = fit_logistic(ours.without("p4"), others)
    assert first.values[[4, 26]] == pytest.approx(without.ratios(ours.values[[4, 26]]))


@pytest.mark.parametrize("each", [2, 400])
@pytest.mark.parametrize("generators", [3, 6])
def test_nothing_above_m_plus_one_is_claimed_however_many_images_there_are(seeded, generators, each) -> None:
    found = fit_ratio(known(seeded(1), 300, 600), unknown(seeded(2), generators, each, mean=-30.0))
    assert isinstance(found, Ratio)
    assert max(10 ** found.llr(score) for score in np.linspace(-100, 1000, 50)) < generators + 1


def test_a_generator_that_passes_for_the_class_bounds_the_ratio(seeded) -> None:
    draws = seeded(5)
    some = unknown(draws, 4)
    fooling = side(np.concatenate([some.values, draws.normal(3, 1, 20)]), [*some.units, *["fool"] * 20])
    ours = known(seeded(1))
    without, found = fit_ratio(ours, some), fit_ratio(ours, fooling)
    assert isinstance(without, Ratio)
    assert isinstance(found, Ratio)
    assert found.bounds.upper < without.bounds.upper
    by_name = {entry.name: entry for entry in found.generators}
    assert by_name["fool"].misleading > 0.9
    assert by_name["fool"].upper_without > found.bounds.upper > by_name["g0"].upper_without
    assert by_name["g0"].misleading < 0.1


def test_too_few_generators_or_photographs_give_a_reason(seeded) -> None:
    assert fit_ratio(known(seeded(1)), unknown(seeded(2), 2)) == "2 unknown generators, at least 3 are needed"
    assert fit_ratio(known(seeded(1)), side([], [])) == "0 unknown generators, at least 3 are needed"
    assert fit_ratio(known(seeded(1), 4), unknown(seeded(2), 3)) == "4 photographs of the class, at least 5 are needed"
    assert fit_ratio(known(seeded(1)), unknown(seeded(2), 4), 5) == "4 unknown generators, at least 5 are needed"
    with pytest.raises(ValueError, match="at least 3"):
        fit_ratio(known(seeded(1)), unknown(seeded(2), 3), 2)


def test_scores_that_say_nothing_give_a_ratio_of_one(seeded) -> None:
    found = fit_ratio(known(seeded(1)), unknown(seeded(2), 5, mean=9.0))
    assert isinstance(found, Ratio)
    assert found.bounds == (0, 0)
    assert found.llr(50.0) == 0.0


def test_the_order_of_the_images_changes_nothing(seeded) -> None:
    ours, others = known(seeded(1)), unknown(seeded(2), 4)
    turned = [side(some.values[::-1], some.units[::-1]) for some in (ours, others)]
    plain, again = fit_ratio(ours, others), fit_ratio(*turned)
    assert again.bounds == pytest.approx(plain.bounds)
    assert again.logistic == pytest.approx(plain.logistic)
