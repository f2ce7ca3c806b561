"""How unusual a score is among those of a class: conformal p, one for each class (Mondrian).

    p = (1 + number of calibration scores at or below the case's) / (n + 1)

One score a photograph, the lowest of its images: a new photograph's p then falls to a share a or below in at most a
share a of cases, as long as it is exchangeable with the n photographs. With n = 22 the least p is 1/23. It is a promise
about known images; it says nothing of how many unknown ones it would catch.

Source: Vovk, Gammerman and Shafer 2005, "Algorithmic learning in a random world", chapters 2 and 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def conformal_p(score: float, calibration: ArrayLike) -> float:
    """The p of a score.

    Args:
        score: of the case.
        calibration: (n,) one score a photograph; n may be 0, then p is 1.

    Raises:
        ValueError: the score is not finite.
    """
    if not np.isfinite(score):
        raise ValueError(f"score: expected a finite number, got {score}")
    scores = np.asarray(calibration, dtype=np.float64)
    return (1 + int((scores <= score).sum())) / (scores.size + 1)


def least_p(photographs: int) -> float:
    """The smallest p that so many photographs can give."""
    return 1 / (photographs + 1)
