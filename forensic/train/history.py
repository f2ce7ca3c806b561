"""The old augmenters: all of them are kept, frozen, and drawn evenly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from forensic.models.augmenter import Augmenter


class OldAugmenters:
    """The augmenters of earlier epochs, in order.

    Args:
        generator: on the CPU; draws come from it, so its state belongs into a checkpoint.
    """

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator
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
        index = torch.randint(len(self._augmenters), (), generator=self._generator)
        return self._augmenters[int(index)]
