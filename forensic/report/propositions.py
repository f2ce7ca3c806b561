"""The two propositions that a report weighs, and what must stand beside every attribution to class real."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forensic.report.card import real_by_card
from forensic.report.escaping import visible

if TYPE_CHECKING:
    from forensic.case.rows import CaseHeader
    from forensic.report.calibrated import Calibrated
    from forensic.report.view import Survey


def _real(header: CaseHeader) -> str:
    """The name of class real; empty where no class is."""
    real = header.card.get("real")
    return real if isinstance(real, str) and real in header.classes else ""


def propositions(header: CaseHeader) -> tuple[str, str]:
    """The same two with a calibration and without."""
    real = _real(header)
    camera = f"; of class {visible(real)}: that a camera made it" if real else ""
    return (
        f"The class that the finding names made the image{camera}.",
        "A generator made the image that is none of the known classes.",
    )


def beside_real(header: CaseHeader, found: Survey, calibrated: Calibrated | None) -> str:
    """How many images of unknown generators come out as class real, and where that was not measured.

    Args:
        header: of the case.
        found: its findings, added up.
        calibrated: what its calibration says; None without one.

    Returns:
        Sentences; empty where no class is real.
    """
    real = _real(header)
    if not real:
        return ""
    if calibrated is None:
        return real_by_card(header.card, real, own_threshold=header.own_threshold)
    attributed, outside = found.classes[real], found.outside[real]
    if not outside:
        return calibrated.real
    verb = "is" if outside == 1 else "are"
    return (
        f"{calibrated.real} Of the {attributed:,} images attributed to it here, {outside:,} {verb} not in "
        "the condition of the calibration: for them it was not measured."
    )
