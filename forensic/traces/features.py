"""A vector of numbers for each tile that says how it was made and little of what it shows.

    positions   log mean |residual| of each filter and colour over the pixels of each of the 4 x 4 phases, less its mean
                over the phases, and that mean: an up-sampling by 2 or 4 treats its phases unlike each other
    colours     correlation of each pair of colours' residuals: a camera's interpolation and a last convolution mix them
    spectra     log power of the two mixed residuals, summed over colours, in blocks of 5 x 5 frequencies: up-sampling
                leaves copies of the spectrum and peaks, decoders their transfer function

Chosen among more on osma-mini's validation images and classes left out of training: docs/ablation.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from forensic.traces.residuals import BORDER, FILTERS, PERIOD, residuals

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 128
"""Of a tile, pixels."""
_INNER = SIDE - 2 * BORDER
_BLOCK = 5
"""Frequencies a side; 24 x 12 blocks cover the half plane."""
_MIXED = slice(4, 6)
"""`both` and `both twice` of `FILTERS`."""
_LARGEST = 30.0
"""Grey levels; an edge beyond it counts as this much in the spectra."""
_LEAST_MEAN, _LEAST_POWER = 0.05, 1.0
"""Added before a logarithm, grey levels and their squares: flat regions of 8-bit pixels are exactly 0."""
_PAIRS = ((0, 1), (0, 2), (1, 2))
POSITIONS = len(FILTERS) * 3 * (1 + PERIOD**2)
COLOURS = len(FILTERS) * len(_PAIRS)
SPECTRA = 2 * (_INNER // _BLOCK) * (_INNER // 2 // _BLOCK)
FEATURES = POSITIONS + COLOURS + SPECTRA
"""Numbers a tile."""


def trace_features(tiles: Tensor) -> Tensor:
    """(N, 3, 128, 128) uint8 -> (N, 900) float32, on the device of the tiles.

    Raises:
        TypeError: the tiles are not uint8.
        ValueError: another shape.
    """
    if tiles.dtype != torch.uint8:
        raise TypeError(f"tiles: expected uint8, got {tiles.dtype}")
    if tiles.shape[1:] != (3, SIDE, SIDE):
        raise ValueError(f"tiles: expected (N, 3, {SIDE}, {SIDE}), got {tuple(tiles.shape)}")
    if not len(tiles):  # the transform refuses it
        return torch.zeros((0, FEATURES), device=tiles.device)
    found = residuals(tiles.to(torch.float32))
    return torch.cat([_positions(found), _colours(found), _spectra(found)], dim=1)


def _positions(found: Tensor) -> Tensor:
    count = found.shape[0]
    phases = found.abs().view(count, 18, _INNER // PERIOD, PERIOD, _INNER // PERIOD, PERIOD)
    logs = torch.log(phases.mean(dim=(2, 4)).flatten(2) + _LEAST_MEAN)
    means = logs.mean(dim=2, keepdim=True)
    return torch.cat([means, logs - means], dim=2).flatten(1)


def _colours(found: Tensor) -> Tensor:
    values = found.flatten(3)  # (N, 6, 3, pixels)
    values = values - values.mean(dim=3, keepdim=True)
    products = values @ values.transpose(2, 3)
    powers = products.diagonal(dim1=2, dim2=3).clamp(min=1e-6)
    scaled = products / (powers[..., :, None] * powers[..., None, :]).sqrt()
    return torch.stack([scaled[..., one, other] for one, other in _PAIRS], dim=2).flatten(1)


def _spectra(found: Tensor) -> Tensor:
    mixed = found[:, _MIXED].sum(dim=2)
    mixed = (mixed - mixed.mean(dim=(2, 3), keepdim=True)).clamp(-_LARGEST, _LARGEST)
    spectrum = torch.fft.rfft2(mixed)[..., : _INNER // 2]  # the column of half the sampling rate is left out
    power = torch.log(spectrum.real.square() + spectrum.imag.square() + _LEAST_POWER)
    return torch.nn.functional.avg_pool2d(power, _BLOCK).flatten(1)
