"""The recipe `paper` against its pseudo-code written out: nothing shared, nothing reused, no kernel."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from forensic.models.augmenter import AugmenterShape
from forensic.models.feature_extractor import TaskModel
from forensic.train.config import PAPER
from forensic.train.history import OldAugmenters, TorchDraws
from forensic.train.learners import Learners, NewAugmenter
from forensic.train.seeding import new_augmenter, new_task_model
from forensic.train.step import TERMS, iterate

K = 3
ALPHA, BETA, D, MARGIN = 1e-4, 1e-2, 0.95, 0.3
RECIPE = replace(
    PAPER,
    architecture=replace(PAPER.architecture, size=32, width=2, embedding_dim=8, dropout=0.0),
    augmented_items=3,
)


def batch(seed: int) -> tuple[Tensor, Tensor]:
    x = torch.rand(9, 3, 32, 32, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2 - 1
    return x, torch.arange(K).repeat(3)


def learners(old: int) -> Learners:
    draws = torch.Generator().manual_seed(1)
    model = new_task_model(TaskModel(K, RECIPE.architecture), draws).double().train()
    history = OldAugmenters(TorchDraws(torch.Generator().manual_seed(2)))
    for _ in range(old):
        history.keep(new_augmenter(AugmenterShape(), draws).double())
    new = new_augmenter(AugmenterShape(), draws).double()
    return Learners(
        model,
        torch.optim.Adam(model.parameters(), lr=1e-4),
        (NewAugmenter(new, torch.optim.Adam(new.parameters(), lr=1e-2)),),
        history,
    )


def convolved(augmenter: torch.nn.Module, x: Tensor) -> Tensor:
    a = augmenter
    return functional.conv2d(functional.conv2d(x, a.w1, a.b1, padding=1), a.w2, a.b2, padding=1)


def features(model: TaskModel, x: Tensor) -> tuple[Tensor, Tensor]:
    """Logits and z of the plain network: un-normalised DCT as a double sum, blocks, linear, linear."""
    k = torch.arange(32, dtype=torch.float64)
    basis = 2 * torch.cos(torch.pi * (2 * k[None, :] + 1) * k[:, None] / 64)
    z = model.fc(model.trunk(basis @ x @ basis.T).flatten(1))
    return model.head(z), z


def triplets(z: Tensor, augmented: Tensor, y: Tensor) -> Tensor:
    """Eq. 5: squared distances, the hardest of each kind, summed over anchors."""
    rows, labels = torch.cat([z, augmented]), torch.cat([y, K + y])
    distances = (rows[:, None] - rows[None]).square().sum(dim=2)
    total = torch.zeros((), dtype=torch.float64)
    for anchor in range(len(rows)):
        same = labels == labels[anchor]
        total = total + (distances[anchor][same].max() - distances[anchor][~same].min() + MARGIN).clamp(min=0)
    return total


def written_out(state: Learners, x: Tensor, y: Tensor) -> dict[str, float]:
    """One iteration as docs/fidelity.md lists it for `paper`."""
    model, new = state.model, state.new[0]
    old = state.old.draw()
    new.optimizer.zero_grad()
    x_new = convolved(new.augmenter, x)
    recons = loss = (x_new - x).square().mean()
    close = diverse = torch.zeros(())
    if old is not None:
        z_new, z, z_old = (features(model, images)[1] for images in (x_new, x, convolved(old, x)))
        cos = functional.cosine_similarity
        diverse = cos(z_new, z_old.detach()).mean()
        close = torch.minimum(cos(z_new, z.detach()), torch.tensor(D, dtype=torch.float64)).mean()
        loss = recons + ALPHA * diverse - BETA * close
    loss.backward()
    new.optimizer.step()
    state.model_optimizer.zero_grad()
    logits, z = features(model, x)
    cls = functional.cross_entropy(logits, y)
    fresh = triplets(z, features(model, convolved(new.augmenter, x).detach())[1], y)
    past = triplets(z, features(model, convolved(old, x))[1], y) if old is not None else torch.zeros(())
    (cls + fresh + past).backward()
    state.model_optimizer.step()
    return {
        "total": (cls + fresh + past).item(),
        "classification": cls.item(),
        "metric_new": fresh.item(),
        "metric_old": past.item(),
        "reconstruction": recons.item(),
        "closeness": close.item(),
        "diversity": diverse.item(),
        "accuracy": (logits.argmax(1) == y).double().mean().item(),
    }


@pytest.mark.parametrize("old", [0, 1, 3])
def test_step_of_paper_is_its_pseudo_code(old: int) -> None:
    ours, theirs = learners(old), learners(old)
    for step in range(3):
        x, y = batch(step)
        values = dict(zip(TERMS, iterate(ours, x, y, RECIPE).tolist(), strict=True))
        assert values == pytest.approx(written_out(theirs, x, y), rel=1e-9)
    for mine, plain in ((ours.model, theirs.model), (ours.new[0].augmenter, theirs.new[0].augmenter)):
        for (name, a), (_, b) in zip(mine.named_parameters(), plain.named_parameters(), strict=True):
            if ".0.bias" not in name:  # a bias before batch norm has no gradient but rounding, which Adam blows up
                torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-9, msg=name)
    for (name, a), (_, b) in zip(ours.model.named_buffers(), theirs.model.named_buffers(), strict=True):
        if "input_layer" not in name:  # all passes move the statistics, so their number and order show here
            torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-9, msg=name)


def test_base_is_cross_entropy_alone() -> None:
    ours, theirs = (replace(learners(0), new=()) for _ in range(2))
    x, y = batch(0)
    values = dict(zip(TERMS, iterate(ours, x, y, replace(RECIPE, augmenters="none")).tolist(), strict=True))
    logits, _ = features(theirs.model, x)
    loss = functional.cross_entropy(logits, y)
    loss.backward()
    theirs.model_optimizer.step()
    assert values["total"] == values["classification"] == pytest.approx(loss.item(), rel=1e-9)
    assert values["metric_new"] == values["metric_old"] == values["reconstruction"] == 0
    torch.testing.assert_close(ours.model.fc.weight, theirs.model.fc.weight, rtol=1e-7, atol=1e-9)
