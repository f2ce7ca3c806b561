"""The state of a run: into tensors and back, and the model that is shipped."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from forensic.train.config import Recipe
from forensic.train.state import TrainingState
from forensic.train.step import iterate

CPU = torch.device("cpu")


@pytest.fixture
def recipe(tiny_recipe: Recipe) -> Recipe:
    return replace(tiny_recipe, average_decay=0.5)


def worked(recipe: Recipe) -> TrainingState:
    """An epoch and a step: an old augmenter, a live one, moments in both optimisers."""
    state = TrainingState(3, recipe, 0, CPU)
    x = torch.rand(6, 3, 128, 128, generator=torch.Generator().manual_seed(0)) * 2 - 1
    y = torch.arange(3).repeat(2)
    for step in range(2):
        learners = state.begin_epoch()
        iterate(learners, x, y, recipe)
        state.average.update(state.model, step)
        if step == 0:
            state.end_epoch()
    return state


def test_restored_state_is_the_same(recipe: Recipe) -> None:
    state = worked(recipe)
    again = TrainingState(3, recipe, 5, CPU)
    again.restore({name: value.clone() for name, value in state.tensors().items()}, inside_epoch=True)
    first, second = state.tensors(), again.tensors()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_checkpoint_holds_all_that_a_run_carries(recipe: Recipe) -> None:
    parts = {name.partition(".")[0] for name in worked(recipe).tensors()}
    assert parts == {
        "model",
        "model_optimizer",
        "average",
        "new",
        "new_optimizer",
        "old",
        "generator",
    }


def test_shipped_model_is_the_mean_where_the_recipe_says_so(recipe: Recipe) -> None:
    state = worked(recipe)
    shipped = state.final_model()
    assert torch.equal(shipped.head.weight, state.average.state["head.weight"])
    assert not torch.equal(shipped.head.weight, state.model.head.weight)
    assert not shipped.training
    assert isinstance(shipped.dropout, nn.Dropout)


def test_shipped_model_is_the_last_one_otherwise(recipe: Recipe) -> None:
    state = TrainingState(3, replace(recipe, average_decay=0.0), 0, CPU)
    assert torch.equal(state.final_model().head.weight, state.model.head.weight)


def test_ambient_generator_is_neither_used_for_values_nor_needed(recipe: Recipe) -> None:
    first = TrainingState(3, recipe, 0, CPU)
    torch.rand(3)
    second = TrainingState(3, recipe, 0, CPU)
    assert torch.equal(first.model.fc.weight, second.model.fc.weight)


def test_no_epoch_to_end(recipe: Recipe) -> None:
    with pytest.raises(RuntimeError, match="no epoch"):
        TrainingState(3, recipe, 0, CPU).end_epoch()


@pytest.mark.parametrize(
    "changes",
    [{"augmenter_depth": 3}, {"augmenter_resampling": "down-up"}, {"augmenters": "none"}],
    ids=["deeper", "down and up", "none"],
)  # fmt: skip
def test_augmenters_of_every_shape_come_back(recipe: Recipe, changes: dict) -> None:
    recipe = replace(recipe, **changes)
    state = worked(recipe)
    again = TrainingState(3, recipe, 5, CPU)
    again.restore({name: value.clone() for name, value in state.tensors().items()}, inside_epoch=True)
    first, second = state.tensors(), again.tensors()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(name.startswith("old.0.convolutions") for name in first) == (recipe.augmenters == "progressive")


def test_joint_augmenters_live_on_between_epochs(recipe: Recipe) -> None:
    recipe = replace(recipe, augmenters="joint", joint_augmenters=2)
    state = TrainingState(3, recipe, 0, CPU)
    begun = state.begin_epoch()
    state.end_epoch()
    assert state.learners is begun
    assert len(state.old) == 0
    again = TrainingState(3, recipe, 5, CPU)
    again.restore(state.tensors(), inside_epoch=False)
    assert torch.equal(again.learners.new[1].augmenter.w2, begun.new[1].augmenter.w2)
