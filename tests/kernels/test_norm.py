"""batch_norm_leaky: twin against torch's two modules, compiled kernels against the twin."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from forensic import kernels as all_kernels
from forensic.kernels import backend

FLOAT32 = 2e-5
"""Bound of a float32 result, as a share of the largest value that it is a sum of."""
BFLOAT16 = 2.0**-8
"""Half a unit in the last place of bfloat16 is 2^-9 of a value; twice that, since the rounded value may be the next."""
DTYPES = (torch.float64, torch.float32, torch.bfloat16)


def batch(n: int, c: int, h: int, w: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> tuple[Tensor, ...]:
    """Values, weight, bias and the gradient from above; channels have their own mean and spread."""
    draws = np.random.default_rng(seed)
    inner = torch.float64 if dtype == torch.float64 else torch.float32
    values = draws.standard_normal((n, c, h, w)) * draws.uniform(0.5, 3, (c, 1, 1)) + draws.uniform(-4, 4, (c, 1, 1))
    parts = (values, draws.uniform(-2, 2, c), draws.standard_normal(c), draws.standard_normal((n, c, h, w)))
    return tuple(
        torch.from_numpy(part).to(kind) for part, kind in zip(parts, (dtype, inner, inner, dtype), strict=True)
    )


def outcome(function, values: Tensor, weight: Tensor, bias: Tensor, above: Tensor, **options: float) -> list[Tensor]:
    """y, mean, variance and the three gradients."""
    leaves = [each.detach().clone().requires_grad_() for each in (values, weight, bias)]
    y, mean, variance = function(*leaves, **options)
    return [y.detach(), mean, variance, *torch.autograd.grad(y, leaves, above)]


def by_modules(values: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5, slope: float = 0.2):
    norm = nn.BatchNorm2d(values.shape[1], eps=eps, momentum=1.0).to(weight)
    y = nn.functional.batch_norm(values, norm.running_mean, norm.running_var, weight, bias, True, 1.0, eps)
    count = values[:, 0].numel()
    return nn.functional.leaky_relu(y, slope), norm.running_mean, norm.running_var * ((count - 1) / count)


def close(found: list[Tensor], expected: list[Tensor], bound: float) -> None:
    assert len(found) == len(expected)
    for mine, other in zip(found, expected, strict=True):
        assert mine.shape == other.shape
        assert mine.dtype == other.dtype
        scale = max(float(other.double().abs().max()), 1.0) if other.numel() else 1.0
        assert float((mine.double() - other.double()).abs().max() if other.numel() else 0.0) <= bound * scale


def test_equals_torchs_modules(kernels: backend.Implementation, device: str) -> None:
    parts = tuple(part.to(device) for part in batch(6, 37, 5, 7))
    options = {"eps": 1e-3, "slope": 0.1}
    close(outcome(kernels.batch_norm_leaky, *parts, **options), outcome(by_modules, *parts, **options), 1e-12)


SHAPES = [(28, 32, 64, 64), (3, 5, 2, 9), (2, 70, 3, 3), (1, 1, 1, 2), (40, 256, 8, 8)]


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-12), (torch.float32, FLOAT32)])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_level_equals_the_twin(isa: str, shape: tuple[int, ...], dtype: torch.dtype, bound: float) -> None:
    assert isa == backend.native().isa()
    assert_equals_the_twin(all_kernels.implementation("cpp"), batch(*shape, dtype), bound)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-12), (torch.float32, FLOAT32)])
@pytest.mark.parametrize("shape", [*SHAPES[1:], (7, 33, 40, 41)])
def test_equals_the_twin(
    compiled: backend.Implementation,
    compiled_device: str,
    shape: tuple[int, ...],
    dtype: torch.dtype,
    bound: float,
) -> None:
    assert_equals_the_twin(compiled, tuple(part.to(compiled_device) for part in batch(*shape, dtype)), bound)


def assert_equals_the_twin(kernels: backend.Implementation, parts: tuple[Tensor, ...], bound: float) -> None:
    wide = tuple(part.double() for part in parts)
    exact = outcome(all_kernels.implementation("reference").batch_norm_leaky, *wide)
    twin = [part.to(parts[0].dtype) for part in exact]
    far = float((twin[1].double() / twin[2].double().sqrt()).abs().max())  # what subtracting the mean costs
    close(outcome(kernels.batch_norm_leaky, *parts), twin, bound * (1 + far))


def test_bfloat16_of_every_level_is_float32_rounded_once(isa: str) -> None:
    assert isa == backend.native().isa()
    assert_rounded_once(all_kernels.implementation("cpp"), batch(4, 33, 6, 5, torch.bfloat16))


def test_bfloat16_is_float32_rounded_once(compiled: backend.Implementation, compiled_device: str) -> None:
    parts = batch(4, 33, 6, 5, torch.bfloat16)
    assert_rounded_once(compiled, tuple(part.to(compiled_device) for part in parts))


def assert_rounded_once(kernels: backend.Implementation, parts: tuple[Tensor, ...]) -> None:
    wide = (parts[0].float(), *parts[1:3], parts[3].float())
    found = outcome(kernels.batch_norm_leaky, *parts)
    expected = outcome(kernels.batch_norm_leaky, *wide)
    assert found[0].dtype == found[3].dtype == torch.bfloat16
    assert torch.equal(found[0], expected[0].bfloat16())
    assert torch.equal(found[3], expected[3].bfloat16())
    for mine, other in zip(found, expected, strict=True):
        if mine.dtype == torch.float32:
            assert torch.equal(mine, other)


@settings(max_examples=40)
@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 70), st.integers(1, 6), st.integers(1, 6)),
    dtype=st.sampled_from(DTYPES),
    scale=st.sampled_from([1e-3, 1.0, 1e3]),
    seed=st.integers(0, 99),
)
def test_any_shape(shape: tuple[int, ...], dtype: torch.dtype, scale: float, seed: int) -> None:
    values, weight, bias, _ = batch(*shape, dtype, seed)
    values = values * scale
    y, mean, variance = all_kernels.implementation("cpp").batch_norm_leaky(values, weight, bias)
    twin = all_kernels.implementation("reference").batch_norm_leaky(values, weight, bias)
    bound = {torch.float64: 1e-12, torch.float32: FLOAT32, torch.bfloat16: BFLOAT16}[dtype]
    inner = bound if dtype == torch.float64 else FLOAT32
    assert torch.allclose(mean, twin[1], rtol=inner, atol=inner * scale)
    assert torch.allclose(variance, twin[2], rtol=10 * inner, atol=inner * scale**2)
    if values[:, 0].numel() > 4:  # of fewer values the spread may be rounding alone, which the division blows up
        assert torch.allclose(y.double(), twin[0].double(), rtol=4 * bound, atol=1e3 * inner)


def test_layouts_give_the_same_bits(compiled: backend.Implementation, compiled_device: str, layout) -> None:
    values, weight, bias, above = (part.to(compiled_device) for part in batch(2, 6, 4, 8, torch.float32))
    function = compiled.batch_norm_leaky
    expected = outcome(function, values, weight, bias, above)
    found = outcome(lambda x, *rest: function(layout(x), *rest), values, weight, bias, layout(above))
    assert all(torch.equal(mine, other) for mine, other in zip(found, expected, strict=True))
    assert found[0].is_contiguous(memory_format=torch.channels_last)


def test_threads_and_levels_do_not_matter(isa: str, with_threads) -> None:
    parts = batch(5, 48, 20, 20, torch.float32)
    function = all_kernels.implementation("cpp").batch_norm_leaky
    with_threads(1)
    expected = outcome(function, *parts)
    for count in range(2, 9):
        with_threads(count)
        found = outcome(function, *parts)
        assert all(torch.equal(mine, other) for mine, other in zip(found, expected, strict=True)), (isa, count)


def test_gradients_of_both_orders(compiled: backend.Implementation, compiled_device: str) -> None:
    values, weight, bias, _ = (part.to(compiled_device).requires_grad_() for part in batch(3, 4, 2, 3))

    def y(*leaves: Tensor) -> Tensor:
        return compiled.batch_norm_leaky(*leaves)[0]  # type: ignore[no-any-return]  # of any kernel

    assert torch.autograd.gradcheck(y, (values, weight, bias))
    assert torch.autograd.gradgradcheck(y, (values, weight, bias))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_stays_in_its_channel_at_every_level(
    isa: str, dtype: torch.dtype, bad: float
) -> None:
    assert isa == backend.native().isa()
    assert_stays_in_its_channel(all_kernels.implementation("cpp"), batch(3, 35, 4, 4, dtype), bad)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_stays_in_its_channel(
    compiled: backend.Implementation, compiled_device: str, dtype: torch.dtype, bad: float
) -> None:
    parts = tuple(part.to(compiled_device) for part in batch(3, 35, 4, 4, dtype))
    assert_stays_in_its_channel(compiled, parts, bad)


def assert_stays_in_its_channel(kernels: backend.Implementation, parts: tuple[Tensor, ...], bad: float) -> None:
    clean = outcome(kernels.batch_norm_leaky, *parts)
    parts[0][1, 33, 2, 2] = bad
    found = outcome(kernels.batch_norm_leaky, *parts)
    kept = [channel for channel in range(35) if channel != 33]
    assert torch.equal(found[0][:, kept], clean[0][:, kept])
    assert torch.equal(found[3][:, kept], clean[3][:, kept])
    assert found[0][:, 33].isnan().any()
    assert found[3][:, 33].isnan().any()


def test_empty_and_constant(kernels: backend.Implementation, device: str) -> None:
    nothing = [torch.zeros(0, 3, 2, 2), torch.ones(3), torch.zeros(3), torch.zeros(0, 3, 2, 2)]
    nothing = [part.to(device) for part in nothing]
    y, mean, variance = kernels.batch_norm_leaky(*nothing[:3])
    assert y.shape == (0, 3, 2, 2)
    assert mean.tolist() == variance.tolist() == [0, 0, 0]
    constant = (torch.full((2, 1, 3, 3), 7.0), torch.ones(1), torch.full((1,), -1.0))
    y, mean, variance = kernels.batch_norm_leaky(*(part.to(device) for part in constant))
    assert mean.item() == 7
    assert variance.item() == 0
    assert torch.allclose(y, torch.full_like(y, -0.2))
    found = outcome(kernels.batch_norm_leaky, *nothing)
    assert all(part.eq(0).all() for part in found)


def test_a_mean_far_from_zero_keeps_the_variance(compiled: backend.Implementation, compiled_device: str) -> None:
    values = torch.from_numpy(np.random.default_rng(0).standard_normal((8, 4, 16, 16)) + 1000).float()
    values = values.to(compiled_device)
    _, mean, variance = compiled.batch_norm_leaky(values, values.new_ones(4), values.new_zeros(4))
    exact = values.double()
    assert torch.allclose(mean.double(), exact.mean(dim=(0, 2, 3)), rtol=1e-7)
    assert torch.allclose(variance.double(), exact.var(dim=(0, 2, 3), correction=0), rtol=1e-5)


def test_unaligned_data() -> None:
    values, weight, bias, _ = batch(2, 19, 3, 3, torch.float32)
    store = torch.zeros(values.numel() + 1)
    moved = store[1:].view(2, 3, 3, 19).permute(0, 3, 1, 2)
    moved.copy_(values)
    function = all_kernels.implementation("cpp").batch_norm_leaky
    assert torch.equal(function(moved, weight, bias)[0], function(values, weight, bias)[0])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"values": torch.zeros(2, 3, 4)}, ValueError, "values: expected shape"),
        ({"values": torch.zeros(2, 3, 4, 4, dtype=torch.float16)}, TypeError, "values: expected"),
        ({"weight": torch.ones(2)}, ValueError, "weight: expected 3 values"),
        ({"bias": torch.ones(3, dtype=torch.float64)}, TypeError, "bias: expected float32"),
        ({"eps": 0.0}, ValueError, "eps: expected"),
        ({"slope": -0.1}, ValueError, "slope: expected"),
    ],
)
def test_wrong_arguments(change: dict[str, object], error: type[Exception], message: str) -> None:
    arguments: dict[str, object] = {"values": torch.zeros(2, 3, 4, 4), "weight": torch.ones(3), "bias": torch.zeros(3)}
    with pytest.raises(error, match=message):
        all_kernels.batch_norm_leaky(**(arguments | change))  # type: ignore[arg-type]  # wrong on purpose


def test_bfloat16_ties_go_to_even(isa: str) -> None:  # noqa: ARG001 - in force
    """Of no values but 0 the bias is what comes out: here always half way between two of bfloat16, 1 + n / 128."""
    channels = 37  # whole registers and single lanes
    bias = 1 + (2 * torch.arange(channels).remainder(60) + 1) / 256
    values = torch.zeros(2, channels, 3, 3, dtype=torch.bfloat16)
    y, _, _ = all_kernels.implementation("cpp").batch_norm_leaky(values, torch.ones(channels), bias)
    assert torch.equal(y[0, :, 0, 0], bias.to(torch.bfloat16))
