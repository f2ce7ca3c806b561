"""Bytes to an upright 8-bit RGB picture, or the reason why there is none.

Each format is first walked by our own structure check (`inspect_*.py`): it refuses by the header, names the harm and
cuts the picture out of its container. Then one decoder reads it as stored, and depth, alpha, colour order and
orientation are brought down here, in one place, whatever decoder it was.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from forensic.data import codecs
from forensic.data.exif import turn
from forensic.data.inspect_bmp import inspect_bmp
from forensic.data.inspect_gif import inspect_gif
from forensic.data.inspect_ico import inspect_ico
from forensic.data.inspect_isobmff import inspect_avif, inspect_heic
from forensic.data.inspect_jpeg import inspect_jpeg
from forensic.data.inspect_png import inspect_png
from forensic.data.inspect_tiff import inspect_tiff
from forensic.data.inspect_webp import inspect_webp
from forensic.data.inspection import DecodeLimits, Inspection
from forensic.data.signatures import HEAD, extension_mismatch, image_format, why_no_image
from forensic.errors import FileOutcome, Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["DecodeLimits", "Decoded", "decode", "image_format", "inspect", "read_stored"]

INSPECTIONS: dict[str, Callable[[bytes, DecodeLimits], Inspection]] = {
    "JPEG": inspect_jpeg,
    "PNG": inspect_png,
    "WebP": inspect_webp,
    "TIFF": inspect_tiff,
    "BMP": inspect_bmp,
    "GIF": inspect_gif,
    "AVIF": inspect_avif,
    "HEIC": inspect_heic,
    "ICO": inspect_ico,
}

_SURPLUS_AT_THE_END = re.compile(r"\d+ extraneous bytes before marker 0xd9")
"""The one warning after which every pixel has been read: the last scan holds more bytes than it needs."""

_FILLED_UP = re.compile(r"Improper JPEG strip/tile size, expected \w+, got \w+|Fax\w+: .{0,80}")
"""Warnings of libtiff behind which it leaves pixels as they were, or makes them up."""

_HIDES_OTHERS = re.compile(
    r"Inconsistent progression sequence|Invalid SOS parameters|unknown JFIF revision|Unknown Adobe color transform"
)
"""Of libjpeg: warnings behind which it tells no other, such as that of data which end early. Headers of JPEG files are
put right before, so that they come from JPEG in other containers."""

_SURPLUS_IN_PNG = re.compile(r"IDAT: (Too much image data|Extra compressed data)")
"""Of libpng: the image data hold more than the picture has pixels."""


@dataclass(frozen=True)
class Decoded:
    """One picture as the method sees it."""

    pixels: NDArray[np.uint8]
    """(H, W, 3) RGB, upright, contiguous."""
    format: str
    flags: tuple[str, ...]
    decoder: str
    """Name and version of what read the pixels."""
    orientation: int = 1
    """How the stored picture was turned, 1 to 8 as in EXIF."""
    exif: bytes = b""
    """As `Inspection.exif`."""


def decode(data: bytes, *, name: str, limits: DecodeLimits | None = None) -> Decoded:
    """Decodes one file's bytes, in this process and without a limit of time.

    Args:
        data: the whole file.
        name: the file's name; only its extension is looked at.
        limits: pixels and bytes; the defaults of `DecodeLimits` when None.

    Returns:
        Pixels uint8 (H, W, 3), RGB, the EXIF orientation applied once.

    Raises:
        Unreadable: no picture, a damaged or truncated one, or one beyond a limit; carries the format where known.
    """
    inspection = inspect(data, limits=limits)
    try:
        pixels, flags, decoder = read_stored(inspection)
    except FileOutcome as outcome:
        raise type(outcome)(outcome.reason, flags=outcome.flags, format=inspection.format) from None
    if extension_mismatch(name, inspection.format.split()[0]):
        flags += ("extension-mismatch",)
    return Decoded(
        pixels=turn(pixels, inspection.orientation),
        format=inspection.format,
        flags=inspection.flags + flags,
        decoder=decoder,
        orientation=inspection.orientation,
        exif=inspection.exif,
    )


def inspect(data: bytes, *, limits: DecodeLimits | None = None) -> Inspection:
    """Checks one file's structure without decoding it.

    Args:
        data: the whole file.
        limits: pixels and bytes; the defaults of `DecodeLimits` when None.

    Raises:
        Unreadable: as `decode`, as far as it can be told without a decoder.
    """
    limits = limits or DecodeLimits()
    if not data:
        raise Unreadable("empty file")
    if len(data) > limits.max_bytes:
        raise Unreadable(f"{len(data):,} bytes exceed the limit of {limits.max_bytes:,}")
    known = image_format(data[:HEAD])
    if known is None:
        raise Unreadable(why_no_image(data))
    try:
        return INSPECTIONS[known](data, limits)
    except FileOutcome as outcome:
        raise type(outcome)(outcome.reason, flags=outcome.flags, format=outcome.format or known) from None
    except (struct.error, IndexError, ValueError, OverflowError, RecursionError, zlib.error):
        # a field that points outside the file: the checks index into bytes that the file itself describes; or boxes in
        # boxes without end
        raise Unreadable(f"damaged {known} header", format=known) from None


def read_stored(inspection: Inspection) -> tuple[NDArray[np.uint8], tuple[str, ...], str]:
    """Decodes what a structure check let pass, without turning it.

    Returns:
        (H, W, 3) uint8 RGB as stored, flags that only pixels can tell, the decoder's name.

    Raises:
        Unreadable: damaged or truncated by the decoder's own words.
    """
    try:
        samples, said = _decoder(inspection)(inspection.payload)
    except codecs.DecoderError as error:
        if "premature end" in str(error).lower():
            raise Unreadable("truncated: the decoder reports a premature end of data") from None
        raise Unreadable(f"damaged {inspection.format}: {error}") from None
    flags = _judge(said, inspection)
    turned_by_decoder = inspection.codec == "pillow-heif"  # it crops as well: HEVC's blocks are larger than pictures
    if samples.shape[:2] != (inspection.height, inspection.width) and not turned_by_decoder:
        raise Unreadable(f"damaged {inspection.format}: decoded size differs from the header's")
    if inspection.indices is not None:
        _check_indices(*inspection.indices, inspection.format)
    if inspection.crop is not None:
        left, top, width, height = inspection.crop
        samples = samples[top : top + height, left : left + width]
    flags += _hidden(samples, inspection)
    return _to_rgb(_to_8_bit(samples, inspection)), flags, codecs.name_of(inspection.codec)


def _decoder(inspection: Inspection) -> Callable[[bytes], tuple[NDArray[Any], str]]:
    if inspection.codec == "pillow":
        return codecs.decode_pillow
    if inspection.codec == "pillow-heif":
        return codecs.decode_heif
    if not inspection.alpha and inspection.depth == 8:
        return codecs.decode_opencv_colour
    return codecs.decode_opencv


def _judge(said: str, inspection: Inspection) -> tuple[str, ...]:
    """What a decoder's own words mean for the picture it gave all the same."""
    if "premature end" in said.lower() or ("Corrupt JPEG" in said and "missing-end-marker" in inspection.flags):
        raise Unreadable("truncated: the decoder reports a premature end of data")
    corrupt = re.search(r"Corrupt JPEG data: (.{0,80})", said)
    if corrupt and not _SURPLUS_AT_THE_END.match(corrupt[1]):
        # libjpeg tells its first warning only: behind one inside a scan there may be lost intervals and grey fill
        raise Unreadable(f"damaged JPEG: {corrupt[1].strip()}")
    if corrupt and inspection.intervals_missing:  # what looks like a surplus has been passed over in search of a marker
        raise Unreadable(f"damaged JPEG: {inspection.intervals_missing:,} restart intervals are missing")
    hiding = _HIDES_OTHERS.search(said)
    if hiding:
        raise Unreadable(f"damaged {inspection.format}: {hiding[0]}")
    if "TIFF_Error" in said:
        raise Unreadable(f"damaged TIFF: {said.split('TIFF_Error', 1)[1].strip()[:120]}")
    invented = _FILLED_UP.search(said)
    if invented:
        raise Unreadable(f"damaged TIFF: {invented[0].strip()}")
    if _SURPLUS_IN_PNG.search(said):
        return ("surplus-image-data",)
    return ("decoder-warning",) if corrupt or "libpng warning" in said else ()


def _check_indices(payload: bytes, most: int, name: str) -> None:
    """Refuses a picture with indices beyond its palette: the decoder makes them black in silence."""
    try:
        samples, _ = codecs.decode_opencv(payload)
    except codecs.DecoderError as error:
        raise Unreadable(f"damaged {name}: {error}") from None
    beyond = int(np.count_nonzero((samples if samples.ndim == 2 else samples[:, :, 0]) > most))
    if beyond:
        raise Unreadable(f"damaged {name}: {beyond:,} pixels have no colour in the palette")


def _hidden(samples: NDArray[Any], inspection: Inspection) -> tuple[str, ...]:
    """`alpha-dropped=SHARE` of pixels that are wholly transparent, where there is transparency."""
    if samples.ndim == 3 and samples.shape[2] == 4 and inspection.alpha:
        share = float(np.count_nonzero(samples[:, :, 3] == 0)) / samples[:, :, 3].size
    elif inspection.transparent is not None:
        key = np.array(inspection.transparent[::-1], dtype=samples.dtype)
        planes = samples if samples.ndim == 3 else samples[:, :, None]
        share = float(np.count_nonzero((planes[:, :, : len(key)] == key).all(axis=2))) / planes[:, :, 0].size
    else:
        return ()
    return (f"alpha-dropped={round(share, 4):g}",)


def _to_8_bit(samples: NDArray[Any], inspection: Inspection) -> NDArray[np.uint8]:
    if samples.dtype == np.uint8 and (inspection.depth == 8 or inspection.codec == "pillow-heif"):
        return samples
    if samples.dtype != np.uint16:
        raise Unreadable(f"samples of {inspection.depth} bits came out as {samples.dtype}")
    most = (1 << inspection.depth) - 1
    table = ((np.arange(65536) * 510 + most) // (2 * most)).clip(0, 255).astype(np.uint8)  # 16 bits: (v + 128) // 257
    reduced: NDArray[np.uint8] = np.take(table[::-1] if inspection.min_is_white else table, samples)
    return reduced


def _to_rgb(samples: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if samples.ndim == 2:
        return np.repeat(samples[:, :, None], 3, axis=2)
    if samples.shape[2] == 3 and samples.flags.writeable and samples.flags.c_contiguous:
        cv2.cvtColor(samples, cv2.COLOR_BGR2RGB, dst=samples)  # in place: a copy of 250 million pixels is 750 MB
        return samples
    return np.ascontiguousarray(samples[:, :, 2::-1])
