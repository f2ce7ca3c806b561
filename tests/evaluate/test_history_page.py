"""The page of a run's history: its numbers, its figures, its escaping, and how it looks in Chromium."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from forensic.cli.console import safe
from forensic.evaluate.augmented import Panel
from forensic.evaluate.history import History, Point
from forensic.evaluate.history_page import draw_curve, draw_panel, draw_similarity, history_to_page
from forensic.evaluate.images import LeftOut
from forensic.evaluate.tables import percent
from forensic.metrics.measure import Interval, Measure
from forensic.metrics.measured import Measured


def page(history: History, title: str = "Open space of a run") -> str:
    return history_to_page(history, {"run": "runs/a", "score": "softmax"}, title, told=safe).decode()


def long_run(history: History, name: str = "group") -> History:
    """Twenty epochs with made numbers, four maps and eight groups."""
    draws = np.random.default_rng(3)
    groups = [f"{name}{place}" for place in range(8)]

    def measured() -> Measured:
        value = float(draws.uniform(0.5, 0.95))
        return Measured(Measure(value), Interval(value - 0.04, value + 0.04))

    points = tuple(
        Point(epoch, epoch, measured(), {group: measured() for group in (*groups, "all")}) for epoch in range(1, 21)
    )
    rows = draws.normal(size=(21, 8)) + 2
    lengths = np.linalg.norm(rows, axis=1)
    sets = np.repeat(np.arange(21), 5)
    panels = tuple(
        Panel(epoch, epoch, sets[sets <= epoch], draws.random((5 * (epoch + 1), 2))) for epoch in (5, 10, 15, 20)
    )
    augmented = replace(
        history.augmented,
        class_name=name,
        similarity=rows @ rows.T / np.outer(lengths, lengths),
        panels=panels,
    )
    return replace(history, points=points, groups=dict.fromkeys([*groups, "all"], 9), augmented=augmented)


def test_the_page_has_the_numbers(history: History) -> None:
    made = page(history)
    for point in history.points:
        row = next(line for line in made.split("\n") if line.startswith(f'<tr><th scope="row">{point.epoch}</th>'))
        row = re.sub("<[^>]*>", "", row)
        assert percent(point.accuracy) in row
        assert percent(point.auroc["all"]) in row
        assert percent(point.auroc["wild"]) in row
    assert "Class ae_ct4_d1_s0 under every augmenter" in made
    assert f"Mean over the pairs of augmenters: {history.augmented.mean_similarity:.3f}" in made
    assert "no map, fewer than 10 images" in made
    assert "largest softmax probability at temperature 1" in made
    assert "nan" not in made.replace("dominant", "")
    assert page(history) == made


def test_curve_has_a_disc_for_each_epoch_and_line(history: History) -> None:
    drawn = draw_curve(long_run(history))
    assert "over the number of augmenters" in drawn
    assert drawn.count('href="#disc"') == 20 * 7  # accuracy, all, and five of the eight groups
    assert "not drawn: 3" in drawn
    value = long_run(history).points[-1].auroc["all"].measure.value
    assert f"AUROC, all unknown, at the end {100 * value:.1f} %" in drawn


def test_curve_goes_up_where_the_numbers_do(history: History) -> None:
    nothing = Interval(None, None, "not asked for")
    points = tuple(
        Point(e, e, Measured(Measure(None, "no known images"), nothing), {"all": Measured(Measure(v), nothing)})
        for e, v in ((1, 0.5), (2, 0.6), (3, 0.9))
    )
    drawn = draw_curve(replace(history, points=points, groups={"all": 1}))
    path = re.findall(r'<path class="line l0" d="M([^"]*)"', drawn)[0]  # the second is the legend's
    places = [tuple(map(float, at.split())) for at in path.split("L")]
    across, down = zip(*places, strict=True)
    assert across[1] - across[0] == pytest.approx(across[2] - across[1], abs=0.2)
    assert (down[0] - down[1]) * 3 == pytest.approx(down[1] - down[2], abs=0.5)
    assert "accuracy, at" not in drawn


def test_without_new_augmenters_the_axis_is_epochs(history: History) -> None:
    points = tuple(point._replace(augmenters=9) for point in history.points)
    assert "over the number of epochs" in draw_curve(replace(history, points=points))


def test_a_single_epoch(history: History) -> None:
    made = page(replace(history, points=history.points[:1]))
    assert "nan" not in made.replace("dominant", "")


def test_nothing_to_measure_is_said(history: History) -> None:
    nothing = Measured(Measure(None, "no known images"), Interval(None, None, "no known images"))
    points = tuple(Point(p.epoch, p.augmenters, nothing, {"all": nothing}) for p in history.points)
    augmented = replace(history.augmented, reason="the run has no augmenters", similarity=np.zeros((0, 0)), panels=())
    made = page(replace(history, points=points, groups={"all": 0}, augmented=augmented))
    assert "No images to measure." in made
    assert made.count("Nothing to show: the run has no augmenters.") == 2


def test_map_has_every_image_and_a_number_for_each_augmenter(history: History) -> None:
    panel = long_run(history).augmented.panels[1]
    drawn = draw_panel(panel)
    assert drawn.count("<use ") == len(panel.points) == 55
    assert drawn.count('class="mark plus u"') == 5
    assert re.findall(r'<text class="name"[^>]*>(\d+)</text>', drawn) == [str(number) for number in range(1, 11)]
    assert "After epoch 10: 10 augmenters." in drawn


def test_marks_of_24_augmenters_differ() -> None:
    sets = np.arange(25)
    drawn = draw_panel(Panel(24, 24, sets, np.linspace(0, 1, 50).reshape(25, 2)))
    assert len(set(re.findall(r'<use class="([^"]*)"', drawn))) == 25


def test_matrix_is_darkest_where_the_cosine_is_largest() -> None:
    similarity = np.array([[1.0, 0.75, -0.2], [0.75, 1.0, 0.1], [-0.2, 0.1, 1.0]])
    drawn = ElementTree.fromstring(draw_similarity(similarity))  # noqa: S314 - our own drawing
    cells = [path for path in drawn.iter("path") if path.find("title") is not None]
    titles = [cell.find("title").text for cell in cells]  # type: ignore[union-attr]
    assert titles[:3] == [
        "as it is and as it is: 1.000",
        "as it is and augmenter 1: 0.750",
        "as it is and augmenter 2: -0.200",
    ]
    shades = np.array([float(cell.get("fill-opacity") or "") for cell in cells]).reshape(3, 3)
    assert (shades.ravel().argsort(kind="stable") == similarity.ravel().argsort(kind="stable")).all()
    assert (shades > 0).all()
    assert (shades <= 1).all()


@pytest.mark.parametrize(("count", "told"), [(1, "count nowhere: 1."), (60, "count nowhere: 60. The first 50:")])
def test_images_without_a_score_are_named(history: History, count: int, told: str) -> None:
    made = page(replace(history, left_out=tuple(LeftOut(f"broken-{n}.png", "cut") for n in range(count))))
    assert told in made
    assert made.count("broken-") == min(count, 50)


def hostile(history: History) -> History:
    name = '"><script>alert(1)</script>\u202e' + "x" * 90
    return replace(long_run(history, name), left_out=(LeftOut(f"/{name}", f"broken {name}"),))


def test_names_from_files_are_text(history: History) -> None:
    made = page(hostile(history), "<b>w</b>\x1b[31m")
    for forbidden in ("<script", "<b>", "\u202e", "\x1b"):
        assert forbidden not in made
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u202e" in made


@pytest.mark.browser
@pytest.mark.parametrize("width", [400, 1400])
def test_nothing_sticks_out_runs_or_asks(browser: Any, history: History, tmp_path: Path, width: int) -> None:
    path = tmp_path / "page.html"
    path.write_text(page(hostile(history)), encoding="utf-8")
    opened = browser.new_page(viewport={"width": width, "height": 800})
    said: list[str] = []
    asked: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("dialog", lambda dialog: said.append(dialog.message))
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(path.as_uri())
    assert opened.evaluate("document.documentElement.scrollWidth") == width
    assert (said, asked) == ([], [path.as_uri()])
    outside = opened.evaluate("""() => [...document.querySelectorAll('figure > svg')].filter((svg) => {
      const frame = svg.getBoundingClientRect();
      return [...svg.querySelectorAll('text, path, use')].some((shape) => {
        const box = shape.getBoundingClientRect();
        return box.left < frame.left - 1 || box.right > frame.right + 1 || box.bottom > frame.bottom + 1;
      });
    }).length""")
    assert outside == 0
