"""What a structure check hands to the decoder, and the limits it keeps.

A check reads bytes only: it walks the containers, compares dimensions with the limit before any decoder is
called, and cuts away what a decoder could stumble over and pixels do not need.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from forensic.data.signatures import trailing_word
from forensic.errors import Unreadable

Codec = Literal["opencv", "pillow", "pillow-heif"]


@dataclass(frozen=True)
class DecodeLimits:
    """What one decode may cost; beyond it the input is unreadable, with the limit in its reason."""

    max_pixels: int = 250_000_000
    """Width times height, compared before any decoder is called."""
    max_bytes: int = 1 << 30
    """Of the file."""
    seconds: float = 30.0
    """Kept by the worker's parent, which ends a worker that takes longer."""
    address_space: int = 2 << 30
    """Bytes a decode may add to the worker's address space."""


@dataclass(frozen=True)
class Inspection:
    """A picture whose structure holds: its stored size and what to give to which decoder."""

    format: str
    width: int
    height: int
    payload: bytes
    """What the decoder is given: the picture without metadata, trailing data and further frames where possible."""
    codec: Codec = "opencv"
    flags: tuple[str, ...] = ()
    orientation: int = 1
    """1 to 8 as in EXIF: the one transform that is applied after decoding, whatever container told it."""
    exif: bytes = b""
    """The block that told it, where the format keeps one (JPEG, PNG, WebP) and it is sound."""
    depth: int = 8
    """Bits a sample; above 8 they are reduced by us, never by a decoder."""
    alpha: bool = True
    """Whether a fourth channel means transparency."""
    transparent: tuple[int, ...] | None = None
    """A colour (1 or 3 samples at the decoded depth) that stands for transparent, or None."""
    min_is_white: bool = False
    """16-bit TIFF whose zero is white; OpenCV inverts the 8-bit ones only."""
    crop: tuple[int, int, int, int] | None = None
    """Left, top, width, height of the picture within what the decoder gives, before it is turned; None for all."""
    indices: tuple[bytes, int] | None = None
    """A file whose grey samples are this picture's palette indices, and the largest that the palette has a colour
    for; None where every index has one."""
    intervals_missing: int = 0
    """Restart intervals that the scans of a JPEG lack."""


def check_pixels(width: int, height: int, limits: DecodeLimits) -> None:
    """Refuses a picture from its header.

    Args:
        width: pixels, as stored.
        height: pixels, as stored.
        limits: what holds.

    Raises:
        Unreadable: a side is 0, or the product is above the limit.
    """
    if width <= 0 or height <= 0:
        raise Unreadable(f"damaged header: size {width} by {height} pixels")
    if width * height > limits.max_pixels:
        raise Unreadable(f"{width * height:,} pixels exceed the limit of {limits.max_pixels:,}")


def trailing_flag(data: bytes, end: int) -> tuple[str, ...]:
    """`trailing-data=OFFSET+LENGTH:WORD` where bytes stand behind a picture's end, else nothing."""
    if end >= len(data):
        return ()
    return (f"trailing-data={end}+{len(data) - end}:{trailing_word(data[end : end + 65536])}",)
