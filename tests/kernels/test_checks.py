"""Argument checks: what passes comes back unchanged, what does not is named."""

from __future__ import annotations

import pytest
import torch

from forensic.kernels.checks import require_like, require_out, require_planes, require_rank, require_tensor


def test_what_fits_comes_back() -> None:
    value = torch.zeros(2, 3, 4)
    assert require_tensor(value, "x") is value
    assert require_rank(value, "x", "(N, H, W)") is value
    assert require_rank(value, "x", "(..., W)") is value
    assert require_like(value, "x", torch.ones(1), "y") is value
    assert require_planes(value, "x") is value
    assert require_out(value, torch.ones(2, 3, 4), "x") is value
    assert require_tensor(torch.zeros(2, dtype=torch.int64), "n", (torch.int64,)).dtype == torch.int64


@pytest.mark.parametrize(
    ("shape", "axes"), [((2,), "(..., H, W)"), ((2, 3), "(N, 3, H, W)"), ((1, 2, 3, 4, 5), "(N, 3, H, W)"), ((), "(N)")]
)
def test_rank(shape, axes) -> None:
    with pytest.raises(ValueError, match="x: expected shape") as caught:
        require_rank(torch.zeros(shape), "x", axes)
    assert str(caught.value) == f"x: expected shape {axes}, got {shape}"


def test_like() -> None:
    with pytest.raises(TypeError, match=r"w: expected torch\.float32 as x, got torch\.float64"):
        require_like(torch.zeros(1).double(), "w", torch.zeros(1), "x")
    with pytest.raises(ValueError, match="w: expected device cpu as x, got meta"):
        require_like(torch.zeros(1, device="meta"), "w", torch.zeros(1), "x")


def test_one_dtype_is_named_alone() -> None:
    with pytest.raises(TypeError, match="labels: expected int64, got float32"):
        require_tensor(torch.zeros(1), "labels", (torch.int64,))
