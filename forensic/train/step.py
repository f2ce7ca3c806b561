"""One iteration of Algorithm 1: the augmenter's half, then the task model's.

Shapes: N images a batch, M of them augmented, S pixels a side, D the size of the embedding, K known classes.
Everything that is drawn (dropout masks, the old augmenter) comes from the state's generators; nothing here prints,
writes or waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from forensic.losses import pose, triplet
from forensic.train.joint import joint_terms
from forensic.train.learners import (
    accuracy,
    augmented_embeddings,
    classify,
    descend,
    descend_model,
    known_embeddings,
    moving,
)

if TYPE_CHECKING:
    from torch import Tensor

    from forensic.train.config import Recipe
    from forensic.train.learners import Learners

TERMS = (
    "total", "classification", "metric_new", "metric_old", "reconstruction", "closeness", "diversity", "accuracy",
)  # fmt: skip
"""What a step reports, in this order; terms that do not act, in the first epoch or at all, are 0."""


def warm_up(learners: Learners, x: Tensor) -> None:
    """One step of the augmenter on L_recons alone (Eq. 2, first term); x (N, 3, S, S) in [-1, 1]."""
    for new in learners.new:
        descend(pose.reconstruction(new.augmenter(x), x), new)


def iterate(learners: Learners, x: Tensor, y: Tensor, recipe: Recipe) -> Tensor:
    """One iteration of Algorithm 1 on a batch, or of what the recipe has in its place: joint training, or Base.

    Args:
        learners: changed in place.
        x: images (N, 3, S, S) in [-1, 1].
        y: labels (N,) int64 in [0, K).
        recipe: weights of the terms.

    Returns:
        (len(TERMS),) in dtype and on the device of x, detached: the values of `TERMS` before the task model's step.
    """
    if recipe.augmenters != "progressive":
        terms = joint_terms(learners, x, y, recipe) if learners.new else _base_terms(learners, x, y, recipe)
        return torch.stack([terms.get(name, x.new_zeros(())) for name in TERMS]).detach()
    model, new = learners.model, learners.new[0]
    num_classes = model.num_classes
    nothing = x.new_zeros(())
    some = slice(recipe.augmented_items * num_classes)  # items come one after the other, an image of each class
    counted = recipe.batch_statistics == "all"  # whether augmented images move batch norm's running statistics
    shared = recipe.known_forward == "shared" or not model.training  # then both halves see the same numbers
    old = learners.old.draw()  # Algorithm 1, line 6
    z_old = None
    if shared:
        logits, z = known_embeddings(model, x)  # f(x): (N, K), (N, D)
        if old is not None and recipe.old_draws == 1:
            z_old = augmented_embeddings(model, old, x[some], counted=counted)  # f(x_old): (M, D)

    # the augmenter's half: minimise L_aug over A, the task model frozen
    x_new = new.augmenter(x[some])  # (M, 3, S, S), M <= N images that are augmented
    l_recons = pose.reconstruction(x_new, x[some])  # Eq. 2, first term
    l_close = l_diverse = nothing
    if old is not None or recipe.idle_forward:
        with moving(model, statistics=counted):
            z_new = model.embed(model.input_layer(x_new))  # (M, D)
        with torch.no_grad():
            z_known = z[some] if shared else known_embeddings(model, x)[1][some]
        if old is not None:
            with torch.no_grad():
                z_then = augmented_embeddings(model, old, x[some], counted=counted) if z_old is None else z_old
            l_close = pose.closeness(z_new, z_known.detach(), recipe.closeness_limit, recipe.closeness_clamp)  # Eq. 3
            l_diverse = pose.diversity(z_new, z_then.detach())  # Eq. 3, first term
    l_aug = l_recons + recipe.diversity_weight * l_diverse - recipe.closeness_weight * l_close  # Eq. 2
    descend(l_aug, new)

    # the task model's half: minimise L_task over F and H, the augmenter frozen
    if not shared:
        logits, z = known_embeddings(model, x)
    z_new = augmented_embeddings(model, new.augmenter, x[some], counted=counted)  # by the augmenter just updated
    if recipe.old_draws == 2:
        old = learners.old.draw()
    if z_old is None and old is not None:
        z_old = augmented_embeddings(model, old, x[some], counted=counted)
    l_cls = classify(logits, y, recipe)  # Eq. 4
    form = num_classes, recipe.margin, recipe.triplets
    l_new = triplet.metric(z[some], z_new, y[some], *form)  # Eq. 5 over (x, x_new)
    l_old = nothing if z_old is None else triplet.metric(z[some], z_old, y[some], *form)  # over (x, x_old)
    l_task = l_cls + recipe.metric_weight * (l_new + l_old)
    descend_model(l_task, learners, recipe)
    return torch.stack([l_task, l_cls, l_new, l_old, l_recons, l_close, l_diverse, accuracy(logits, y)]).detach()


def _base_terms(learners: Learners, x: Tensor, y: Tensor, recipe: Recipe) -> dict[str, Tensor]:
    """A step without augmenters: cross-entropy alone (the paper's Base)."""
    logits, _ = known_embeddings(learners.model, x)
    l_cls = classify(logits, y, recipe)
    descend_model(l_cls, learners, recipe)
    return {"total": l_cls, "classification": l_cls, "accuracy": accuracy(logits, y)}
