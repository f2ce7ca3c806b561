"""One calibration: folders of pictures and weights to the file's contents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import forensic
from forensic.calibration.file import sealed
from forensic.calibration.fit import KEEP, Terms, fit_calibration
from forensic.calibration.ratio import LEAST_GENERATORS
from forensic.validation.disjoint import check_not_trained_on, check_sides
from forensic.validation.score import LeftOut, score_sides
from forensic.validation.sources import read_sources

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from forensic.calibration.record import Calibration
    from forensic.calibration.scale import Scale
    from forensic.models.weights import Weights


@dataclass(frozen=True)
class CalibrationPlan:
    """What is fitted, and to what."""

    weights: Weights
    known: Path
    unknown: Path | None
    scale: Scale
    keep: float = KEEP
    least_generators: int = LEAST_GENERATORS
    command: str = ""


@dataclass(frozen=True)
class Fitted:
    """The outcome of a plan."""

    calibration: Calibration
    left_out: tuple[LeftOut, ...]
    """Pictures that got no score."""
    passed_over: tuple[str, ...]
    """What was found and belongs to neither side, a line each."""


def calibrate(plan: CalibrationPlan, on_picture: Callable[[int, int], None] | None = None) -> Fitted:
    """Fits a calibration; it depends on the pictures and not on their order or names.

    Args:
        plan: what to do.
        on_picture: called with (done, total).

    Raises:
        MissingError: pictures are missing, on the wrong side, on both, or seen in training.
        UsageError: pictures of class real for weights that have none.
    """
    card = plan.weights.card
    sources = read_sources(plan.known, plan.unknown, card.classes, card.real)
    known, unknown, missed = score_sides(plan.weights, sources.known, sources.unknown, on_picture)
    check_sides(known, unknown)
    check_not_trained_on(known, card)
    calibration = fit_calibration(
        [one.picture for one in known],
        [one.picture for one in unknown],
        Terms(
            weights=card.hash,
            weights_name=plan.weights.name,
            preprocessing=card.preprocessing,
            classes=card.classes,
            real=card.real,
            scale=plan.scale,
            photographs=sources.photographs,
            keep=plan.keep,
            least_generators=plan.least_generators,
            command=plan.command,
            tool=f"forensic {forensic.__version__}",
        ),
    )
    return Fitted(sealed(calibration), tuple(missed), sources.left_out)
