"""radial_spectrum: recorded double sums and NumPy's FFT are the second opinions on twin and compiled kernels."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from forensic import kernels as public
from forensic.kernels import _radial, backend, reference

# powers of two, odd, primes, products of other primes, tall, wide, lines that a block on a device can not hold
SHAPES = [
    (2, 2, 2),
    (1, 3, 3),
    (3, 4, 4),
    (1, 5, 4),
    (2, 8, 2),
    (2, 16, 16),
    (1, 31, 33),
    (2, 17, 130),
    (1, 97, 64),
    (1, 100, 96),
    (2, 128, 128),
    (1, 105, 22),
    (2, 3, 12, 40),
    (1, 4, 3200),
    (1, 3108, 3),
]
EPSILON = {torch.float32: 2.0**-24, torch.float64: 2.0**-53}


def second_opinion(images: torch.Tensor) -> np.ndarray:
    """Rings by rational comparison: frequency f is on ring r if r^2 <= f^2 < (r + 1)^2."""
    values = images.double().cpu().numpy()
    height, width = values.shape[-2:]
    short = min(height, width)
    power = np.abs(np.fft.fft2(values)) ** 2
    k = np.rint(np.fft.fftfreq(height) * height).astype(np.int64)[:, None]
    n = np.rint(np.fft.fftfreq(width) * width).astype(np.int64)[None, :]
    squared = (k * k * (width * short) ** 2 + n * n * (height * short) ** 2).astype(object)  # times (H W)^2
    whole = (height * width) ** 2
    rings = []
    for r in range(short // 2):
        on = np.array((squared >= r * r * whole) & (squared < (r + 1) ** 2 * whole), dtype=bool)
        rings.append(power[..., on].mean(axis=-1))
    return np.stack(rings, axis=-1) if rings else np.empty((*values.shape[:-2], 0))


def error_bound(shape: tuple[int, ...], dtype: torch.dtype) -> float:
    """Share of the total power of a plane: an FFT errs by about 3 roundings a stage relative to the norm."""
    return EPSILON[dtype] * 2 * (3 * (math.log2(shape[-2]) + math.log2(shape[-1])) + math.sqrt(max(shape[-2:])) + 4)


def total_power(images: torch.Tensor) -> float:
    height, width = images.shape[-2:]
    return float((images.double() ** 2).sum(dim=(-2, -1)).max()) * height * width


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_numpy(kernels, device, planes, shape, dtype) -> None:
    images = planes(shape, dtype, device)
    found = kernels.radial_spectrum(images)
    expected = second_opinion(images)
    assert found.shape == expected.shape == (*shape[:-2], min(shape[-2:]) // 2)
    assert found.dtype == dtype
    error = np.abs(found.double().cpu().numpy() - expected).max()
    assert error <= error_bound(shape, dtype) * total_power(images)
    if dtype == torch.float64:
        assert error <= 1e-12 * total_power(images)


def golden_plane(name: str, image_u8) -> np.ndarray:
    """Image A or B of golden/README.md, (N, N) float64."""
    size = int(name[1:])
    if name[0] == "A":
        return image_u8(2, 1, size, size)[:, :, 0] / 255
    y, x = np.ogrid[:size, :size]
    return 0.5 + 0.25 * np.cos(2 * np.pi * (3 * x + 2 * y) / size) + 0.125 * np.sin(2 * np.pi * 5 * y / size)


@pytest.mark.parametrize("name", ["A16", "A32", "B16", "B32"])
def test_golden_power_of_the_rings(kernels, device, image_u8, golden: Path, name) -> None:
    recorded = json.loads((golden / "spectrum.json").read_text())["profiles"][name]
    image = golden_plane(name, image_u8)
    found = kernels.radial_spectrum(torch.from_numpy(image).to(device)).cpu().numpy()
    atol = 1e-12 * recorded["total_power"]
    np.testing.assert_allclose(found, recorded["floor"]["power_mean"], rtol=0, atol=atol)
    size = len(image)
    counts = np.bincount(reference.ring_of(size, size).flatten().numpy())[: size // 2]
    assert counts.tolist() == recorded["floor"]["count"]
    np.testing.assert_allclose(found * counts, recorded["floor"]["power_sum"], rtol=0, atol=atol)
    # the mean frequency is the sum of the plane, squared
    assert found[0] == pytest.approx(recorded["input_sum"] ** 2, abs=atol)


@pytest.mark.parametrize("name", ["A16", "A32", "B16", "B32"])
def test_golden_profiles_and_the_second_opinion_are_one(image_u8, golden: Path, name) -> None:
    """What the kernels answer to answers to the recorded sums itself, where the kernels have no such form too."""
    recorded = json.loads((golden / "spectrum.json").read_text())
    tolerance, recorded = recorded["tolerance"], recorded["profiles"][name]
    assert tolerance.startswith("power: 1e-12 of total_power, absolute; magnitude: 1e-12 of sqrt(total_power)")
    image = golden_plane(name, image_u8)
    size, total = len(image), recorded["total_power"]
    floor = recorded["floor"]
    np.testing.assert_allclose(second_opinion(torch.from_numpy(image)), floor["power_mean"], rtol=0, atol=1e-12 * total)
    magnitude = np.abs(np.fft.fft2(image))
    assert image.sum() == pytest.approx(recorded["input_sum"], rel=1e-14)
    assert (magnitude**2).sum() == pytest.approx(total, rel=1e-12)
    k = np.rint(np.fft.fftfreq(size) * size).astype(np.int64)
    squared = k[:, None] ** 2 + k**2
    for rounding, bins in (("floor", floor), ("round", recorded["round"])):
        for r in range(size // 2):
            # floor: r <= sqrt(s) < r + 1; round half up: r - 1/2 <= sqrt(s) < r + 1/2; both in whole numbers
            low, high = (r, r + 1) if rounding == "floor" else (2 * r - 1, 2 * r + 1)
            scaled = squared if rounding == "floor" else 4 * squared
            on = (scaled < high**2) & ((scaled >= low**2) | (r == 0))
            assert on.sum() == bins["count"][r]
            power = (magnitude[on] ** 2).sum()
            assert power == pytest.approx(bins["power_sum"][r], abs=1e-12 * total, rel=0)
            assert power / on.sum() == pytest.approx(bins["power_mean"][r], abs=1e-12 * total, rel=0)
            assert magnitude[on].sum() == pytest.approx(bins["magnitude_sum"][r], abs=1e-12 * total**0.5, rel=0)


def test_rings_of_a_plane_that_is_not_square(kernels, device) -> None:
    """Eight cycles along 32 columns are, on a plane 16 high, as fine as four along 16 rows: ring 4."""
    y, x = np.ogrid[:16, :32]
    for wave in (np.cos(2 * np.pi * 8 * x / 32) + 0 * y, np.cos(2 * np.pi * 4 * y / 16) + 0 * x):
        found = kernels.radial_spectrum(torch.from_numpy(wave).to(device)).cpu().numpy()
        assert int(found.argmax()) == 4
        assert found[[0, 1, 2, 3, 5, 6, 7]].max() < 1e-20 * found[4]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.usefixtures("isa")
def test_every_level(planes, shape) -> None:
    images = planes(shape)
    found = public.implementation("cpp").radial_spectrum(images).numpy()
    np.testing.assert_allclose(found, second_opinion(images), rtol=0, atol=1e-12 * total_power(images))
    weights = planes(found.shape)
    gradient = _radial._radial_spectrum_gradient(images, weights)
    twin = reference.radial_spectrum_gradient(images, weights)
    torch.testing.assert_close(gradient, twin, rtol=0, atol=1e-12 * max(float(twin.abs().max()), 1.0) * shape[-1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.usefixtures("isa")
def test_bits_do_not_depend_on_threads(planes, with_threads, dtype) -> None:
    images = planes((7, 33, 40), dtype)
    spectra, gradients = [], []
    for count in range(1, 9):
        with_threads(count)
        leaf = images.clone().requires_grad_()
        spectrum = public.implementation("cpp").radial_spectrum(leaf)
        spectrum.sum().backward()
        spectra.append(spectrum.detach())
        gradients.append(leaf.grad)
    assert all(torch.equal(spectra[0], one) for one in spectra)
    assert all(torch.equal(gradients[0], one) for one in gradients)


@pytest.mark.parametrize("shape", [(2, 6, 9), (2, 16, 8)], ids=str)
def test_strides_change_no_bit(compiled, compiled_device, planes, layout, shape) -> None:
    images = planes(shape, torch.float32, compiled_device)
    strided = layout(images)
    before = strided.clone()
    spectra, gradients = [], []
    for one in (strided, images):
        leaf = one.detach().requires_grad_()
        spectrum = compiled.radial_spectrum(leaf)
        spectra.append(spectrum.detach())
        gradients += torch.autograd.grad(spectrum, leaf, spectrum.detach().flip(0))
    assert torch.equal(*spectra)
    assert torch.equal(*gradients)
    assert torch.equal(strided, before)


@pytest.mark.parametrize("height", [10, 11])
def test_a_plane_does_not_depend_on_the_others(compiled, compiled_device, planes, height) -> None:
    images = planes((37, height, 14), torch.float32, compiled_device)
    whole = compiled.radial_spectrum(images)
    for n in (0, 17, 36):
        assert torch.equal(compiled.radial_spectrum(images[n : n + 1]), whole[n : n + 1])


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 50), st.integers(1, 50), st.integers(0, 3))
def test_any_size(height, width, count) -> None:
    images = torch.from_numpy(np.random.default_rng(height * width).uniform(0, 1, (count, height, width)))
    found = public.implementation("cpp").radial_spectrum(images).numpy()
    expected = second_opinion(images)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * (height * width) ** 2)


@st.composite
def views(draw: st.DrawFn) -> torch.Tensor:
    """(P, H, W) of either dtype: any order of axes, steps, a start inside a larger one; small and large values."""
    shape = draw(st.tuples(st.integers(1, 3), st.integers(2, 24), st.integers(2, 24)))
    order = draw(st.permutations(range(3)))
    steps = draw(st.tuples(*[st.integers(1, 3)] * 3))
    starts = draw(st.tuples(*[st.integers(0, 2)] * 3))
    stored = [start + step * extent for start, step, extent in zip(starts, steps, shape, strict=True)]
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = random.standard_normal([stored[axis] for axis in order]) * 10.0 ** draw(st.integers(-6, 6))
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    larger = torch.from_numpy(values).to(dtype).permute(*np.argsort(order).tolist())
    return larger[tuple(slice(start, None, step) for start, step in zip(starts, steps, strict=True))]


@settings(max_examples=60, deadline=None)
@given(views(), st.integers(1, 8), st.sampled_from(backend.native().supported_isas()))
def test_any_view_value_level_and_number_of_threads(images, threads, level) -> None:
    native = backend.native()
    before, chosen = torch.get_num_threads(), native.isa()
    torch.set_num_threads(threads)
    native.set_isa(level)
    try:
        found = public.implementation("cpp").radial_spectrum(images)
    finally:
        torch.set_num_threads(before)
        native.set_isa(chosen)
    error = np.abs(found.double().numpy() - second_opinion(images)).max()
    assert error <= error_bound(images.shape, images.dtype) * total_power(images)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.usefixtures("isa")
def test_gradient_of_every_level_is_bounded(planes, shape, dtype) -> None:
    images, weights = planes(shape, dtype), planes((*shape[:-2], min(shape[-2:]) // 2), dtype)
    assert_gradient(_radial._radial_spectrum_gradient(images, weights), images, weights)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradient_is_bounded(compiled, compiled_device, planes, shape, dtype) -> None:
    images = planes(shape, dtype, compiled_device).requires_grad_()
    weights = planes((*shape[:-2], min(shape[-2:]) // 2), dtype, compiled_device)
    (found,) = torch.autograd.grad(compiled.radial_spectrum(images), images, weights)
    assert_gradient(found, images.detach(), weights)


def assert_gradient(found: torch.Tensor, images: torch.Tensor, weights: torch.Tensor) -> None:
    """Two transforms there and back, so twice the roundings of one; relative to the norm of what is transformed."""
    twin = reference.radial_spectrum_gradient(images.double(), weights.double())
    count = math.prod(images.shape[-2:])
    norm = images.double().square().sum(dim=(-2, -1)).max().sqrt() * weights.double().abs().max() * count
    assert (found.double() - twin).abs().max() <= 4 * error_bound(images.shape, images.dtype) * norm


@pytest.mark.parametrize("shape", [(2, 4, 8), (1, 5, 5), (1, 3, 2)], ids=str)
def test_gradients_of_both_orders(kernels, device, planes, shape) -> None:
    images = planes(shape, torch.float64, device).requires_grad_()
    assert torch.autograd.gradcheck(kernels.radial_spectrum, images)
    assert torch.autograd.gradgradcheck(kernels.radial_spectrum, images)


def test_operators_are_well_formed(planes) -> None:
    images = planes((2, 8, 6)).requires_grad_()
    torch.library.opcheck(_radial._radial_spectrum, (images,))
    torch.library.opcheck(_radial._radial_spectrum_gradient, (images, planes((2, 3)).requires_grad_()))


@pytest.mark.parametrize("row", [0, 5, -1])
@pytest.mark.parametrize("height", [12, 13])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_spreads_over_its_plane_only(kernels, device, planes, value, height, row) -> None:
    images = planes((3, height, 16), torch.float32, device)
    clean = kernels.radial_spectrum(images)
    images[1, row, 3] = value
    found = kernels.radial_spectrum(images)
    assert not found[1].isfinite().any()
    assert torch.equal(found[[0, 2]], clean[[0, 2]])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("where", ["the images", "the gradient"])
@pytest.mark.parametrize("height", [12, 13])
def test_what_is_not_finite_stays_in_its_plane_of_the_gradient(
    compiled, compiled_device, planes, value, where, height
) -> None:
    images = planes((3, height, 16), torch.float32, compiled_device)
    weights = planes((3, 6), torch.float32, compiled_device)

    def gradient() -> torch.Tensor:
        leaf = images.clone().requires_grad_()
        return torch.autograd.grad(compiled.radial_spectrum(leaf), leaf, weights)[0]

    clean = gradient()
    if where == "the images":
        images[1, height - 1, 2] = value
    else:
        weights[1, 2] = value
    found = gradient()
    assert not found[1].isfinite().any()
    assert torch.equal(found[[0, 2]], clean[[0, 2]])


def test_misaligned_storage_is_refused() -> None:
    memory = np.zeros(8 * 9 + 1, np.uint8)[1:].view("<f8").reshape(1, 3, 3)
    with pytest.raises(ValueError, match="x: expected data aligned to 8 bytes"):
        backend.native().radial_spectrum(memory, np.zeros((1, 1)), 1)


def test_outputs_that_do_not_fit_are_refused_at_the_door() -> None:
    native, images = backend.native(), torch.zeros(2, 6, 8)
    with pytest.raises(ValueError, match=r"y: expected shape \(2, 3\), got \(2, 4\)"):
        native.radial_spectrum(images, torch.zeros(2, 4), 1)
    with pytest.raises(ValueError, match=r"g: expected shape \(2, 3\), got \(1, 3\)"):
        native.radial_spectrum_gradient(images, torch.zeros(1, 3), torch.zeros(2, 6, 8), 1)
    with pytest.raises(ValueError, match="d_x: expected the shape of x"):
        native.radial_spectrum_gradient(images, torch.zeros(2, 3), torch.zeros(2, 6, 7), 1)
    with pytest.raises(ValueError, match="d_x: expected a contiguous tensor"):
        native.radial_spectrum_gradient(images, torch.zeros(2, 3), torch.zeros(2, 8, 6).transpose(1, 2), 1)


@pytest.mark.parametrize("shape", [(0, 8, 8), (2, 0, 8), (2, 8, 0), (3, 1, 1), (3, 1, 9)], ids=str)
def test_no_rings(kernels, device, shape) -> None:
    images = torch.ones(shape, device=device, requires_grad=True)
    found = kernels.radial_spectrum(images)
    assert found.shape == (shape[0], min(shape[1:]) // 2)
    found.sum().backward()
    assert images.grad is not None
    assert not images.grad.any()


@pytest.mark.parametrize(
    ("argument", "error", "message"),
    [
        ("x", TypeError, "images: expected a torch.Tensor, got str"),
        (torch.zeros(2, 2, dtype=torch.complex64), TypeError, "images: expected float32 or float64, got complex64"),
        (torch.zeros(2), ValueError, r"images: expected shape \(..., H, W\), got \(2,\)"),
    ],
)
def test_wrong_arguments_are_named(kernels, argument, error, message) -> None:
    with pytest.raises(error, match=message):
        kernels.radial_spectrum(argument)
