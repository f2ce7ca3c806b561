"""Cases made by hand: two classes, scores by class, a card with threshold 0."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from forensic.calibration.bounds import Bounds
from forensic.calibration.logistic import Logistic
from forensic.calibration.pictures import Condition, Coverage, Picture
from forensic.calibration.ratio import Ratio
from forensic.calibration.record import Calibration, ClassCalibration
from forensic.calibration.scale import Scale
from forensic.errors import MissingError
from forensic.metrics.bootstrap import wilson
from forensic.metrics.measure import Measure
from forensic.models.card import Threshold
from forensic.validation.statement import measure_statement

PNG = Condition("PNG", 128, 128, 1)
NUMBERS = iter(range(10_000))


def picture(source: str, scores: tuple[float, float], unit: str = "", condition: Condition = PNG) -> Picture:
    label = {"real": 0, "alpha": 1}.get(source, -1)
    digest = f"{next(NUMBERS):064}"
    return Picture(digest, unit or digest, source, label, int(np.argmax(scores)), np.array(scores), condition)


@pytest.fixture
def card(tiny):
    return replace(tiny.card, classes=("real", "alpha"), real="real", threshold=Threshold(0.0, "by hand"))


@pytest.fixture
def calibration() -> Calibration:
    """The ratio of a score s is 10^s, between 1/10 and 10; thresholds are 1."""
    ratio = Ratio(Logistic(1.0, 0.0), Bounds(-1.0, 1.0), (), Measure(0.5), Measure(0.4), Measure(0.1))
    one = ClassCalibration(1.0, 1.0, 4, (1.0, 2.0, 3.0, 4.0), ratio)
    return Calibration(
        weights="", weights_name="", preprocessing="", real="real", classes={"real": one, "alpha": one},
        coverage=Coverage(("PNG",), (128, 128), (1, 1)), keep=0.95, least_generators=3, generators={"h": 1},
        photographs="", scale=Scale("", ((1.0, "weak"),)), files=(), units=(),
    )  # fmt: skip


KNOWN = [
    picture("real", (3.0, -1.0)),
    picture("real", (0.5, -2.0)),
    picture("real", (-1.0, -2.0)),  # refused
    picture("real", (1.0, 2.0)),  # named alpha
    picture("alpha", (-3.0, 4.0)),
    picture("alpha", (-3.0, 1.0)),
]
UNKNOWN = [
    picture("g1", (2.0, -1.0)),  # for real
    picture("g1", (-1.0, -3.0)),
    picture("g2", (-1.0, 1.5)),  # for alpha
    picture("g2", (0.2, -1.0)),  # for real
    picture("g2", (-0.5, -1.0)),
    picture("g2", (-2.0, -1.0)),
]


def test_error_rates_of_a_case_by_hand(card) -> None:
    found = measure_statement(KNOWN, UNKNOWN, card, None)
    real, alpha = found.classes["real"], found.classes["alpha"]
    assert [share.measure.value for share in (real.named, real.refused, real.other)] == [0.5, 0.25, 0.25]
    assert real.kept.measure.value == 0.75  # of its own score: the one that is named alpha is kept
    assert (real.named.interval.low, real.named.interval.high) == wilson(2, 4)[:2]
    assert [share.measure.value for share in (alpha.named, alpha.refused, alpha.other)] == [1.0, 0.0, 0.0]
    assert found.known.named.measure.value == pytest.approx(4 / 6)
    assert found.real_as_generator.measure.value == 0.25


def test_unknown_generators_one_by_one_and_their_range(card) -> None:
    found = measure_statement(KNOWN, UNKNOWN, card, None)
    rates = {name: (row.accepted.measure.value, row.real.measure.value) for name, row in found.generators.items()}
    assert rates == {"g1": (0.5, 0.5), "g2": (0.5, 0.25)}
    assert found.ranges["real"] == (0.25, "g2", 0.5, "g1")
    assert found.generators["g1"].nearest == "real"
    assert found.unknown.accepted.measure.value == 0.5
    assert found.told is None
    assert found.ratios == {}


def test_intervals_are_over_photographs(card) -> None:
    single = [picture("real", (3.0, 0.0), f"p{n}") for n in range(6)] + [picture("real", (-3.0, -4.0), "p9")]
    many = [replace(one, sha256=f"{one.sha256}{n}") for one in single for n in range(50)]
    few, lots = (measure_statement(some, [], card, None).known.named for some in (single, many))
    assert lots.measure == few.measure
    assert lots.interval.high - lots.interval.low > 0.3  # 350 images of seven photographs
    assert lots.interval.low < 0.7


def test_ratios_are_of_each_class_s_own_score_and_of_the_nearest_as_told(card, calibration) -> None:
    found = measure_statement(KNOWN, UNKNOWN, card, calibration)
    alpha = found.ratios["alpha"]
    assert alpha.first.values.tolist() == [1.0, 1.0]  # 4 is cut at the bound
    assert alpha.second.values.tolist() == [-1.0, -1.0, 1.0, -1.0, -1.0, -1.0]
    assert alpha.misleading.value == pytest.approx((0 + 1 / 4) / 2)  # each generator counts once
    assert found.told.second.values.tolist() == [1.0, -1.0, 1.0, 0.2, -0.5, -1.0]
    assert found.told.misleading.value == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert found.told.first.values.tolist() == [1.0, 0.5, -1.0, 1.0, 1.0, 1.0]
    assert found.told.against.value == pytest.approx(1 / 6)
    right, wrong = np.log2(1.1), np.log2(11)
    expected = (right + 0.5 * right + 0.5 * (0.75 * right + 0.25 * wrong)) / 2
    assert alpha.c_llr.value == pytest.approx(expected)


def test_a_calibration_s_thresholds_are_the_operating_point(card, calibration) -> None:
    found = measure_statement(KNOWN, UNKNOWN, card, calibration)
    assert found.classes["real"].refused.measure.value == 0.5  # 0.5 and -1 stay below 1
    assert found.generators["g2"].accepted.measure.value == 0.25


def test_what_is_not_covered_counts_nowhere_and_is_told(card, calibration) -> None:
    large = picture("real", (9.0, 0.0), condition=Condition("PNG", 500, 500, 8))
    web = picture("g1", (9.0, 0.0), condition=Condition("WebP", 128, 128, 1))
    found = measure_statement([*KNOWN, large], [*UNKNOWN, web], card, calibration)
    assert found.outside == {"format": 1, "size": 1}
    assert (found.known.images, found.unknown.images) == (6, 6)
    without = measure_statement([*KNOWN, large], [*UNKNOWN, web], card, None)
    assert without.outside == {"format": 1, "size": 1}
    assert without.coverage == Coverage(("PNG",), (128, 128), (1, 1))


def test_nothing_in_common_is_no_error_rate(card, calibration) -> None:
    jpeg = [replace(one, condition=Condition("JPEG", 128, 128, 1, 90)) for one in KNOWN]
    for some in (None, calibration):
        with pytest.raises(MissingError, match="no error rate for this condition"):
            measure_statement(jpeg, UNKNOWN, card, some)


def test_without_unknown_pictures_their_figures_are_missing(card, calibration) -> None:
    found = measure_statement(KNOWN, [], card, calibration)
    assert found.unknown.accepted.measure == (None, "no unknown images")
    assert (found.ranges, found.ratios, found.told, found.generators) == ({}, {}, None, {})


def test_the_order_of_the_pictures_changes_nothing(card, calibration) -> None:
    plain = measure_statement(KNOWN, UNKNOWN, card, calibration)
    turned = measure_statement(KNOWN[::-1], UNKNOWN[::-1], card, calibration)
    assert (turned.known, turned.generators, turned.ranges) == (plain.known, plain.generators, plain.ranges)
    assert turned.told.c_llr.value == pytest.approx(plain.told.c_llr.value)
