"""Radial profiles: how much power an image has at each frequency, whatever the direction.

    P(r)      mean of |F|^2 over the frequencies with floor(sqrt(fx^2 + fy^2)) = r  (kernels.radial_spectrum)
    profile   mean over tiles of log10 P(r), r = 0 .. 63 for tiles of 128 pixels

F is the un-normalised DFT of the channel in [0, 1]; no window, the mean is not removed. Bin r holds the
frequencies from r/N up to, not including, (r+1)/N cycles a pixel. An image of any size and the training
images of a class, one tile each, have the same expectation, so the two can be drawn in one figure.

Source: the azimuthal integral of POSE, Fig. 2 (after Durall et al. 2020), which leaves binning and scale open;
ours are those of tests/golden/spectrum.json.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from forensic import kernels

if TYPE_CHECKING:
    import numpy.typing as npt

CHANNELS = ("luminance", "red", "green", "blue")

_WEIGHTS = {
    "luminance": (0.299, 0.587, 0.114),
    "red": (1.0, 0.0, 0.0),
    "green": (0.0, 1.0, 0.0),
    "blue": (0.0, 0.0, 1.0),
}

LEAST_POWER = 1e-8
"""Smaller powers count as this. One pixel that differs by one level in blue alone has 2.0e-7 at every frequency, so no
picture but an even one is touched; rounding noise of float64 (1e-20 here) is: it would differ between processors."""


def channel_planes(tiles: npt.NDArray[np.uint8], channel: str = "luminance") -> npt.NDArray[np.float64]:
    """One plane a tile, in [0, 1].

    Args:
        tiles: (T, 3, H, W) uint8, planar RGB.
        channel: one of `CHANNELS`; luminance is 0.299 R + 0.587 G + 0.114 B, as JPEG has it.

    Returns:
        (T, H, W) float64.

    Raises:
        TypeError: the tiles are not uint8.
        ValueError: their shape is not (T, 3, H, W), or the channel has another name.
    """
    if tiles.dtype != np.uint8:
        raise TypeError(f"tiles: expected uint8, got {tiles.dtype}")
    if tiles.ndim != 4 or tiles.shape[1] != 3:
        raise ValueError(f"tiles: expected (T, 3, H, W), got {tiles.shape}")
    if channel not in _WEIGHTS:
        raise ValueError(f"channel: expected one of {', '.join(CHANNELS)}, got {channel!r}")
    red, green, blue = (weight / 255.0 for weight in _WEIGHTS[channel])
    planes: npt.NDArray[np.float64] = red * tiles[:, 0] + green * tiles[:, 1] + blue * tiles[:, 2]
    return planes


def log_profiles(planes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """log10 of the radial power of each plane.

    Args:
        planes: (T, H, W) float64.

    Returns:
        (T, min(H, W) // 2) float64, finite: powers under `LEAST_POWER` count as that.
    """
    power = kernels.radial_spectrum(torch.from_numpy(np.ascontiguousarray(planes))).numpy()
    logs: npt.NDArray[np.float64] = np.log10(np.maximum(power, LEAST_POWER))
    return logs


def log_radial(tiles: npt.NDArray[np.uint8], channel: str = "luminance") -> npt.NDArray[np.float32]:
    """The profile of an image: mean over its tiles of log10 of the radial power.

    Args:
        tiles: (T, 3, N, N) uint8, planar RGB, T >= 1; N = 128 wherever a profile is compared with a class.
        channel: one of `CHANNELS`; class spectra are of the luminance.

    Returns:
        (N // 2,) float32, finite, in decades of |F|^2 for a channel in [0, 1].

    Raises:
        TypeError: the tiles are not uint8.
        ValueError: no tile, another shape, or another channel.
    """
    if tiles.shape[0] == 0:
        raise ValueError("tiles: expected at least one tile, got none")
    mean: npt.NDArray[np.float64] = log_profiles(channel_planes(tiles, channel)).mean(axis=0)
    return mean.astype(np.float32)


def frequencies(bins: int) -> npt.NDArray[np.float64]:
    """Where each bin of a profile begins, in cycles a pixel: r / (2 bins), from 0 up to but not including 0.5."""
    return np.arange(bins, dtype=np.float64) / (2 * bins)


class RunningSpread:
    """Mean and standard deviation of profiles that come one by one, without keeping them (Welford's sums).

    Args:
        bins: length of each profile.
    """

    def __init__(self, bins: int) -> None:
        self.count = 0
        self._mean = np.zeros(bins)
        self._squares = np.zeros(bins)

    def add(self, profile: npt.NDArray[np.floating]) -> None:
        """Take one more profile, (bins,).

        Raises:
            ValueError: another length.
        """
        if profile.shape != self._mean.shape:
            raise ValueError(f"profile: expected shape {self._mean.shape}, got {profile.shape}")
        self.count += 1
        step = profile.astype(np.float64) - self._mean
        self._mean = self._mean + step / self.count
        self._squares = self._squares + step * (profile.astype(np.float64) - self._mean)

    @property
    def mean(self) -> npt.NDArray[np.float64]:
        """(bins,) mean of what was added.

        Raises:
            ValueError: nothing was added.
        """
        if self.count == 0:
            raise ValueError("mean: nothing was added")
        return self._mean.copy()

    @property
    def spread(self) -> npt.NDArray[np.float64]:
        """(bins,) sample standard deviation (n - 1); zeros for a single profile.

        Raises:
            ValueError: nothing was added.
        """
        if self.count == 0:
            raise ValueError("spread: nothing was added")
        deviation: npt.NDArray[np.float64] = np.sqrt(self._squares / max(self.count - 1, 1))
        return deviation
