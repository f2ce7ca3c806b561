"""One image to all its spectra, and several images to their mean and spread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from forensic.data.decode import Decoded, decode
from forensic.data.prepare import TILE, prepare
from forensic.errors import Unreadable
from forensic.spectra.profile import RunningSpread, channel_planes, log_radial
from forensic.spectra.views import autocorrelation_view, dct_view, fourier_view

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

PREPROCESSING = "tiles-128-v1"
BINS = TILE // 2
_PREVIEW = 512


@dataclass(frozen=True)
class ImageSpectrum:
    """The spectra of one image, each the mean over its 128 px tiles at native resolution."""

    name: str
    width: int
    height: int
    format: str
    flags: tuple[str, ...]
    channel: str
    tiles: int
    """How many tiles were averaged; at most 25, on a grid of multiples of 16 px."""
    preview: npt.NDArray[np.uint8]
    """(h, w, 3) RGB, every n-th pixel, longest side at most 512."""
    profile: npt.NDArray[np.float32]
    """(64,) log10 of the radial power; bin r begins at r/128 cycles a pixel. Compares with class spectra."""
    fourier: npt.NDArray[np.float64]
    """(128, 128) log10 |F|, frequency 0 in the middle."""
    dct: npt.NDArray[np.float64]
    """(128, 128) log10 |DCT|, what the network is given, frequency 0 at the corner."""
    autocorrelation: npt.NDArray[np.float64]
    """(128, 128) of the high-pass residual, 1 in the middle."""

    @property
    def done(self) -> str:
        """What was done to the image, in words."""
        tiles = "1 tile" if self.tiles == 1 else f"{self.tiles} tiles"
        return f"{PREPROCESSING}: {tiles} of {TILE} px at native resolution, {self.channel}, mean over tiles"


@dataclass(frozen=True)
class GroupSpectrum:
    """Mean and sample standard deviation over images."""

    count: int
    mean: npt.NDArray[np.float64]
    """(64,) of the profiles."""
    spread: npt.NDArray[np.float64]
    """(64,); zeros for a single image."""
    fourier: npt.NDArray[np.float64]
    """(128, 128) mean."""
    dct: npt.NDArray[np.float64]
    """(128, 128) mean."""
    autocorrelation: npt.NDArray[np.float64]
    """(128, 128) mean."""


def read_spectrum(path: Path | str, *, channel: str = "luminance") -> ImageSpectrum:
    """The spectra of one image file; the file is only read.

    Args:
        path: any image that `forensic scan` reads.
        channel: luminance, red, green or blue.

    Raises:
        Unreadable: no such file, no right to read it, or no whole image.
        Skipped: the least side is under 16 pixels.
        ValueError: another channel.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Unreadable((error.strerror or type(error).__name__).lower()) from error
    return spectrum_of(data, name=str(path), channel=channel)


def spectrum_of(data: bytes, *, name: str, channel: str = "luminance") -> ImageSpectrum:
    """The spectra of the bytes of an image file; raises as `read_spectrum` does."""
    return spectrum_of_decoded(decode(data, name=name), name=name, channel=channel)


def spectrum_of_decoded(decoded: Decoded, *, name: str, channel: str = "luminance") -> ImageSpectrum:
    """The spectra of a decoded image.

    Raises:
        Skipped: the least side is under 16 pixels.
        ValueError: another channel than those of `read_spectrum`.
    """
    height, width = decoded.pixels.shape[:2]
    prepared = prepare(decoded.pixels, PREPROCESSING)
    planes = channel_planes(prepared.tiles, channel)
    step = -(-max(height, width) // _PREVIEW)
    return ImageSpectrum(
        name=name,
        width=width,
        height=height,
        format=decoded.format,
        flags=(*decoded.flags, *prepared.flags),
        channel=channel,
        tiles=len(prepared.tiles),
        preview=np.ascontiguousarray(decoded.pixels[::step, ::step]),
        profile=log_radial(prepared.tiles, channel),
        fourier=fourier_view(planes),
        dct=dct_view(planes),
        autocorrelation=autocorrelation_view(planes),
    )


def group_spectrum(spectra: Sequence[ImageSpectrum]) -> GroupSpectrum:
    """Mean and spread over images.

    Raises:
        ValueError: there are none.
    """
    running = RunningSpread(BINS)
    for spectrum in spectra:
        running.add(spectrum.profile)
    return GroupSpectrum(
        count=len(spectra),
        mean=running.mean,
        spread=running.spread,
        fourier=np.mean([spectrum.fourier for spectrum in spectra], axis=0),
        dct=np.mean([spectrum.dct for spectrum in spectra], axis=0),
        autocorrelation=np.mean([spectrum.autocorrelation for spectrum in spectra], axis=0),
    )
