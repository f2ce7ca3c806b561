"""Verdicts and ratios in words: both propositions are always named, and no posterior is ever said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forensic.calibration.weigh import NO_RATE

if TYPE_CHECKING:
    from forensic.calibration.record import Calibration

WITHHELD = {
    "outside": NO_RATE,
    "small": "a side is shorter than 128 px",
    "class-not-calibrated": "the calibration has no pictures of this class",
}
"""Reason of a flag -> words; `no-ratio` has those of the file."""


def propositions(calibration: Calibration, name: str) -> tuple[str, str]:
    """The two propositions of a class; class real has a pair of its own.

    Args:
        calibration: with the class.
        name: of the class.
    """
    first = f"a camera made the picture (class {name})" if name == calibration.real else f"{name} made the picture"
    stand_ins = len(calibration.generators)
    with_what = "no pictures stand in for it"
    if stand_ins:
        verb = "stands" if stand_ins == 1 else "stand"
        with_what = f"{stand_ins} of them {verb} in for it: {', '.join(calibration.generators)}"
    return first, f"a generator made it that is none of the known classes ({with_what})"


def ratio_in_words(calibration: Calibration, name: str, llr: float | None, flags: tuple[str, ...]) -> str:
    """What a finding's ratio says, a sentence.

    Args:
        calibration: that gave it.
        name: the best class.
        llr: log10 of the ratio; None where there is none.
        flags: of the finding.
    """
    first, second = propositions(calibration, name)
    if llr is None:
        return f"No ratio is given for: {first}; against: {second}. Reason: {_reason(calibration, name, flags)}."
    if "no-information" in flags:
        return f"No information: the score is as probable if {first} as if {second}."
    if llr == 0:
        return f"The score is as probable if {first} as if {second}: {calibration.scale.words(llr)}."
    one, other = (first, second) if llr > 0 else (second, first)
    bounded = "llr-at-bound" in flags
    times = f"{'at least ' if bounded else ''}{10 ** abs(llr):.2g} times"
    words = "" if bounded else f": {calibration.scale.words(llr)} for the former"
    return f"The score is {times} more probable if {one} than if {other}{words}."


def verdict_in_words(calibration: Calibration, name: str, *, known: bool) -> str:
    """What a verdict says, a sentence; arguments as for `ratio_in_words`.

    Args:
        calibration: that gave the threshold.
        name: the best class.
        known: the verdict.
    """
    first, second = propositions(calibration, name)
    if known:
        return f"Attributed to class {name}: the score reaches the threshold for: {first}; against: {second}."
    return (
        f"Rejected by all known classes, the nearest is {name}: the score stays below the threshold for: {first}; "
        f"against: {second}."
    )


def _reason(calibration: Calibration, name: str, flags: tuple[str, ...]) -> str:
    why = next((flag.partition("=")[2] for flag in flags if flag.startswith("llr-withheld=")), "")
    if why == "no-ratio" and name in calibration.classes:
        return calibration.classes[name].withheld
    return WITHHELD.get(why, "none was computed")
