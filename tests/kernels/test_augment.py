"""augment: twin against explicit loops and recorded numbers, compiled kernels against the twin."""

from __future__ import annotations

import json
from pathlib import Path

import formulas
import numpy as np
import pytest
import torch
from torch import Tensor

from forensic import kernels
from forensic.kernels import _augment, reference

# (N, H, W, C, k): one row, one column, smaller than the kernel, as large, one larger; more than one block of 32 rows
SHAPES = [
    (1, 1, 1, 1, 1),
    (2, 5, 4, 2, 1),
    (1, 1, 1, 2, 3),
    (2, 1, 7, 3, 3),
    (2, 7, 1, 3, 3),
    (1, 2, 2, 4, 3),
    (1, 3, 3, 4, 3),
    (3, 4, 5, 32, 3),
    (1, 2, 5, 4, 5),
    (1, 5, 3, 4, 5),
    (1, 4, 40, 2, 5),
    (1, 3, 3, 2, 7),
    (2, 8, 9, 2, 7),
    (1, 33, 17, 5, 3),
    (2, 65, 34, 8, 3),
    (1, 70, 9, 3, 7),
    (1, 6, 129, 3, 7),
]
EPSILON = {torch.float32: 2.0**-24, torch.float64: 2.0**-53}
NAMES = ("images", "w1", "b1", "w2", "b2")


def device_of(implementation) -> str:
    return "cuda" if implementation.name == "cuda" else "cpu"


def arguments(n, h, w, c, k, dtype=torch.float64, seed=0, device="cpu") -> list[Tensor]:
    generator = np.random.default_rng(seed)
    shapes = [(n, 3, h, w), (c, 3, k, k), (c,), (3, c, k, k), (3,)]
    return [torch.from_numpy(generator.standard_normal(shape)).to(dtype).to(device) for shape in shapes]


def gradients(function, inputs: list[Tensor], above: Tensor) -> list[Tensor]:
    leaves = [one.detach().clone().requires_grad_() for one in inputs]
    return list(torch.autograd.grad(function(*leaves), leaves, above))


def bits(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().numpy().tobytes()


def looped(images, w1, b1, w2, b2):
    """The definition, pixel by pixel: the hidden image is zero outside, and so is the image."""
    n, _, height, width = images.shape
    hidden_count, k, radius = len(b1), w1.shape[-1], w1.shape[-1] // 2

    def convolve(source, weight, bias):
        out = np.zeros((n, len(bias), height, width))
        for y in range(height):
            for x in range(width):
                out[:, :, y, x] = bias
                for dy in range(-radius, radius + 1):
                    for dx in range(-radius, radius + 1):
                        if 0 <= y + dy < height and 0 <= x + dx < width:
                            tap = weight[:, :, dy + radius, dx + radius]
                            out[:, :, y, x] += source[:, :, y + dy, x + dx] @ tap.T
        return out

    assert w1.shape == (hidden_count, 3, k, k)
    return convolve(convolve(images, w1, b1), w2, b2)


@pytest.mark.parametrize("shape", [s for s in SHAPES if s[1] * s[2] <= 50], ids=str)
def test_twin_is_the_plain_sum(shape):
    inputs = arguments(*shape)
    expected = looped(*(one.numpy() for one in inputs))
    np.testing.assert_allclose(
        reference.augment(*inputs).numpy(), expected, rtol=0, atol=1e-12 * np.abs(expected).max()
    )


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_float64_is_the_twin(compiled, shape):
    inputs = arguments(*shape, device=device_of(compiled))
    expected = reference.augment(*inputs)
    assert (compiled.augment(*inputs) - expected).abs().max() <= 1e-12 * expected.abs().max()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_float64_gradients_are_the_twins(compiled, shape):
    inputs = arguments(*shape, device=device_of(compiled))
    above = arguments(*shape, seed=1, device=device_of(compiled))[0]
    expected = gradients(reference.augment, inputs, above)
    for name, got, want in zip(NAMES, gradients(compiled.augment, inputs, above), expected, strict=True):
        assert got.shape == want.shape
        assert (got - want).abs().max() <= 1e-12 * want.abs().max(), name


@pytest.mark.parametrize("shape", [*SHAPES, (2, 128, 128, 32, 3)], ids=str)
def test_float32_error_is_bounded(compiled, shape):
    """A sum of T products in any order is off by at most (T + 2) u times the sum of their magnitudes; the twin of
    the magnitudes is an upper bound of that sum, since the folded weights are sums with cancellation.
    """
    inputs = arguments(*shape, dtype=torch.float32, device=device_of(compiled))
    terms = 3 * (2 * shape[4] - 1) ** 2
    exact = reference.augment(*(one.double() for one in inputs))
    scale = reference.augment(*(one.double().abs() for one in inputs))
    error = (compiled.augment(*inputs).double() - exact).abs()
    assert (error <= (terms + 2) * EPSILON[torch.float32] * scale).all()


@pytest.mark.parametrize("shape", [*SHAPES, (2, 128, 128, 32, 3)], ids=str)
def test_float32_gradients_are_bounded(compiled, shape):
    """As above. Products of weight gradients are summed in float32 over at most 2,048 pixels, in four lanes or more,
    and in float64 from there on.
    """
    inputs = arguments(*shape, dtype=torch.float32, device=device_of(compiled))
    above = arguments(*shape, dtype=torch.float32, seed=1, device=device_of(compiled))[0]
    terms = 3 * (2 * shape[4] - 1) ** 2
    exact = gradients(reference.augment, [one.double() for one in inputs], above.double())
    scale = gradients(reference.augment, [one.double().abs() for one in inputs], above.double().abs())
    got = gradients(compiled.augment, inputs, above)
    for name, one, want, size in zip(NAMES, got, exact, scale, strict=True):
        count = terms if name == "images" else 2048 // 4
        assert ((one.double() - want).abs() <= (count + 2) * EPSILON[torch.float32] * size).all(), name


def test_every_level_is_the_twin(isa):
    inputs, above = arguments(2, 37, 45, 6, 3), arguments(2, 37, 45, 6, 3, seed=1)[0]
    cpp = kernels.implementation("cpp")
    expected = reference.augment(*inputs)
    assert (cpp.augment(*inputs) - expected).abs().max() <= 1e-12 * expected.abs().max(), isa
    pairs = zip(gradients(cpp.augment, inputs, above), gradients(reference.augment, inputs, above), strict=True)
    assert all((got - want).abs().max() <= 1e-12 * want.abs().max() for got, want in pairs), isa


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("shape", [(5, 70, 50, 8, 3), (1, 130, 33, 3, 5)], ids=str)
def test_bits_do_not_depend_on_threads(isa, shape, dtype):
    inputs, above = arguments(*shape, dtype=dtype), arguments(*shape, dtype=dtype, seed=1)[0]
    cpp = kernels.implementation("cpp")
    before = torch.get_num_threads()
    seen = set()
    try:
        for threads in range(1, 9):
            torch.set_num_threads(threads)
            results = [cpp.augment(*inputs), *gradients(cpp.augment, inputs, above)]
            seen.add(tuple(bits(one) for one in results))
    finally:
        torch.set_num_threads(before)
    assert len(seen) == 1, isa


def test_an_image_does_not_depend_on_the_batch(compiled):
    inputs = arguments(5, 40, 21, 4, 3, dtype=torch.float32, device=device_of(compiled))
    whole = compiled.augment(*inputs)
    for n in range(5):
        assert bits(compiled.augment(inputs[0][n : n + 1], *inputs[1:])) == bits(whole[n : n + 1])


LAYOUTS = {
    "channels last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "every second row": lambda x: x.repeat_interleave(2, dim=2)[:, :, ::2],
    "every second column": lambda x: x.repeat_interleave(2, dim=3)[:, :, :, ::2],
    "inside a larger one": lambda x: torch.nn.functional.pad(x, (3, 2, 1, 1))[:, :, 1:-1, 3:-2],
    "expanded": lambda x: x[:1].expand_as(x),
    "transposed": lambda x: x.transpose(2, 3).contiguous().transpose(2, 3),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_strides_change_no_bit(compiled, layout):
    images, *weights = arguments(3, 12, 13, 4, 3, dtype=torch.float32, device=device_of(compiled))
    above = arguments(3, 12, 13, 4, 3, dtype=torch.float32, seed=1, device=device_of(compiled))[0]
    strided = LAYOUTS[layout](images)
    assert layout == "expanded" or torch.equal(strided, images)
    before = bits(strided)
    assert bits(compiled.augment(strided, *weights)) == bits(compiled.augment(strided.contiguous(), *weights))
    leaves = [one.clone().requires_grad_() for one in weights]
    up = LAYOUTS[layout](above)
    got = torch.autograd.grad(compiled.augment(strided, *leaves), leaves, up)
    want = torch.autograd.grad(compiled.augment(strided.contiguous(), *leaves), leaves, up.contiguous())
    assert [bits(one) for one in got] == [bits(one) for one in want]
    assert bits(strided) == before


@pytest.mark.parametrize("shape", [(0, 3, 8, 8), (2, 3, 0, 8), (2, 3, 8, 0)], ids=str)
def test_empty_batches(compiled, shape):
    device = device_of(compiled)
    weights = arguments(1, 1, 1, 4, 3, device=device)[1:]
    leaves = [torch.zeros(shape, dtype=torch.float64, device=device), *weights]
    leaves = [one.requires_grad_() for one in leaves]
    result = compiled.augment(*leaves)
    assert result.shape == shape
    assert all(not one.any() for one in torch.autograd.grad(result.sum(), leaves))


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")], ids=str)
@pytest.mark.parametrize("where", [(0, 0), (3, 7), (11, 12)], ids=str)
def test_what_is_not_finite_reaches_its_neighbourhood_only(compiled, k, value, where):
    images, *weights = arguments(2, 12, 13, 4, k, device=device_of(compiled))
    images[1, 2, where[0], where[1]] = value
    result = compiled.augment(images, *weights)
    assert torch.equal(torch.isfinite(result), torch.isfinite(reference.augment(images, *weights)))
    rows, columns = torch.arange(12)[:, None], torch.arange(13)[None, :]
    near = ((rows - where[0]).abs() < k) & ((columns - where[1]).abs() < k)
    assert torch.isfinite(result[0]).all()
    assert torch.equal(torch.isfinite(result[1].cpu()), (~near).expand(3, 12, 13))


def test_a_nan_in_the_images_is_seen_in_the_weight_gradients(compiled):
    inputs = arguments(2, 12, 13, 4, 3, device=device_of(compiled))
    inputs[0][0, 1, 5, 5] = float("nan")
    above = torch.ones_like(inputs[0])
    for got, want in zip(
        gradients(compiled.augment, inputs, above), gradients(reference.augment, inputs, above), strict=True
    ):
        assert torch.equal(torch.isnan(got), torch.isnan(want))


@pytest.mark.parametrize("shape", [(1, 1, 2, 1, 3), (1, 2, 4, 1, 3)], ids=str)
def test_gradcheck(compiled, shape):
    inputs = [one.requires_grad_() for one in arguments(*shape, device=device_of(compiled))]
    assert torch.autograd.gradcheck(compiled.augment, inputs)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1, 1, 2, 1, 3), (1, 2, 4, 1, 3)], ids=str)
def test_gradgradcheck(compiled, shape, varies):
    inputs = [one.requires_grad_() for one in arguments(*shape, device=device_of(compiled))]
    assert torch.autograd.gradgradcheck(compiled.augment, inputs, nondet_tol=varies)


@pytest.mark.parametrize("shape", [(2, 4, 3, 2, 3), (2, 2, 6, 2, 5)], ids=str)
def test_gradcheck_along_random_directions(compiled, shape, varies):
    inputs = [one.requires_grad_() for one in arguments(*shape, device=device_of(compiled))]
    assert torch.autograd.gradcheck(compiled.augment, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(compiled.augment, inputs, fast_mode=True, nondet_tol=varies)


def test_only_what_is_asked_for(compiled):
    images, *weights = arguments(1, 6, 6, 2, 3, device=device_of(compiled))
    expected = gradients(compiled.augment, [images, *weights], torch.ones_like(images))
    (of_images,) = torch.autograd.grad(compiled.augment(images.requires_grad_(), *weights).sum(), [images])
    assert bits(of_images) == bits(expected[0])
    images = images.detach()
    w2 = weights[2].requires_grad_()
    (of_w2,) = torch.autograd.grad(compiled.augment(images, *weights).sum(), [w2])
    assert bits(of_w2) == bits(expected[3])


def test_the_operators_are_well_formed():
    inputs = [one.requires_grad_() for one in arguments(2, 5, 6, 3, 3)]
    above = torch.ones_like(inputs[0], requires_grad=False)
    checks = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(_augment._augment, inputs, test_utils=checks)
    torch.library.opcheck(_augment._augment_gradients, (above, *inputs, True, True), test_utils=checks)


def broken(**changes):
    names = dict(zip(NAMES, arguments(1, 4, 4, 2, 3), strict=True))
    return names | changes


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"images": np.zeros((1, 3, 4, 4))}, TypeError, r"images: expected a torch\.Tensor, got ndarray"),
        ({"images": torch.zeros(1, 3, 4, 4, dtype=torch.float16)}, TypeError, "images: expected float32 or float64"),
        ({"images": torch.zeros(3, 4, 4, dtype=torch.float64)}, ValueError, r"images: expected shape \(N, 3, H, W\)"),
        ({"images": torch.zeros(1, 4, 4, 4, dtype=torch.float64)}, ValueError, "images: expected 3 channels"),
        ({"w1": torch.zeros(2, 3, 3, 3)}, TypeError, "w1: expected torch.float64 as images, got torch.float32"),
        ({"w1": torch.zeros(2, 3, 2, 2, dtype=torch.float64)}, ValueError, "w1: .* k odd"),
        ({"w1": torch.zeros(2, 3, 3, 5, dtype=torch.float64)}, ValueError, "w1: expected"),
        ({"w1": torch.zeros(0, 3, 3, 3, dtype=torch.float64)}, ValueError, "w1: expected .* C at least 1"),
        ({"b1": torch.zeros(3, dtype=torch.float64)}, ValueError, r"b1: expected \(2,\)"),
        ({"w2": torch.zeros(3, 2, 5, 5, dtype=torch.float64)}, ValueError, r"w2: expected \(3, 2, 3, 3\)"),
        ({"b2": torch.zeros(2, dtype=torch.float64)}, ValueError, r"b2: expected \(3,\)"),
    ],
)
def test_wrong_arguments_are_named(changes, error, message):
    with pytest.raises(error, match=message):
        kernels.augment(**broken(**changes))


# ---- recorded from the authors' module (tests/golden/README.md) ------------------------------------------------------


def golden_weights(base: int, c: int, k: int, dtype: torch.dtype) -> list[Tensor]:
    shapes = [(c, 3, k, k), (c,), (3, c, k, k), (3,)]
    fans = [3 * k * k, 3 * k * k, c * k * k, c * k * k]
    return [
        (formulas.u(base + t, *shape) / fan**0.5).to(dtype)
        for t, (shape, fan) in enumerate(zip(shapes, fans, strict=True))
    ]


@pytest.fixture(params=["float64", "float32"])
def recorded(request, golden: Path):
    pieces = json.loads((golden / "pieces.json").read_text())[request.param]
    return pieces, getattr(torch, request.param), {"float64": (1e-9, 1e-12), "float32": (2e-4, 1e-4)}[request.param]


@pytest.mark.parametrize("name", ["reference", "cpp"])
def test_golden_batch(recorded, name):
    pieces, dtype, (relative, absolute) = recorded
    piece = pieces["augmenter"]
    x = torch.stack([formulas.image(0, 0, dtype, 128, 128), formulas.image(5, 1, dtype, 128, 128)]).requires_grad_()
    weights = [one.requires_grad_() for one in golden_weights(500, 32, 3, dtype)]
    output = kernels.implementation(name).augment(x, *weights)
    close = {"rtol": relative, "atol": absolute}
    flat = output.detach().double().flatten()
    np.testing.assert_allclose(flat.sum(), piece["output"]["sum"], **close)
    np.testing.assert_allclose(flat.norm(), piece["output"]["norm"], **close)
    for place, value in piece["output"]["at_flat"].items():
        np.testing.assert_allclose(flat[int(place)], value, **close)
    target = x.detach()
    loss = ((output - target) ** 2).mean()
    np.testing.assert_allclose(loss.item(), piece["mse"], rtol=1e-9 if dtype == torch.float64 else 1e-5)
    grads = torch.autograd.grad(loss, [*weights, x])
    keys = ("conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias")
    for key, grad in zip(keys, grads[:4], strict=True):
        np.testing.assert_allclose(grad.double().norm(), piece["grad_norms"][key], **close)
        np.testing.assert_allclose(grad.double().sum(), piece["grad_sums"][key], **close)
    np.testing.assert_allclose(grads[4].double().norm(), piece["input_grad_of_output_path"]["norm"], **close)


@pytest.mark.parametrize("name", ["reference", "cpp"])
def test_golden_small_images(recorded, name):
    pieces, dtype, (relative, absolute) = recorded
    augment = kernels.implementation(name).augment
    small = augment(formulas.image(1, 0, dtype, 3, 5)[None], *golden_weights(500, 32, 3, dtype))
    np.testing.assert_allclose(
        small.double().flatten(), pieces["augmenter_3x5"]["output"], rtol=relative, atol=absolute
    )
    piece = pieces["augmenter_k5_c4_12x9"]["output"]
    large = augment(formulas.image(1, 0, dtype, 12, 9)[None], *golden_weights(520, 4, 5, dtype)).double().flatten()
    np.testing.assert_allclose(large.norm(), piece["norm"], rtol=relative, atol=absolute)
    for place, value in piece["at_flat"].items():
        np.testing.assert_allclose(large[int(place)], value, rtol=relative, atol=absolute)
