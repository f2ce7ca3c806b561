"""Joint training against the same step written out plainly, and its run from end to end."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from forensic import kernels
from forensic.models.augmenter import AugmenterShape
from forensic.models.feature_extractor import Architecture, TaskModel
from forensic.train import loop
from forensic.train.checkpoint import list_checkpoints, read_checkpoint
from forensic.train.config import Recipe
from forensic.train.events import Event, StepDone
from forensic.train.history import NumpyDraws, OldAugmenters, TorchDraws
from forensic.train.joint import _draw_other
from forensic.train.learners import Learners, NewAugmenter
from forensic.train.loop import TrainPlan, train
from forensic.train.run_folder import RunConfig
from forensic.train.seeding import new_augmenter, new_task_model
from forensic.train.step import TERMS, iterate


class Stop(Exception):  # noqa: N818 - no error: a test ends the run
    """What a test stops a run with."""


K = 3
RECIPE = Recipe(
    augmenters="joint",
    augmented_items=2,
    weight_decay=0.0,
    diversity_weight=0.3,
    closeness_weight=0.2,
    closeness_limit=0.5,
    metric_weight=0.7,
    architecture=Architecture(size=32, width=2, neck_channels=2, embedding_dim=8, dropout=0.0),
)
"""Heavy weights for the small terms, so that an error in one shows; no dropout: two orders draw its masks apart."""


def batch(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.rand(9, 3, 32, 32, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2 - 1
    return x, torch.arange(K).repeat(3)


def learners(count: int) -> Learners:
    draws = torch.Generator().manual_seed(1)
    model = new_task_model(TaskModel(K, RECIPE.architecture), draws).double().train()
    augmenters = [new_augmenter(AugmenterShape(4), draws).double() for _ in range(count)]
    new = [NewAugmenter(one, torch.optim.Adam(one.parameters(), lr=1e-2)) for one in augmenters]
    old = OldAugmenters(TorchDraws(torch.Generator().manual_seed(2)))
    return Learners(model, torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0), tuple(new), old)


def written_out(state: Learners, x: torch.Tensor, y: torch.Tensor) -> dict[str, float]:
    """All graphs at once, one loss for each side: what the step computes piece by piece."""
    model, new, count = state.model, state.new, len(state.new)
    some = slice(2 * K)
    draws = [int(torch.randint(count - 1, (), generator=state.old.draws._generator)) for _ in new] if count > 1 else []
    others = [[other for other in range(count) if other != place][drawn] for place, drawn in enumerate(draws)]
    z = model(x)[1][some].detach()
    x_new = [one.augmenter(x[some]) for one in new]
    z_new = [model(images)[1] for images in x_new]
    recons = torch.stack([(images - x[some]).square().mean() for images in x_new])
    cos = functional.cosine_similarity
    close = torch.stack([cos(own, z).clamp(max=RECIPE.closeness_limit).mean() for own in z_new])
    diverse = torch.zeros(count, dtype=x.dtype)
    if count > 1:
        diverse = torch.stack([cos(z_new[i], z_new[j].detach()).mean() for i, j in enumerate(others)])
    loss = (recons + RECIPE.diversity_weight * diverse - RECIPE.closeness_weight * close).sum()
    loss.backward()  # an augmenter's gradient comes from its own terms only: the other's embedding is detached
    for one in new:
        one.optimizer.step()
    state.model_optimizer.zero_grad()
    logits, z = model(x)
    cls = functional.cross_entropy(logits, y)
    labels = torch.cat([y[some], y[some] + K])
    hard = kernels.implementation("reference").batch_hard_triplet
    metric = sum(
        hard(torch.cat([z[some], model(one.augmenter(x[some]).detach())[1]]), labels, margin=RECIPE.margin)
        for one in new
    ) * (2 / count)
    (cls + RECIPE.metric_weight * metric).backward()
    state.model_optimizer.step()
    for one in new:
        one.optimizer.zero_grad()
    return {
        "total": (cls + RECIPE.metric_weight * metric).item(),
        "classification": cls.item(),
        "metric_new": metric.item(),
        "metric_old": 0.0,
        "reconstruction": recons.mean().item(),
        "closeness": close.mean().item(),
        "diversity": diverse.mean().item(),
        "accuracy": (logits.argmax(1) == y).double().mean().item(),
    }


@pytest.mark.parametrize("known_forward", ["shared", "exact"])
@pytest.mark.parametrize("count", [1, 2, 4])
def test_piece_by_piece_is_the_same_as_all_at_once(count: int, known_forward: str) -> None:
    ours, theirs = learners(count), learners(count)
    recipe = replace(RECIPE, known_forward=known_forward)
    for step in range(3):
        x, y = batch(step)
        values = dict(zip(TERMS, iterate(ours, x, y, recipe).tolist(), strict=True))
        assert values == pytest.approx(written_out(theirs, x, y), rel=1e-9)
    pairs = [(ours.model, theirs.model)]
    pairs += [(a.augmenter, b.augmenter) for a, b in zip(ours.new, theirs.new, strict=True)]
    for mine, plain in pairs:
        for (name, a), (_, b) in zip(mine.named_parameters(), plain.named_parameters(), strict=True):
            if ".0.bias" not in name:  # a bias before batch norm has no gradient but rounding, which Adam blows up
                torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-9, msg=name)


def still(state: Learners, count: int) -> Learners:
    """So many copies of the augmenter, none of which moves."""
    copies = [copy.deepcopy(state.new[0].augmenter) for _ in range(count)]
    return replace(state, new=tuple(NewAugmenter(one, torch.optim.SGD(one.parameters(), lr=0.0)) for one in copies))


def test_equal_augmenters_weigh_as_the_two_terms_of_the_method() -> None:
    """With the new and the old augmenter alike, Eq. 4 is L_cls + 2 L_metric; so is the joint sum over any number."""
    x, y = batch()
    one, three = (iterate(still(learners(1), count), x, y, RECIPE)[TERMS.index("metric_new")] for count in (1, 3))
    state = still(learners(1), 1)
    state.old.keep(copy.deepcopy(state.new[0].augmenter))
    both = dict(zip(TERMS, iterate(state, x, y, replace(RECIPE, augmenters="progressive")).tolist(), strict=True))
    assert one.item() == pytest.approx(three.item(), rel=1e-12)
    assert one.item() == pytest.approx(both["metric_new"] + both["metric_old"], rel=1e-12)


def test_statistics_are_those_of_unchanged_images() -> None:
    state = learners(3)
    x, y = batch()
    alone = copy.deepcopy(state.model)
    alone(x)
    iterate(state, x, y, RECIPE)
    for name, value in alone.named_buffers():
        if "running" in name:
            torch.testing.assert_close(dict(state.model.named_buffers())[name], value)


@pytest.mark.parametrize("count", [2, 3, 9])
def test_the_other_is_never_itself_and_each_as_likely(count: int) -> None:
    draws = NumpyDraws(0)
    for place in range(count):
        drawn = Counter(_draw_other(place, count, draws) for _ in range(400 * (count - 1)))
        assert set(drawn) == set(range(count)) - {place}
        assert all(280 < times < 520 for times in drawn.values())  # 400 each, six deviations


@pytest.fixture(scope="module")
def joint_config(tiny_config: RunConfig) -> RunConfig:
    recipe = replace(tiny_config.recipe, augmenters="joint", joint_augmenters=2)
    return replace(tiny_config, recipe=recipe)


@pytest.fixture(scope="module")
def whole(joint_config: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("joint") / "whole"
    train(TrainPlan(run, joint_config, {}), lambda _: None)
    return run


def test_all_augmenters_learn_through_all_epochs(whole: Path) -> None:
    first, last = (read_checkpoint(path)[0] for _, path in list_checkpoints(whole))
    assert not [name for name in last if name.startswith("old.")]
    for place in range(2):
        assert last[f"new_optimizer.{place}.0.step"] == 2 + 9  # one warm-up, then every step of the run
        assert not torch.equal(first[f"new.{place}.w1"], last[f"new.{place}.w1"])
    assert not torch.equal(last["new.0.w1"], last["new.1.w1"])


@pytest.mark.parametrize("step", [5, 7], ids=["within an epoch", "after an epoch"])
def test_resumed_joint_run_gives_the_same_bytes(
    joint_config: RunConfig, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    def watch(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == step:
            raise Stop

    monkeypatch.setattr(loop, "CHECKPOINT_STEPS", 1 if step == 5 else 200)
    with pytest.raises(Stop):
        train(TrainPlan(tmp_path / "run", joint_config, {}), watch)
    train(TrainPlan(tmp_path / "run", None, {}), lambda _: None)
    for path in whole.iterdir():
        if path.name != "config.toml":
            assert (tmp_path / "run" / path.name).read_bytes() == path.read_bytes(), path.name
