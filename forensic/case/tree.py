"""A hash tree as RFC 6962 has it: one root over all leaves, and a short proof for each of them.

leaf          SHA-256(0x00 + data)
node          SHA-256(0x01 + left + right)
n leaves      the left side takes the largest power of two below n
"""

from __future__ import annotations

import hashlib
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def leaf_hash(data: bytes) -> bytes:
    """Of one leaf, 32 bytes."""
    return hashlib.sha256(b"\0" + data).digest()


def root_hash(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes, 32 bytes; the memory it takes is the logarithm of their number."""
    whole: list[tuple[int, bytes]] = []  # (size, root) of complete trees, sizes falling
    for leaf in leaves:
        size, root = 1, leaf
        while whole and whole[-1][0] == size:
            size, root = size * 2, _node(whole.pop()[1], root)
        whole.append((size, root))
    if not whole:
        return hashlib.sha256(b"").digest()
    root = whole.pop()[1]
    while whole:
        root = _node(whole.pop()[1], root)
    return root


def audit_path(leaves: Iterable[bytes], size: int, index: int) -> list[bytes]:
    """The hashes that lead from one leaf to the root, the leaf's neighbour first; memory as for `root_hash`.

    Args:
        leaves: leaf hashes, in order, each looked at once.
        size: how many they are.
        index: of the leaf, from 0.

    Raises:
        IndexError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise IndexError(index)
    siblings: list[tuple[int, int]] = []  # first leaf and the one behind the last, from the root down
    start, end = 0, size
    while end - start > 1:
        middle = start + _left_size(end - start)
        if index < middle:
            siblings.append((middle, end))
            end = middle
        else:
            siblings.append((start, middle))
            start = middle
    stream, before = iter(leaves), 0
    roots: dict[int, bytes] = {}
    for first, behind in sorted(siblings):
        next(islice(stream, first - before, first - before), None)  # all but the leaf itself lies below a sibling
        roots[first] = root_hash(islice(stream, behind - first))
        before = behind
    return [roots[first] for first, _ in reversed(siblings)]


def root_from(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that a leaf hash and its audit path lead to.

    Raises:
        ValueError: no tree of `size` leaves has such a path for the leaf `index`.
    """
    if not 0 <= index < size:
        raise ValueError(f"index must be below the size {size}, got {index}")
    sides: list[bool] = []  # from the root down, whether the leaf is on the right
    start, end = 0, size
    while end - start > 1:
        middle = start + _left_size(end - start)
        sides.append(index >= middle)
        start, end = (middle, end) if sides[-1] else (start, middle)
    if len(path) != len(sides):
        raise ValueError(f"a path of {len(sides)} hashes is needed, got {len(path)}")
    root = leaf
    for right, other in zip(reversed(sides), path, strict=True):
        root = _node(other, root) if right else _node(root, other)
    return root


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _left_size(size: int) -> int:
    """The largest power of two below `size`, which is 2 or more."""
    return 1 << (size - 1).bit_length() - 1
