"""One iteration of Algorithm 1: the augmenter's half, then the task model's.

Shapes: N images a batch, M of them augmented, S pixels a side, D the size of the embedding, K known classes.
Everything that is drawn (dropout masks, the old augmenter) comes from the state's generators; nothing here prints,
writes or waits.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from forensic.losses import pose, triplet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forensic.models.augmenter import Augmenter
    from forensic.models.feature_extractor import TaskModel
    from forensic.train.config import Recipe
    from forensic.train.history import OldAugmenters

TERMS = (
    "total", "classification", "metric_new", "metric_old", "reconstruction", "closeness", "diversity", "accuracy",
)  # fmt: skip
"""What a step reports, in this order; terms that do not act in the first epoch are 0."""


@dataclass
class Learners:
    """Who learns in a step: the task model and the augmenter of this epoch, with their optimisers."""

    model: TaskModel
    model_optimizer: torch.optim.Optimizer
    augmenter: Augmenter
    augmenter_optimizer: torch.optim.Optimizer
    old: OldAugmenters


def warm_up(learners: Learners, x: Tensor) -> None:
    """One step of the augmenter on L_recons alone (Eq. 2, first term); x (N, 3, S, S) in [-1, 1]."""
    loss = pose.reconstruction(learners.augmenter(x), x)
    _descend(loss, learners.augmenter, learners.augmenter_optimizer)


def iterate(learners: Learners, x: Tensor, y: Tensor, recipe: Recipe) -> Tensor:
    """One iteration of Algorithm 1 on a batch.

    Args:
        learners: changed in place.
        x: images (N, 3, S, S) in [-1, 1].
        y: labels (N,) int64 in [0, K).
        recipe: weights of the terms.

    Returns:
        (len(TERMS),) in dtype and on the device of x, detached: the values of `TERMS` before the task model's step.
    """
    model, augmenter = learners.model, learners.augmenter
    num_classes = model.num_classes
    some = slice(recipe.augmented_items * num_classes)  # items come one after the other, an image of each class
    nothing = x.new_zeros(())

    # f(x), and f(x_old) for one old augmenter: computed once, used in both halves (deviation "shared forward")
    with _moving(model, statistics=True):
        z = model.embed(model.input_layer(x))  # (N, D)
        logits = model.head(z)  # (N, K)
    z_old = None
    if (old := learners.old.draw()) is not None:  # Algorithm 1, line 6
        with torch.no_grad():
            s_old = model.input_layer(old(x[some]))  # (M, 3, S, S), M <= N images that are augmented
        with _moving(model, statistics=recipe.batch_statistics == "all"):
            z_old = model.embed(s_old)  # (M, D)

    # the augmenter's half: minimise L_aug over A, the task model frozen
    x_new = augmenter(x[some])  # (M, 3, S, S)
    l_recons = pose.reconstruction(x_new, x[some])  # Eq. 2, first term
    l_close = l_diverse = nothing
    if z_old is not None:
        with _moving(model, statistics=False):
            z_new = model.embed(model.input_layer(x_new))  # (M, D)
        l_close = pose.closeness(z_new, z[some].detach(), recipe.closeness_limit)  # Eq. 3, second term
        l_diverse = pose.diversity(z_new, z_old.detach())  # Eq. 3, first term
    l_aug = l_recons + recipe.diversity_weight * l_diverse - recipe.closeness_weight * l_close
    _descend(l_aug, augmenter, learners.augmenter_optimizer)

    # the task model's half: minimise L_task over F and H, the augmenter frozen
    with torch.no_grad():
        s_new = model.input_layer(augmenter(x[some]))  # (M, 3, S, S), by the augmenter just updated
    with _moving(model, statistics=recipe.batch_statistics == "all"):
        z_new = model.embed(s_new)  # (M, D)
    l_cls = pose.classification(logits, y, recipe.label_smoothing)  # Eq. 4
    l_new = triplet.metric(z[some], z_new, y[some], num_classes, recipe.margin)  # Eq. 5 over (x, x_new)
    l_old = (
        nothing if z_old is None else triplet.metric(z[some], z_old, y[some], num_classes, recipe.margin)
    )  # over (x, x_old)
    l_task = l_cls + recipe.metric_weight * (l_new + l_old)
    learners.model_optimizer.zero_grad(set_to_none=True)
    l_task.backward()  # type: ignore[no-untyped-call]  # torch ships it without a signature
    if recipe.gradient_clip:
        nn.utils.clip_grad_norm_(model.parameters(), recipe.gradient_clip)
    learners.model_optimizer.step()

    accuracy = (logits.argmax(dim=1) == y).to(x.dtype).mean()
    return torch.stack([l_task, l_cls, l_new, l_old, l_recons, l_close, l_diverse, accuracy]).detach()


def _descend(loss: Tensor, augmenter: Augmenter, optimizer: torch.optim.Optimizer) -> None:
    """One optimiser step of the augmenter; the gradient is taken for its parameters only."""
    parameters = list(augmenter.parameters())
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = gradient
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


@contextmanager
def _moving(model: TaskModel, *, statistics: bool) -> Iterator[None]:
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
