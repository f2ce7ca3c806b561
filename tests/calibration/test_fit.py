from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from forensic.calibration.fit import MISSING_WITHOUT_UNKNOWN, fit_calibration
from forensic.calibration.pictures import Condition
from forensic.calibration.ratio import fit_ratio
from forensic.calibration.units import side
from forensic.errors import MissingError


def test_a_ratio_is_of_the_class_s_own_score_whatever_class_is_best(make_pictures, terms) -> None:
    known, unknown = make_pictures()
    # every unknown picture is best as alpha; beta's ratio must not see these scores
    lifted = [replace(p, best=1, per_class=p.per_class + np.array([0.0, 100.0, 0.0])) for p in unknown]
    plain, other = (fit_calibration(known, some, terms).classes for some in (unknown, lifted))
    assert other["beta"].ratio == plain["beta"].ratio
    assert other["real"].ratio == plain["real"].ratio
    assert other["alpha"].ratio.bounds == (0, 0)
    expected = fit_ratio(
        side([p.per_class[2] for p in known if p.label == 2], [p.unit for p in known if p.label == 2]),
        side([p.per_class[2] for p in unknown], [p.source for p in unknown]),
    )
    assert plain["beta"].ratio == expected


def test_thresholds_and_p_count_photographs(make_calibration) -> None:
    found = make_calibration(photographs=22, each=60).classes["alpha"]
    assert (found.images, found.photographs, found.least_p) == (60, 22, 1 / 23)
    assert found.kept == pytest.approx(21 / 22)
    assert found.p(-50.0) == 1 / 23
    assert found.p(50.0) == 1.0


def test_generators_below_the_stated_number_withhold_the_ratio(make_calibration) -> None:
    few = make_calibration(generators=2)
    assert few.classes["real"].ratio is None
    assert few.classes["real"].withheld == "2 unknown generators, at least 3 are needed"
    assert make_calibration(generators=4, least_generators=5).classes["beta"].ratio is None
    assert make_calibration(generators=3).classes["beta"].ratio is not None


def test_known_pictures_alone_tell_what_is_missing(make_calibration, make_pictures, terms) -> None:
    alone = make_calibration(known_alone=True)
    assert alone.missing == MISSING_WITHOUT_UNKNOWN
    assert all(one.ratio is None for one in alone.classes.values())
    known, _ = make_pictures()
    only_real = fit_calibration([p for p in known if p.label == 0], [], terms)
    assert list(only_real.classes) == ["real"]
    assert any("alpha, beta" in line for line in only_real.missing)


def test_what_one_side_lacks_is_left_out_and_told(make_pictures, terms) -> None:
    known, unknown = make_pictures()
    large = [replace(p, condition=Condition("PNG", 500, 500, 8)) for p in unknown[:5]]
    found = fit_calibration(known, [*large, *unknown[5:]], terms)
    assert found.coverage.sides == (128, 128)
    assert found.remarks[0].startswith("5 images were left out")
    assert found.generators["g0"] == 25
    assert not {p.sha256 for p in large} & set(found.files)


def test_sides_in_two_containers_are_refused(make_pictures, terms) -> None:
    known, unknown = make_pictures()
    jpeg = [replace(p, condition=Condition("JPEG", 128, 128, 1, 90)) for p in known]
    with pytest.raises(MissingError, match="in common"):
        fit_calibration(jpeg, unknown, terms)


def test_nothing_to_fit_is_told(make_pictures, terms) -> None:
    with pytest.raises(MissingError, match="no image"):
        fit_calibration([], make_pictures()[1], terms)


def test_a_file_that_lies_there_twice_counts_as_one_photograph(make_pictures, terms) -> None:
    known, unknown = make_pictures()
    single = [replace(p, unit=p.sha256) for p in known]
    twice = fit_calibration([*single, *single], unknown, terms)
    once = fit_calibration(single, unknown, terms)
    assert twice.classes["alpha"].lowest == once.classes["alpha"].lowest
    assert twice.files == once.files


def test_the_order_of_the_pictures_changes_nothing(make_pictures, terms) -> None:
    known, unknown = make_pictures()
    plain, turned = fit_calibration(known, unknown, terms), fit_calibration(known[::-1], unknown[::-1], terms)
    assert turned.classes["real"].threshold == plain.classes["real"].threshold
    assert turned.classes["real"].ratio.bounds == pytest.approx(plain.classes["real"].ratio.bounds)
    assert (turned.files, turned.generators) == (plain.files, plain.generators)
