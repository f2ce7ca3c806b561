"""Spectra as files for other programs: JSON and NPZ. Every number of the figures, and how it was made."""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from forensic.spectra.profile import frequencies
from forensic.spectra.reading import BINS, GroupSpectrum, ImageSpectrum, group_spectrum

if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS = ("radial", "fft", "dct", "autocorrelation")
VIEWS = {"fft": "fourier", "dct": "dct", "autocorrelation": "autocorrelation"}
"""Kind of view -> field that holds it."""
TOLD = {
    "radial": "log10 of the mean of |F|^2 in rings of 1/128 cycle a pixel; bin r begins at r/128",
    "fft": "log10 |F|, un-normalised DFT of the channel in [0, 1], frequency 0 at [64, 64]",
    "dct": "log10 |orthonormal DCT-II|, channel in [-1, 1] as the network gets it, frequency 0 at [0, 0]",
    "autocorrelation": "circular autocorrelation of channel minus its 3 x 3 mean, 1 at lag 0 at [64, 64]",
}
"""Kind -> what its numbers are."""


def summary(spectrum: ImageSpectrum) -> dict[str, Any]:
    """One image without its views: what it is, what was done, and its profile."""
    return {
        "path": spectrum.name,
        "format": spectrum.format,
        "width": spectrum.width,
        "height": spectrum.height,
        "flags": list(spectrum.flags),
        "channel": spectrum.channel,
        "tiles": spectrum.tiles,
        "done": spectrum.done,
        "radial": [float(value) for value in spectrum.profile],
    }


def write_json(spectra: Sequence[ImageSpectrum], kinds: Sequence[str], stream: IO[bytes]) -> None:
    """One JSON object: `meaning`, `frequencies`, `images`, and `group` where there are several."""
    whole: dict[str, Any] = {
        "meaning": {kind: TOLD[kind] for kind in kinds},
        "frequencies": frequencies(BINS).tolist(),
        "images": [_image(spectrum, kinds) for spectrum in spectra],
    }
    if len(spectra) > 1:
        whole["group"] = _group(group_spectrum(spectra), kinds)
    stream.write(json.dumps(whole, ensure_ascii=True, allow_nan=False, indent=1).encode("ascii") + b"\n")


def write_npz(spectra: Sequence[ImageSpectrum], kinds: Sequence[str], stream: IO[bytes]) -> None:
    """Arrays over images: `paths`, `frequencies` and one array for each kind, images along the first axis."""
    arrays: dict[str, Any] = {
        "paths": np.array([spectrum.name for spectrum in spectra]),
        "tiles": np.array([spectrum.tiles for spectrum in spectra]),
        "frequencies": frequencies(BINS),
    }
    for kind in kinds:
        name = "profile" if kind == "radial" else VIEWS[kind]
        arrays[kind] = np.stack([getattr(spectrum, name) for spectrum in spectra])
    np.savez_compressed(stream, **arrays)


def _image(spectrum: ImageSpectrum, kinds: Sequence[str]) -> dict[str, Any]:
    told = summary(spectrum)
    if "radial" not in kinds:
        del told["radial"]
    told |= {kind: getattr(spectrum, VIEWS[kind]).tolist() for kind in kinds if kind in VIEWS}
    return told


def _group(group: GroupSpectrum, kinds: Sequence[str]) -> dict[str, Any]:
    told: dict[str, Any] = {"images": group.count}
    if "radial" in kinds:
        told |= {"radial_mean": group.mean.tolist(), "radial_spread": group.spread.tolist()}
    return told | {f"{kind}_mean": getattr(group, VIEWS[kind]).tolist() for kind in kinds if kind in VIEWS}
