"""A statement as JSON, and the sentences that every form of it has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import forensic
from forensic.calibration.weigh import NO_RATE
from forensic.calibration.words import percent, propositions, stand_ins
from forensic.scan.plan import versions

if TYPE_CHECKING:
    from forensic.metrics.measure import Measure
    from forensic.metrics.measured import Measured
    from forensic.validation.statement import KnownRow, Range, RatioRow, Statement, UnknownRow
    from forensic.validation.validate import Validated

_NOT_CHECKED = (
    "The weights keep one hash over all training images: that no single one of them is among these images was not "
    "checked. Equal files were looked for, near-duplicates were not."
)
PREVALENCES = (0.01, 0.1, 0.5)
_OF = 100_000


def to_json(validated: Validated) -> str:
    """One object: what was measured on, with what, and the numbers; shares are 0..1."""
    statement, plan = validated.statement, validated.plan
    calibration = plan.calibration
    row: dict[str, Any] = {
        "tool": f"forensic {forensic.__version__}",
        "command": plan.command,
        "versions": versions(),
        "weights": {"name": plan.weights.name, "hash": plan.weights.card.hash},
        "preprocessing": plan.weights.card.preprocessing,
        "calibration": None
        if calibration is None
        else {"hash": calibration.hash, "command": calibration.command, "stand_ins": stand_ins(calibration)},
        "data": {"name": validated.data, "files_hash": validated.files, "photographs": validated.photographs},
        "holds_for": statement.coverage.sentence,
        "outside": statement.outside,
        "known": _known(statement.known),
        "classes": {name: _known(one) for name, one in statement.classes.items()},
        "real_as_generator": statement.real_as_generator.to_dict(),
        "unknown": _unknown(statement.unknown),
        "generators": {name: _unknown(one) for name, one in statement.generators.items()},
        "ranges": {what: found._asdict() for what, found in statement.ranges.items()},
        "ratios": {
            name: (
                {}
                if calibration is None
                else dict(zip(("first", "second"), propositions(calibration, name), strict=True))
            )
            | _ratios(one)
            for name, one in statement.ratios.items()
        },
        "told": None if statement.told is None else _ratios(statement.told),
        "base_rates": base_rates(statement),
        "limits": limits(validated),
        "left_out": [entry._asdict() for entry in validated.left_out],
    }
    return json.dumps(row, allow_nan=False, indent=2)


def range_in_words(what: str, found: Range, generators: int) -> str:
    """What a generator not seen before may do, a sentence.

    Args:
        what: the share, in words.
        found: over the generators.
        generators: how many there are.
    """
    if generators == 1:
        return f"{what}: {percent(found.low)}, of one generator; it says nothing of another one."
    ends = f"{percent(found.low)} for each of"
    if found.low != found.high:
        ends = f"from {percent(found.low)} ({found.lowest}) to {percent(found.high)} ({found.highest}) over"
    return (
        f"{what}: {ends} {generators} generators. Were a further one drawn like these, it would lie above the largest "
        f"with a probability of at most 1/{generators + 1}, and below the least likewise; nothing says that it is."
    )


def limits(validated: Validated) -> list[str]:
    """What the statement can not say, a sentence each."""
    statement, plan = validated.statement, validated.plan
    told = [
        f"It holds for images like those: {statement.coverage.sentence}. For any other: {NO_RATE}.",
        f"Unknown generators: {len(statement.generators)}. Images of one generator are not independent of each other.",
        _NOT_CHECKED,
    ]
    if plan.calibration is None:
        told.append("No calibration: likelihood ratios and p are not given.")
    elif statement.told is not None:
        told.append(
            "A ratio is one of propositions fixed beforehand. A scan tells it for the nearest class, which it has "
            "chosen by the score; what such ratios are worth stands in the last row of their table."
        )
    else:
        told.append("The calibration gives no ratios that these images could measure.")
    if statement.outside:
        counts = ", ".join(f"{count} for their {what}" for what, count in statement.outside.items())
        told.append(f"Images that count nowhere, not being in a condition that is covered: {counts}.")
    return [*told, plan.weights.card.limits]


def base_rates(statement: Statement) -> list[dict[str, Any]]:
    """Of 100,000 pictures: how many are named rightly and wrongly as a generator, by how many a known one made.

    The rest are photographs in one column, with the upper end of the interval: none of a few says little. They are
    pictures of unknown generators in the other, with the range over these.
    """
    own = [row for row in statement.classes.values() if row.named.measure.value is not None]
    if not own or statement.real_as_generator.measure.value is None or "accepted" not in statement.ranges:
        return []
    hit = sum(row.named.measure.value or 0.0 for row in own) / len(own)
    photograph = statement.real_as_generator
    known = [one.accepted.measure.value or 0.0 for one in statement.generators.values()]
    real = [one.real.measure.value or 0.0 for one in statement.generators.values()]
    wrong = [accepted - as_real for accepted, as_real in zip(known, real, strict=True)]
    return [
        {
            "prevalence": share,
            "rightly": round(_OF * share * hit),
            "wrongly_photographs": [round(_OF * (1 - share) * rate) for rate in _with_high(photograph)],
            "wrongly_unknown": [round(_OF * (1 - share) * rate) for rate in (min(wrong), max(wrong))],
        }
        for share in PREVALENCES
    ]


def _with_high(measured: Measured) -> tuple[float, float]:
    value, high = measured.measure.value or 0.0, measured.interval.high
    return value, value if high is None else high


def _known(row: KnownRow) -> dict[str, Any]:
    shares: dict[str, Measured] = {"named": row.named, "refused": row.refused, "other": row.other, "kept": row.kept}
    counts = {"images": row.images, "photographs": row.photographs}
    return counts | {name: share.to_dict() for name, share in shares.items()}


def _unknown(row: UnknownRow) -> dict[str, Any]:
    return {
        "images": row.images,
        "photographs": row.photographs,
        "accepted": row.accepted.to_dict(),
        "real": row.real.to_dict(),
        "nearest": row.nearest or None,
        "misleading": _measure(row.misleading),
    }


def _ratios(row: RatioRow) -> dict[str, Any]:
    return {
        "photographs": row.first.count,
        "generators": row.second.count,
        "c_llr": _measure(row.c_llr),
        "c_llr_min": _measure(row.c_llr_min),
        "dev_pav": _measure(row.dev_pav),
        "against": _measure(row.against),
        "misleading": _measure(row.misleading),
    }


def _measure(measure: Measure) -> dict[str, Any]:
    return {"reason": measure.reason} if measure.value is None else {"value": measure.value}
