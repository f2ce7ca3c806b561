"""Which known class: accuracy and confusion, whatever the threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forensic.metrics.measure import NO_KNOWN, Measure

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def accuracy(labels: ArrayLike, predicted: ArrayLike) -> Measure:
    """Share of images whose predicted label is the true one.

    Args:
        labels: (N,) integers, the true ones.
        predicted: (N,) integers.

    Returns:
        In [0, 1]; None with a reason where N is 0.

    Raises:
        ValueError: the lengths differ.
    """
    true, guess = _pair(labels, predicted)
    return Measure(float(np.mean(true == guess))) if true.size else Measure(None, NO_KNOWN)


def accuracy_per_class(labels: ArrayLike, predicted: ArrayLike, num_classes: int) -> list[Measure]:
    """Accuracy over the images of each class, in label order; None with a reason for a class without images.

    Arguments and errors as for `accuracy`.
    """
    true, guess = _pair(labels, predicted)
    return [accuracy(true[true == label], guess[true == label]) for label in range(num_classes)]


def confusion(labels: ArrayLike, predicted: ArrayLike, num_classes: int) -> NDArray[np.int64]:
    """How many images of class i are predicted as class j, at [i, j]; (K, K) int64.

    Args:
        labels: (N,) integers in [0, K), the true ones.
        predicted: (N,) integers in [0, K).
        num_classes: K.

    Raises:
        ValueError: the lengths differ, or a label is out of range.
    """
    true, guess = _pair(labels, predicted)
    for name, values in (("labels", true), ("predicted", guess)):
        if values.size and not (values.min() >= 0 and values.max() < num_classes):
            raise ValueError(f"{name}: expected 0 to {num_classes - 1}, got {values.min()} to {values.max()}")
    table: NDArray[np.int64] = np.zeros((num_classes, num_classes), dtype=np.int64)
    np.add.at(table, (true, guess), 1)
    return table


def _pair(labels: ArrayLike, predicted: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    true, guess = np.asarray(labels, dtype=np.int64), np.asarray(predicted, dtype=np.int64)
    if true.shape != guess.shape or true.ndim != 1:
        raise ValueError(f"predicted: expected shape {true.shape}, one axis, got {guess.shape}")
    return true, guess
