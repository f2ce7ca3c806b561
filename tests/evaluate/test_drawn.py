from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forensic.data.sample import Sample
from forensic.evaluate import drawn
from forensic.evaluate.images import Attributed
from forensic.evaluate.measures import Condition, Terms, measure
from forensic.evaluate.run import Evaluation
from forensic.evaluate.selection import Selection
from forensic.evaluate.tsne import Map


def condition(groups: int) -> Condition:
    """Two known images, and as many groups of one image as asked for, the first easiest."""
    terms = Terms(("real", "gan"), "real", seed=0, replicates=5)
    known = [Attributed(Sample(Path(f"k{n}"), n, "x"), n, 10.0 * n, accepted=True, confidence=0.9) for n in (0, 1)]
    unknown = [
        Attributed(Sample(Path(f"u{n}"), -1, f"c{n}", f"group{n}"), 0, 2.0 * n - 1, accepted=n > 1, confidence=0.5)
        for n in range(groups)
    ]
    selection = Selection(
        tuple(entry.sample for entry in known), {f"group{n}": (entry.sample,) for n, entry in enumerate(unknown)}
    )
    return measure([*known, *unknown], selection, terms)


def test_curves_have_a_line_for_each_group_and_its_auroc_in_the_legend(evaluation: Evaluation) -> None:
    made = str(drawn.draw_curves(evaluation.stored, "forensic"))
    for group, measures in evaluation.stored.groups.items():
        assert f"{group}, AUROC {100 * (measures['auroc'].measure.value or 0):.1f} %" in made
    for place in range(5):
        assert made.count(f'class="line l{place}" d="M') == 3  # ROC, OSCR, legend
        assert made.count(f'class="mark disc l{place}"') == 2


def test_of_many_groups_the_hardest_are_drawn_and_the_rest_is_counted() -> None:
    made = str(drawn.draw_curves(condition(8), "forensic"))
    # AUROC 1, then 1/2 five times, then 0 twice; of equal ones the first by name
    assert re.findall(r"group\d", made) == ["group1", "group2", "group3", "group6", "group7"]
    assert "3 further groups, with higher AUROC, are not drawn." in made
    assert "1 further group, with higher AUROC, is not drawn." in str(drawn.draw_curves(condition(6), "forensic"))


def test_a_single_group_is_drawn_once() -> None:
    made = str(drawn.draw_curves(condition(1), "forensic"))
    assert "further" not in made
    assert made.count('class="line l0"') == 3
    assert "line l1" not in made


def test_the_operating_point_lies_at_the_shares_of_the_verdicts() -> None:
    # both known accepted, of four unknown two: 50 % and 100 %
    made = str(drawn.draw_curves(condition(4), "forensic"))
    assert '<use class="mark disc l0" href="#disc" x="235" y="10"/>' in made


def test_without_a_side_there_are_words_and_no_curve() -> None:
    assert str(drawn.draw_curves(condition(0), "forensic")).startswith("<p>No unknown images")
    assert drawn.draw_costs(condition(0), 0.5) == ""
    nobody = measure([], Selection((), {}), Terms(("a", "b"), "", 0, 5))
    assert str(drawn.draw_curves(nobody, "forensic")) == "<p>No known images.</p>\n"
    assert str(drawn.draw_confidence(nobody, None)) == "<p>No images.</p>\n"


def test_costs_show_the_threshold_where_there_is_one(evaluation: Evaluation) -> None:
    threshold = float(np.median([entry.score for entry in evaluation.stored.attributed]))
    made = str(drawn.draw_costs(evaluation.stored, threshold))
    assert 'class="limit"' in made
    assert "Dashed" in made
    assert "Dashed" not in str(drawn.draw_costs(evaluation.stored, None))


def test_histograms_count_every_image(evaluation: Evaluation) -> None:
    made = str(drawn.draw_confidence(evaluation.stored, 0.0))
    attributed = evaluation.stored.attributed
    known = [entry for entry in attributed if entry.sample.label >= 0]
    right = sum(entry.label == entry.sample.label for entry in known)
    for words in (
        f"known, right class ({right})",
        f"known, wrong class ({len(known) - right})",
        f"unknown ({len(attributed) - len(known)})",
        f"{100 * (evaluation.stored.ece.value or 0):.1f} %",
    ):
        assert words in made
    assert made.count("<figure>") == 3


def test_the_map_has_a_mark_for_each_image_and_says_how_many(evaluation: Evaluation) -> None:
    made = str(drawn.draw_embeddings(evaluation))
    known = sum(entry.sample.label >= 0 for entry in evaluation.stored.attributed)
    unknown = len(evaluation.stored.attributed) - known
    assert f"{known} of {known} known images and {unknown} of {unknown} unknown ones" in made
    legend = 7 + 4
    assert made.count("<use ") == known + unknown + legend
    assert made.count('class="name"') == len({e.sample.label for e in evaluation.stored.attributed} - {-1})


@pytest.mark.parametrize(
    ("drawn_map", "told"),
    [(None, "No map: not asked for."), (Map((), np.zeros((0, 2)), "fewer than 10 images"), "fewer than 10 images.")],
    ids=["none", "few"],
)
def test_no_map_is_told(evaluation: Evaluation, drawn_map: Map | None, told: str) -> None:
    assert told in str(drawn.draw_embeddings(replace(evaluation, map=drawn_map)))


def test_qualities_have_a_dot_each(evaluation: Evaluation) -> None:
    both = replace(evaluation, jpeg={90: evaluation.stored, 60: evaluation.stored})
    made = str(drawn.draw_qualities(both))
    assert made.count("<use ") == 4 * 2
    assert ">60</text>" in made
    assert str(drawn.draw_qualities(replace(evaluation, jpeg={75: evaluation.stored}))).count("<use ") == 4


def test_classes_differ_in_hue_or_shape() -> None:
    kinds = {drawn._known_kind(label) for label in range(12)}
    assert len(kinds) == 12
    assert len({drawn._unknown_kind(place) for place in range(4)}) == 4
