"""Which DCT it is: torch-dct 12 and 13, DREAMPlace 89 differed from SciPy and OpenCV by another normalisation."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import scipy.fft
import torch

from forensic import kernels as public


def test_ramp_is_scipys_opencvs_and_the_hands(kernels, device) -> None:
    """DC of an orthonormal transform is the sum divided by the root of the number of pixels."""
    ramp = np.arange(64.0).reshape(8, 8)
    found = kernels.dct2(torch.from_numpy(ramp).to(device))
    assert float(found[0, 0]) == pytest.approx(64 * 31.5 / 8, abs=1e-12)
    for other in (scipy.fft.dctn(ramp, type=2, norm="ortho"), cv2.dct(ramp)):
        np.testing.assert_allclose(found.cpu().numpy(), other, rtol=0, atol=1e-12)
    np.testing.assert_allclose(kernels.idct2(found).cpu().numpy(), ramp, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["dct2", "idct2", "dct2_log"])
def test_documentation_names_the_normalisation(name: str) -> None:
    assert "orthonormal" in (getattr(public, name).__doc__ or "").lower()
