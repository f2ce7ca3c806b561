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
    """One where the recipe is progressive, none where it has no augmenters."""
    old: OldAugmenters


def warm_up(learners: Learners, x: Tensor) -> None:
    """One step of the augmenter on L_recons alone (Eq. 2, first term); x (N, 3, S, S) in [-1, 1]."""
    for new in learners.new:
        _descend(pose.reconstruction(new.augmenter(x), x), new)


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
    if not learners.new:
        return _iterate_base(learners, x, y, recipe)
    model, new = learners.model, learners.new[0]
    num_classes = model.num_classes
    nothing = x.new_zeros(())
    some = slice(recipe.augmented_items * num_classes)  # items come one after the other, an image of each class
    counted = recipe.batch_statistics == "all"  # whether augmented images move batch norm's running statistics
    shared = recipe.known_forward == "shared" or not model.training  # then both halves see the same numbers
    old = learners.old.draw()  # Algorithm 1, line 6
    z_old = None
    if shared:
        logits, z = _known(model, x)  # f(x): (N, K), (N, D)
        if old is not None and recipe.old_draws == 1:
            z_old = _augmented(model, old, x[some], counted=counted)  # f(x_old): (M, D)

    # the augmenter's half: minimise L_aug over A, the task model frozen
    x_new = new.augmenter(x[some])  # (M, 3, S, S), M <= N images that are augmented
    l_recons = pose.reconstruction(x_new, x[some])  # Eq. 2, first term
    l_close = l_diverse = nothing
    if old is not None or recipe.idle_forward:
        with _moving(model, statistics=counted):
            z_new = model.embed(model.input_layer(x_new))  # (M, D)
        with torch.no_grad():
            z_known = z[some] if shared else _known(model, x)[1][some]
        if old is not None:
            with torch.no_grad():
                z_then = _augmented(model, old, x[some], counted=counted) if z_old is None else z_old
            l_close = pose.closeness(z_new, z_known.detach(), recipe.closeness_limit, recipe.closeness_clamp)  # Eq. 3
            l_diverse = pose.diversity(z_new, z_then.detach())  # Eq. 3, first term
    l_aug = l_recons + recipe.diversity_weight * l_diverse - recipe.closeness_weight * l_close  # Eq. 2
    _descend(l_aug, new)

    # the task model's half: minimise L_task over F and H, the augmenter frozen
    if not shared:
        logits, z = _known(model, x)
    z_new = _augmented(model, new.augmenter, x[some], counted=counted)  # by the augmenter just updated
    if recipe.old_draws == 2:
        old = learners.old.draw()
    if z_old is None and old is not None:
        z_old = _augmented(model, old, x[some], counted=counted)
    l_cls = _classification(logits, y, recipe)  # Eq. 4
    form = num_classes, recipe.margin, recipe.triplets
    l_new = triplet.metric(z[some], z_new, y[some], *form)  # Eq. 5 over (x, x_new)
    l_old = nothing if z_old is None else triplet.metric(z[some], z_old, y[some], *form)  # over (x, x_old)
    l_task = l_cls + recipe.metric_weight * (l_new + l_old)
    _descend_model(l_task, learners, recipe)
    return torch.stack([l_task, l_cls, l_new, l_old, l_recons, l_close, l_diverse, _accuracy(logits, y)]).detach()


def _iterate_base(learners: Learners, x: Tensor, y: Tensor, recipe: Recipe) -> Tensor:
    """A step without augmenters: cross-entropy alone (the paper's Base)."""
    logits, _ = _known(learners.model, x)
    l_cls = _classification(logits, y, recipe)
    _descend_model(l_cls, learners, recipe)
    terms = dict.fromkeys(TERMS, x.new_zeros(()))
    terms |= {"total": l_cls, "classification": l_cls, "accuracy": _accuracy(logits, y)}
    return torch.stack(list(terms.values())).detach()


def _known(model: TaskModel, x: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (N, K) and embeddings (N, D) of images as they are."""
    z = model.embed(model.input_layer(x))
    return model.head(z), z


def _augmented(model: TaskModel, augmenter: Augmenter, x: Tensor, *, counted: bool) -> Tensor:
    """Embeddings (M, D) of augmented images, with a graph to the model and none to the augmenter."""
    with torch.no_grad():
        spectra = model.input_layer(augmenter(x))
    with _moving(model, statistics=counted):
        return model.embed(spectra)


def _classification(logits: Tensor, y: Tensor, recipe: Recipe) -> Tensor:
    return pose.classification(
        logits, y, recipe.label_smoothing, temperature=recipe.temperature, double_softmax=recipe.double_softmax
    )


def _accuracy(logits: Tensor, y: Tensor) -> Tensor:
    return (logits.argmax(dim=1) == y).to(logits.dtype).mean()


def _descend_model(loss: Tensor, learners: Learners, recipe: Recipe) -> None:
    """One optimiser step of the task model."""
    learners.model_optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]  # torch ships it without a signature
    if recipe.gradient_clip:
        nn.utils.clip_grad_norm_(learners.model.parameters(), recipe.gradient_clip)
    learners.model_optimizer.step()


def _descend(loss: Tensor, new: NewAugmenter) -> None:
    """One optimiser step of an augmenter; the gradient is taken for its parameters only."""
    parameters = list(new.augmenter.parameters())
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = gradient
    new.optimizer.step()
    new.optimizer.zero_grad(set_to_none=True)


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
