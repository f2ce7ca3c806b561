"""What a calibration says of one picture: threshold, llr, p, and a flag wherever one of them is not given.

outside-calibration=WHAT   format, size, tiles or jpeg-quality: no error rate for this condition; the threshold of the
                           weights holds, llr and p are null
llr-withheld=WHY           outside, took-part (in the fit, or in an enrolment), small (a side under 128 px),
                           class-not-calibrated, no-ratio (the file says why)
p-withheld=WHY             outside, took-part or class-not-calibrated
llr-at-bound               the ratio is as large, or as small, as the data can carry: "at least"
no-information             the bounds are 1 and 1, and so is every ratio
p-disagrees                p and threshold say different things; the threshold decides
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from forensic.calibration.pictures import Condition
    from forensic.calibration.record import Calibration, ClassCalibration

OUTSIDE_CALIBRATION = "outside-calibration"
FLAGS = (
    OUTSIDE_CALIBRATION,
    "llr-withheld",
    "p-withheld",
    "llr-at-bound",
    "no-information",
    "p-disagrees",
)
"""All names of flags that a calibration gives."""
SMALL = 128
"""Pixels; a picture with a shorter side is padded by reflection before it is scored."""
NO_RATE = "no error rate for this condition"


@dataclass(frozen=True)
class Weighed:
    """What goes into a finding."""

    threshold: float | None
    """None: that of the weights holds."""
    llr: float | None
    """log10 of the likelihood ratio."""
    p: float | None
    flags: tuple[str, ...]


def weigh(
    calibration: Calibration, name: str, score: float, condition: Condition, *, took_part: bool = False
) -> Weighed:
    """Weighs the score of the best class.

    Args:
        calibration: of the weights that gave the score.
        name: the best class.
        score: its own.
        condition: of the picture.
        took_part: whether the picture fitted the calibration or enrolled a class: it gets neither ratio nor p.
    """
    outside = calibration.coverage.outside(condition)
    if outside is not None:
        flags = (f"{OUTSIDE_CALIBRATION}={outside}", "llr-withheld=outside", "p-withheld=outside")
        return Weighed(None, None, None, flags)
    known = calibration.classes.get(name)
    if known is None:
        return Weighed(None, None, None, ("llr-withheld=class-not-calibrated", "p-withheld=class-not-calibrated"))
    if took_part:
        return Weighed(known.threshold, None, None, ("llr-withheld=took-part", "p-withheld=took-part"))
    p = known.p(score)
    llr, said = _ratio(known, score, condition)
    disagreement = ("p-disagrees",) if _disagree(known, score, p, 1 - calibration.keep) else ()
    return Weighed(known.threshold, llr, p, said + disagreement)


def _ratio(known: ClassCalibration, score: float, condition: Condition) -> tuple[float | None, tuple[str, ...]]:
    if min(condition.width, condition.height) < SMALL:
        return None, ("llr-withheld=small",)
    if known.ratio is None:
        return None, ("llr-withheld=no-ratio",)
    llr = known.ratio.llr(score)
    if known.ratio.bounds.lower == known.ratio.bounds.upper == 0:
        return 0.0, ("no-information",)
    return llr, (("llr-at-bound",) if llr in known.ratio.bounds else ())


def _disagree(known: ClassCalibration, score: float, p: float, given_up: float) -> bool:
    """Whether p falls below the share given up on one side of the threshold only; it can not where n is too small."""
    if known.least_p >= given_up:
        return False
    return (score >= known.threshold) != (p >= given_up)
