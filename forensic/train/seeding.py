"""Randomness as an argument: initial parameters and dropout masks drawn from a generator that is handed in.

Torch's own modules draw from the ambient generator; a run that is to be resumed bit for bit can not.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from forensic.models.augmenter import Augmenter, AugmenterShape
    from forensic.models.feature_extractor import TaskModel


def new_task_model(model: TaskModel, generator: torch.Generator) -> TaskModel:
    """Draws all weights and biases anew, uniform within 1/sqrt(fan in) as torch's defaults are; in place."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            _uniform(module.weight, module.weight[0].numel(), generator)
            if module.bias is not None:
                _uniform(module.bias, module.weight[0].numel(), generator)
    return model


def new_augmenter(shape: AugmenterShape, generator: torch.Generator) -> Augmenter:
    """An augmenter with torch's default initialisation, drawn from `generator` on the CPU."""
    augmenter = shape.build()
    for weight, bias in augmenter.layers:
        _uniform(weight, weight[0].numel(), generator)
        _uniform(bias, weight[0].numel(), generator)
    return augmenter


def _uniform(tensor: Tensor, fan_in: int, generator: torch.Generator) -> None:
    bound = 1 / math.sqrt(fan_in)
    with torch.no_grad():
        tensor.uniform_(-bound, bound, generator=generator)


class SeededDropout(nn.Module):
    """Dropout whose masks come from a generator that is handed in; without effect in evaluation mode.

    Args:
        p: share of entries set to 0; the others are divided by 1 - p.
        generator: on the device of the tensors to come.
    """

    def __init__(self, p: float, generator: torch.Generator) -> None:
        super().__init__()
        self.p = p
        self.generator = generator

    def forward(self, values: Tensor) -> Tensor:
        """Any shape -> same."""
        if not self.training or self.p == 0:
            return values
        kept = torch.empty_like(values).bernoulli_(1 - self.p, generator=self.generator)
        return values * kept / (1 - self.p)
