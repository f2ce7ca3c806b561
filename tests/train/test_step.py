"""One iteration against Algorithm 1 written out plainly: two passes, each half computing everything for itself."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from forensic import kernels
from forensic.models.augmenter import AugmenterShape
from forensic.models.feature_extractor import Architecture, TaskModel
from forensic.train.config import Recipe
from forensic.train.history import OldAugmenters, TorchDraws
from forensic.train.learners import Learners, NewAugmenter
from forensic.train.seeding import new_augmenter, new_task_model
from forensic.train.step import TERMS, iterate, warm_up

K = 3
RECIPE = Recipe(
    augmented_items=9,
    weight_decay=0.0,
    diversity_weight=0.3,
    closeness_weight=0.2,
    closeness_limit=0.5,
    augmenter_channels=4,
    architecture=Architecture(size=32, width=2, neck_channels=2, embedding_dim=8, dropout=0.0),
)
"""Heavy weights for the small terms, so that an error in one shows; no dropout: the two orders draw its masks apart."""


def batch(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.rand(9, 3, 32, 32, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2 - 1
    return x, torch.arange(K).repeat(3)


def learners(old: int) -> Learners:
    draws = torch.Generator().manual_seed(1)
    model = new_task_model(TaskModel(K, RECIPE.architecture), draws).double().train()
    history = OldAugmenters(TorchDraws(torch.Generator().manual_seed(2)))
    for _ in range(old):
        history.keep(new_augmenter(AugmenterShape(4), draws).double())
    augmenter = new_augmenter(AugmenterShape(4), draws).double()
    return Learners(
        model,
        torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0),
        (NewAugmenter(augmenter, torch.optim.Adam(augmenter.parameters(), lr=1e-2)),),
        history,
    )


def triplets(z: torch.Tensor, other: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    rows, labels = torch.cat([z, other]), torch.cat([y, y + K])
    return kernels.implementation("reference").batch_hard_triplet(rows, labels, margin=RECIPE.margin)


def two_passes(state: Learners, x: torch.Tensor, y: torch.Tensor) -> dict[str, float]:
    """Algorithm 1, lines 5 to 11, with nothing shared between the halves."""
    model, a = state.model, state.new[0].augmenter
    old = state.old.draw()
    cos = functional.cosine_similarity
    state.new[0].optimizer.zero_grad()
    x_new = functional.conv2d(functional.conv2d(x, a.w1, a.b1, padding=1), a.w2, a.b2, padding=1)
    recons = (x_new - x).square().mean()
    loss = recons
    close = diverse = torch.zeros(())
    if old is not None:
        z, z_new, z_old = (model(images)[1] for images in (x, x_new, old(x)))
        close = cos(z_new, z.detach()).clamp(max=RECIPE.closeness_limit).mean()
        diverse = cos(z_new, z_old.detach()).mean()
        loss = recons + RECIPE.diversity_weight * diverse - RECIPE.closeness_weight * close
    loss.backward()
    state.new[0].optimizer.step()
    state.model_optimizer.zero_grad()
    logits, z = model(x)
    cls = functional.cross_entropy(logits, y)
    new = triplets(z, model(a(x).detach())[1], y)
    past = triplets(z, model(old(x))[1], y) if old is not None else torch.zeros(())
    (cls + new + past).backward()
    state.model_optimizer.step()
    return {
        "total": (cls + new + past).item(),
        "classification": cls.item(),
        "metric_new": new.item(),
        "metric_old": past.item(),
        "reconstruction": recons.item(),
        "closeness": close.item(),
        "diversity": diverse.item(),
        "accuracy": (logits.argmax(1) == y).double().mean().item(),
    }


@pytest.mark.parametrize("old", [0, 1, 3])
def test_shared_forward_is_the_same_as_two_passes(old: int) -> None:
    ours, theirs = learners(old), learners(old)
    for step in range(3):
        x, y = batch(step)
        values = dict(zip(TERMS, iterate(ours, x, y, RECIPE).tolist(), strict=True))
        assert values == pytest.approx(two_passes(theirs, x, y), rel=1e-9)
    for mine, plain in ((ours.model, theirs.model), (ours.new[0].augmenter, theirs.new[0].augmenter)):
        for (name, a), (_, b) in zip(mine.named_parameters(), plain.named_parameters(), strict=True):
            if ".0.bias" not in name:  # a bias before batch norm has no gradient but rounding, which Adam blows up
                torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-9, msg=name)


def test_statistics_are_those_of_unchanged_images() -> None:
    state = learners(2)
    x, y = batch()
    alone = copy.deepcopy(state.model)
    alone(x)
    iterate(state, x, y, RECIPE)
    for name, value in alone.named_buffers():
        if "running" in name:
            torch.testing.assert_close(dict(state.model.named_buffers())[name], value)


def test_statistics_of_all_passes_where_the_recipe_says_so() -> None:
    state = learners(2)
    x, y = batch()
    alone = copy.deepcopy(state.model)
    alone(x)
    iterate(state, x, y, replace(RECIPE, batch_statistics="all"))
    name = "trunk.0.1.running_mean"
    assert not torch.equal(dict(state.model.named_buffers())[name], dict(alone.named_buffers())[name])


def test_momentum_is_put_back() -> None:
    state = learners(1)
    iterate(state, *batch(), RECIPE)
    assert state.model.trunk[0][1].momentum == 0.1


def test_old_augmenters_stay_as_they_are() -> None:
    state = learners(1)
    before = copy.deepcopy(state.old[0].state_dict())
    iterate(state, *batch(), RECIPE)
    assert all(torch.equal(value, before[name]) for name, value in state.old[0].state_dict().items())


def test_fewer_augmented_items_leave_the_classification_as_it_is() -> None:
    full, part = learners(1), learners(1)
    x, y = batch()
    all_of_them = dict(zip(TERMS, iterate(full, x, y, RECIPE).tolist(), strict=True))
    some = dict(zip(TERMS, iterate(part, x, y, replace(RECIPE, augmented_items=1)).tolist(), strict=True))
    assert some["classification"] == all_of_them["classification"]
    assert some["metric_new"] != all_of_them["metric_new"]


def test_gradient_is_clipped_where_the_recipe_says_so() -> None:
    state = learners(0)
    state = replace(state, model_optimizer=torch.optim.SGD(state.model.parameters(), lr=1.0))
    before = torch.cat([p.detach().flatten().clone() for p in state.model.parameters()])
    iterate(state, *batch(), replace(RECIPE, gradient_clip=0.01))
    after = torch.cat([p.detach().flatten() for p in state.model.parameters()])
    assert (after - before).norm().item() == pytest.approx(0.01, rel=1e-4)


def test_warm_up_brings_the_augmenter_near_the_identity() -> None:
    state = learners(0)
    x, _ = batch()
    model_before = copy.deepcopy(state.model.state_dict())
    first = (state.new[0].augmenter(x) - x).square().mean().item()
    for _ in range(60):
        warm_up(state, x)
    assert (state.new[0].augmenter(x) - x).square().mean().item() < 0.2 * first
    assert all(torch.equal(value, model_before[name]) for name, value in state.model.state_dict().items())


def test_non_finite_images_do_not_pass_unseen() -> None:
    state = learners(0)
    x, y = batch()
    x[0, 0, 0, 0] = torch.nan
    assert torch.isnan(iterate(state, x, y, RECIPE)[0])
