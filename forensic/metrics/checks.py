"""What measures of known against unknown take: finite scores, flags, and two sides that are not empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forensic.metrics.measure import NO_KNOWN, NO_UNKNOWN

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def scores_of(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """The scores as float64 (N,); the caller's array is never written to.

    Args:
        values: (N,) finite numbers.
        name: of the argument, for the message.

    Raises:
        ValueError: a score is not finite, or there is not one axis.
    """
    scores: NDArray[np.float64] = np.asarray(values, dtype=np.float64)
    if scores.ndim != 1:
        raise ValueError(f"{name}: expected one axis, got shape {scores.shape}")
    if not np.isfinite(scores).all():
        raise ValueError(f"{name}: expected finite scores, got {int((~np.isfinite(scores)).sum())} that are not")
    return scores


def flags_of(values: ArrayLike, name: str, length: int | None = None) -> NDArray[np.bool_]:
    """The flags as bool (N,).

    Args:
        values: (N,) truth values.
        name: of the argument, for the message.
        length: N, if it must be that.

    Raises:
        ValueError: there is not one axis, or another length.
    """
    flags: NDArray[np.bool_] = np.asarray(values, dtype=bool)
    if flags.ndim != 1:
        raise ValueError(f"{name}: expected one axis, got shape {flags.shape}")
    if length is not None and len(flags) != length:
        raise ValueError(f"{name}: expected shape ({length},), got {flags.shape}")
    return flags


def empty_side(known: NDArray[np.float64], unknown: NDArray[np.float64]) -> str | None:
    """Why nothing can be measured: the side, (N,) or (M,), that has no images; None if both have some."""
    if known.size == 0:
        return NO_KNOWN
    return NO_UNKNOWN if unknown.size == 0 else None
