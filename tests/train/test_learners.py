"""What all kinds of steps share: who moves, and what stays as it is."""

from __future__ import annotations

import copy

import pytest
import torch

from forensic.models.augmenter import AugmenterShape
from forensic.models.feature_extractor import Architecture, TaskModel
from forensic.train.config import Recipe
from forensic.train.history import OldAugmenters, TorchDraws
from forensic.train.learners import (
    Learners,
    NewAugmenter,
    accuracy,
    augmented_embeddings,
    classify,
    descend,
    descend_model,
    known_embeddings,
    moving,
)
from forensic.train.seeding import new_augmenter, new_task_model

SMALL = Architecture(size=32, width=2, neck_channels=2, embedding_dim=8, dropout=0.0)


@pytest.fixture
def learners() -> Learners:
    draws = torch.Generator().manual_seed(0)
    model = new_task_model(TaskModel(3, SMALL), draws).train()
    augmenter = new_augmenter(AugmenterShape(4), draws)
    return Learners(
        model,
        torch.optim.SGD(model.parameters(), lr=1.0),
        (NewAugmenter(augmenter, torch.optim.SGD(augmenter.parameters(), lr=1.0)),),
        OldAugmenters(TorchDraws(draws)),
    )


def pictures() -> torch.Tensor:
    return torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_running_statistics_stay_where_they_are_and_batch_statistics_are_used(learners: Learners) -> None:
    model = learners.model
    before = copy.deepcopy(model.state_dict())
    with moving(model, statistics=False):
        quiet = model.embed(model.input_layer(pictures()))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items() if "running" in name)
    torch.testing.assert_close(quiet, known_embeddings(model, pictures())[1])
    assert not torch.equal(model.state_dict()["trunk.0.1.running_mean"], before["trunk.0.1.running_mean"])


def test_momentum_is_put_back_after_an_error(learners: Learners) -> None:
    with pytest.raises(RuntimeError, match="on purpose"), moving(learners.model, statistics=False):
        raise RuntimeError("on purpose")
    assert learners.model.trunk[0][1].momentum == 0.1


def test_augmented_embeddings_teach_the_model_and_not_the_augmenter(learners: Learners) -> None:
    augmenter = learners.new[0].augmenter
    augmented_embeddings(learners.model, augmenter, pictures(), counted=False).sum().backward()
    assert learners.model.fc.weight.grad.abs().max() > 0
    assert all(parameter.grad is None for parameter in augmenter.parameters())


def test_an_augmenters_step_leaves_no_gradient_in_the_model(learners: Learners) -> None:
    new = learners.new[0]
    before = copy.deepcopy(new.augmenter.state_dict())
    descend(learners.model.embed(new.augmenter(pictures())).square().mean(), new)
    assert all(parameter.grad is None for parameter in learners.model.parameters())
    assert not torch.equal(new.augmenter.w1, before["w1"])


def test_the_models_step_is_clipped_where_the_recipe_says_so(learners: Learners) -> None:
    before = torch.cat([parameter.detach().flatten().clone() for parameter in learners.model.parameters()])
    logits, _ = known_embeddings(learners.model, pictures())
    descend_model(logits.square().sum() * 100, learners, Recipe(gradient_clip=0.01))
    after = torch.cat([parameter.detach().flatten() for parameter in learners.model.parameters()])
    assert (after - before).norm().item() == pytest.approx(0.01, rel=1e-3)


def test_classification_is_the_recipes() -> None:
    logits, labels = torch.tensor([[2.0, 0.0, -1.0], [0.0, 3.0, 1.0]]), torch.tensor([0, 2])
    plain = torch.nn.functional.cross_entropy(logits, labels)
    twice = torch.nn.functional.cross_entropy(logits.softmax(dim=1) / 0.1, labels)
    torch.testing.assert_close(classify(logits, labels, Recipe()), plain)
    torch.testing.assert_close(classify(logits, labels, Recipe(double_softmax=True, temperature=0.1)), twice)
    assert accuracy(logits, labels).item() == 0.5
