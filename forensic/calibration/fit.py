"""Scored pictures to a calibration: coverage, then threshold, p and ratio of each class."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from forensic.calibration.pictures import coverage_of
from forensic.calibration.ratio import LEAST_GENERATORS, Ratio, fit_ratio
from forensic.calibration.record import Calibration, ClassCalibration
from forensic.calibration.taken import taken_of
from forensic.calibration.threshold import threshold_keeping
from forensic.calibration.units import side
from forensic.errors import MissingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forensic.calibration.pictures import Coverage, Picture
    from forensic.calibration.scale import Scale

KEEP = 0.95
"""Of known photographs, where nothing else is asked."""
NO_UNKNOWN = "no images of unknown generators"
MISSING_WITHOUT_UNKNOWN = (
    "likelihood ratios and their costs, of every class",
    "share of unknown images rejected, and of those taken for a known class or for class real",
)


@dataclass(frozen=True)
class Terms:
    """What a calibration is fitted with, besides the pictures."""

    weights: str
    weights_name: str
    preprocessing: str
    classes: tuple[str, ...]
    """In label order."""
    real: str
    scale: Scale
    photographs: str
    keep: float = KEEP
    least_generators: int = LEAST_GENERATORS
    command: str = ""
    tool: str = ""


def fit_calibration(known: Sequence[Picture], unknown: Sequence[Picture], terms: Terms) -> Calibration:
    """A calibration.

    Args:
        known: pictures of classes of the weights; a class without any is left out.
        unknown: pictures of generators that are none of them; may be empty.
        terms: what it is fitted with.

    Raises:
        MissingError: no known picture, or the sides have no condition in common.
    """
    if not known:
        raise MissingError("--known", "no image of it got a score")
    coverage = coverage_of([known, unknown])
    if coverage is None:
        raise MissingError(
            "--known, --unknown",
            "have no format, size and JPEG quality in common: a ratio between them would be one of containers",
            "Give both sides in the same form",
        )
    inside = [picture for picture in known if coverage.outside(picture.condition) is None]
    others = [picture for picture in unknown if coverage.outside(picture.condition) is None]
    classes = {}
    for label, name in enumerate(terms.classes):
        own = [picture for picture in inside if picture.label == label]
        if own:
            classes[name] = _of_class(own, others, label, terms)
    if not classes:
        raise MissingError("--known", f"has no image within what both sides cover ({coverage.sentence})")
    every = [*inside, *others]
    return Calibration(
        weights=terms.weights,
        weights_name=terms.weights_name,
        preprocessing=terms.preprocessing,
        real=terms.real,
        classes=classes,
        coverage=coverage,
        keep=terms.keep,
        least_generators=terms.least_generators,
        generators=dict(sorted(Counter(picture.source for picture in others).items())),
        photographs=terms.photographs,
        scale=terms.scale,
        files=tuple(sorted({picture.sha256 for picture in every})),
        taken=taken_of(
            others,
            [classes[name].threshold if name in classes else None for name in terms.classes],
            terms.classes.index(terms.real) if terms.real in terms.classes else None,
        ),
        units=tuple(sorted({picture.unit for picture in every if picture.unit != picture.sha256})),
        missing=_missing(classes, terms, with_unknown=bool(others)),
        remarks=_remarks(len(known) + len(unknown) - len(every), coverage),
        command=terms.command,
        tool=terms.tool,
    )


def _of_class(own: Sequence[Picture], others: Sequence[Picture], label: int, terms: Terms) -> ClassCalibration:
    """A ratio is one of the class's own score, on both sides, whatever class is the best."""
    known = side([picture.per_class[label] for picture in own], [picture.unit for picture in own])
    unknown = side([picture.per_class[label] for picture in others], [picture.source for picture in others])
    lowest = known.lowest()
    chosen = threshold_keeping(lowest, terms.keep)
    ratio = fit_ratio(known, unknown, terms.least_generators) if others else NO_UNKNOWN
    return ClassCalibration(
        threshold=chosen.value,
        kept=chosen.known_accepted,
        images=len(own),
        lowest=tuple(lowest.tolist()),
        ratio=ratio if isinstance(ratio, Ratio) else None,
        withheld="" if isinstance(ratio, Ratio) else ratio,
    )


def _missing(classes: dict[str, ClassCalibration], terms: Terms, *, with_unknown: bool) -> tuple[str, ...]:
    absent = [name for name in terms.classes if name not in classes]
    told: tuple[str, ...] = () if with_unknown else MISSING_WITHOUT_UNKNOWN
    if absent:
        told += (
            f"threshold and p of {', '.join(absent)}: the threshold of the weights holds for them, and no p is given",
        )
    return told


def _remarks(dropped: int, coverage: Coverage) -> tuple[str, ...]:
    if not dropped:
        return ()
    told = "1 image was" if dropped == 1 else f"{dropped} images were"
    return (f"{told} left out: not within what both sides have ({coverage.sentence})",)
