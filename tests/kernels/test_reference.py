"""The twins of dct2 and radial_spectrum against sums written out, so that nothing rests on a library's word alone."""

from __future__ import annotations

import cmath
import math

import pytest
import torch

from forensic.kernels import reference


def test_dct_matrix_is_orthogonal() -> None:
    for length in (1, 2, 3, 8, 31):
        matrix = reference.dct_matrix(length)
        torch.testing.assert_close(matrix @ matrix.T, torch.eye(length, dtype=torch.float64), rtol=0, atol=1e-13)


def test_dct2_is_the_double_sum(planes) -> None:
    x = planes((4, 5))
    found = reference.dct2(x)
    for k in range(4):
        for n in range(5):
            scale = math.sqrt((1 if k == 0 else 2) / 4) * math.sqrt((1 if n == 0 else 2) / 5)
            total = sum(
                float(x[i, j]) * math.cos(math.pi * (2 * i + 1) * k / 8) * math.cos(math.pi * (2 * j + 1) * n / 10)
                for i in range(4)
                for j in range(5)
            )
            assert float(found[k, n]) == pytest.approx(scale * total, abs=1e-13)


@pytest.mark.parametrize("shape", [(4, 4), (4, 6), (7, 5)], ids=str)
def test_radial_spectrum_is_the_double_sum(planes, shape) -> None:
    x = planes(shape)
    height, width = shape
    short = min(shape)
    rings: dict[int, list[float]] = {}
    for k in range(height):
        for n in range(width):
            total = sum(
                float(x[i, j]) * cmath.exp(-2j * math.pi * (k * i / height + n * j / width))
                for i in range(height)
                for j in range(width)
            )
            fy = min(k, height - k) * short / height
            fx = min(n, width - n) * short / width
            rings.setdefault(math.floor(math.hypot(fx, fy) + 1e-9), []).append(abs(total) ** 2)
    found = reference.radial_spectrum(x)
    assert len(found) == short // 2
    for ring, value in enumerate(found.tolist()):
        assert value == pytest.approx(sum(rings[ring]) / len(rings[ring]), rel=1e-11)


def test_gradient_formula_is_autograds(planes) -> None:
    x = planes((2, 6, 5)).requires_grad_()
    weights = planes((2, 2))
    (expected,) = torch.autograd.grad(reference.radial_spectrum(x), x, weights)
    torch.testing.assert_close(reference.radial_spectrum_gradient(x, weights), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("length", [1, 5, 128, 200, 1000])
def test_resampling_weights_sum_to_one(length) -> None:
    for first, weights in reference.resampling_weights(length, 128):
        assert first >= 0
        assert first + len(weights) <= length
        assert abs(sum(weights) - (1 << 22)) <= len(weights)
