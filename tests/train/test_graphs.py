"""A step from a CUDA graph has the bits of the step itself; elsewhere it is the step itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from forensic.train.config import REFERENCE, Recipe
from forensic.train.graphs import Stepper
from forensic.train.loop import _set_rate
from forensic.train.state import TrainingState
from forensic.train.step import draw_old, iterate

CPU = torch.device("cpu")
EPOCHS, STEPS = 3, 6


def recipes(tiny: Recipe) -> dict[str, Recipe]:
    return {
        "forensic": tiny,
        "clipped": replace(tiny, gradient_clip=0.1),
        "reference": replace(
            REFERENCE,
            batch_items=2,
            augmented_items=2,
            architecture=replace(REFERENCE.architecture, width=4),
        ),
        "none": replace(tiny, augmenters="none"),
        "joint": replace(tiny, augmenters="joint", joint_augmenters=2),
    }


def run(recipe: Recipe, device: torch.device, *, by_stepper: bool) -> tuple[list[Tensor], dict[str, Tensor]]:
    """Values of every step and the state after a few epochs, with a rate that changes."""
    state = TrainingState(3, recipe, 0, device)
    draws = torch.Generator().manual_seed(1)
    values = []
    for epoch in range(EPOCHS):
        state.set_mode(epoch)
        learners = state.learners or state.begin_epoch()
        stepper = Stepper(learners, recipe, state.masks)
        for step in range(STEPS):
            x = (torch.rand(6, 3, 128, 128, generator=draws) * 2 - 1).to(device)
            y = torch.arange(3, device=device).repeat(2)
            for optimizer in (learners.model_optimizer, *(new.optimizer for new in learners.new)):
                _set_rate(optimizer, 1e-3 / (1 + step))
            if by_stepper:
                values.append(stepper.step(x, y).cpu())
            else:
                values.append(iterate(learners, x, y, recipe, draw_old(learners.old, recipe)).cpu())
        state.end_epoch()
    return values, {name: tensor.cpu() for name, tensor in state.tensors().items()}


@pytest.fixture(autouse=True)
def deterministic(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As a run sets it."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(mode=True)
    yield
    torch.use_deterministic_algorithms(mode=before)


def same(recipe: Recipe, device: torch.device) -> None:
    found, expected = (run(recipe, device, by_stepper=by_stepper) for by_stepper in (True, False))
    assert all(torch.equal(mine, other) for mine, other in zip(found[0], expected[0], strict=True))
    assert len({tuple(one.tolist()) for one in found[0]}) == EPOCHS * STEPS
    assert found[1].keys() == expected[1].keys()
    assert all(torch.equal(tensor, expected[1][name]) for name, tensor in found[1].items())


@pytest.mark.parametrize("name", ["forensic", pytest.param("reference", marks=pytest.mark.slow)])
def test_on_the_cpu_it_is_the_step(tiny_recipe: Recipe, name: str) -> None:
    same(recipes(tiny_recipe)[name], CPU)


@pytest.mark.cuda
@pytest.mark.parametrize("name", ["forensic", "clipped", "reference", "none", "joint"])
def test_a_replay_has_the_bits_of_the_step(tiny_recipe: Recipe, name: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    same(recipes(tiny_recipe)[name], torch.device("cuda"))


@pytest.mark.cuda
def test_a_restored_state_goes_on_with_the_same_bits(tiny_recipe: Recipe) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    device = torch.device("cuda")
    state = TrainingState(3, tiny_recipe, 0, device)
    x = torch.rand(6, 3, 128, 128, generator=torch.Generator().manual_seed(0)).to(device) * 2 - 1
    y = torch.arange(3, device=device).repeat(2)
    stepper = Stepper(state.begin_epoch(), tiny_recipe, state.masks)
    for _ in range(4):
        stepper.step(x, y)
    again = TrainingState(3, tiny_recipe, 5, device)
    again.restore({name: tensor.cpu().clone() for name, tensor in state.tensors().items()}, inside_epoch=True)
    assert again.learners is not None
    resumed = Stepper(again.learners, tiny_recipe, again.masks)
    for _ in range(4):
        assert torch.equal(stepper.step(x, y), resumed.step(x, y))
