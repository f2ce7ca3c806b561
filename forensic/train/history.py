"""The old augmenters: all of them are kept, frozen, and drawn evenly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

if TYPE_CHECKING:
    from torch import Tensor

    from forensic.models.augmenter import Augmenter


class Draws(Protocol):
    """Where the index of an old augmenter comes from."""

    def __call__(self, count: int) -> int:
        """An index in [0, count), each as likely as the other."""


class TorchDraws:
    """From a generator on the CPU that others use too; whoever owns it keeps its state."""

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator

    def __call__(self, count: int) -> int:
        """An index in [0, count)."""
        return int(torch.randint(count, (), generator=self._generator))


class NumpyDraws:
    """From NumPy's legacy generator, as `numpy.random.seed(seed)` and `numpy.random.randint(0, count)` would give it.

    Source: the authors' program draws from the ambient one, seeds it with 0 and uses it for nothing else, so its draws
    can be repeated; with one augmenter nothing is consumed.
    """

    def __init__(self, seed: int) -> None:
        self._generator = np.random.RandomState(seed)

    def __call__(self, count: int) -> int:
        """An index in [0, count)."""
        return int(self._generator.randint(0, count))

    def get_state(self) -> Tensor:
        """For a checkpoint: 624 words of the Mersenne twister and the place in them, int64."""
        state = self._generator.get_state(legacy=False)["state"]
        return torch.tensor([*state["key"].tolist(), int(state["pos"])], dtype=torch.int64)

    def set_state(self, state: Tensor) -> None:
        """The inverse of `get_state`."""
        words = state.tolist()
        self._generator.set_state(("MT19937", np.array(words[:-1], dtype=np.uint32), words[-1], 0, 0.0))


class OldAugmenters:
    """The augmenters of earlier epochs, in order.

    Args:
        draws: which of them a step gets.
    """

    def __init__(self, draws: Draws) -> None:
        self.draws = draws
        self._augmenters: list[Augmenter] = []

    def __len__(self) -> int:
        return len(self._augmenters)

    def __getitem__(self, index: int) -> Augmenter:
        return self._augmenters[index]

    def keep(self, augmenter: Augmenter) -> None:
        """Freezes an augmenter and adds it; its epoch is its place in the list."""
        self._augmenters.append(augmenter.requires_grad_(requires_grad=False))

    def draw(self) -> Augmenter | None:
        """One of them, each as likely as the other; None while there is none. Source: Algorithm 1, line 6."""
        if not self._augmenters:
            return None
        return self._augmenters[self.draws(len(self._augmenters))]
