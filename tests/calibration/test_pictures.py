from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from forensic.calibration.pictures import Condition, Coverage, Picture, coverage_of

COVERAGE = Coverage(("JPEG", "PNG"), (128, 640), (1, 4), (70, 90))


@pytest.mark.parametrize(
    ("condition", "outside"),
    [
        (Condition("PNG", 128, 640, 4), None),
        (Condition("JPEG", 200, 200, 1, 70), None),
        (Condition("WebP", 200, 200, 1), "format"),
        (Condition("PNG", 127, 200, 1), "size"),
        (Condition("PNG", 200, 641, 1), "size"),
        (Condition("JPEG", 200, 200, 1, 69), "jpeg-quality"),
        (Condition("JPEG", 200, 200, 1, 91), "jpeg-quality"),
        (Condition("PNG", 200, 200, 5), "tiles"),
    ],
)
def test_what_is_outside_is_named(condition, outside) -> None:
    assert COVERAGE.outside(condition) == outside


def test_coverage_in_words() -> None:
    assert COVERAGE.sentence == "JPEG of quality 70 to 90 and PNG, sides of 128 to 640 px, scores over 1 to 4 tiles"
    assert Coverage(("PNG",), (128, 128), (1, 1)).sentence == "PNG, sides of 128 px, scores over 1 tile"


def picture(*condition) -> Picture:
    return Picture("00", "p", "x", 0, 1, np.array([1.0, 5.0]), Condition(*condition))


def test_only_what_both_sides_have_is_covered() -> None:
    known = [picture("JPEG", 100, 400, 2, 60), picture("JPEG", 300, 300, 4, 95), picture("PNG", 200, 200, 1)]
    unknown = [picture("JPEG", 150, 500, 3, 80), picture("JPEG", 600, 600, 9, 99), picture("WebP", 150, 150, 3)]
    assert coverage_of([known, unknown]) == Coverage(("JPEG",), (150, 400), (3, 4), (80, 95))


def test_a_side_without_pictures_limits_nothing() -> None:
    assert coverage_of([[picture("PNG", 100, 200, 1)], []]) == Coverage(("PNG",), (100, 200), (1, 1))


def test_sides_in_two_containers_have_nothing_in_common() -> None:
    assert coverage_of([[picture("JPEG", 128, 128, 1, 90)], [picture("PNG", 128, 128, 1)]]) is None
    assert coverage_of([[picture("JPEG", 128, 128, 1, 90)], [picture("JPEG", 128, 128, 1, 50)]]) is None
    assert coverage_of([[picture("PNG", 128, 128, 1)], [picture("PNG", 500, 500, 8)]]) is None


def test_the_score_is_that_of_the_best_class() -> None:
    assert replace(picture("PNG", 1, 1, 1), best=1).score == 5.0
