"""An evaluation as one HTML page: what the weights can tell apart, what the threshold costs, and where they fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from forensic.evaluate.confusion import confusion_table
from forensic.evaluate.drawn import draw_confidence, draw_costs, draw_curves, draw_embeddings, draw_qualities
from forensic.evaluate.frame import Section, box, figures, paragraph, render, table
from forensic.evaluate.reference import SAID
from forensic.evaluate.selection import ALL
from forensic.evaluate.tables import DASH, HEADINGS, operating_rows, over_rows, percent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from forensic.evaluate.measures import Computation, Condition, UnknownMeasures
    from forensic.evaluate.run import Evaluation

NAMED = 50
"""So many images that got no score are named."""
FURTHER = {
    "aupr_known": "AUPR known", "aupr_unknown": "AUPR unknown", "dtacc": "DTACC", "open_auc": "OpenAUC",
    "tnr_at_tpr95": "TNR at TPR95", "auin": "AUIN", "auout": "AUOUT",
}  # fmt: skip
"""Measures of a group that have a table of their own."""

_FOOT = (
    "Positive is known throughout, and a larger score is more surely known. Closed-set accuracy is of the best class, "
    "whatever the threshold. AUROC: how often a known image scores higher than an unknown one, ties one half. OSCR: "
    "the same with the known image's class right. FPR95: share of unknown images accepted where 95 % of the known are. "
    "Intervals are 95 %; those of AUROC, OSCR and FPR95 come from a bootstrap over photographs, drawn for known and "
    "unknown images together; those of shares from the same bootstrap where images have photographs in common, else "
    "from Wilson's formula."
)


def to_page(
    evaluation: Evaluation,
    facts: Mapping[str, str],
    threshold: float | None,
    *,
    computation: Computation,
    told: Callable[[str], str],
) -> bytes:
    """The page of an evaluation; the same bytes for the same evaluation.

    Args:
        evaluation: what was measured, with its map.
        facts: name and value of what it was measured with; the first names the weights.
        threshold: of the weights, on the scale of their scores; None where the images have several.
        computation: how the measures were computed.
        told: makes a line fit to be shown; HTML is escaped here.
    """
    stored = evaluation.stored
    sections = [
        Section("In short", _short(stored, computation)),
        Section("The operating point, and what it costs", _operating(stored, threshold)),
        Section("Known against unknown", draw_curves(stored, computation) + _groups(stored)),
        Section("How sure, and how rightly", draw_confidence(stored, threshold)),
        Section("Each unknown generator", _generators(stored)),
        Section("What is taken for what", confusion_table(stored)),
        Section("Embeddings", draw_embeddings(evaluation)),
    ]
    if evaluation.jpeg:
        sections.append(Section("Re-encoded as JPEG", _qualities(evaluation)))
    if evaluation.left_out:
        sections.append(Section("Images without a score", _left_out(evaluation)))
    foot = SAID if computation == "reference" else _FOOT
    return render(f"Evaluation of the weights {next(iter(facts.values()))}", facts.items(), sections, foot, told=told)


def _short(stored: Condition, computation: Computation) -> Markup:
    pooled = stored.groups[ALL]
    rows = [
        ("closed-set accuracy", percent(stored.closed_accuracy)),
        ("AUROC, all unknown", percent(pooled["auroc"])),
        ("OSCR, all unknown", percent(pooled["oscr"])),
        ("unknown rejected", percent(pooled.rejection)),
        ("unknown taken for real", percent(pooled.false_real)),
        ("known accepted", percent(stored.known_accepted)),
        ("calibration error (ECE) of the known", DASH if stored.ece.value is None else f"{100 * stored.ece.value:.1f}"),
    ]
    cells = []
    for name, value in rows:
        number, _, ends = value.partition(" ")
        shown = number if number == DASH else f"{number} %"
        interval = f"95 % interval {ends.strip('()').replace('-', ' to ')}" if ends else ""
        cells.append(Markup("<div><dt>{}</dt><dd>{}<span>{}</span></dd></div>").format(name, shown, interval))
    notice = paragraph(SAID, "notice") if computation == "reference" else Markup("")
    return notice + Markup('<dl class="sums">{}</dl>\n').format(Markup("").join(cells))


def _operating(stored: Condition, threshold: float | None) -> Markup:
    several = sum(entry.tiles > 1 for entry in stored.attributed)
    if threshold is None:
        said = "An image is known where its score reaches the threshold of the weights for its number of tiles."
    else:
        said = f"An image is known where its score reaches {threshold:.4g}, the threshold of the weights."
    if several:
        said += f" {several} of {len(stored.attributed)} images {'has' if several == 1 else 'have'} several tiles."
    rows = table(("share of", ">%, with 95 % interval"), operating_rows(stored))
    return figures(box(paragraph(said), rows), draw_costs(stored, threshold))


def _groups(stored: Condition) -> Markup:
    columns = ("group of unknown", *(f">{told} %" for told in HEADINGS.values()), ">images")
    rows = [
        (name, *(percent(measures[measure]) for measure in HEADINGS), str(measures.n))
        for name, measures in stored.groups.items()
    ]
    more = [name for name in FURTHER if name in stored.groups[ALL].open_set]
    further = [
        (name, *(percent(measures[measure]) for measure in more), _percent(measures.confidence.value))
        for name, measures in stored.groups.items()
    ]
    headings = ("group of unknown", *(f">{FURTHER[name]} %" for name in more), ">mean largest softmax %")
    return table(columns, rows, strong=1) + table(headings, further, strong=1)


def _generators(stored: Condition) -> Markup:
    if not stored.unknown_classes:
        return paragraph("No unknown images.")
    columns = (
        "generator",
        "group",
        *(f">{told} %" for told in HEADINGS.values()),
        ">images",
        "mostly taken for",
        ">of them %",
        ">mean largest softmax %",
    )
    rows = [
        (
            name,
            stored.class_groups[name],
            *(percent(measures[measure]) for measure in HEADINGS),
            str(measures.n),
            measures.nearest or DASH,
            _percent(measures.nearest_share),
            _percent(measures.confidence.value),
        )
        for name, measures in _hardest_first(stored.unknown_classes)
    ]
    said = paragraph(
        "Each against all known images, the hardest first. Mostly taken for: the best class of most of its images, "
        "whatever the threshold."
    )
    over = next(iter(stored.generators.values())).macro
    reason = over.measure.reason or over.interval.reason
    why = f"No interval over generators: {reason}." if reason else "The intervals resample generators."
    means = table(("measure", ">mean over generators %", ">worst %", "worst generator"), over_rows(stored))
    return (
        said + table(columns, rows) + Markup("<h3>Over generators, each counting once</h3>\n") + means + paragraph(why)
    )


def _hardest_first(listed: Mapping[str, UnknownMeasures]) -> list[tuple[str, UnknownMeasures]]:
    def key(entry: tuple[str, UnknownMeasures]) -> tuple[float, str]:
        value = entry[1]["auroc"].measure.value
        return (np.inf if value is None else value), entry[0]

    return sorted(listed.items(), key=key)


def _qualities(evaluation: Evaluation) -> Markup:
    columns = ("images", ">accuracy %", ">AUROC %", ">OSCR %", ">known accepted %", ">rejected %", ">taken for real %")
    conditions = {"as stored": evaluation.stored} | {f"JPEG quality {q}": c for q, c in evaluation.jpeg.items()}
    rows = [
        (
            name,
            percent(condition.closed_accuracy),
            *(percent(condition.groups[ALL][measure]) for measure in ("auroc", "oscr")),
            percent(condition.known_accepted),
            *(percent(condition.groups[ALL][measure]) for measure in ("rejection", "false_real")),
        )
        for name, condition in conditions.items()
    ]
    said = paragraph("The same images, upright, re-encoded once with 4:2:0 chroma; against all unknown images.")
    return said + table(columns, rows) + figures(draw_qualities(evaluation))


def _left_out(evaluation: Evaluation) -> Markup:
    rows = [(entry.path, entry.reason) for entry in evaluation.left_out[:NAMED]]
    count = len(evaluation.left_out)
    said = (
        "1 image got no score and counts nowhere." if count == 1 else f"{count} images got no score and count nowhere."
    )
    if count > NAMED:
        said += f" The first {NAMED}:"
    return paragraph(said) + table(("image", "reason"), rows)


def _percent(value: float | None) -> str:
    return DASH if value is None else f"{100 * value:.1f}"
