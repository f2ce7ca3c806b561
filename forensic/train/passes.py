"""Forward passes of the task model within one step, each run once however often the step needs it.

Between two of its optimiser's steps the task model is the same function. What both halves of a step ask of it is
computed once; only what a second pass would do anew is done anew: batch norm's running statistics move once more, and
another dropout mask is drawn.

Shapes: N images, S pixels a side, D the size of the embedding.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from forensic.models.feature_extractor import move_statistics
from forensic.models.folding import FoldedTrunk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forensic.models.feature_extractor import TaskModel


class Passes:
    """The task model between two of its optimiser's steps.

    Args:
        model: its mode decides; in evaluation mode batch norm is folded into the convolutions.
    """

    def __init__(self, model: TaskModel) -> None:
        self._model = model
        self._trunk = None if model.training else FoldedTrunk(model.trunk)

    def run(self, images: Tensor, *, frozen: bool = False) -> Pass:
        """One pass over images (N, 3, S, S) in [-1, 1].

        Args:
            images: as they are, or augmented.
            frozen: whether gradients go to the images only; the model's are then not computed.
        """
        model = self._model
        spectra = model.input_layer(images)
        if self._trunk is not None:
            return Pass(model, model.fc(model.neck(self._trunk(spectra, frozen=frozen))), [])
        with _caught(model) as caught:
            features = model.features(spectra)
        return Pass(model, features, caught)


class Pass:
    """Features of one pass, and the batch statistics that it saw. Use `Passes.run` to make one."""

    def __init__(self, model: TaskModel, features: Tensor, caught: list[tuple[nn.BatchNorm2d, Tensor, Tensor]]) -> None:
        self._model = model
        self._features = features
        self._caught = caught

    def embeddings(self, *, counted: bool) -> Tensor:
        """Embeddings (N, D) as a forward pass at this moment would give them, with a dropout mask of its own.

        Args:
            counted: whether batch norm's running statistics move.
        """
        if counted:
            with torch.no_grad():
                move_statistics(self._caught)
        embeddings: Tensor = self._model.dropout(self._features)
        return embeddings


def _zeros(lengths: list[int], like: Tensor) -> list[Tensor]:
    """Tensors of these lengths that one launch fills."""
    return list(torch.split(torch.zeros(sum(lengths), dtype=like.dtype, device=like.device), lengths))


@contextmanager
def _caught(model: TaskModel) -> Iterator[list[tuple[nn.BatchNorm2d, Tensor, Tensor]]]:
    """Batch statistics of the forward pass inside: mean and unbiased variance of each batch norm, (C,) each.

    The running statistics are lent for it: with a momentum of 1 and nothing in them they are the batch's.
    """
    norms = [module for module in model.trunk.modules() if isinstance(module, nn.BatchNorm2d)]
    kept = [(norm.running_mean, norm.running_var, norm.num_batches_tracked, norm.momentum) for norm in norms]
    lent = _zeros([norm.num_features for norm in norms for _ in range(2)], like=norms[0].bias)
    uncounted = torch.zeros((), dtype=torch.int64, device=norms[0].bias.device)
    for place, norm in enumerate(norms):
        norm.running_mean, norm.running_var = lent[2 * place : 2 * place + 2]
        norm.num_batches_tracked = uncounted
        norm.momentum = 1.0
    caught: list[tuple[nn.BatchNorm2d, Tensor, Tensor]] = []
    try:
        yield caught
        caught += [
            (norm, norm.running_mean, norm.running_var)
            for norm in norms
            if norm.running_mean is not None and norm.running_var is not None
        ]
    finally:
        for norm, (mean, variance, count, momentum) in zip(norms, kept, strict=True):
            norm.running_mean, norm.running_var, norm.num_batches_tracked = mean, variance, count
            norm.momentum = momentum
