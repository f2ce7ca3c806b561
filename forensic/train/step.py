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
    classify,
    descend,
    descend_model,
    known_embeddings,
)
from forensic.train.passes import Passes

if TYPE_CHECKING:
    from torch import Tensor

    from forensic.models.augmenter import Augmenter
    from forensic.train.config import Recipe
    from forensic.train.history import OldAugmenters
    from forensic.train.learners import Learners

TERMS = (
    "total", "classification", "metric_new", "metric_old", "reconstruction", "closeness", "diversity", "accuracy",
)  # fmt: skip
"""What a step reports, in this order; terms that do not act, in the first epoch or at all, are 0."""


def warm_up(learners: Learners, x: Tensor) -> None:
    """One step of the augmenter on L_recons alone (Eq. 2, first term); x (N, 3, S, S) in [-1, 1]."""
    for new in learners.new:
        descend(pose.reconstruction(new.augmenter(x), x), new)


def draw_old(old: OldAugmenters, recipe: Recipe) -> tuple[Augmenter | None, Augmenter | None]:
    """Algorithm 1, line 6: the old augmenter of each half of a step, the same one where the recipe draws once.

    Nothing is drawn, and both are None, where there is none or the recipe is not progressive.
    """
    if recipe.augmenters != "progressive":
        return None, None
    first = old.draw()
    return first, old.draw() if recipe.old_draws == 2 else first


def iterate(
    learners: Learners,
    x: Tensor,
    y: Tensor,
    recipe: Recipe,
    drawn: tuple[Augmenter | None, Augmenter | None] | None = None,
) -> Tensor:
    """One iteration of Algorithm 1 on a batch, or of what the recipe has in its place: joint training, or Base.

    Args:
        learners: changed in place.
        x: images (N, 3, S, S) in [-1, 1].
        y: labels (N,) int64 in [0, K).
        recipe: weights of the terms.
        drawn: what `draw_old` gave for this step; None draws here.

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
    shared = recipe.known_forward == "shared"  # then both halves see the same dropout masks too
    old, later = drawn or draw_old(learners.old, recipe)
    passes = Passes(model)
    known = passes.run(x)  # f(x), for both halves
    past = None
    if old is not None:
        with torch.set_grad_enabled(later is old):
            past = passes.run(_augmented(old, x[some]))  # f(x_old), for both halves where they drew the same
    z_known = z_then = None
    if shared:
        z_known = known.embeddings(counted=True)  # (N, D)
        z_then = None if past is None else past.embeddings(counted=counted)  # (M, D)

    # the augmenter's half: minimise L_aug over A, the task model frozen
    x_new = new.augmenter(x[some])  # (M, 3, S, S), M <= N images that are augmented
    l_recons = pose.reconstruction(x_new, x[some])  # Eq. 2, first term
    l_close = l_diverse = nothing
    if old is not None or recipe.idle_forward:
        with torch.set_grad_enabled(old is not None):
            z_new = passes.run(x_new, frozen=True).embeddings(counted=counted)  # (M, D)
        z = known.embeddings(counted=True) if z_known is None else z_known
        if past is not None:
            z_old = past.embeddings(counted=counted) if z_then is None else z_then
            limit = recipe.closeness_limit, recipe.closeness_clamp
            l_close = pose.closeness(z_new, z[some].detach(), *limit)  # Eq. 3, second term
            l_diverse = pose.diversity(z_new, z_old.detach())  # Eq. 3, first term
    l_aug = l_recons + recipe.diversity_weight * l_diverse - recipe.closeness_weight * l_close  # Eq. 2
    descend(l_aug, new)

    # the task model's half: minimise L_task over F and H, the augmenter frozen
    z = known.embeddings(counted=True) if z_known is None else z_known
    logits = model.head(z)  # (N, K)
    z_new = passes.run(_augmented(new.augmenter, x[some])).embeddings(counted=counted)  # by the augmenter just updated
    z_past = None
    if later is not None and later is not old:
        z_past = passes.run(_augmented(later, x[some])).embeddings(counted=counted)
    elif past is not None:
        z_past = past.embeddings(counted=counted) if z_then is None else z_then
    l_cls = classify(logits, y, recipe)  # Eq. 4
    form = num_classes, recipe.margin, recipe.triplets
    l_new = triplet.metric(z[some], z_new, y[some], *form)  # Eq. 5 over (x, x_new)
    l_old = nothing if z_past is None else triplet.metric(z[some], z_past, y[some], *form)  # over (x, x_old)
    l_task = l_cls + recipe.metric_weight * (l_new + l_old)
    descend_model(l_task, learners, recipe)
    return torch.stack([l_task, l_cls, l_new, l_old, l_recons, l_close, l_diverse, accuracy(logits, y)]).detach()


@torch.no_grad()
def _augmented(augmenter: Augmenter, x: Tensor) -> Tensor:
    """Augmented images, without a graph to the augmenter."""
    augmented: Tensor = augmenter(x)
    return augmented


def _base_terms(learners: Learners, x: Tensor, y: Tensor, recipe: Recipe) -> dict[str, Tensor]:
    """A step without augmenters: cross-entropy alone (the paper's Base)."""
    logits, _ = known_embeddings(learners.model, x)
    l_cls = classify(logits, y, recipe)
    descend_model(l_cls, learners, recipe)
    return {"total": l_cls, "classification": l_cls, "accuracy": accuracy(logits, y)}
