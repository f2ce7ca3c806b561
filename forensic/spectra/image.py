"""A spectrum as a picture: numbers to colours, colours to PNG."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

_STOPS = ((8, 10, 32), (48, 24, 96), (132, 34, 112), (210, 62, 78), (247, 138, 56), (252, 214, 120), (255, 252, 224))
"""Dark to light through violet and orange, lightness rising evenly: reads in grey and with any colour vision."""
_SIGNED_STOPS = (
    (20, 54, 110),
    (92, 140, 190),
    (196, 214, 228),
    (246, 245, 242),
    (238, 205, 170),
    (205, 128, 60),
    (122, 58, 8),
)
"""Blue below, paper white in the middle, brown above; both ends equally dark."""
AROUND_ZERO = (-0.12, 0.12)
"""Ends of the scale for correlations: a lattice is weak beside the peak in the middle."""


def colours(
    values: npt.NDArray[np.floating], low: float | None = None, high: float | None = None, *, signed: bool = False
) -> npt.NDArray[np.uint8]:
    """Values to colours.

    Args:
        values: (H, W), finite.
        low: drawn darkest; the value that 1 in 200 lie under when None.
        high: drawn lightest; the value that 1 in 200 lie above when None.
        signed: the middle of the scale is white and both ends are dark, for values around zero.

    Returns:
        (H, W, 3) uint8 RGB; what lies outside takes the colour of its end.
    """
    bottom = float(np.quantile(values, 0.005)) if low is None else low
    top = float(np.quantile(values, 0.995)) if high is None else high
    stops = np.array(_SIGNED_STOPS if signed else _STOPS, dtype=np.float64)
    share = np.clip((values - bottom) / max(top - bottom, 1e-12), 0.0, 1.0) * (len(stops) - 1)
    at = np.minimum(share.astype(np.int64), len(stops) - 2)
    mixed = stops[at] + (stops[at + 1] - stops[at]) * (share - at)[..., None]
    pixels: npt.NDArray[np.uint8] = np.rint(mixed).astype(np.uint8)
    return pixels


def png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """A PNG file without metadata; the same bytes for the same pixels.

    Args:
        pixels: (H, W, 3) uint8 RGB, H and W at least 1.

    Raises:
        ValueError: another shape or type.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise ValueError(f"pixels: expected uint8 (H, W, 3), got {pixels.dtype} {pixels.shape}")
    height, width = pixels.shape[:2]
    lines = np.zeros((height, 1 + 3 * width), np.uint8)
    lines[:, 1:] = pixels.reshape(height, 3 * width)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
