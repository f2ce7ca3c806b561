"""What fitted or chose anything must not measure it: pictures are held against each other by the hash of their bytes.

Weights keep no list of their training images, only one hash over all of them; the hash of each image that enrolled a
class; and, for scores with traces, the traces of the validation images that standardised the score and chose the
threshold. What can be seen with these is seen; what can not is said.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from forensic.errors import MissingError
from forensic.models.card import files_hash
from forensic.models.enrolment import FORMS
from forensic.models.weights import read_pair, tensors_below

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from forensic.calibration.record import Calibration
    from forensic.models.card import Card
    from forensic.validation.score import Scored

SAME_TRACES = 0.01
"""Root of the mean squared difference of two images' traces, each over its deviation, below which they are one image.
Measured on osma-mini: at most 0.0004 for an image that was kept, at least 0.31 for another."""


def check_sides(known: Sequence[Scored], unknown: Sequence[Scored]) -> None:
    """That no file stands for two classes, or on both sides.

    Raises:
        MissingError: one does.
    """
    seen: dict[str, Scored] = {}
    for one in [*known, *unknown]:
        other = seen.setdefault(one.picture.sha256, one)
        if other.picture.source != one.picture.source:
            raise MissingError(
                one.path,
                f"is the same file as {other.path}, of {other.picture.source}",
                "One image has one source: remove it on one side",
            )


def check_not_trained_on(scored: Sequence[Scored], card: Card) -> None:
    """That no picture was trained on, as far as the card's hash over all tells, or took part in an enrolment.

    Raises:
        MissingError: they are.
    """
    by_class: dict[str, list[str]] = defaultdict(list)
    for one in scored:
        by_class[one.picture.source].append(one.picture.sha256)
    remedy = "Take images that the weights have not seen"
    known = [one.picture.sha256 for one in scored if one.picture.label >= 0]
    if known and files_hash(known) == card.training.hash:
        raise MissingError("the known images", "are the training images of these weights", remedy)
    for one in scored:
        if card.enrolled_with(one.picture.sha256):
            raise MissingError(one.path, "took part in the enrolment of a class of these weights", remedy)
    for name, entry in card.enrolled.items():  # of earlier versions, which kept one hash over all of a class
        if files_hash(by_class.get(name, [])) == entry.get("hash"):
            raise MissingError(f"the images of {name}", "are those that the class was enrolled with", remedy)


def check_not_fitted_on(scored: Sequence[Scored], calibration: Calibration) -> None:
    """That no picture, and no photograph of a table, took part in a calibration.

    Raises:
        MissingError: one did.
    """
    files, units = set(calibration.files), set(calibration.units)
    remedy = "What fitted a calibration can not measure it: take other images"
    for one in scored:
        if one.picture.sha256 in files:
            raise MissingError(one.path, "took part in the calibration", remedy)
        if one.picture.unit in units:
            raise MissingError(
                one.path, f"is of the photograph {one.picture.unit}, which took part in the calibration", remedy
            )


def kept_by_weights(scored: Sequence[Scored], weights: Path) -> list[Scored]:
    """The pictures whose traces the weights file keeps: they standardised the score and chose the threshold.

    Args:
        scored: pictures.
        weights: the tensors file.
    """
    tensors = tensors_below("enrolment", read_pair(weights)[1])
    if not tensors or not scored or scored[0].traces is None:
        return []
    stored = tensors["about"][:, 2] == FORMS.index("stored")
    kept: NDArray[np.float64] = tensors["traces"][stored].astype(np.float64)
    scale = np.maximum(kept.std(axis=0), 1e-12)
    kept = kept / scale
    found = []
    for one in scored:
        traces = (np.asarray(one.traces, dtype=np.float64) - tensors["offset"]) / scale
        away = np.sqrt(((kept - traces) ** 2).mean(axis=1))
        if away.min(initial=np.inf) < SAME_TRACES:
            found.append(one)
    return found
