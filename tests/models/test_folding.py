"""The folded trunk against the modules it stands for, in values and in every gradient."""

from __future__ import annotations

import copy

import pytest
import torch

from forensic.models.feature_extractor import Architecture, TaskModel
from forensic.models.folding import FoldedTrunk
from forensic.train.seeding import new_task_model

SHAPE = Architecture(size=32, width=2, neck_channels=2, embedding_dim=8)


def model(*, layout: torch.memory_format = torch.contiguous_format) -> TaskModel:
    draws = torch.Generator().manual_seed(0)
    made = new_task_model(TaskModel(3, SHAPE), draws).double()
    with torch.no_grad():
        for name, value in made.trunk.named_buffers():
            if "running" in name:
                value.uniform_(0.5, 2.0, generator=draws)
        for name, value in made.trunk.named_parameters():
            if ".1." in name:
                value.uniform_(-2.0, 2.0, generator=draws)  # batch norm's own: of either sign
    return made.to(memory_format=layout).eval()


def spectra() -> torch.Tensor:
    return torch.randn(5, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients(layout: torch.memory_format) -> None:
    plain, folded = model(layout=layout), model(layout=layout)
    x, same_x = spectra().requires_grad_(), spectra().requires_grad_()
    above = torch.randn(5, 16, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    expected, found = plain.trunk(x), FoldedTrunk(folded.trunk)(same_x)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    expected.backward(above)
    found.backward(above)
    torch.testing.assert_close(same_x.grad, x.grad, rtol=1e-9, atol=1e-12)
    for (name, p), (_, q) in zip(plain.trunk.named_parameters(), folded.trunk.named_parameters(), strict=True):
        torch.testing.assert_close(q.grad, p.grad, rtol=1e-8, atol=1e-10, msg=name)


def test_several_passes_share_one_folding() -> None:
    """As a step does: one pass for the input's gradient alone, then two for the parameters."""
    plain, folded = model(), model()
    trunk = FoldedTrunk(folded.trunk)
    x = spectra().requires_grad_()
    trunk(x, frozen=True).sum().backward()
    assert x.grad is not None
    assert all(p.grad is None for p in folded.trunk.parameters())
    (trunk(spectra()).sum() + trunk(2 * spectra()).square().sum()).backward()
    (plain.trunk(spectra()).sum() + plain.trunk(2 * spectra()).square().sum()).backward()
    for (name, p), (_, q) in zip(plain.trunk.named_parameters(), folded.trunk.named_parameters(), strict=True):
        torch.testing.assert_close(q.grad, p.grad, rtol=1e-8, atol=1e-9, msg=name)


def test_buffers_and_parameters_stay() -> None:
    folded = model()
    before = copy.deepcopy(folded.state_dict())
    FoldedTrunk(folded.trunk)(spectra())
    assert all(torch.equal(value, before[name]) for name, value in folded.state_dict().items())


def test_a_block_without_statistics_is_refused() -> None:
    bare = model()
    bare.trunk[0][1] = torch.nn.BatchNorm2d(2, track_running_stats=False).double()  # type: ignore[index]
    with pytest.raises(TypeError, match="running statistics"):
        FoldedTrunk(bare.trunk)
