from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forensic.evaluate import plots
from forensic.evaluate.plots import MARKS, Axis, Line
from forensic.metrics.reliability import reliability_bins

SHARE = Axis.shares("x")


def parsed(drawing: str) -> ElementTree.Element:
    return ElementTree.fromstring(drawing)  # noqa: S314 - our own drawing


def paths(drawing: str, kind: str) -> list[list[tuple[float, float]]]:
    found = []
    for path in parsed(drawing).iter("path"):
        if path.get("class") == kind:
            numbers = [float(value) for value in re.findall(r"-?[\d.]+", path.get("d") or "")]
            found.append(list(zip(numbers[::2], numbers[1::2], strict=True)))
    return found


def test_a_line_runs_from_corner_to_corner_and_repeats_no_point() -> None:
    x = np.array([0.0, 0.0, 0.0, 0.5, 0.50001, 1.0])
    drawing = str(plots.lines("told", SHARE, SHARE, [Line("line l1", x, x)], diagonal=True))
    (points,) = paths(drawing, "line l1")
    assert points == [(46.0, 278.0), (235.0, 144.0), (424.0, 10.0)]
    assert paths(drawing, "chance") == [[(46.0, 278.0), (424.0, 10.0)]]


def test_what_lies_outside_the_axes_is_held_at_their_ends() -> None:
    line = Line("line l1", np.array([-5.0, np.inf]), np.array([-1.0, 2.0]))
    (points,) = paths(str(plots.lines("told", SHARE, SHARE, [line])), "line l1")
    assert points == [(46.0, 278.0), (424.0, 10.0)]


def test_a_long_curve_stays_short() -> None:
    x = np.linspace(0, 1, 200_000)
    drawing = str(plots.lines("told", SHARE, SHARE, [Line("line l0", x, np.sqrt(x))]))
    (points,) = paths(drawing, "line l0")
    assert points[0] == (46.0, 278.0)
    assert points[-1] == (424.0, 10.0)
    assert len(drawing) < 16_000


def test_steps_keep_their_corners_alone() -> None:
    x, y = np.array([0.0, 0.0, 0.0, 0.25, 0.5, 0.5]), np.array([0.0, 0.5, 1.0, 1.0, 1.0, 0.0])
    (points,) = paths(str(plots.lines("told", SHARE, SHARE, [Line("line l0", x, y)])), "line l0")
    assert points == [(46.0, 278.0), (46.0, 10.0), (235.0, 10.0), (235.0, 278.0)]


def test_a_threshold_is_drawn_where_it_lies_on_the_axis_and_nowhere_else() -> None:
    line = Line("line l1", np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    assert 'class="limit" d="M235.0 10V278"' in str(plots.lines("t", SHARE, SHARE, [line], upright=0.5))
    assert "limit" not in str(plots.lines("t", SHARE, SHARE, [line], upright=1.5))
    assert "limit" not in str(plots.lines("t", SHARE, SHARE, [line]))


def test_bars_of_a_histogram_are_as_high_as_the_shares() -> None:
    drawing = str(plots.histogram("t", SHARE, [("right", [0.1] * 3), ("wrong", [0.1])], ("foreign", [0.9, 2.0])))
    heights = {}
    for kind in ("right", "wrong", "foreign"):
        (d,) = [path.get("d") or "" for path in parsed(drawing).iter("path") if path.get("class") == kind]
        heights[kind] = [abs(float(high) - float(low)) for low, high in re.findall(r"M[\d.]+ ([\d.]+)V([\d.]+)H", d)]
    # all four known in one bar, which reaches from the middle to the top: 134 units
    assert heights["right"] == [pytest.approx(134 * 3 / 4, abs=0.1)]
    assert heights["wrong"] == [pytest.approx(134 / 4, abs=0.1)]
    assert heights["foreign"] == [pytest.approx(134 / 2, abs=0.1)] * 2  # 2.0 lies in the last bar


def test_an_empty_side_of_a_histogram_draws_nothing() -> None:
    drawing = str(plots.histogram("t", SHARE, [("right", [])], ("foreign", [0.5])))
    assert [path.get("d") for path in parsed(drawing).iter("path") if path.get("class") == "right"] == [""]


def test_reliability_bars_reach_the_accuracy() -> None:
    rows = reliability_bins([0.95, 0.97, 0.99, 0.05], [True, True, False, False])
    drawing = str(plots.reliability("t", rows))
    bars = [path.get("d") or "" for path in parsed(drawing).iter("path") if (path.get("class") or "").startswith("bar")]
    assert len(bars) == 2
    top = float(bars[1].split("V")[1].split("H")[0])
    assert top == pytest.approx(278 - 268 * 2 / 3, abs=0.1)
    assert len(list(parsed(drawing).iter("use"))) == 2


def test_marks_refer_to_shapes_that_are_defined() -> None:
    known = {path.get("id") for path in parsed(str(plots.definitions())).iter("path")}
    assert known == set(MARKS)
    drawing = str(plots.scatter("t", [(f"mark {name} u", 0.5, 0.5) for name in MARKS], [("1", 0.0, 1.0)]))
    used = [(use.get("href") or "")[1:] for use in parsed(drawing).iter("use")]
    assert used == list(MARKS)
    assert {(use.get("x"), use.get("y")) for use in parsed(drawing).iter("use")} == {("220", "220")}
    (label,) = parsed(drawing).iter("text")
    assert (label.text, label.get("x"), label.get("y")) == ("1", "8", "13")


def test_text_that_comes_in_is_escaped() -> None:
    for made in (
        plots.lines("<told>", Axis("<x>", 0, 1, ((0.5, "<tick>"),)), SHARE, []),
        plots.scatter("<told>", [], [("<name>", 0.5, 0.5)]),
    ):
        root = parsed(str(made))
        assert root.get("aria-label") == "<told>"
        assert {element.tag for element in root.iter()} <= {"svg", "path", "text"}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8))
def test_an_axis_holds_its_values_and_has_a_few_round_ticks(values: list[float]) -> None:
    axis = Axis.over("x", values)
    assert axis.low <= min(values)
    assert axis.high >= max(values)
    assert axis.low < axis.high
    assert 1 <= len(axis.ticks) <= 8
    slack = 1e-9 * (axis.high - axis.low)
    for value, name in axis.ticks:
        assert axis.low - slack <= value <= axis.high + slack
        assert float(name) == pytest.approx(value, rel=1e-4, abs=1e-12)
        assert 0 <= axis.share(value) <= 1


def test_an_axis_of_values_that_are_not_finite_still_has_ends() -> None:
    assert Axis.over("x", [float("inf"), float("nan")]).low == -0.5
