"""The quality of a JPEG, as libjpeg counts, from its quantisation table.

libjpeg scales the example table of the standard: by 5000 / q per cent below 50, by 200 - 2 q from there on. Other
programs have tables of their own; for them the nearest q is told: how coarse the steps are, not what was chosen.

Source: ITU-T T.81, annex B.2.4.1 (segment) and K.1 (table); jcparam.c of libjpeg for the scale.
"""

from __future__ import annotations

import numpy as np

from forensic.data.inspect_jpeg import segments
from forensic.errors import Unreadable

_DQT, _SOS = 0xDB, 0xDA
# fmt: off
_EXAMPLE = np.array([
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40,
    26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57, 51,
    56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87,
    95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99,
])
# fmt: on
"""Of luminance, in zigzag order as files have it."""
_QUALITIES = np.arange(1, 101)
_SCALES = np.where(_QUALITIES < 50, 5000 // _QUALITIES, 200 - 2 * _QUALITIES)
_TABLES = np.clip((_EXAMPLE[None, :] * _SCALES[:, None] + 50) // 100, 1, 255)
"""(100, 64): that of each quality."""


def jpeg_quality(data: bytes) -> int | None:
    """The quality of luminance.

    Args:
        data: the whole file.

    Returns:
        1 to 100; None where it is no JPEG, or has no table before its first scan.
    """
    if not data.startswith(b"\xff\xd8"):
        return None
    table = None
    try:
        for segment in segments(data):
            if segment.marker == _SOS:
                break
            if segment.marker == _DQT:
                table = _luminance(data[segment.at + 2 : segment.end]) if table is None else table
    except Unreadable:
        return None
    if table is None:
        return None
    return int(_QUALITIES[np.abs(_TABLES - table).sum(axis=1).argmin()])


def _luminance(payload: bytes) -> np.ndarray | None:
    """(64,) the table with number 0, where the segment has it."""
    at = 0
    while at < len(payload):
        precision, number = payload[at] >> 4, payload[at] & 15
        size = 128 if precision else 64
        values = payload[at + 1 : at + 1 + size]
        if len(values) < size:
            return None
        if number == 0:
            return np.frombuffer(values, ">u2" if precision else "u1").astype(np.int64)
        at += 1 + size
    return None
