"""A pass that is run once and used twice against two passes."""

from __future__ import annotations

import copy

import pytest
import torch

from forensic.models.feature_extractor import Architecture, TaskModel
from forensic.train.passes import Passes
from forensic.train.seeding import SeededDropout, new_task_model

SHAPE = Architecture(size=32, width=2, neck_channels=2, embedding_dim=8, dropout=0.5)


def model(*, training: bool) -> TaskModel:
    made = new_task_model(TaskModel(3, SHAPE), torch.Generator().manual_seed(0)).double()
    made.dropout = SeededDropout(SHAPE.dropout, torch.Generator().manual_seed(1))  # type: ignore[assignment]
    return made.train(training)


def images(seed: int) -> torch.Tensor:
    draws = torch.Generator().manual_seed(seed)
    return torch.rand(6, 3, 32, 32, dtype=torch.float64, generator=draws) * 2 - 1


def buffers(of: TaskModel) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in of.trunk.named_buffers()}


@pytest.mark.parametrize("training", [True, False])
def test_one_pass_used_twice_is_two_passes(training: bool) -> None:
    twice, once = model(training=training), model(training=training)
    x, other = images(0), images(1)
    expected = [twice.embed(twice.input_layer(each)) for each in (x, other, x)]  # the other one between the two
    passes = Passes(once)
    known = passes.run(x)
    for name, value in buffers(model(training=training)).items():
        assert torch.equal(buffers(once)[name], value)  # statistics wait until they are asked for
    found = [known.embeddings(counted=True), passes.run(other).embeddings(counted=True), known.embeddings(counted=True)]
    for got, want in zip(found, expected, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-12)
    assert torch.equal(found[0], found[2]) != training  # masks of their own
    for name, value in buffers(once).items():
        torch.testing.assert_close(value, dict(twice.trunk.named_buffers())[name], rtol=1e-12, atol=0, msg=name)
    sum(each.square().sum() for each in found).backward()  # type: ignore[union-attr]
    sum(each.square().sum() for each in expected).backward()  # type: ignore[union-attr]
    for (name, p), (_, q) in zip(twice.named_parameters(), once.named_parameters(), strict=True):
        if not name.startswith("head"):
            torch.testing.assert_close(q.grad, p.grad, rtol=1e-8, atol=1e-10, msg=name)


def test_statistics_that_do_not_count_stay() -> None:
    some = model(training=True)
    before = copy.deepcopy(buffers(some))
    Passes(some).run(images(0)).embeddings(counted=False)
    assert all(torch.equal(value, before[name]) for name, value in buffers(some).items())


def test_buffers_come_back_when_a_pass_fails() -> None:
    some = model(training=True)
    before = {name: value.data_ptr() for name, value in some.trunk.named_buffers()}
    some.trunk[4] = torch.nn.Conv2d(1, 1, 1).double()  # the trunk breaks off in its middle
    with pytest.raises(RuntimeError, match="to have 1 channel"):
        Passes(some).run(images(0))
    assert before.items() >= {name: value.data_ptr() for name, value in some.trunk.named_buffers()}.items()
    assert some.trunk[0][1].momentum == 0.1  # type: ignore[index]


def test_buffers_keep_their_places() -> None:
    """Whoever holds a buffer, as the running mean of weights does, sees it move."""
    some = model(training=True)
    held = dict(some.trunk.named_buffers())["0.1.running_mean"]
    Passes(some).run(images(0)).embeddings(counted=True)
    assert held.abs().sum() > 0
    assert held is dict(some.trunk.named_buffers())["0.1.running_mean"]


@pytest.mark.parametrize("training", [True, False])
def test_a_frozen_pass_has_the_gradient_of_the_images(training: bool) -> None:
    some = model(training=training)
    found = []
    for frozen in (True, False):
        x = images(0).requires_grad_()
        some.dropout.generator.manual_seed(3)  # type: ignore[union-attr, operator]
        embeddings = Passes(some).run(x, frozen=frozen).embeddings(counted=False)
        found.append(torch.autograd.grad(embeddings.square().sum(), x)[0])
    torch.testing.assert_close(*found, rtol=1e-9, atol=1e-12)
