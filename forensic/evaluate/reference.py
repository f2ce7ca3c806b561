"""`--metrics reference`: the measures as the authors' program computes them, on the largest softmax at temperature 1.

They have no intervals and no operating point; verdicts beside them are those of the weights.

Source: TianyunYoung/POSE, utils/evaluation.py and test.py, commit 185b25d.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forensic.metrics import reference
from forensic.metrics.measure import Interval, Measure
from forensic.metrics.measured import Measured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SAID = (
    "Computed as the authors' program does, quirks included: scores are the largest softmax at temperature 1 in "
    "float32; a tie counts nothing in AUROC; OSCR, TNR at TPR95, DTACC, AUIN and AUOUT are its staircases with their "
    "invented end points; accuracy is rounded to four decimals; FPR95 is 1 - TNR at TPR95; none of these has an "
    "interval, and what concerns the threshold is not theirs but that of the weights. Where scores tie, its OSCR "
    "depends on the order that a sort leaves: here the stable one, and oscr_range holds all."
)
"""What every output says beside such numbers."""
_NONE = Interval(None, None, "the authors' computation has no intervals")


def measure_as_authors(
    known: NDArray[np.float64], correct: NDArray[np.bool_], unknown: NDArray[np.float64]
) -> dict[str, Measured]:
    """Their open-set measures by the names of JSON.

    Args:
        known: scores (N,); N may be 0.
        correct: (N,) whether the label is right.
        unknown: scores (M,); M may be 0.
    """
    known, correct = _settled(known, correct)
    sides = known, unknown
    negative = reference.tnr_at_tpr95(*sides)
    rate = negative if negative.value is None else Measure(1 - negative.value)
    values = {
        "auroc": reference.auroc(*sides),
        "oscr": reference.oscr(known, correct, unknown),
        "fpr95": rate,
        "tnr_at_tpr95": negative,
        "dtacc": reference.dtacc(*sides),
        "auin": reference.auin(*sides),
        "auout": reference.auout(*sides),
    }
    return {name: Measured(value, _NONE) for name, value in values.items()}


def oscr_range(
    known: NDArray[np.float64], correct: NDArray[np.bool_], unknown: NDArray[np.float64]
) -> tuple[float, float] | None:
    """Least and largest value that their OSCR has over all orders of equal scores.

    Args:
        known: scores (N,); N may be 0.
        correct: (N,) whether the label is right.
        unknown: scores (M,); M may be 0.

    Returns:
        Both ends; None where a side is empty.
    """
    least, largest = reference.oscr_range(known, correct, unknown)
    return None if least.value is None or largest.value is None else (least.value, largest.value)


def closed_as_authors(labels: Sequence[int], predicted: Sequence[int]) -> dict[str, Measure]:
    """Their closed-set measures by the names of JSON.

    Args:
        labels: the true ones.
        predicted: the best class of each image.
    """
    return {
        "closed_accuracy": reference.accuracy(labels, predicted),
        "macro_f1": reference.macro_f1(labels, predicted),
        "macro_recall": reference.macro_recall(labels, predicted),
    }


def _settled(known: NDArray[np.float64], correct: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Both, sorted: of equal scores the wrong label first, so that the order of the images changes nothing."""
    order = np.lexsort((correct, known))
    return known[order], correct[order]
