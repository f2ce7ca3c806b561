"""How well clusters of images agree with their generators, whatever the clusters are called.

    purity     share of images that belong to the commonest label of their cluster; grows with the number of clusters,
               and is 1 where each image is a cluster of its own
    NMI        mutual information over the mean of both entropies (the arithmetic one, as POSE's authors have it)
    ARI        pairs put together or apart alike, corrected for chance: 0 expected by chance, 1 for the same partition,
               negative where worse than chance
    Hungarian  share of images labelled right when each cluster is named after one label and no label twice, in the
    accuracy   best way; images of clusters that are left without a label count as wrong

Source: purity, NMI and ARI are what POSE reports of discovery; Hubert and Arabie 1985 for ARI; Kuhn 1955 for the
assignment, here by shortest paths (Jonker and Volgenant 1987).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from forensic.metrics.measure import Measure

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

NO_IMAGES = "no images"


def purity(labels: ArrayLike, clusters: ArrayLike) -> Measure:
    """Share of images whose label is the commonest one of their cluster.

    Args:
        labels: (N,) integers or names, the true ones.
        clusters: (N,) integers or names; only which are equal matters.

    Returns:
        In (0, 1]; None with a reason where N is 0.

    Raises:
        ValueError: the lengths differ, or an array is not of one axis.
    """
    table = contingency(labels, clusters)
    return Measure(int(table.max(axis=0).sum()) / int(table.sum())) if table.size else Measure(None, NO_IMAGES)


def nmi(labels: ArrayLike, clusters: ArrayLike) -> Measure:
    """Normalised mutual information, arithmetic: 2 I(label; cluster) / (H(label) + H(cluster)).

    1 where both are a single group, which is the same partition. Arguments and errors as for `purity`.

    Returns:
        In [0, 1]; None with a reason where N is 0.
    """
    table = contingency(labels, clusters)
    if not table.size:
        return Measure(None, NO_IMAGES)
    rows, columns, joint = _entropy(table.sum(axis=1)), _entropy(table.sum(axis=0)), _entropy(table.ravel())
    if rows + columns == 0:
        return Measure(1.0)
    # independent partitions leave rounding of either sign, and equal ones a last digit above 1
    return Measure(min(1.0, max(0.0, 2 * (rows + columns - joint) / (rows + columns))))


def ari(labels: ArrayLike, clusters: ArrayLike) -> Measure:
    """Adjusted Rand index.

    1 where chance leaves nothing to be right about: both a single group, or both all groups of one. Arguments and
    errors as for `purity`.

    Returns:
        In [-1/2, 1]; None with a reason where N is 0.
    """
    table = contingency(labels, clusters)
    if not table.size:
        return Measure(None, NO_IMAGES)
    # in whole numbers of any size, so that nothing overflows or rounds before the one division
    together, rows, columns, pairs = (
        sum(math.comb(int(n), 2) for n in counts)
        for counts in (table.ravel(), table.sum(axis=1), table.sum(axis=0), [table.sum()])
    )
    numerator, denominator = 2 * (together * pairs - rows * columns), (rows + columns) * pairs - 2 * rows * columns
    return Measure(numerator / denominator if denominator else 1.0)


def hungarian_accuracy(labels: ArrayLike, clusters: ArrayLike) -> Measure:
    """Share of images labelled right under the best one-to-one naming of clusters after labels.

    Arguments and errors as for `purity`.

    Returns:
        In (0, 1], at most the purity; None with a reason where N is 0.
    """
    table = contingency(labels, clusters)
    if not table.size:
        return Measure(None, NO_IMAGES)
    rows, columns = best_assignment(table)
    return Measure(int(table[rows, columns].sum()) / int(table.sum()))


def contingency(labels: ArrayLike, clusters: ArrayLike) -> NDArray[np.int64]:
    """How many images of each label are in each cluster, both in rising order of their names; (L, C) int64.

    Arguments and errors as for `purity`; without images (0, 0).
    """
    names, groups = np.asarray(labels), np.asarray(clusters)
    if names.ndim != 1:
        raise ValueError(f"labels: expected one axis, got shape {names.shape}")
    if groups.shape != names.shape:
        raise ValueError(f"clusters: expected shape {names.shape}, got {groups.shape}")
    rows, row = np.unique(names, return_inverse=True)
    columns, column = np.unique(groups, return_inverse=True)
    table = np.zeros((len(rows), len(columns)), dtype=np.int64)
    np.add.at(table, (row, column), 1)
    return table


def best_assignment(gains: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pairing of rows with columns, each used once at most, that has the largest sum.

    Rows are taken up one by one; each is joined by a shortest path over reduced costs, which may re-seat rows placed
    before (Dijkstra with potentials). O(n^2 m) for n rows and m >= n columns.

    Args:
        gains: (L, C) finite numbers.

    Returns:
        min(L, C) places of rows, rising, and of their columns. Of several best pairings one is found; the sum is the
        same.

    Raises:
        ValueError: there are not two axes, or a gain is not finite.
    """
    table = np.asarray(gains, dtype=np.float64)
    if table.ndim != 2:
        raise ValueError(f"gains: expected two axes, got shape {table.shape}")
    if not np.isfinite(table).all():
        raise ValueError("gains: expected finite numbers")
    if table.shape[0] > table.shape[1]:
        columns, rows = best_assignment(table.T)
        order = np.argsort(rows)
        return rows[order], columns[order]
    costs = -table
    count, width = costs.shape
    row_price, column_price = np.zeros(count), np.zeros(width)
    row_of = np.full(width, -1, dtype=np.int64)
    for start in range(count):
        _seat(start, costs, row_price, column_price, row_of)
    columns = np.flatnonzero(row_of >= 0)
    order = np.argsort(row_of[columns])
    return row_of[columns][order], columns[order]


def _seat(
    start: int,
    costs: NDArray[np.float64],
    row_price: NDArray[np.float64],
    column_price: NDArray[np.float64],
    row_of: NDArray[np.int64],
) -> None:
    """Gives row `start` a column along the cheapest path to a free one; prices and `row_of` are changed in place."""
    width = costs.shape[1]
    distance, before = np.full(width, np.inf), np.full(width, -1, dtype=np.int64)
    done = np.zeros(width, dtype=bool)
    row, column, reached = start, -1, 0.0
    while row >= 0:
        through = reached + costs[row] - row_price[row] - column_price
        shorter = ~done & (through < distance)
        distance[shorter], before[shorter] = through[shorter], column
        column = int(np.argmin(np.where(done, np.inf, distance)))
        reached, done[column] = float(distance[column]), True
        row = int(row_of[column])
    # the column reached last is free and keeps its price: its distance is the length of the path
    row_price[start] += reached
    inner = done & (row_of >= 0)
    row_price[row_of[inner]] += reached - distance[inner]
    column_price[inner] -= reached - distance[inner]
    while column >= 0:
        previous = int(before[column])
        row_of[column] = row_of[previous] if previous >= 0 else start
        column = previous


def _entropy(counts: NDArray[np.int64]) -> float:
    """In nats, of the shares of the counts; an exact sum, so that the names of the groups change no bit."""
    total = int(counts.sum())
    return -math.fsum(int(n) / total * math.log(int(n) / total) for n in counts if n)
