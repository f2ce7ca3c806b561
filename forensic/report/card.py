"""What the card of the weights says about the strength of a finding. Read as stored in the case: a plain dict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forensic.calibration.digits import ratio_in_digits
from forensic.report.escaping import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_MEASURES = {
    "closed_accuracy": "Known images whose nearest class is their own",
    "rightly_named": "Known images accepted and rightly named",
    "known_accepted": "Known images accepted as known",
    "accepted": "Known images accepted as known",
    "unknown_rejected": "Unknown images attributed to no class",
    "rejected": "Unknown images attributed to no class",
    "false_known": "Unknown images taken for a known class",
    "false_real": "Unknown images taken for class real",
    "false_unknown": "Known images attributed to no class",
    "auroc": "AUROC, known above unknown",
    "oscr": "OSCR, known accepted and rightly named above unknown",
    "fpr95": "Unknown images accepted where 95 % of the known are",
}


_CONDITIONS = {
    "stored": "Crops, as stored",
    "jpeg": "Crops, re-encoded as JPEG",
    "whole_stored": "Whole images, as stored",
    "whole_jpeg": "Whole images, re-encoded as JPEG",
}
_PASSING = ("false_real", "false_known", "unknown_rejected")
"""Measures that tell how many images of unknown generators pass, the first as class real."""
_COUNTED = (("known", "named", "rightly_named"), ("unknown", "rejected", "unknown_rejected"))
"""Where a card holds counts alone: how many there were, how many came out so, and the measure that this is."""


@dataclass(frozen=True)
class Rate:
    """One measure of the card; `interval` is empty where the card has none."""

    condition: str
    what: str
    value: str
    interval: str


@dataclass(frozen=True)
class Strength:
    """Section 4 of the first page."""

    head: str
    text: str
    rates: tuple[Rate, ...]
    covered: str
    own_threshold: bool = False
    """Whether the rates are of another threshold than that of the scan."""


def strength(
    card: dict[str, Any], likelihoods: Sequence[float], scored: int, *, own_threshold: bool = False
) -> Strength:
    """What can be said of strength: a range of likelihood ratios where there are any, the measures of the card.

    Args:
        card: the card of the weights, as its TOML reads.
        likelihoods: log10 of the likelihood ratios of the findings that have one.
        scored: how many findings have a score.
        own_threshold: whether the scan was given a threshold in place of the card's.
    """
    if likelihoods:
        low, high = (ratio_in_digits(choose(likelihoods)) for choose in (min, max))
        head = f"Likelihood ratios from {low} to {high}, for {len(likelihoods):,} of {scored:,} scored images."
        text = (
            "Each says how many times more probable the score is under the first proposition than under the second; "
            "below 1 it is the second under which the score is more probable."
        )
    else:
        head = "Not calibrated for this condition."
        text = (
            "No likelihood ratio is given: the score ranks images and the threshold decides, but neither says how many "
            "times more probable the findings are under one proposition than under the other."
        )
    metrics = card.get("metrics")
    rates = tuple(_rates(metrics)) if isinstance(metrics, dict) else ()
    if own_threshold:
        text += (
            " The threshold was set for this scan: what the card measured at the weights' own threshold does not hold "
            "for it, and no error rate is known."
        )
    return Strength(head, text, rates, _covered(card.get("validated")) + _enrolled(card.get("enrolled")), own_threshold)


def real_by_card(card: Mapping[str, Any], real: str, *, own_threshold: bool = False) -> str:
    """What stands beside attributions to class real where no calibration does, a sentence.

    Args:
        card: as `strength`.
        real: name of the class.
        own_threshold: as `strength`.
    """
    what = f"images of unknown generators come out as class {visible(real)}"
    if own_threshold:
        return f"How many {what} was not measured at the threshold of this scan."
    metrics = card.get("metrics")
    shares = dict(_passing(metrics)) if isinstance(metrics, dict) else {}
    told = {
        measure: "; ".join(f"{where}, {share}" for (where, name), share in shares.items() if name == measure)
        for measure in _PASSING
    }
    if told["false_real"]:
        return f"By the card of the weights {what}: {told['false_real']}.{_over_images(told['false_real'])}"
    said = f"The card of the weights does not state how many {what}."
    passing = told["false_known"] or told["unknown_rejected"]
    if not passing:
        return said
    taken = f"It states how many were taken for any known class, this one among them: {passing}."
    return f"{said} {taken}{_over_images(passing)}"


def _over_images(shares: str) -> str:
    """What an interval over images is not, where one was told."""
    return " Intervals are over those images, and say nothing of another generator." if "interval" in shares else ""


def _passing(metrics: dict[str, Any]) -> Iterator[tuple[tuple[str, str], str]]:
    """(Condition, measure) -> share of unknown images that pass, in percent, with its interval and their number."""
    for condition, measures in metrics.items():
        if not isinstance(measures, dict):
            continue
        where = _CONDITIONS.get(condition, visible(str(condition)).replace("_", " "))
        where = where[:1].lower() + where[1:]
        of = f" of {measures['unknown']:,}" if isinstance(measures.get("unknown"), int) else ""
        for name in _PASSING:
            measure = measures.get(name)
            if not isinstance(measure, dict) or "value" not in measure:
                continue
            values = [measure[key] for key in ("value", "low", "high") if key in measure]
            if name == "unknown_rejected":
                values = [1 - value for value in (values[0], *reversed(values[1:]))]
            value, *ends = (f"{100 * share:.1f} %" for share in values)
            interval = f" (95 % interval {ends[0]} to {ends[1]})" if len(ends) == 2 else ""
            yield (where, name), f"{value}{of}{interval}"


def _rates(metrics: dict[str, Any]) -> Iterator[Rate]:
    for condition, measures in metrics.items():
        if not isinstance(measures, dict):
            continue
        first = _CONDITIONS.get(condition, visible(str(condition)).replace("_", " "))
        if "value" in measures or "reason" in measures:
            yield _rate("", str(condition), measures)
            continue
        for name, measure in measures.items():
            if isinstance(measure, dict) and ("value" in measure or "reason" in measure):
                yield _rate(first, str(name), measure)
                first = ""
        for whole, part, measure_name in _COUNTED:
            if part in measures and whole in measures and measure_name not in measures:
                yield Rate(first, _MEASURES[measure_name], f"{measures[part]} of {measures[whole]}", "")
                first = ""


def _rate(condition: str, name: str, measure: dict[str, Any]) -> Rate:
    what = _MEASURES.get(name, visible(name).replace("_", " ").capitalize())
    if "value" not in measure:
        return Rate(condition, what, "–", visible(str(measure.get("reason", ""))))
    interval = f"{_number(measure['low'])} to {_number(measure['high'])}" if {"low", "high"} <= measure.keys() else ""
    return Rate(condition, what, _number(measure["value"]), interval)


def _number(value: Any) -> str:  # noqa: ANN401 - a number of the card, or what stands in its place
    return f"{value:.3f}" if isinstance(value, float | int) else visible(str(value))


def _enrolled(enrolled: Any) -> str:  # noqa: ANN401 - a table of the card, or nothing
    """What stands behind classes that were added without training."""
    said = ""
    for name, entry in enrolled.items() if isinstance(enrolled, dict) else ():
        stored = entry.get("stored", {})
        said += (
            f" Class {visible(str(name))} was enrolled, not trained: it is the mean of {entry.get('fitted_on', 0)} "
            "images; "
            f"of {entry.get('held_back', 0)} others {stored.get('held_back_named', 0)} were accepted and rightly named."
        )
    return said


def _covered(validated: Any) -> str:  # noqa: ANN401 - a table of the card, or nothing
    if not isinstance(validated, dict):
        return "The card does not say which formats and sizes its measures cover."
    if validated.get("images") == 0:
        return (
            "The weights were validated on no image: no error rate is known for any of the findings, and no validation "
            "image chose the threshold. Findings are flagged not-validated."
        )
    formats = " and ".join(visible(str(name)) for name in validated.get("formats", ()))
    said = f"The measures come from {validated.get('images', 0):,} known and {validated.get('unknown', 0):,} unknown "
    said += f"validation images, {formats or 'no format stated'}"
    sides, quality = validated.get("sides"), validated.get("jpeg_quality")
    if isinstance(sides, list) and len(sides) == 2:
        said += f", sides of {sides[0]} px" if sides[0] == sides[1] else f", sides of {sides[0]} to {sides[1]} px"
    if isinstance(quality, list) and len(quality) == 2:
        said += f", JPEG quality {quality[0]} to {quality[1]}"
    said += ". They also chose the threshold, so the measures are likelier too good than too bad. "
    return said + "No error rate is stated for any other condition; such images are flagged outside-validation."
