"""The running mean of the task model's weights, for recipes that ship it instead of the last weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from forensic.models.feature_extractor import TaskModel


class WeightAverage:
    """Exponential mean over steps of all parameters and batch-norm statistics.

    Args:
        model: whose state is averaged; its state is the start.
        decay: share of the old mean at each step; less in the first steps, so that the start is forgotten.
    """

    def __init__(self, model: TaskModel, decay: float) -> None:
        self._decay = decay
        self.state: dict[str, Tensor] = {name: value.detach().clone() for name, value in model.state_dict().items()}
        """Under the model's own names."""

    def update(self, model: TaskModel, step: int) -> None:
        """Takes in the state after a step of the run, counted from 0."""
        decay = min(self._decay, (1 + step) / (10 + step))
        now = model.state_dict()
        means = [name for name, value in now.items() if value.is_floating_point()]
        with torch.no_grad():  # a few launches on a device, however many tensors there are
            torch._foreach_lerp_([self.state[name] for name in means], [now[name] for name in means], 1 - decay)
            for name in now.keys() - set(means):
                self.state[name].copy_(now[name])
