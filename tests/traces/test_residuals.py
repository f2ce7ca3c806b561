"""Residuals against correlation with the filters written out."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from forensic.traces.residuals import BORDER, FILTERS, residuals

_FIRST, _SECOND = np.array([[-1.0, 1.0, 0.0]]), np.array([[1.0, -2.0, 1.0]])
KERNELS = {
    "across": _FIRST,
    "down": _FIRST.T,
    "across twice": _SECOND,
    "down twice": _SECOND.T,
    "both": _FIRST.T @ _FIRST / 2,
    "both twice": _SECOND.T @ _SECOND / 4,
}


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("shape", [(9, 9), (12, 31), (128, 128)])
def test_each_filter_is_a_correlation(name, shape):
    images = np.random.default_rng(len(name)).integers(0, 256, (2, 3, *shape)).astype(np.float32)
    found = residuals(torch.from_numpy(images))[:, FILTERS.index(name)].numpy()
    padded = np.zeros((3, 3))
    kernel = KERNELS[name]
    rows, columns = (slice((3 - size) // 2, (3 + size) // 2) for size in kernel.shape)
    padded[rows, columns] = kernel
    for image, planes in zip(images, found, strict=True):
        for channel, plane in zip(image, planes, strict=True):
            expected = ndimage.correlate(channel.astype(np.float64), padded)[BORDER:-BORDER, BORDER:-BORDER]
            np.testing.assert_array_equal(plane, expected)


@given(level=st.integers(0, 255), slope=st.integers(-3, 3))
def test_what_is_constant_has_none_and_what_is_linear_has_first_ones_only(level, slope):
    ramp = level + slope * torch.arange(20.0)
    found = residuals(ramp.expand(1, 3, 16, 20).contiguous())
    assert (found[:, FILTERS.index("across")] == slope).all()
    assert (found[:, [FILTERS.index(name) for name in FILTERS if name != "across"]] == 0).all()


@pytest.mark.parametrize("shape", [(3, 16, 16), (1, 3, 8, 16), (1, 3, 16, 8)])
def test_what_has_no_inside_is_refused(shape):
    with pytest.raises(ValueError, match="sides above 8"):
        residuals(torch.zeros(shape))
