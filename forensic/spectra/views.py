"""Pictures of a spectrum in the plane: Fourier, DCT, autocorrelation; each the mean over an image's tiles.

All three are log10 of magnitudes or a normalised correlation, so that tiles of unlike contrast weigh alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from forensic import kernels
from forensic.spectra.profile import LEAST_POWER

if TYPE_CHECKING:
    import numpy.typing as npt

LEAST_MAGNITUDE = LEAST_POWER**0.5
"""Smaller magnitudes count as this."""


def fourier_view(planes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """log10 |F| of the un-normalised DFT, frequency (0, 0) in the middle.

    Args:
        planes: (T, H, W) float64, T >= 1, a channel in [0, 1].

    Returns:
        (H, W) float64; entry (H // 2, W // 2) is the mean, one step to the right is 1/W cycles a pixel.
    """
    magnitude = np.abs(np.fft.fft2(planes))
    view: npt.NDArray[np.float64] = np.log10(np.maximum(magnitude, LEAST_MAGNITUDE)).mean(axis=0)
    return np.fft.fftshift(view)


def dct_view(planes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """log10 of the orthonormal DCT-II's magnitude, of the channel scaled to [-1, 1] as the network gets it.

    Args:
        planes: (T, H, W) float64, T >= 1, a channel in [0, 1].

    Returns:
        (H, W) float64; entry (0, 0) is the mean, (u, v) has u/2H and v/2W cycles a pixel.
    """
    coefficients = kernels.dct2(torch.from_numpy(np.ascontiguousarray(planes * 2.0 - 1.0))).numpy()
    view: npt.NDArray[np.float64] = np.log10(np.maximum(np.abs(coefficients), LEAST_MAGNITUDE)).mean(axis=0)
    return view


def autocorrelation_view(planes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Circular autocorrelation of what a 3 x 3 mean leaves over, 1 at lag (0, 0), which is in the middle.

    The mean takes the scene away; what an up-sampling repeats every few pixels stays and shows as a lattice.

    Args:
        planes: (T, H, W) float64, T >= 1.

    Returns:
        (H, W) float64 in [-1, 1]; of even tiles, which leave nothing over, 0 but for the middle.
    """
    padded = np.pad(planes, ((0, 0), (1, 1), (1, 1)), mode="edge")
    height, width = planes.shape[1:]
    mean = sum(padded[:, r : r + height, c : c + width] for r in range(3) for c in range(3)) / 9.0
    residual = planes - mean
    residual -= residual.mean(axis=(1, 2), keepdims=True)
    correlation = np.fft.ifft2(np.abs(np.fft.fft2(residual)) ** 2).real
    energy = correlation[:, :1, :1]
    even = energy <= 1e-12 * height * width  # below what one level in one pixel leaves over
    correlation = np.where(even, 0.0, correlation / np.where(even, 1.0, energy))
    correlation[:, 0, 0] = 1.0
    view: npt.NDArray[np.float64] = np.fft.fftshift(correlation.mean(axis=0))
    return view
