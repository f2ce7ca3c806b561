"""dct2, idct2 and dct2_log: scipy is the second opinion on twin and compiled kernels alike."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.fft
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from forensic import kernels as public
from forensic.kernels import _dct, backend

# powers of two, odd, prime, one row, one column, one more and one less than a register or a block
SHAPES = [
    (1, 1, 1),
    (1, 1, 9),
    (2, 9, 1),
    (1, 2, 2),
    (1, 4, 3),
    (2, 3, 5),
    (3, 8, 8),
    (2, 16, 24),
    (1, 17, 130),
    (2, 127, 3),
    (1, 129, 128),
    (3, 128, 128),
    (1, 100, 96),
    (1, 256, 31),
    (2, 25, 200),
    (1, 225, 14),
    (1, 52, 77),
    (1, 121, 105),
    (2, 3, 4, 20, 12),
]
EPSILON = {torch.float32: 2.0**-24, torch.float64: 2.0**-53}


def second_opinion(values: torch.Tensor, inverse: bool = False) -> np.ndarray:
    function = scipy.fft.idctn if inverse else scipy.fft.dctn
    return function(values.double().cpu().numpy(), type=2, axes=(-2, -1), norm="ortho")


def error_bound(shape: tuple[int, ...], dtype: torch.dtype, norm: float) -> float:
    """An orthogonal factorisation errs by a few roundings a stage, relative to the norm of a plane.

    4 roundings (a rotation's) in log2 H + log2 W stages and the scale; the plain sums of the twin and of prime
    factors err by about the root of their length more.
    """
    stages = 4 * (np.log2(shape[-2]) + np.log2(shape[-1]) + 2)
    sums = np.sqrt(shape[-2]) + np.sqrt(shape[-1])
    return EPSILON[dtype] * (stages + sums) * norm


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ["dct2", "idct2"])
def test_equals_scipy(kernels, device, planes, shape, dtype, name) -> None:
    values = planes(shape, dtype, device)
    expected = second_opinion(values, inverse=name == "idct2")
    found = getattr(kernels, name)(values)
    assert found.shape == values.shape
    assert found.dtype == dtype
    error = np.abs(found.double().cpu().numpy() - expected).max()
    norm = float(values.double().flatten(-2).norm(dim=-1).max())
    assert error <= error_bound(shape, dtype, norm)
    if dtype == torch.float64:
        assert error <= 1e-12 * max(norm, 1.0)


@pytest.mark.parametrize("shape", [(2, 5, 7), (3, 8, 8), (2, 3, 33, 20)], ids=str)
def test_strides_change_no_bit(kernels, device, planes, layout, shape) -> None:
    values = planes(shape, torch.float32, device)
    strided = layout(values)
    before = strided.clone()
    if kernels.name == "reference":
        torch.testing.assert_close(kernels.dct2(strided), kernels.dct2(values), rtol=1e-5, atol=1e-5)
    else:
        assert torch.equal(kernels.dct2(strided), kernels.dct2(values))
    assert torch.equal(strided, before)


def test_expanded_planes(kernels, device, planes) -> None:
    plane = planes((1, 6, 10), torch.float64, device)
    torch.testing.assert_close(kernels.dct2(plane.expand(4, 6, 10)), kernels.dct2(plane).expand(4, 6, 10))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.usefixtures("isa")
def test_every_level_inverts_itself(planes, shape) -> None:
    values = planes(shape)
    cpp = public.implementation("cpp")
    np.testing.assert_allclose(cpp.dct2(values).numpy(), second_opinion(values), rtol=0, atol=1e-12)
    torch.testing.assert_close(cpp.idct2(cpp.dct2(values)), values, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.usefixtures("isa")
def test_bits_do_not_depend_on_threads(planes, with_threads, dtype) -> None:
    values = planes((7, 33, 40), dtype)
    results = []
    for count in range(1, 9):
        with_threads(count)
        results.append(public.implementation("cpp").dct2(values))
    assert all(torch.equal(results[0], one) for one in results)


def test_a_plane_does_not_depend_on_its_neighbours(planes) -> None:
    values = planes((6, 64, 48), torch.float32)
    together = public.dct2(values)
    assert all(torch.equal(public.dct2(values[i]), together[i]) for i in range(6))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 3), st.sampled_from([torch.float32, torch.float64]))
def test_any_size(height, width, count, dtype) -> None:
    values = torch.from_numpy(np.random.default_rng(height * width).uniform(-1, 1, (count, height, width))).to(dtype)
    found = public.implementation("cpp").dct2(values).double().numpy()
    norm = float(np.sqrt(height * width))
    np.testing.assert_allclose(found, second_opinion(values), rtol=0, atol=error_bound((height, width), dtype, norm))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("size", [(12, 16), (7, 25), (11, 77), (45, 50), (13, 169)], ids=str)
def test_what_is_not_finite_spreads_over_its_plane_only(kernels, device, planes, size, value) -> None:
    middle, last = (size[0] // 2, size[1] // 2), (size[0] - 1, size[1] - 1)
    for row, column in [(0, 0), middle, (middle[0], 3), (5, middle[1]), last]:
        values = planes((3, *size), torch.float32, device)
        values[1, row, column] = value
        for found in (kernels.dct2(values), kernels.idct2(values)):
            assert not found[1].isfinite().any()
            assert found[0].isfinite().all()
            assert found[2].isfinite().all()


@pytest.mark.parametrize("shape", [(0, 3, 8, 8), (2, 0, 8), (2, 8, 0), (0, 0)], ids=str)
def test_empty(kernels, device, shape) -> None:
    empty = torch.empty(shape, device=device, requires_grad=True)
    found = kernels.dct2(empty)
    assert found.shape == shape
    found.sum().backward()
    assert empty.grad is not None
    assert empty.grad.shape == shape


@pytest.mark.parametrize("name", ["dct2", "idct2"])
@pytest.mark.parametrize("shape", [(2, 4, 8), (1, 3, 5), (1, 1, 1)], ids=str)
def test_gradients_of_both_orders(kernels, device, planes, name, shape) -> None:
    values = planes(shape, torch.float64, device).requires_grad_()
    function = getattr(kernels, name)
    assert torch.autograd.gradcheck(function, values)
    assert torch.autograd.gradgradcheck(function, values)


@pytest.mark.parametrize("name", ["dct2", "idct2"])
def test_operator_is_well_formed(planes, name) -> None:
    operator = getattr(_dct, f"_{name}")
    torch.library.opcheck(operator, (planes((2, 6, 9), torch.float32),))
    torch.library.opcheck(operator, (planes((2, 6, 9), torch.float32).transpose(0, 2).requires_grad_(),))


def test_golden_coefficients(kernels, device, golden: Path) -> None:
    """The authors' layer is 4 times the plain double sum: s_k s_l of ours divided out."""
    recorded = json.loads((golden / "pieces.json").read_text())["float64"]["dct_8x8"]
    values = torch.tensor(recorded["input"], dtype=torch.float64, device=device).reshape(8, 8)
    scale = torch.full((8,), 4.0, dtype=torch.float64, device=device)  # sqrt(2 N)
    scale[0] = 2 * np.sqrt(8)
    found = kernels.dct2(values) * scale[:, None] * scale[None, :]
    expected = torch.tensor(recorded["output"], dtype=torch.float64, device=device).reshape(8, 8)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-11)


def test_misaligned_storage_is_refused() -> None:
    values = torch.from_numpy(np.frombuffer(bytearray(65), np.uint8)[1:].view(np.float32).reshape(4, 4))
    with pytest.raises(ValueError, match="x: expected data aligned to 4 bytes"):
        public.dct2(values)


@pytest.mark.parametrize(
    ("argument", "error", "message"),
    [
        ([[1.0]], TypeError, "images: expected a torch.Tensor, got list"),
        (np.zeros((2, 2)), TypeError, "images: expected a torch.Tensor, got ndarray"),
        (torch.zeros(2, 2, dtype=torch.float16), TypeError, "images: expected float32 or float64, got float16"),
        (torch.zeros(2, 2, dtype=torch.int64), TypeError, "images: expected float32 or float64, got int64"),
        (torch.zeros(2, 2, device="meta"), ValueError, "images: expected a tensor on cpu or cuda, got one on meta"),
        (torch.zeros(2), ValueError, r"images: expected shape \(..., H, W\), got \(2,\)"),
        (torch.eye(3).to_sparse(), ValueError, "images: expected a dense tensor"),
    ],
    ids=["list", "numpy", "half", "integer", "meta", "vector", "sparse"],
)
def test_wrong_arguments_are_named(kernels, argument, error, message) -> None:
    with pytest.raises(error, match=message):
        kernels.dct2(argument)


def test_output_of_another_shape_is_refused_at_the_door() -> None:
    module = backend.native()
    with pytest.raises(ValueError, match="y: expected the shape of x, got 3 instead of 2 along axis 1"):
        module.dct2(torch.zeros(1, 2, 4), torch.zeros(1, 3, 4), False, 1)
    with pytest.raises(ValueError, match="y: expected a contiguous tensor"):
        module.dct2(torch.zeros(1, 2, 4), torch.zeros(1, 4, 2).transpose(1, 2), False, 1)
    with pytest.raises(TypeError, match="y: expected float32, got float64"):
        module.dct2(torch.zeros(1, 2, 4), torch.zeros(1, 2, 4).double(), False, 1)
    with pytest.raises(TypeError, match="x: expected an array with __dlpack__, got list"):
        module.dct2([1], torch.zeros(1, 2, 4), False, 1)


# ---- dct2_log --------------------------------------------------------------------------------------------------------


def statistics(shape, dtype, device="cpu") -> tuple[torch.Tensor, torch.Tensor]:
    generator = np.random.default_rng(1)
    mean = torch.from_numpy(generator.standard_normal(shape)).to(dtype).to(device)
    return mean, torch.from_numpy(generator.uniform(0.5, 2, shape)).to(dtype).to(device)


LOG_SHAPES = [(1, 1, 1), (2, 3, 8, 8), (1, 3, 5), (2, 3, 33, 20), (3, 128, 128), (1, 96, 40)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("shape", LOG_SHAPES, ids=str)
def test_logarithm_equals_scipy(kernels, device, planes, shape, dtype) -> None:
    values = planes(shape, dtype, device)
    mean, std = statistics(shape[-3:], dtype, device)
    found = kernels.dct2_log(values, mean, std, 1e-2)
    coefficients = np.abs(second_opinion(values)) + 1e-2
    expected = (np.log(coefficients) - mean.double().cpu().numpy()) / std.double().cpu().numpy()
    error = np.abs(found.double().cpu().numpy() - expected)
    norm = float(values.double().flatten(-2).norm(dim=-1).max())
    # the error of a coefficient divided by coefficient and std, then a few roundings of the result and of the mean
    bound = error_bound(shape, dtype, norm) / (coefficients * 0.5) + 8 * EPSILON[dtype] * (np.abs(expected) + 8)
    assert (error <= bound).all()


@pytest.mark.parametrize("shape", LOG_SHAPES, ids=str)
@pytest.mark.usefixtures("isa")
def test_every_level_takes_the_logarithm_of_its_coefficients(planes, shape) -> None:
    cpp = public.implementation("cpp")
    for dtype in (torch.float32, torch.float64):
        values = planes(shape, dtype)
        mean, std = statistics(shape[-2:], dtype)
        expected = (torch.log(cpp.dct2(values).abs() + 1e-3) - mean) / std
        torch.testing.assert_close(
            cpp.dct2_log(values, mean, std), expected, rtol=8 * EPSILON[dtype], atol=32 * EPSILON[dtype]
        )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.usefixtures("isa")
def test_logarithm_is_within_two_ulp(dtype) -> None:
    """A plane of one pixel is its own coefficient, up to one rounding: every exponent, subnormal values too."""
    kind = np.float32 if dtype == torch.float32 else np.float64
    least, most = (-149, 127) if kind == np.float32 else (-1074, 1023)
    generator = np.random.default_rng(2)
    exponents = np.arange(least, most).repeat(16 if kind == np.float32 else 6)
    values = np.ldexp(generator.uniform(1, 2, exponents.shape), exponents).astype(kind)
    values = np.concatenate([values, 1 + generator.uniform(-0.4, 0.4, 4000).astype(kind)])
    pixels = torch.from_numpy(values).reshape(-1, 1, 1)
    cpp = public.implementation("cpp")
    zero, one = torch.zeros((), dtype=dtype), torch.ones((), dtype=dtype)
    found = cpp.dct2_log(pixels, zero, one, 0.0).numpy().ravel()
    expected = np.log(cpp.dct2(pixels).abs().numpy().ravel().astype(np.longdouble))
    unit = np.spacing(np.abs(expected).astype(kind)).astype(np.longdouble)
    assert (np.abs(found.astype(np.longdouble) - expected) <= 2 * unit).all()


def test_logarithm_of_what_has_none(kernels, device) -> None:
    zero, one = torch.zeros((), device=device), torch.ones((), device=device)
    pixels = torch.tensor([0.0, -0.0, torch.inf, -torch.inf, torch.nan, -1.0], device=device).reshape(-1, 1, 1)
    found = kernels.dct2_log(pixels, zero, one, 0.0).flatten().tolist()
    assert found[:2] == [-torch.inf, -torch.inf]
    assert found[2:4] == [torch.inf, torch.inf]
    assert np.isnan(found[4])
    assert abs(found[5]) < 1e-6
    even = kernels.dct2_log(torch.zeros(2, 9, 5, device=device), zero, one, 0.5)
    torch.testing.assert_close(even, torch.full_like(even, float(np.log(0.5))))


@pytest.mark.parametrize("shape", [(), (1,), (4, 1), (4, 5), (1, 4, 1), (3, 4, 5), (2, 1, 1, 5), (2, 3, 4, 5)], ids=str)
def test_statistics_broadcast(kernels, device, planes, shape) -> None:
    values = planes((2, 3, 4, 5), torch.float64, device)
    mean, std = statistics(shape, torch.float64, device)
    found = kernels.dct2_log(values, mean, std)
    expected = (torch.log(kernels.dct2(values).abs() + 1e-3) - mean) / std
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_logarithm_under_strides(compiled, planes, layout) -> None:
    device = "cuda" if compiled.name == "cuda" else "cpu"
    values = planes((2, 3, 20, 33), torch.float32, device)
    mean, std = (layout(one[None])[0] for one in statistics((3, 20, 33), torch.float32, device))
    found = compiled.dct2_log(layout(values), mean, std)
    assert torch.equal(found, compiled.dct2_log(values, mean.contiguous(), std.contiguous()))


@pytest.mark.parametrize("shape", [(7, 33, 40), (1, 144, 130)], ids=str)
@pytest.mark.usefixtures("isa")
def test_bits_of_logarithm_and_gradient_do_not_depend_on_threads(planes, with_threads, shape) -> None:
    values = planes(shape, torch.float32).requires_grad_()
    mean, std = statistics(shape[-2:], torch.float32)
    results = []
    for count in range(1, 9):
        with_threads(count)
        found = public.implementation("cpp").dct2_log(values, mean, std)
        results.append((found, *torch.autograd.grad(found.square().sum(), values)))
    assert all(torch.equal(first, one) for result in results for first, one in zip(results[0], result, strict=True))


@pytest.mark.parametrize("shape", [(2, 3, 4, 8), (1, 3, 5), (1, 1, 1)], ids=str)
def test_logarithm_has_gradients_of_both_orders(kernels, device, planes, shape) -> None:
    values = planes(shape, torch.float64, device).requires_grad_()
    mean, std = statistics(shape[-2:], torch.float64, device)
    assert torch.autograd.gradcheck(lambda x: kernels.dct2_log(x, mean, std, 0.3), values)
    assert torch.autograd.gradgradcheck(lambda x: kernels.dct2_log(x, mean, std, 0.3), values)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("shape", LOG_SHAPES, ids=str)
def test_gradient_of_the_logarithm_equals_that_of_the_steps(compiled, planes, shape, dtype) -> None:
    device = "cuda" if compiled.name == "cuda" else "cpu"
    values = planes(shape, dtype, device).requires_grad_()
    weights = planes(shape[::-1], dtype, device).permute(*reversed(range(len(shape))))
    mean, std = statistics(shape[-2:], dtype, device)
    (found,) = torch.autograd.grad((compiled.dct2_log(values, mean, std, 0.1) * weights).sum(), values)
    exact = values.detach().double().requires_grad_()
    steps = public.implementation("reference").dct2_log(exact, mean.double(), std.double(), 0.1)
    (expected,) = torch.autograd.grad((steps * weights.double()).sum(), exact)
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=(4e-3 if dtype == torch.float32 else 1e-11))


def test_a_coefficient_of_zero_passes_no_gradient(kernels, device) -> None:
    values = torch.zeros(2, 8, 24, device=device, requires_grad=True)
    kernels.dct2_log(values, torch.zeros((), device=device), torch.ones((), device=device)).sum().backward()
    assert values.grad is not None
    assert not values.grad.any()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 50), st.integers(1, 50), st.integers(0, 3), st.integers(1, 2))
def test_logarithm_of_any_size(height, width, count, channels) -> None:
    values = torch.from_numpy(np.random.default_rng(height).uniform(-1, 1, (count, channels, height, width)))
    mean, std = statistics((channels, height, width), torch.float64)
    found = public.implementation("cpp").dct2_log(values, mean, std)
    expected = public.implementation("reference").dct2_log(values, mean, std)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)


def test_operators_of_the_logarithm_are_well_formed(planes) -> None:
    values, (mean, std) = planes((2, 6, 9), torch.float32), statistics((6, 9), torch.float32)
    torch.library.opcheck(_dct._dct2_log, (values, mean, std, 1e-3))
    torch.library.opcheck(_dct._dct2_log, (values.clone().requires_grad_(), mean, std, 0.1))
    torch.library.opcheck(_dct._dct2_log_gradient, (values, values.flip(0), std, 1e-3))


@pytest.mark.parametrize("shape", [(0, 3, 8, 8), (2, 0, 8), (2, 8, 0), (0, 0)], ids=str)
def test_logarithm_of_nothing(kernels, device, shape) -> None:
    empty = torch.empty(shape, device=device, requires_grad=True)
    found = kernels.dct2_log(empty, torch.zeros((), device=device), torch.ones((), device=device))
    assert found.shape == shape
    found.sum().backward()
    assert empty.grad is not None


def test_wrong_statistics_are_named(kernels, device) -> None:
    images, zero = torch.zeros(2, 4, 4, device=device), torch.zeros((), device=device)
    with pytest.raises(ValueError, match=r"mean: expected a shape that broadcasts to \(2, 4, 4\), got \(3, 4, 4\)"):
        kernels.dct2_log(images, zero.expand(3, 4, 4), zero)
    with pytest.raises(ValueError, match=r"std: expected a shape that broadcasts to \(2, 4, 4\), got \(1, 2, 4, 4\)"):
        kernels.dct2_log(images, zero, zero.expand(1, 2, 4, 4))
    with pytest.raises(TypeError, match=r"mean: expected torch.float32 as images, got torch.float64"):
        kernels.dct2_log(images, zero.double(), zero)
    with pytest.raises(ValueError, match="std: expected a tensor without gradient"):
        kernels.dct2_log(images, zero, torch.ones((), device=device, requires_grad=True))
    with pytest.raises(ValueError, match="epsilon: expected at least 0, got -1"):
        kernels.dct2_log(images, zero, zero, -1.0)
    with pytest.raises(ValueError, match="epsilon: expected at least 0, got nan"):
        kernels.dct2_log(images, zero, zero, float("nan"))


def test_statistics_of_another_shape_are_refused_at_the_door() -> None:
    module, x = backend.native(), torch.ones(2, 4, 4)
    with pytest.raises(ValueError, match="mean: expected planes of 4 x 4, got 4 x 5"):
        module.dct2_log(x, torch.ones(1, 4, 5), torch.ones(1, 4, 5), 0.1, None, x.clone(), 1)
    with pytest.raises(ValueError, match="std: expected the shape of mean, got 2 instead of 1 along axis 0"):
        module.dct2_log(x, torch.ones(1, 4, 4), torch.ones(2, 4, 4), 0.1, None, x.clone(), 1)
    with pytest.raises(ValueError, match="mean: expected at least one plane"):
        module.dct2_log(x, torch.ones(0, 4, 4), torch.ones(0, 4, 4), 0.1, None, x.clone(), 1)
    with pytest.raises(ValueError, match="g: expected the shape of x"):
        module.dct2_log(x, x, x, 0.1, torch.ones(1, 4, 4), x.clone(), 1)
