"""Intervals: Wilson's for a share of independent images, a bootstrap over photographs for everything else.

Images made from one photograph are not independent, so whole photographs are drawn, known and unknown images together.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from forensic.metrics.measure import Interval

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """Wilson's score interval for a share.

    Args:
        successes: count, 0 to n.
        n: count of all.
        level: coverage, between 0 and 1.

    Returns:
        Within [0, 1]; None with a reason where n is 0.

    Raises:
        ValueError: the counts do not fit each other.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"successes: expected 0 to {n}, got {successes}")
    if n == 0:
        return Interval(None, None, "no images")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # both ends are exact at 0 and n, where rounding would leave 1e-17
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Interval(low, high)


def photograph_weights(photographs: Sequence[Hashable], replicates: int, seed: int) -> NDArray[np.float64]:
    """How often each image counts in each replicate, (R, N) float64 of whole numbers.

    Each replicate draws as many photographs as there are, with replacement; an image counts as often as its
    photograph was drawn.

    Args:
        photographs: (N,) one for each image; images with equal ones stand and fall together.
        replicates: R.
        seed: of the draws; the result depends on the order in which photographs first appear when sorted by text.
    """
    # sorted by text, so that the order of the images does not matter
    distinct = {photograph: place for place, photograph in enumerate(sorted(set(photographs), key=repr))}
    draws = np.random.default_rng(seed)
    count = len(distinct)
    drawn = draws.integers(count, size=(replicates, count)) if count else np.zeros((replicates, 0), dtype=np.int64)
    places = (np.arange(replicates)[:, None] * count + drawn).ravel()
    times = np.bincount(places, minlength=replicates * count).reshape(replicates, count).astype(np.float64)
    weights: NDArray[np.float64] = times[:, [distinct[photograph] for photograph in photographs]]
    return weights


def percentile_interval(values: NDArray[np.float64], level: float = 0.95) -> Interval:
    """The middle part of replicates.

    Args:
        values: (R,); NaN marks a replicate in which the measure is undefined and is left out.
        level: coverage, between 0 and 1.

    Returns:
        The percentiles; None with a reason where fewer than half of the replicates are defined.
    """
    defined = values[np.isfinite(values)]
    if len(defined) == 0 or len(defined) < len(values) / 2:
        return Interval(None, None, "too few photographs to resample")
    low, high = np.quantile(defined, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(float(low), float(high))
