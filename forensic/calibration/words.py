"""Verdicts and ratios in words: both propositions are always named, and no posterior is ever said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from forensic.calibration.digits import ratio_in_digits
from forensic.calibration.file import calibration_from_toml, calibration_to_toml
from forensic.calibration.weigh import NO_RATE, OUTSIDE_CALIBRATION
from forensic.errors import MissingError

if TYPE_CHECKING:
    from forensic.calibration.record import Calibration

WITHHELD = {
    "outside": NO_RATE,
    "took-part": "the image took part in the fit of the calibration or in the enrolment of a class",
    "small": "a side is shorter than 128 px",
    "class-not-calibrated": "the calibration has no images of this class",
}
"""Reason of a flag -> words; `no-ratio` has those of the file."""


def propositions(calibration: Calibration, name: str) -> tuple[str, str]:
    """The two propositions of a class; class real has a pair of its own.

    Args:
        calibration: with the class.
        name: of the class.
    """
    first = f"a camera made the image (class {name})" if name == calibration.real else f"{name} made the image"
    return first, "a generator made it that is none of the known classes"


def stand_ins(calibration: Calibration) -> str:
    """Which pictures stand in for the second proposition, a sentence."""
    count = len(calibration.generators)
    if not count:
        return "No images stand in for a generator that is none of the known classes."
    verb = "generator stands" if count == 1 else "generators stand"
    return f"{count} {verb} in for those that are none of the known classes: {', '.join(calibration.generators)}."


def taken_in_words(calibration: Calibration) -> tuple[str, ...]:
    """How often images of unknown generators pass at these thresholds, with the range for one that was not seen.

    Sentences; what was not measured is said not to be.
    """
    real = tuple(filter(None, [real_by_calibration(calibration)]))
    if not calibration.taken:
        return ("How often images of unknown generators are taken for a known class was not measured.", *real)
    return (
        f"Images of unknown generators are taken for a known class: {_range(calibration, 'known')}.",
        *real,
        _unseen(len(calibration.taken)),
    )


def _unseen(generators: int) -> str:
    """What may be expected of a generator that was not among them."""
    if generators == 1:
        return "A generator that was not seen may do anything."
    return (
        "A generator that was not seen may do anything in these ranges, or worse: were it drawn like these "
        f"{generators}, it would lie above the largest share with a probability of at most 1/{generators + 1}, and "
        "nothing says that it is."
    )


def real_by_calibration(calibration: Calibration, flags: tuple[str, ...] = ()) -> str:
    """What stands beside every attribution to class real, a sentence; empty where no class is real.

    Args:
        calibration: that gave the threshold.
        flags: of the finding; outside of what the calibration covers nothing was measured.
    """
    real = calibration.real
    if not real:
        return ""
    if any(flag.startswith(OUTSIDE_CALIBRATION) for flag in flags):
        return f"How often images of unknown generators come out as class {real} in this condition was not measured."
    if not calibration.taken or real not in calibration.classes:
        return f"How often images of unknown generators come out as class {real} was not measured."
    return f"Images of unknown generators come out as class {real}: {_range(calibration, 'real')}."


def _range(calibration: Calibration, what: Literal["known", "real"]) -> str:
    """Count, share, and the range over the generators."""
    taken = calibration.taken
    images = sum(one.images for one in taken.values())
    passed = sum(round(getattr(one, what) * one.images) for one in taken.values())
    shares = {name: getattr(one, what) for name, one in taken.items()}
    low, high = (choose(shares, key=lambda name: shares[name]) for choose in (min, max))
    if len(taken) > 1 and shares[low] == shares[high]:
        each = f"{passed} of {images}, {percent(shares[low])} for each of {len(taken)} generators"
        return each if passed else f"{each}, which says nothing of another one"
    counted = f"{passed} of {images} ({percent(passed / images)})"
    if len(taken) == 1:
        return f"{counted}, of one generator, which says nothing of another one"
    return (
        f"{counted}, from {percent(shares[low])} ({low}) to {percent(shares[high])} ({high}) over "
        f"{len(taken)} generators"
    )


def percent(share: float) -> str:
    """A share in percent, with one decimal."""
    return f"{100 * share:.1f} %"


def in_words(calibration: Calibration) -> dict[str, Any]:
    """What a case keeps of a calibration beside its hash, so that a report needs nothing else; JSON values."""
    classes = {}
    for name, one in calibration.classes.items():
        first, second = propositions(calibration, name)
        row: dict[str, Any] = {"first": first, "second": second, "threshold": one.threshold}
        row |= {"photographs": one.photographs, "least_p": one.least_p}
        if one.ratio is None:
            classes[name] = row | {"withheld": one.withheld}
        else:
            classes[name] = row | {"lower": one.ratio.bounds.lower, "upper": one.ratio.bounds.upper}
    return {
        "hash": calibration.hash,
        "holds_for": calibration.coverage.sentence,
        "outside": NO_RATE,
        "photographs": calibration.photographs,
        "generators": calibration.generators,
        "stand_ins": stand_ins(calibration),
        "taken": list(taken_in_words(calibration)),
        "keep": calibration.keep,
        "missing": list(calibration.missing),
        "scale": calibration.scale.to_dict(),
        "classes": classes,
        "toml": calibration_to_toml(calibration),
    }


def kept_calibration(card: dict[str, Any], recorded: str | None) -> Calibration | None:
    """The calibration that a case keeps in its card, whole; None where there is none.

    Args:
        card: of the weights, as the case keeps it.
        recorded: hash of the calibration in the case's configuration, which its chain of digests begins with.

    Raises:
        MissingError: what is kept does not fit its hash, or is another one.
    """
    kept, subject = card.get("calibration"), "the calibration of the case"
    if kept is None:
        return None
    made = calibration_from_toml(kept["toml"], subject)
    if made.hash != recorded:
        raise MissingError(subject, "is not the one that the case was begun with", "See `forensic case verify`")
    return made


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
        return f"No information: these data carry no ratio but 1 between: {first}; and: {second}."
    if ratio_in_digits(abs(llr)) == "1":
        about = "" if llr == 0 else "about "
        return f"The score is {about}as probable if {first} as if {second}: {calibration.scale.words(0.0)}."
    one, other = (first, second) if llr > 0 else (second, first)
    bounded = "llr-at-bound" in flags
    times = f"{'at least ' if bounded else ''}{ratio_in_digits(abs(llr))} times"
    words = "" if bounded else f": {calibration.scale.words(llr)} for the former"
    return f"The score is {times} more probable if {one} than if {other}{words}."


def beside_in_words(
    calibration: Calibration, name: str, llr: float | None, flags: tuple[str, ...], *, known: bool
) -> str:
    """What stands beside a verdict: its ratio, and with class real how many others come out so too.

    Arguments as for `finding_in_words`.
    """
    said = ratio_in_words(calibration, name, llr, flags)
    return f"{said} {real_by_calibration(calibration, flags)}" if known and name == calibration.real else said


def finding_in_words(
    calibration: Calibration, name: str, llr: float | None, flags: tuple[str, ...], *, known: bool
) -> str:
    """Verdict and what stands beside it, in sentences which name both propositions; else as `ratio_in_words`.

    Args:
        calibration: that gave threshold and ratio.
        name: the best class.
        llr: log10 of the ratio; None where there is none.
        flags: of the finding.
        known: the verdict.
    """
    if known:
        said = f"Attributed to class {name}: its score reaches the threshold for it."
    else:
        said = (
            f"Attributed to no known class: the score of the nearest class, {name}, stays below the threshold for it."
        )
    return f"{said} {beside_in_words(calibration, name, llr, flags, known=known)}"


def _reason(calibration: Calibration, name: str, flags: tuple[str, ...]) -> str:
    why = next((flag.partition("=")[2] for flag in flags if flag.startswith("llr-withheld=")), "")
    if why == "no-ratio" and name in calibration.classes:
        return calibration.classes[name].withheld
    return WITHHELD.get(why, "none was computed")
