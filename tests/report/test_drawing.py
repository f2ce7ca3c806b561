"""Drawings against numbers worked out by hand."""

from __future__ import annotations

import math
import re

import pytest

from forensic.report.drawing import (
    FIRST_BIN,
    OVERSHOOT,
    PLOT_HEIGHT,
    ScoreScale,
    SpectrumScale,
    departure,
    level_range,
    path_of,
    score_shape,
    score_svg,
)


def points_in(path: str) -> list[tuple[int, int]]:
    """Reads a path back: M x y l dx dy dx dy ..."""
    numbers = [int(number) for number in re.findall(r"-?\d+", path)]
    points = [(numbers[0], numbers[1])]
    for dx, dy in zip(numbers[2::2], numbers[3::2], strict=True):
        points.append((points[-1][0] + dx, points[-1][1] + dy))
    return points


@pytest.mark.parametrize(
    "points", [[(0, 0)], [(3, 4), (13, 4)], [(20, 100), (30, 90), (40, 95), (35, 95), (35, 60)], [(5, -20), (0, 220)]]
)
def test_path_goes_through_its_points(points: list[tuple[int, int]]) -> None:
    assert points_in(path_of(points)) == points


def test_scale_holds_thresholds_and_scores() -> None:
    scale = ScoreScale.around([-1.0, 0.5, 2.0], [0.25])
    assert scale.low == pytest.approx(-1.18)
    assert scale.high == pytest.approx(2.18)
    assert scale.place(scale.low) == 8
    assert scale.place(scale.high) == 192
    assert scale.place(0.5) == 100
    assert scale.place(-100.0) == 8
    assert not scale.holds(-100.0)


def test_scale_leaves_out_one_in_a_hundred_at_each_end() -> None:
    scale = ScoreScale.around([-500.0, *[n / 100 for n in range(98)], 500.0], [0.5])
    assert -0.2 < scale.low < 0.0
    assert 0.97 < scale.high < 1.1


@pytest.mark.parametrize("scores", [[], [1.0], [1.0, 1.0]])
def test_scale_of_few_scores_has_a_width(scores: list[float]) -> None:
    scale = ScoreScale.around(scores, [1.0] if scores else [])
    assert scale.high > scale.low


def test_verdict_is_told_by_shape() -> None:
    known, unknown = score_shape(100, "known", on_scale=True), score_shape(100, "unknown", on_scale=True)
    assert "a6 6" in known
    assert unknown == "M100 7L107 14L100 21L93 14Z"
    assert score_shape(192, "known", on_scale=False) != score_shape(8, "unknown", on_scale=False) != known
    assert 'd="M110 3V25"' in score_svg(110, known, "known")


def test_spectrum_is_levelled() -> None:
    scale = SpectrumScale(4.0, 6.0)
    profile = [5.0 - 2 * math.log10(max(r, 1)) for r in range(64)]
    points = scale.points(profile)
    assert [x for x, _ in points] == [10 * r for r in range(FIRST_BIN, 64)]
    assert {y for _, y in points} == {PLOT_HEIGHT // 2}
    assert points_in(scale.curve(profile)) == points


def test_curve_beyond_the_plot_is_held_at_its_edge() -> None:
    scale = SpectrumScale(4.0, 6.0)
    assert {y for _, y in scale.points([-8.0] * 64)} == {PLOT_HEIGHT + OVERSHOOT}
    assert {y for _, y in scale.points([99.0] * 64)} == {-OVERSHOOT}


def test_band_goes_up_and_back() -> None:
    scale = SpectrumScale(3.0, 7.0)
    mean, spread = [5.0 - 2 * math.log10(max(r, 1)) for r in range(64)], [1.0] * 64
    points = points_in(scale.band(mean, spread)[:-1])
    assert len(points) == 2 * (64 - FIRST_BIN)
    assert {y for _, y in points[:62]} == {PLOT_HEIGHT // 4}
    assert {y for _, y in points[62:]} == {3 * PLOT_HEIGHT // 4}


def test_scale_over_classes_holds_their_bands() -> None:
    mean = tuple(5.0 - 2 * math.log10(max(r, 1)) for r in range(64))
    scale = SpectrumScale.over({"a": (mean, (0.5,) * 64)})
    assert (scale.bottom, scale.top) == (pytest.approx(4.3), pytest.approx(5.7))
    assert SpectrumScale.over({}).top > SpectrumScale.over({}).bottom


def test_scale_holds_images_beside_the_bands_but_no_even_one() -> None:
    mean = tuple(5.0 - 2 * math.log10(max(r, 1)) for r in range(64))
    classes = {"a": (mean, (0.5,) * 64)}
    near = SpectrumScale.over(classes, [(3.5, 6.5)] * 3)
    assert (near.bottom, near.top) == (pytest.approx(3.3), pytest.approx(6.7))
    assert SpectrumScale.over(classes, [(-7.0, -4.0)]).bottom == pytest.approx(2.3)
    outermost = SpectrumScale.over(classes, [(4.0, 6.0)] * 99 + [(2.6, 7.4)])
    assert (outermost.bottom, outermost.top) == (pytest.approx(3.8), pytest.approx(6.2))


def test_level_range_is_of_what_is_drawn() -> None:
    profile = [5.0 - 2 * math.log10(max(r, 1)) for r in range(64)]
    profile[0], profile[10] = 99.0, profile[10] - 1.0
    assert level_range(profile) == (pytest.approx(4.0), pytest.approx(5.0))


def test_departure_counts_and_finds_the_farthest() -> None:
    mean, spread = [0.0] * 64, [0.5] * 64
    profile = [0.1] * 64
    profile[32], profile[40], profile[0] = -1.5, 0.9, 99.0
    found = departure(profile, mean, spread)
    assert (found.within, found.bins) == (60, 62)
    assert (found.largest, found.spreads, found.at, found.frequency) == (-150, 30, 32, 250)
