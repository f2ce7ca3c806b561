"""The page of an evaluation: its numbers, its escaping, and how it looks in Chromium."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from forensic.cli.console import safe
from forensic.evaluate.images import LeftOut
from forensic.evaluate.page import to_page
from forensic.evaluate.run import Evaluation, EvaluationPlan, evaluate
from forensic.evaluate.selection import Selection
from forensic.evaluate.tables import percent
from forensic.models.weights import Weights

FACTS = {"weights": "tiny", "data": "osma-mini, test images"}


def page(evaluation: Evaluation, facts: dict[str, str] | None = None, **options: Any) -> str:
    settings = {"threshold": 0.5, "computation": "forensic", "told": safe} | options
    return to_page(evaluation, facts or FACTS, **settings).decode()


def hostile(evaluation: Evaluation) -> Evaluation:
    """Every name that comes from a file or a card turned against the page."""
    name = '"><script>alert(1)</script>\u202e' + "x" * 120
    stored = evaluation.stored
    moved = [
        replace(entry, sample=replace(entry.sample, group=name)) if entry.sample.label < 0 else entry
        for entry in stored.attributed
    ]
    measures = stored.groups["all"]
    changed = replace(
        stored,
        groups={name: replace(measures, nearest=name), "all": replace(measures, nearest=name)},
        unknown_classes={f"{name}{place}": each for place, each in enumerate(stored.unknown_classes.values())},
        class_groups={f"{name}{place}": name for place in range(len(stored.unknown_classes))},
        known_classes={f"{name}k{place}": each for place, each in enumerate(stored.known_classes.values())},
        attributed=tuple(moved),
    )
    left_out = (LeftOut(f"/{name}", f"broken {name}"),)
    return replace(evaluation, stored=changed, jpeg={80: changed}, left_out=left_out)


def test_the_page_has_the_numbers_of_the_evaluation(evaluation: Evaluation) -> None:
    made = page(evaluation)
    stored = evaluation.stored
    for measured in (stored.closed_accuracy, stored.groups["all"]["auroc"], stored.groups["wild"]["oscr"]):
        assert measured.measure.value is not None
        assert f"{100 * measured.measure.value:.1f}" in made
    for name, measures in stored.unknown_classes.items():
        row = next(line for line in made.split("\n") if line.startswith(f'<tr><th scope="row">{name}</th><td>'))
        cells = re.sub(r"</?span>", "", row)
        assert f'<td class="n">{percent(measures["auroc"])}</td>' in cells
        assert f'<td class="n">{percent(measures.false_real)}</td>' in cells
        assert f"<td>{measures.nearest}</td>" in row
    assert "<h2>Re-encoded as JPEG</h2>" in made
    assert "JPEG quality 80" in made
    assert "Images without a score" not in made
    assert made.count("<figure>") == 1 + 2 + 3 + 1 + 1


def test_generators_stand_hardest_first(evaluation: Evaluation) -> None:
    made = page(evaluation)
    part = made[made.index("Each unknown generator") : made.index("Over generators")]
    names = re.findall(r'<tr><th scope="row">([^<]*)</th>', part)
    values = [evaluation.stored.unknown_classes[name]["auroc"].measure.value for name in names]
    assert values == sorted(values)
    assert len(values) == 5


def test_same_evaluation_same_bytes(evaluation: Evaluation, tiny: Weights, selection: Selection) -> None:
    turned = Selection(selection.known[::-1], {group: samples[::-1] for group, samples in selection.unknown.items()})
    again = evaluate(EvaluationPlan(tiny, turned, jpeg=(80,), replicates=50, with_map=True))
    assert page(again) == page(evaluation)


def test_names_from_files_are_text(evaluation: Evaluation) -> None:
    made = page(hostile(evaluation), {"weights": "<b>w</b>", "data": "\x1b[31mred"})
    assert "<script" not in made
    assert "<b>" not in made
    assert "\u202e" not in made
    assert "\x1b" not in made
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u202e" in made


def test_the_authors_computation_says_so(tiny: Weights, selection: Selection) -> None:
    plan = EvaluationPlan(tiny, selection, replicates=10, computation="reference", with_map=True)
    made = page(evaluate(plan), computation="reference")
    assert made.count("quirks included") == 2  # above the numbers, and in the foot
    assert "TNR at TPR95" in made
    assert "AUIN %" in made
    assert "OpenAUC" not in made


def test_several_thresholds_are_told_and_none_is_drawn(evaluation: Evaluation) -> None:
    first, *others = evaluation.stored.attributed
    stored = replace(evaluation.stored, attributed=(replace(first, tiles=4), *others))
    made = page(replace(evaluation, stored=stored), threshold=None)
    assert f"1 of {len(others) + 1} images has several tiles." in made
    assert 'class="limit"' not in made


@pytest.mark.parametrize("without", ["known", "unknown"])
def test_a_page_with_one_side_empty(tiny: Weights, selection: Selection, without: str) -> None:
    some = Selection((), selection.unknown) if without == "known" else Selection(selection.known, {})
    made = page(evaluate(EvaluationPlan(tiny, some, replicates=10, with_map=True)))
    assert f"No {without} images" in made
    assert "nan" not in made.replace("dominant", "")
    assert "None" not in made


@pytest.mark.parametrize(("count", "told"), [(1, "1 image got no score and counts nowhere."), (60, "The first 50:")])
def test_images_without_a_score_are_named(evaluation: Evaluation, count: int, told: str) -> None:
    left_out = tuple(LeftOut(f"broken-{n}.png", "cut") for n in range(count))
    made = page(replace(evaluation, left_out=left_out))
    assert told in made
    assert made.count("broken-") == min(count, 50)


@pytest.mark.browser
@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 400)])  # a scheme changes colours alone
def test_nothing_sticks_out_runs_or_asks(
    browser: Any, evaluation: Evaluation, tmp_path: Path, width: int, scheme: str
) -> None:
    path = tmp_path / "page.html"
    path.write_text(page(hostile(evaluation)), encoding="utf-8")
    opened = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    said: list[str] = []
    asked: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("dialog", lambda dialog: said.append(dialog.message))
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(path.as_uri())
    assert opened.evaluate("document.documentElement.scrollWidth") == width
    assert (said, asked) == ([], [path.as_uri()])
    # text of figures stays inside them
    outside = opened.evaluate("""() => [...document.querySelectorAll('figure > svg')].filter((svg) => {
      const frame = svg.getBoundingClientRect();
      return [...svg.querySelectorAll('text')].some((text) => {
        const box = text.getBoundingClientRect();
        return box.left < frame.left - 1 || box.right > frame.right + 1 || box.bottom > frame.bottom + 1;
      });
    }).length""")
    assert outside == 0
    ink, paper = opened.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.documentElement).backgroundColor]"
    )
    levels = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (ink, paper)]
    assert (levels[0] < levels[1]) == (scheme == "light")
