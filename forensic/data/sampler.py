"""Class-balanced batches: an item is one image of each class.

Source: the authors' program (literature: items of one image a class, small classes repeat their first images,
the last batch is kept).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Batch:
    """Which images make a batch."""

    images: NDArray[np.int64]
    """(N,) index of each image in the list the sampler was made from."""
    labels: NDArray[np.int64]
    """(N,) its class: 0, 1, ..., K-1, again and again."""
    items: NDArray[np.int64]
    """(N,) the item it stands for; (item, label) is unlike any other in a pass."""


class ClassBalancedSampler:
    """Order of the batches of each pass.

    Args:
        labels: class of each image, in [0, K).
        num_classes: K; every class needs an image.
        batch_items: items a batch.
        seed: of the order.

    Raises:
        ValueError: a class without an image.
    """

    def __init__(self, labels: Sequence[int], num_classes: int, batch_items: int, seed: int) -> None:
        array = np.asarray(labels, dtype=np.int64)
        self._members = [np.flatnonzero(array == label) for label in range(num_classes)]
        empty = [label for label, members in enumerate(self._members) if not members.size]
        if empty:
            raise ValueError(f"labels: no image of class {empty[0]}")
        self._batch_items = batch_items
        self._seed = seed
        self.items = max(members.size for members in self._members)
        """Items a pass: the size of the largest class."""

    def __len__(self) -> int:
        """Batches a pass."""
        return math.ceil(self.items / self._batch_items)

    def batches(self, pass_index: int) -> list[Batch]:
        """The batches of one pass over the items; the same call gives the same batches."""
        order = np.random.default_rng((self._seed, pass_index, 0)).permutation(self.items)
        return [self._batch(order[at : at + self._batch_items]) for at in range(0, self.items, self._batch_items)]

    def _batch(self, items: NDArray[np.int64]) -> Batch:
        num_classes = len(self._members)
        images = np.stack([members[items % members.size] for members in self._members], axis=1)
        return Batch(
            images=images.reshape(-1),
            labels=np.tile(np.arange(num_classes), len(items)),
            items=np.repeat(items, num_classes),
        )
