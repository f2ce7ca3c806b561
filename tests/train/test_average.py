"""The running mean of weights against its definition."""

from __future__ import annotations

import pytest
import torch

from forensic.models.feature_extractor import Architecture, TaskModel
from forensic.train.average import WeightAverage


@pytest.fixture
def model() -> TaskModel:
    return TaskModel(3, Architecture(size=16, width=2, neck_channels=2, embedding_dim=4))


def test_is_the_weighted_sum_of_the_states(model: TaskModel) -> None:
    average = WeightAverage(model, decay=0.5)
    expected = model.head.bias.detach().clone()
    for step in range(100, 104):
        with torch.no_grad():
            model.head.bias.fill_(step)
        average.update(model, step)
        expected = 0.5 * expected + 0.5 * step
    torch.testing.assert_close(average.state["head.bias"], expected)


def test_forgets_the_start_in_the_first_steps(model: TaskModel) -> None:
    average = WeightAverage(model, decay=0.999)
    with torch.no_grad():
        model.head.bias.fill_(5)
    for step in range(20):
        average.update(model, step)
    assert (average.state["head.bias"] - 5).abs().max() < 1e-6


def test_counters_are_copied(model: TaskModel) -> None:
    average = WeightAverage(model, decay=0.5)
    model.trunk[0][1].num_batches_tracked.fill_(7)
    average.update(model, 0)
    assert average.state["trunk.0.1.num_batches_tracked"] == 7
