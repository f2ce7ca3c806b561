"""Who takes part in a step, and what all kinds of steps do with them: pass forward, descend.

Shapes: N images a batch, M of them augmented, S pixels a side, D the size of the embedding, K known classes.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from forensic.losses import pose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forensic.models.augmenter import Augmenter
    from forensic.models.feature_extractor import TaskModel
    from forensic.train.config import Recipe
    from forensic.train.history import OldAugmenters


@dataclass(frozen=True)
class NewAugmenter:
    """An augmenter that learns, with its optimiser."""

    augmenter: Augmenter
    optimizer: torch.optim.Optimizer


@dataclass(frozen=True)
class Learners:
    """Who takes part in a step."""

    model: TaskModel
    model_optimizer: torch.optim.Optimizer
    new: tuple[NewAugmenter, ...]
    """One where the recipe is progressive, all of them where it is joint, none where it has no augmenters."""
    old: OldAugmenters


def known_embeddings(model: TaskModel, x: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (N, K) and embeddings (N, D) of images x (N, 3, S, S) as they are."""
    z = model.embed(model.input_layer(x))
    return model.head(z), z


def augmented_embeddings(model: TaskModel, augmenter: Augmenter, x: Tensor, *, counted: bool) -> Tensor:
    """Embeddings (M, D) of images x (M, 3, S, S), augmented; with a graph to the model and none to the augmenter.

    Args:
        model: the task model.
        augmenter: of any epoch.
        x: images in [-1, 1], unchanged ones.
        counted: whether batch norm's running statistics move.
    """
    with torch.no_grad():
        spectra = model.input_layer(augmenter(x))
    with moving(model, statistics=counted):
        return model.embed(spectra)


def classify(logits: Tensor, y: Tensor, recipe: Recipe) -> Tensor:
    """L_cls of Eq. 4 with the recipe's form, scalar; logits (N, K), labels y (N,)."""
    return pose.classification(
        logits, y, recipe.label_smoothing, temperature=recipe.temperature, double_softmax=recipe.double_softmax
    )


def accuracy(logits: Tensor, y: Tensor) -> Tensor:
    """Share of the batch whose largest logit is its label's, scalar; logits (N, K), labels y (N,)."""
    return (logits.argmax(dim=1) == y).to(logits.dtype).mean()


def descend_model(loss: Tensor, learners: Learners, recipe: Recipe) -> None:
    """One optimiser step of the task model on a scalar loss."""
    learners.model_optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]  # torch ships it without a signature
    follow_gradient(learners, recipe)


def follow_gradient(learners: Learners, recipe: Recipe) -> None:
    """The task model's optimiser step on the gradient that its parameters have."""
    if recipe.gradient_clip:
        nn.utils.clip_grad_norm_(learners.model.parameters(), recipe.gradient_clip)
    learners.model_optimizer.step()


def descend(loss: Tensor, new: NewAugmenter) -> None:
    """One optimiser step of an augmenter on a scalar loss; the gradient is taken for its parameters only."""
    parameters = list(new.augmenter.parameters())
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = gradient
    new.optimizer.step()
    new.optimizer.zero_grad(set_to_none=True)


@contextmanager
def moving(model: TaskModel, *, statistics: bool) -> Iterator[None]:
    """Whether batch norm's running statistics move in the forward passes inside; batch statistics are used anyway."""
    if statistics:
        yield
        return
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, before, strict=True):
            norm.momentum = momentum
