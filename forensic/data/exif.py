"""The little that scoring needs of EXIF and ICC: is it sound, and which way is up.

Source: CIPA DC-008 (EXIF 2.32), TIFF 6.0 for the directory; ICC.1:2022 section 7.2 for the profile header.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ORIENTATION = 0x0112
TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of one value by TIFF field type; 16 to 18 are BigTIFF's."""


class Exif(NamedTuple):
    """Orientation 1 to 8, and whether the block is sound; a damaged one turns nothing."""

    orientation: int
    valid: bool
    block: bytes = b""
    """What was read, from its byte order mark; empty where there is none, or a damaged one."""

    @property
    def flags(self) -> tuple[str, ...]:
        """`exif-invalid`, `exif-rotated` or none."""
        if not self.valid:
            return ("exif-invalid",)
        return ("exif-rotated",) if self.orientation != 1 else ()


NO_EXIF = Exif(1, valid=True)
_DAMAGED = Exif(1, valid=False)


def read_exif(block: bytes) -> Exif:
    """Reads the first directory of an EXIF block.

    Args:
        block: beginning with its byte order mark, without the `Exif` prefix.
    """
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(block[:4])
    if order is None or len(block) < 8:
        return _DAMAGED
    start = struct.unpack_from(order + "I", block, 4)[0]
    if start < 8 or start + 2 > len(block):
        return _DAMAGED
    count = struct.unpack_from(order + "H", block, start)[0]
    if start + 2 + 12 * count > len(block):
        return _DAMAGED
    orientation = 1
    for at in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, values = struct.unpack_from(order + "HHI", block, at)
        size = TYPE_SIZES.get(kind, 0) * values
        if size > 4 and struct.unpack_from(order + "I", block, at + 8)[0] + size > len(block):
            return _DAMAGED
        if tag == ORIENTATION:
            if kind != 3 or values != 1:
                return _DAMAGED
            orientation = struct.unpack_from(order + "H", block, at + 8)[0]
    return Exif(orientation, valid=True, block=block) if 1 <= orientation <= 8 else _DAMAGED


def icc_is_sound(profile: bytes) -> bool:
    """Whether bytes look like an ICC profile: its size field, its signature, a tag table that fits."""
    if len(profile) < 132 or profile[36:40] != b"acsp":
        return False
    size, tags = struct.unpack_from(">I", profile)[0], struct.unpack_from(">I", profile, 128)[0]
    return bool(132 <= size <= len(profile) and 132 + 12 * tags <= size)


def turn(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Brings a stored picture upright.

    Args:
        pixels: (H, W, 3) as stored.
        orientation: 1 to 8: where row 0 and column 0 of the stored picture belong (EXIF 2.32, 4.6.4 A).

    Returns:
        (H, W, 3), or (W, H, 3) for 5 to 8; contiguous.
    """
    turned = pixels.transpose(1, 0, 2) if orientation >= 5 else pixels
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    return np.ascontiguousarray(turned)
