"""One statement: a laboratory's folder, weights, and a calibration where there is one, to what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from forensic.errors import MissingError
from forensic.models.card import files_hash
from forensic.validation.disjoint import check_not_fitted_on, check_not_trained_on, check_sides, kept_by_weights
from forensic.validation.score import LeftOut, score_sides
from forensic.validation.sources import data_name, read_laboratory
from forensic.validation.statement import Statement, measure_statement

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from forensic.calibration.record import Calibration
    from forensic.models.weights import Weights


@dataclass(frozen=True)
class ValidationPlan:
    """What is measured, and on what."""

    weights: Weights
    weights_file: Path
    data: Path
    calibration: Calibration | None = None
    command: str = ""
    seed: int = 0


@dataclass(frozen=True)
class Validated:
    """The outcome of a plan."""

    plan: ValidationPlan
    statement: Statement
    data: str
    """Name of the data."""
    files: str
    """SHA-256 over the sorted hashes of all pictures with a score."""
    photographs: str
    """How photographs were told apart."""
    left_out: tuple[LeftOut, ...]
    passed_over: tuple[str, ...]


def validate(plan: ValidationPlan, on_picture: Callable[[int, int], None] | None = None) -> Validated:
    """Measures weights on pictures that chose nothing.

    Args:
        plan: what to do.
        on_picture: called with (done, total).

    Raises:
        MissingError: pictures are missing, or took part in training, in the weights' validation or in the calibration;
            or the calibration belongs to other weights.
    """
    card = plan.weights.card
    if plan.calibration is not None:
        plan.calibration.check_fits("--calibration", card.hash, card.preprocessing)
    sources = read_laboratory(plan.data, card.classes)
    known, unknown, missed = score_sides(plan.weights, sources.known, sources.unknown, on_picture)
    every = [*known, *unknown]
    check_sides(known, unknown)
    check_not_trained_on(every, card)
    if plan.calibration is not None:
        check_not_fitted_on(every, plan.calibration)
    if kept := kept_by_weights(every, plan.weights_file):
        raise MissingError(
            kept[0].path,
            f"helped to choose the threshold of these weights, and so did {len(kept) - 1} more: their traces are kept",
            "What chose anything can not measure it: take other images",
        )
    statement = measure_statement(
        [one.picture for one in known], [one.picture for one in unknown], card, plan.calibration, seed=plan.seed
    )
    return Validated(
        plan=plan,
        statement=statement,
        data=data_name(plan.data),
        files=files_hash([one.picture.sha256 for one in every]),
        photographs=sources.photographs,
        left_out=tuple(missed),
        passed_over=sources.left_out,
    )
