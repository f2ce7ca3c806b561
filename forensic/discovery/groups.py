"""Pictures that look alike, together: so that forty copies of one picture do not count as forty.

    alike    at most `ALIKE` of the 64 bits of `forensic.data.look` differ
    group    what is connected by likeness

Of five bands of bits two pictures that differ in four have one in common, so only pictures with an equal band are
compared: no table of all pairs.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from forensic.data.look import BITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ALIKE = 4
"""Bits."""
_BANDS = ALIKE + 1
_EDGES = [BITS * band // _BANDS for band in range(_BANDS + 1)]


def alike(looks: Sequence[int]) -> NDArray[np.int64]:
    """The group of each picture: the least number of a picture in it, (N,).

    Args:
        looks: of N pictures.
    """
    hashes, inverse = np.unique(np.array(looks, dtype=np.uint64), return_inverse=True)
    parents = np.arange(len(hashes))
    for low, high in pairwise(_EDGES):
        band = (hashes >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)
        order = np.argsort(band, kind="stable")
        ends = np.flatnonzero(np.diff(band[order])) + 1
        for bucket in np.split(order, ends):
            _join(hashes, bucket, parents)
    roots = np.array([_root(parents, number) for number in range(len(hashes))], dtype=np.int64)[inverse]
    first: dict[int, int] = {}
    return np.array([first.setdefault(int(root), place) for place, root in enumerate(roots)], dtype=np.int64)


def _join(hashes: NDArray[np.uint64], bucket: NDArray[np.int64], parents: NDArray[np.int64]) -> None:
    for place, number in enumerate(bucket[:-1]):
        rest = bucket[place + 1 :]
        for other in rest[_differing(hashes[rest] ^ hashes[number]) <= ALIKE]:
            one, two = _root(parents, int(number)), _root(parents, int(other))
            parents[max(one, two)] = min(one, two)


def _differing(words: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Bits that are set in each word, (N,) -> (N,)."""
    count: NDArray[np.int64] = np.unpackbits(words.view(np.uint8).reshape(-1, 8), axis=1).sum(axis=1, dtype=np.int64)
    return count


def _root(parents: NDArray[np.int64], number: int) -> int:
    while parents[number] != number:
        parents[number] = parents[parents[number]]
        number = int(parents[number])
    return number
