"""Mild changes of a picture that copying and publishing make: how far a verdict rests on what they destroy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from forensic.errors import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray


_JPEG_SIDE = 65_500


def _jpeg(quality: int) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    def change(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        encoded = cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
        if decoded is None:
            raise Unreadable("damaged JPEG: our own re-encoding can not be decoded")
        return np.ascontiguousarray(decoded[:, :, ::-1]).astype(np.uint8)

    return change


def _smaller(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = (max(1, round(0.9 * side)) for side in pixels.shape[:2])
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


VARIANTS: Final[dict[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]]] = {
    "jpeg-95": _jpeg(95),
    "jpeg-90": _jpeg(90),
    "jpeg-80": _jpeg(80),
    "resize-0.9": _smaller,
    "crop-8": lambda pixels: np.ascontiguousarray(pixels[8:, 8:]),
}
"""By name, the mildest kind first; the crop leaves out eight rows and columns."""


def variants(pixels: NDArray[np.uint8], count: int) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """The first `count` changed forms of a picture, each with its name.

    Args:
        pixels: (H, W, 3) RGB; a side over 65,500 pixels has no JPEG form, and those are left out.
        count: 0 to `len(VARIANTS)`.
    """
    for name, change in list(VARIANTS.items())[:count]:
        if not (name.startswith("jpeg") and max(pixels.shape[:2]) > _JPEG_SIDE):
            yield name, change(pixels)
