"""Initial values and dropout masks come from the generator that is handed in, and from nothing else."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from forensic.models.augmenter import AugmenterShape
from forensic.models.feature_extractor import Architecture, TaskModel
from forensic.train.seeding import SeededDropout, new_augmenter, new_task_model

SMALL = Architecture(size=16, width=2, neck_channels=2, embedding_dim=4)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_task_model_depends_on_its_generator_only() -> None:
    first = new_task_model(TaskModel(3, SMALL), generator(1)).state_dict()
    second = new_task_model(TaskModel(3, SMALL), generator(1)).state_dict()
    other = new_task_model(TaskModel(3, SMALL), generator(2)).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["fc.weight"], other["fc.weight"])


def test_values_fill_the_range_of_torchs_default() -> None:
    model = new_task_model(TaskModel(3, Architecture(size=32, width=16)), generator())
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            bound = module.weight[0].numel() ** -0.5
            assert module.weight.abs().max() <= bound
            assert module.weight.std() > 0.5 * bound  # of a uniform distribution: 0.577
            assert module.bias.abs().max() <= bound


def test_augmenter_is_far_from_the_identity_and_its_own() -> None:
    draws = generator()
    first, second = new_augmenter(AugmenterShape(), draws), new_augmenter(AugmenterShape(), draws)
    assert first.w1.shape == (32, 3, 3, 3)
    assert first.w2.shape == (3, 32, 3, 3)
    assert not torch.equal(first.w1, second.w1)
    assert first.w1.abs().max() <= 27**-0.5
    assert first.b2.abs().max() <= (32 * 9) ** -0.5


@pytest.mark.parametrize(
    "shape", [AugmenterShape(5, 5, 1), AugmenterShape(8, 3, 4, "relu"), AugmenterShape(8, 3, 3, "none", "down-up")]
)
def test_augmenters_of_other_shapes_fill_the_range_of_torchs_default(shape: AugmenterShape) -> None:
    augmenter = new_augmenter(shape, generator())
    for (weight, bias), (theirs, _) in zip(augmenter.layers, torchs_own(shape), strict=True):
        bound = weight[0].numel() ** -0.5
        assert 0.8 * bound < weight.abs().max() <= bound
        assert 0.8 * bound < theirs.abs().max() <= bound * (1 + 1e-6)  # torch's own bound, for transposed ones too
        assert 0 < bias.abs().max() <= bound


def torchs_own(shape: AugmenterShape) -> list[tuple[torch.Tensor, torch.Tensor]]:
    augmenter = shape.build()
    for convolution in augmenter.convolutions:
        convolution.reset_parameters()
    return augmenter.layers


def test_dropout_keeps_the_mean_and_repeats_with_its_generator() -> None:
    values = torch.ones(1000, 50)
    dropped = SeededDropout(0.2, generator(3))(values)
    assert set(dropped.unique().tolist()) == {0.0, 1.25}
    assert abs(dropped.mean() - 1) < 0.02
    assert torch.equal(dropped, SeededDropout(0.2, generator(3))(values))


def test_dropout_is_off_in_evaluation_mode() -> None:
    values = torch.ones(10, 5)
    assert SeededDropout(0.5, generator()).eval()(values) is values
