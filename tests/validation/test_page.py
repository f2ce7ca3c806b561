from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np

from forensic.calibration.bounds import Bounds
from forensic.calibration.logistic import Logistic
from forensic.calibration.ratio import Ratio
from forensic.calibration.units import side
from forensic.metrics.measure import Measure
from forensic.validation.page import to_page
from forensic.validation.score import LeftOut
from forensic.validation.statement import RatioRow
from forensic.validation.validate import Validated


class Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def parsed(validated: Validated) -> Text:
    text = Text()
    text.feed(to_page(validated, told=str).decode())
    return text


def with_ratios(validated: Validated) -> Validated:
    """As if real and one generator had ratios."""
    first, second = side(np.linspace(-0.5, 0.6, 9)), side(np.linspace(-0.7, 0.4, 9), ["a", "b", "c"] * 3)
    row = RatioRow(first, second, Measure(0.81), Measure(0.5), Measure(None, "x"), Measure(0.2), Measure(0.3))
    ratio = Ratio(Logistic(1.0, 0.0), Bounds(-1.0, 0.5), (), *(Measure(0.5),) * 3)
    calibration = validated.plan.calibration
    classes = {name: replace(one, ratio=ratio, withheld="") for name, one in calibration.classes.items()}
    plan = replace(validated.plan, calibration=replace(calibration, classes=classes))
    statement = replace(validated.statement, ratios={"real": row, "esrgan_slim_x2": row}, told=row)
    return replace(validated, plan=plan, statement=statement)


def test_one_page_has_rates_population_limits_command_and_hashes(validated, tiny, made_calibration) -> None:
    page = parsed(validated)
    words = " ".join(page.words)
    for needed in (
        tiny.card.hash, made_calibration.hash, validated.files, "forensic validate --data <mini>",
        "PNG, sides of 128 px, scores over 1 tile", "each file counts as a photograph of its own",
        "no error rate for this condition", "of at most 1/", "2 unknown generators, at least 3 are needed",
        *tiny.card.classes, *validated.statement.generators,
    ):  # fmt: skip
        assert needed in words, needed
    assert not {"script", "img", "link"} & {tag for tag, _ in page.tags}
    assert not any("http" in (value or "") for _, attributes in page.tags for value in attributes.values())


def test_ratios_have_a_table_a_tippett_and_a_cross_entropy_plot(validated) -> None:
    page = parsed(with_ratios(validated))
    words = " ".join(page.words)
    assert "for class real: a camera made it" in words
    assert "a generator made it that is none of the known classes" in words
    assert "2 generators stand in" in words
    drawings = [
        attributes["aria-label"] for tag, attributes in page.tags if tag == "svg" and "aria-label" in attributes
    ]
    assert [drawing.partition(":")[0] for drawing in drawings] == [
        "Tippett plot",
        "Empirical cross-entropy over prior odds",
    ]


def test_without_a_calibration_the_page_names_the_command_for_one(validated) -> None:
    bare = replace(validated, plan=replace(validated.plan, calibration=None))
    assert "forensic calibrate" in " ".join(parsed(bare).words)


def test_without_unknown_pictures_nothing_is_said_of_them(validated) -> None:
    statement = replace(validated.statement, generators={}, ranges={}, ratios={}, told=None)
    words = " ".join(parsed(replace(validated, statement=statement)).words)
    assert "nothing can be said of how often one is taken for a known class" in words


def test_names_are_text_and_the_same_statement_gives_the_same_bytes(validated) -> None:
    made = replace(validated, data="<b>x</b>", left_out=(LeftOut("<i>.png", "truncated"),))
    page = parsed(made)
    assert not {"b", "i"} & {tag for tag, _ in page.tags}
    assert "<i>.png" in page.words
    assert to_page(made, told=str) == to_page(made, told=str)
