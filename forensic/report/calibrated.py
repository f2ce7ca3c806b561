"""What a report says of a calibration: read whole from the case, and told in the words of `forensic.calibration`.

Both propositions stand beside every finding, no attribution to class real stands without how many images of unknown
generators come out so too, and outside of what the calibration covers it says that there is no error rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from forensic.calibration.digits import ratio_in_digits
from forensic.report.escaping import visible

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from forensic.calibration.record import Calibration, ClassCalibration
    from forensic.case.rows import CaseHeader, Finding


@dataclass(frozen=True)
class ClassLine:
    """What the calibration gives one class."""

    name: str
    threshold: str
    kept: str
    """Photographs that the threshold keeps."""
    interval: str
    """Of that share, 95 %."""
    carried: str
    """Least and greatest ratio, or why there is none."""
    misled: str
    """Share of images with a ratio above 1, over the generators, each left out of the fit."""


@dataclass(frozen=True)
class Calibrated:
    """The calibration in section 4 of the first page."""

    sentences: tuple[str, ...]
    classes: tuple[ClassLine, ...]
    real: str
    """Beside the counts of class real."""


class Wording:
    """Tells findings by the calibration that their case keeps.

    Args:
        header: of the case.

    Raises:
        MissingError: what the case keeps does not fit its hash, or is not what the case was begun with.
    """

    def __init__(self, header: CaseHeader) -> None:
        kept = header.card.get("calibration")
        self.calibration: Calibration | None = None
        if isinstance(kept, dict) and "toml" in kept:
            recorded = header.configuration.get("calibration")
            self.calibration = _words().kept_calibration(header.card, recorded)

    def beside(self, finding: Finding) -> str:
        """What stands beside the verdict of a finding; empty without a calibration or without a score."""
        if self.calibration is None or finding.nearest is None:
            return ""
        known = finding.verdict == "known"
        said = _words().beside_in_words(self.calibration, finding.nearest, finding.llr, finding.flags, known=known)
        return visible(str(said))

    def front(self, scored: int, outside: int) -> Calibrated | None:
        """What the first page says; None without a calibration.

        Args:
            scored: findings with a score.
            outside: those of them that the calibration does not cover.
        """
        if self.calibration is None:
            return None
        sentences = tuple(visible(said) for said in _sentences(self.calibration, scored, outside))
        classes = tuple(_line(name, one) for name, one in self.calibration.classes.items())
        return Calibrated(sentences, classes, visible(str(_words().real_by_calibration(self.calibration))))


def _words() -> ModuleType:
    """Loaded with the arrays it needs only where a case has a calibration."""
    from forensic.calibration import words  # noqa: PLC0415 - as said

    return words


def _sentences(calibration: Calibration, scored: int, outside: int) -> Iterator[str]:
    from forensic.calibration.weigh import NO_RATE  # noqa: PLC0415 - as in _words

    of_real = f", of class {calibration.real} that a camera made it" if calibration.real else ""
    yield (
        f"The first proposition of a class is that it made the image{of_real}; the second, that a generator made it "
        "that is none of the known classes."
    )
    yield _words().stand_ins(calibration)
    yield from _words().taken_in_words(calibration)
    yield (
        f"Calibration {calibration.short_hash} holds for {calibration.coverage.sentence}. Any other image keeps the "
        f"threshold of the weights: {NO_RATE}, neither ratio nor p. Here: {outside:,} of {scored:,}."
    )
    for missing in calibration.missing:
        yield f"Not given by the calibration: {missing}."


def _line(name: str, one: ClassCalibration) -> ClassLine:
    from forensic.metrics.bootstrap import wilson  # noqa: PLC0415 - as in _words

    kept = round(one.kept * one.photographs)
    interval = wilson(kept, one.photographs)
    ends = "" if interval.low is None else f"{interval.low:.3f} to {interval.high:.3f}"
    carried, misled = visible(f"none: {one.withheld}"), "–"
    if one.ratio is not None:
        bounds = one.ratio.bounds
        carried = "none: no information" if bounds == (0, 0) else " to ".join(map(ratio_in_digits, bounds))
        shares = [entry.misleading for entry in one.ratio.generators]
        misled = f"{min(shares):.3f} to {max(shares):.3f}"
    threshold = f"{one.threshold:.3f}".replace("-", "−")
    return ClassLine(visible(name), threshold, f"{kept} of {one.photographs}", ends, carried, misled)
