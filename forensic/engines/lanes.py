"""Several networks of few threads each, side by side, in place of one with many threads.

Threads of one network wait for each other behind every layer; where decoders want the same processors, one of them is
always late. Lanes do not wait: each takes whole batches, the same as one network would, so the results are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forensic.models.predict import of_images, same_every_time
from forensic.models.workers import torch_workers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from forensic.models.predict import Outputs, Predictor


class Lanes:
    """Predictors that share the tiles of a call.

    Args:
        predictors: alike, one at least; each is used by one thread of its own.
        threads: that torch computes with in each of these.
    """

    def __init__(self, predictors: Sequence[Predictor], threads: int) -> None:
        self._predictors = predictors
        self._threads = torch_workers(len(predictors), threads, "lane")

    def __call__(self, tiles: NDArray[np.uint8]) -> Outputs:
        """As a `Predictor`, to the bit."""
        batch = self._predictors[0].batch
        batches = -(-len(tiles) // batch)
        firsts = [batch * (batches * lane // len(self._predictors)) for lane in range(len(self._predictors))]
        parts = [part for part in np.split(tiles, firsts[1:]) if len(part)]
        with same_every_time():  # the setting is the process's: lanes that end first must not take it from the others
            work = [self._threads.submit(one, part) for one, part in zip(self._predictors, parts, strict=False)]
            found = [one.result() for one in work]
        logits, features = (np.concatenate(column) for column in zip(*found, strict=True))
        return logits, features

    def of_images(self, images: Sequence[NDArray[np.uint8]]) -> list[Outputs]:
        """As `Predictor.of_images`, to the bit."""
        return of_images(self, images)
