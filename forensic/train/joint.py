"""Joint training: all augmenters from the start, all learning all the time (POSE, section 4.3, for comparison).

The text says no more of it than that nine augmenters learn together and what it costs. Ours, where it is silent:

    augmenters   each descends on Eq. 2 and 3 as in Algorithm 1, from the first step on; the old augmenter of the
                 diversity term is one of the others, drawn evenly, as it was before the step
    task model   L_cls + (2 / n) sum_i L_metric(x, x_i) over all n augmenters: together they weigh as the two terms
                 of Eq. 4 do, so that another n, or progressive training, is another open space and not another weight

One augmenter's graph lives at a time: memory does not grow with their number, at the price of a pass without gradient
for each augmenter that was drawn.

Shapes: N images a batch, M of them augmented, S pixels a side, D the size of the embedding, K known classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from forensic.losses import pose, triplet
from forensic.train.learners import (
    accuracy,
    augmented_embeddings,
    classify,
    descend,
    follow_gradient,
    known_embeddings,
    moving,
)

if TYPE_CHECKING:
    from torch import Tensor

    from forensic.train.config import Recipe
    from forensic.train.history import Draws
    from forensic.train.learners import Learners


def joint_terms(learners: Learners, x: Tensor, y: Tensor, recipe: Recipe) -> dict[str, Tensor]:
    """One iteration with all augmenters: their half, then the task model's.

    Args:
        learners: changed in place; at least one augmenter.
        x: images (N, 3, S, S) in [-1, 1].
        y: labels (N,) int64 in [0, K).
        recipe: weights of the terms.

    Returns:
        Scalars by the names of `forensic.train.step.TERMS`: `metric_new` is the weighted sum over all augmenters,
        `reconstruction`, `closeness` and `diversity` are means over them.
    """
    model = learners.model
    some = slice(recipe.augmented_items * model.num_classes)
    counted = recipe.batch_statistics == "all"
    shared = recipe.known_forward == "shared" or not model.training
    if shared:
        logits, z = known_embeddings(model, x)
        z_known = z[some].detach()
    else:
        with torch.no_grad():
            z_known = known_embeddings(model, x)[1][some]
    recons, close, diverse = _teach_augmenters(learners, x[some], z_known, recipe, counted=counted)

    # the task model's half, the augmenters frozen
    if not shared:
        logits, z = known_embeddings(model, x)
    share = 2 / len(learners.new)
    z_leaf = z[some].detach().requires_grad_()  # gathers the gradient of all metric terms, for one pass back
    l_metric = x.new_zeros(())
    learners.model_optimizer.zero_grad(set_to_none=True)
    for new in learners.new:
        z_new = augmented_embeddings(model, new.augmenter, x[some], counted=counted)
        l_new = share * triplet.metric(z_leaf, z_new, y[some], model.num_classes, recipe.margin, recipe.triplets)
        (recipe.metric_weight * l_new).backward()  # type: ignore[no-untyped-call]  # torch ships it without a signature
        l_metric += l_new.detach()
    l_cls = classify(logits, y, recipe)
    torch.autograd.backward([l_cls, z[some]], [torch.ones_like(l_cls), z_leaf.grad])
    follow_gradient(learners, recipe)
    return {
        "total": l_cls + recipe.metric_weight * l_metric,
        "classification": l_cls,
        "metric_new": l_metric,
        "reconstruction": recons,
        "closeness": close,
        "diversity": diverse,
        "accuracy": accuracy(logits, y),
    }


def _teach_augmenters(
    learners: Learners, x: Tensor, z_known: Tensor, recipe: Recipe, *, counted: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """One step of each augmenter on (M, 3, S, S) images; means of the three terms over the augmenters, scalars."""
    model, count = learners.model, len(learners.new)
    others = [_draw_other(place, count, learners.old.draws) for place in range(count)]
    with torch.no_grad():  # of all before any of them moves, so that their order is of no account
        z_then = {
            other: augmented_embeddings(model, learners.new[other].augmenter, x, counted=counted)
            for other in sorted({other for other in others if other is not None})
        }
    nothing = x.new_zeros(())
    means = x.new_zeros(3)
    for new, other in zip(learners.new, others, strict=True):
        x_new = new.augmenter(x)
        with moving(model, statistics=counted):
            z_new = model.embed(model.input_layer(x_new))
        l_recons = pose.reconstruction(x_new, x)
        l_close = pose.closeness(z_new, z_known, recipe.closeness_limit, recipe.closeness_clamp)
        l_diverse = nothing if other is None else pose.diversity(z_new, z_then[other])
        descend(l_recons + recipe.diversity_weight * l_diverse - recipe.closeness_weight * l_close, new)
        means += torch.stack([l_recons, l_close, l_diverse]).detach() / count
    l_recons, l_close, l_diverse = means.unbind()
    return l_recons, l_close, l_diverse


def _draw_other(place: int, count: int, draws: Draws) -> int | None:
    """Another augmenter than the one at `place`, each as likely as the other; None where there is no other."""
    if count == 1:
        return None
    drawn = draws(count - 1)
    return drawn + (drawn >= place)
