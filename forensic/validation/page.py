"""A statement as one HTML page, in the frame of an evaluation's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from forensic.calibration.costs import entropy, neutral_entropy
from forensic.calibration.digits import ratio_in_digits
from forensic.calibration.isotonic import pav
from forensic.calibration.words import propositions, stand_ins
from forensic.evaluate import plots
from forensic.evaluate.frame import Section, figure, figures, paragraph, render, table
from forensic.evaluate.plots import Axis, Line
from forensic.evaluate.tables import DASH, percent
from forensic.scan.plan import versions
from forensic.validation.told import base_rates, limits, range_in_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from forensic.calibration.units import Side
    from forensic.metrics.measure import Measure
    from forensic.validation.statement import KnownRow, RatioRow, Statement, UnknownRow
    from forensic.validation.validate import Validated

_ODDS = np.linspace(-2, 2, 81)
"""log10 of the prior odds over which cross-entropy is drawn."""
_FOOT = (
    "Shares have 95 % intervals over photographs: Wilson's where each image is of its own, else from a bootstrap. "
    "Known photographs and unknown generators count once each in what concerns ratios. Cllr: 0 is perfect, 1 says "
    "nothing, above 1 misleads; at least: the same after the best monotone recalibration, hence discrimination alone; "
    "devPAV: mean distance from that recalibration, in powers of ten."
)


def to_page(validated: Validated, *, told: Callable[[str], str]) -> bytes:
    """The page; the same bytes for the same statement.

    Args:
        validated: what was measured.
        told: makes a line fit to be shown; HTML is escaped here.
    """
    statement, plan = validated.statement, validated.plan
    sections = [
        Section("Error rates at the operating point", _known(statement, asked=_asked(validated))),
        Section("Unknown generators, and one not seen before", _unknown(statement)),
        Section("Likelihood ratios", _ratios(validated)),
        Section("Base rates", _base_rates(statement)),
        Section("What this can not say", Markup("").join(paragraph(line) for line in limits(validated))),
    ]
    if validated.left_out:
        rows = [(entry.path, entry.reason) for entry in validated.left_out[:50]]
        sections.append(Section(f"Images without a score: {len(validated.left_out)}", table(("image", "reason"), rows)))
    title = f"Validation of the weights {plan.weights.name} on {validated.data}"
    return render(title, _facts(validated), sections, _FOOT, told=told)


def _facts(validated: Validated) -> list[tuple[str, str]]:
    statement, plan = validated.statement, validated.plan
    card, calibration, known = plan.weights.card, plan.calibration, statement.known
    operating = (
        f"threshold of the weights: {card.threshold.value:.4g}; {card.threshold.chosen_by}"
        if calibration is None
        else f"thresholds of the calibration, asked to keep {100 * calibration.keep:.4g} % of photographs"
    )
    return [
        (
            "known",
            f"{known.images} images of {len(statement.classes)} classes, {known.photographs} photographs",
        ),
        ("unknown", f"{statement.unknown.images} images of {len(statement.generators)} generators"),
        ("classes", ", ".join(statement.classes)),
        ("generators", ", ".join(statement.generators) or "none"),
        ("holds for", statement.coverage.sentence),
        ("photographs", validated.photographs),
        ("operating point", operating),
        ("preprocessing", card.preprocessing),
        ("weights, SHA-256", card.hash),
        ("calibration, SHA-256", "none" if calibration is None else calibration.hash),
        ("calibration made by", "" if calibration is None else calibration.command),
        ("images, SHA-256 over their hashes", validated.files),
        ("command", plan.command),
        ("made with", ", ".join(f"{name} {value}" for name, value in versions().items())),
    ]


def _asked(validated: Validated) -> str:
    calibration = validated.plan.calibration
    return "" if calibration is None else f"; {100 * calibration.keep:.4g} % were asked of the calibration"


def _known(statement: Statement, asked: str) -> Markup:
    columns = (
        "class",
        ">named %",
        ">refused %",
        ">named otherwise %",
        ">photographs kept %",
        ">images",
        ">photographs",
    )
    rows = [(name, *_known_cells(row)) for name, row in statement.classes.items()]
    said = paragraph(
        "Named: accepted as its own class. Refused: unknown. Named otherwise: accepted as another known class. Kept: "
        f"all images of a photograph reach the threshold of its class{asked}. In brackets 95 % intervals."
    )
    return said + table(columns, [*rows, ("all", *_known_cells(statement.known))], strong=1)


def _known_cells(row: KnownRow) -> tuple[str, ...]:
    shares = (percent(share) for share in (row.named, row.refused, row.other, row.kept))
    return (*shares, str(row.images), str(row.photographs))


def _unknown(statement: Statement) -> Markup:
    if not statement.generators:
        return paragraph("No unknown images: nothing can be said of how often one is taken for a known class.")
    columns = ("generator", ">taken for a known class %", ">for real %", "nearest to", ">ratio above 1 %", ">images")
    rows = [(name, *_unknown_cells(row)) for name, row in statement.generators.items()]
    count = len(statement.generators)
    ranges = [
        paragraph(range_in_words(f"Images of a generator that are taken for {what}", statement.ranges[name], count))
        for name, what in (("accepted", "a known class"), ("real", "class real"))
    ]
    return Markup("").join(ranges) + table(
        columns, [*rows, ("all, pooled", *_pooled_cells(statement.unknown))], strong=1
    )


def _unknown_cells(row: UnknownRow) -> tuple[str, ...]:
    return percent(row.accepted), percent(row.real), row.nearest, _share(row.misleading), str(row.images)


def _pooled_cells(row: UnknownRow) -> tuple[str, ...]:
    """Without intervals: one over photographs would be read as one for a generator not seen before."""
    return (
        _share(row.accepted.measure),
        _share(row.real.measure),
        row.nearest,
        _share(row.misleading),
        str(row.images),
    )


def _ratios(validated: Validated) -> Markup:
    statement, calibration = validated.statement, validated.plan.calibration
    if calibration is None:
        return paragraph("Not calibrated: no likelihood ratio is given. `forensic calibrate` fits a calibration.")
    if not statement.ratios or statement.told is None:
        reasons = {one.withheld for one in calibration.classes.values() if one.withheld}
        return paragraph(f"No ratios: {'; '.join(sorted(reasons)) or 'these images can measure none'}.")
    columns = (
        "class",
        ">ratios from",
        ">to",
        ">Cllr",
        ">at least",
        ">devPAV",
        ">class, ratio under 1 %",
        ">unknown, above 1 %",
    )
    rows = []
    for name, row in statement.ratios.items():
        ratio = calibration.classes[name].ratio
        ends = ("", "") if ratio is None else tuple(map(ratio_in_digits, ratio.bounds))
        rows.append((name, *ends, *_ratio_cells(row)))
    rows.append(("nearest, as a scan tells", "", "", *_ratio_cells(statement.told)))
    own = f"; for class {calibration.real}: a camera made it" if calibration.real in statement.ratios else ""
    said = (
        f"First proposition: the class made the image{own}. Second: {propositions(calibration, rows[0][0])[1]}. "
        f"{stand_ins(calibration)} A ratio is of the class's own score, whichever is nearest, but in the last row."
    )
    return paragraph(said) + table(columns, rows, strong=1) + figures(_tippett(statement.told), _ece(statement.told))


def _ratio_cells(row: RatioRow) -> tuple[str, ...]:
    costs = (DASH if cost.value is None else f"{cost.value:.2f}" for cost in (row.c_llr, row.c_llr_min, row.dev_pav))
    return (*costs, _share(row.against), _share(row.misleading))


def _tippett(row: RatioRow) -> Markup:
    x = Axis.over("log10 of the ratio", [*row.first.values, *row.second.values, -0.5, 0.5])
    drawing = plots.lines(
        "Tippett plot: share of images whose ratio is at least so large",
        x,
        Axis.shares("images with at least this ratio, %"),
        [Line("line l1", *_reaching(row.first, x)), Line("line l2", *_reaching(row.second, x))],
        upright=0.0,
    )
    legend = [
        ("line l1", "known images, for their own class"),
        ("line l2", "unknown images, for their nearest class"),
    ]
    return figure(
        drawing, "Tippett: how large ratios are where either proposition is true. Dashed: a ratio of 1.", legend
    )


def _reaching(some: Side, x: Axis) -> tuple[np.ndarray, np.ndarray]:
    """(P,) steps of the share whose ratio is at least so large."""
    values = np.unique(some.values)
    shares = np.array([some.weights[some.values >= value].sum() for value in values])
    return np.repeat([x.low, *values, x.high], 2)[1:-1], np.repeat([*shares, 0.0], 2).clip(0, 1)


def _ece(row: RatioRow) -> Markup:
    steps = pav(row.first, row.second)
    best = row.first.with_values(steps.at(row.first.values)), row.second.with_values(steps.at(row.second.values))
    lines = {
        "line l0": ("ratios of 1", neutral_entropy(_ODDS)),
        "line l2": ("the ratios", entropy(row.first, row.second, _ODDS)),
        "line l1": ("after the best monotone recalibration", entropy(*best, _ODDS)),
    }
    finite = np.concatenate([values[np.isfinite(values)] for _, values in lines.values()])
    drawing = plots.lines(
        "Empirical cross-entropy over prior odds",
        Axis.over("log10 of the prior odds", _ODDS),
        Axis.over("bits", [0.0, *finite]),
        [Line(kind, _ODDS, values) for kind, (_, values) in lines.items()],
    )
    caption = (
        "Empirical cross-entropy of the same ratios: what is still unknown after them, by what was thought before. "
        "Above the line of ratios of 1 they do harm."
    )
    return figure(drawing, caption, [(kind, name) for kind, (name, _) in lines.items()])


def _base_rates(statement: Statement) -> Markup:
    rows = base_rates(statement)
    if not rows:
        return paragraph("Not given: known classes, class real and unknown generators are needed for it.")
    columns = (
        "made by a known generator",
        ">named rightly",
        ">wrongly, the rest photographs",
        ">wrongly, the rest unknown generators",
    )
    cells = [
        (
            f"{100 * row['prevalence']:.4g} %",
            f"{row['rightly']:,}",
            "{:,} (up to {:,})".format(*row["wrongly_photographs"]),
            " to ".join(f"{end:,}" for end in row["wrongly_unknown"]),
        )
        for row in rows
    ]
    said = paragraph(
        "Of 100,000 images, how many are named as a known generator rightly and wrongly at these rates: how many of "
        "those named are named rightly depends on how many there are, which no image tells. In brackets the upper "
        "end of the 95 % interval; the last column has the least and the largest rate over generators."
    )
    return said + table(columns, cells)


def _share(measure: Measure) -> str:
    return DASH if measure.value is None else f"{100 * measure.value:.1f}"
