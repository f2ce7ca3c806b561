"""dct2 and idct2 into memory that is there already."""

from __future__ import annotations

import numpy as np
import pytest
import torch


@pytest.mark.parametrize("name", ["dct2", "idct2"])
@pytest.mark.parametrize("shape", [(2, 3, 33, 20), (3, 25, 14), (0, 3, 4)], ids=str)
def test_into_a_tensor(kernels, device, planes, layout, shape, name) -> None:
    values, function = layout(planes(shape, torch.float32, device)), getattr(kernels, name)
    out = torch.full(shape, float("nan"), device=device)
    version = out._version
    assert function(values, out=out) is out
    assert torch.equal(out, function(values))
    assert out._version > version or out.numel() == 0
    part = torch.full((4, *shape), 7.0, device=device)
    function(values, out=part[2])
    assert torch.equal(part[2], out)
    assert (part[[0, 1, 3]] == 7).all()


def test_into_a_tensor_beside_the_input(kernels, device, planes) -> None:
    both = planes((4, 8, 8), torch.float32, device)
    expected = kernels.dct2(both[2:].clone())
    assert torch.equal(kernels.dct2(both[2:], out=both[:2]), expected)


@pytest.mark.parametrize("name", ["dct2", "idct2"])
def test_wrong_outputs_are_named(kernels, device, planes, name) -> None:
    function, values = getattr(kernels, name), planes((4, 8, 8), torch.float32, device)
    with pytest.raises(TypeError, match=r"out: expected a torch\.Tensor, got ndarray"):
        function(values, out=np.zeros((4, 8, 8), np.float32))
    with pytest.raises(TypeError, match=r"out: expected torch\.float32 as"):
        function(values, out=values.double())
    with pytest.raises(ValueError, match=r"out: expected shape \(4, 8, 8\) as .*, got \(3, 8, 8\)"):
        function(values, out=values[:3].clone())
    with pytest.raises(ValueError, match="out: expected a contiguous tensor"):
        function(values, out=values.clone().transpose(1, 2))
    kept = values.clone()
    for overlapping in (values, values[1:]):
        with pytest.raises(ValueError, match="out: expected memory apart from that of"):
            function(values[: len(overlapping)], out=overlapping)
    assert torch.equal(values, kept)
    for one, other in [(values, kept.clone().requires_grad_()), (kept.clone().requires_grad_(), values)]:
        with pytest.raises(ValueError, match="out: expected neither out nor"):
            function(one, out=other)
        with torch.no_grad():
            function(one.clone(), out=other)
