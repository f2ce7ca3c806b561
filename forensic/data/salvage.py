"""What is left of a truncated picture: only rows whose data is all there, never a row that a decoder made up.

PNG: the image data is inflated as far as it goes; a row counts when its last byte came out. JPEG: of a sequential
picture in one scan, the rows that a decoder gives which stops where its bytes end. Either way the file is then cut to
that height and decoded like any other, and a second decoder, or a word of the first about damage, can still refuse it.
Where it can not be told which rows are real (progressive, interlaced, several scans, other formats) nothing is
salvaged. Bytes that were overwritten without the decoder's noticing are not seen, as little as in a whole JPEG.

Source: PNG, third edition (W3C 2025), chapters 7, 9 and 10; ITU-T T.81, annexes A.2 and B.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from forensic.data import codecs
from forensic.data.decode import inspect, read_stored
from forensic.data.exif import turn
from forensic.data.inspect_jpeg import Segment, segments
from forensic.data.inspect_png import SIGNATURE, chunks, made_chunk
from forensic.data.prepare import GRID
from forensic.data.signatures import HEAD, image_format
from forensic.errors import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from forensic.data.inspection import DecodeLimits

UNCHECKED = "checksum-missing="
"""Then how many of the rows, the last ones, stand in a PNG chunk whose checksum was cut off."""
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_FRAMES = {*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)}
_SEQUENTIAL = (0xC0, 0xC1)
_SOS, _DRI = 0xDA, 0xDD
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_OF_THE_CUT = frozenset({"decoder-warning", "missing-end-marker"})
"""Flags that the cutting brings with it, and not the file."""
_MOST_STORED = 1 << 30


@dataclass(frozen=True)
class Part:
    """The first rows of a picture, as stored."""

    pixels: NDArray[np.uint8]
    """(H, W, 3) RGB, upright, contiguous. Its corner lies at multiples of 16 from the whole picture's corner."""
    rows: int
    """Rows that are there, as stored."""
    of_rows: int
    """Rows that the header states."""
    flags: tuple[str, ...]
    decoder: str


def salvage(data: bytes, limits: DecodeLimits) -> Part:
    """The real rows of a picture that `decode` calls truncated.

    Args:
        data: the whole file.
        limits: as for decoding it.

    Returns:
        At least one row.

    Raises:
        Unreadable: there is none, or it can not be told which rows are real.
    """
    known = image_format(data[:HEAD])
    cut = {"PNG": _png, "JPEG": _jpeg}.get(known or "")
    if cut is None:
        raise Unreadable(f"nothing to salvage: of a cut {known} no row can be told from an invented one")
    try:
        return cut(data, limits)
    except (struct.error, IndexError, ValueError, OverflowError, zlib.error):
        raise Unreadable("nothing to salvage: the structure does not hold before the cut either") from None


def _decoded(
    whole: bytes, limits: DecodeLimits, rows: int, of_rows: int, expected: NDArray[np.uint8] | None = None
) -> Part:
    """A file that was cut to the rows that are there, decoded like any other.

    Args:
        whole: the file, of at least `rows` rows.
        limits: as for decoding it.
        rows: that are real.
        of_rows: that the header of the truncated file states.
        expected: what another decoder made of them, (H, W, 3) RGB as stored, at least `rows` high.
    """
    try:
        inspection = inspect(whole, limits=limits)
        pixels, flags, decoder = read_stored(inspection)
    except Unreadable as outcome:
        raise Unreadable(f"nothing to salvage: what precedes the cut is refused too ({outcome.reason})") from None
    pixels = pixels[:rows]
    if expected is not None and not np.array_equal(pixels, expected[:rows]):
        raise Unreadable("nothing to salvage: two decoders disagree about what precedes the cut")
    told = tuple(flag for flag in inspection.flags + flags if flag.partition("=")[0] not in _OF_THE_CUT)
    return Part(_upright(pixels, inspection.orientation, of_rows - rows), rows, of_rows, told, decoder)


def _upright(pixels: NDArray[np.uint8], orientation: int, missing: int) -> NDArray[np.uint8]:
    """Turned; where rows are missing before the part then, its first ones are left out until the grid begins."""
    upright, lead = turn(pixels, orientation), -missing % GRID
    if orientation in (3, 4):
        upright = upright[lead:]
    elif orientation in (6, 7):
        upright = upright[:, lead:]
    return np.ascontiguousarray(upright)


def _png(data: bytes, limits: DecodeLimits) -> Part:
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    if data[28]:
        raise Unreadable("nothing to salvage: an interlaced PNG holds no row whole before its last pass")
    size = 1 + -(-width * _CHANNELS[colour] * depth // 8)
    stream, inflated, checked, first = zlib.decompressobj(), bytearray(), 0, 0
    for start, packed, has_checksum in _image_data(data):
        first = first or start
        try:
            inflated += stream.decompress(packed, max(height * size - len(inflated), 1))
        except zlib.error:
            raise Unreadable("nothing to salvage: the image data is damaged before the cut") from None
        checked = len(inflated) // size if has_checksum else checked
    if not first:
        raise Unreadable("nothing to salvage: the file ends before its image data")
    rows = min(len(inflated) // size, height)
    if rows == 0:
        raise Unreadable("nothing to salvage: no row is whole")
    header = made_chunk(b"IHDR", data[16:20] + struct.pack(">I", rows) + data[24:29])
    whole = SIGNATURE + header + data[33:first]  # what precedes the image data stays as it is
    packed = zlib.compress(memoryview(inflated)[: rows * size], 0)
    del inflated  # as large as the picture
    pieces = [packed[at : at + _MOST_STORED] for at in range(0, len(packed), _MOST_STORED)]
    whole += b"".join(made_chunk(b"IDAT", piece) for piece in pieces) + made_chunk(b"IEND", b"")
    part = _decoded(whole, limits, rows, height)
    return replace(part, flags=(*part.flags, f"{UNCHECKED}{rows - checked}")) if rows > checked else part


def _image_data(data: bytes) -> Iterator[tuple[int, bytes, bool]]:
    """Where each IDAT chunk stands, its content, and whether its checksum is there; the last may be cut off."""
    last = len(SIGNATURE)
    try:
        for chunk in chunks(data):
            last = chunk.end + 4
            if chunk.kind == b"IDAT":
                yield chunk.start, data[chunk.begin : chunk.end], True
    except Unreadable:
        if data[last + 4 : last + 8] == b"IDAT":
            size = struct.unpack_from(">I", data, last)[0]
            yield last, data[last + 8 : last + 8 + size], False


@dataclass(frozen=True)
class _Scan:
    """A sequential JPEG in one scan."""

    frame: Segment
    scan: Segment
    width: int
    height: int
    unit: tuple[int, int]
    """Width and height of an MCU, pixels."""
    interval: int
    """MCUs between restart markers, 0 where there are none."""


def _jpeg(data: bytes, limits: DecodeLimits) -> Part:
    found = _one_scan(data)
    try:
        payload = inspect(_cut(data, found, found.height), limits=limits).payload
        samples, _ = codecs.decode_pillow_part(payload[:-2])
    except (Unreadable, codecs.DecoderError):
        raise Unreadable("nothing to salvage: no decoder takes what precedes the cut") from None
    written = np.flatnonzero(samples.any(axis=(1, 2)))  # black rows at its end are given up: they look like none
    if not len(written):
        raise Unreadable("nothing to salvage: no row of blocks is whole")
    rows = int(written[-1]) + 1
    units = -(-rows // found.unit[1])
    whole = _cut(data, found, min(units * found.unit[1], found.height))
    return _decoded(whole, limits, rows, found.height, samples)


def _one_scan(data: bytes) -> _Scan:
    found, why = _segments(data)
    scans = [segment for segment in found if segment.marker == _SOS]
    frames = [segment for segment in found if segment.marker in _FRAMES]
    if not scans or not frames:
        raise Unreadable(f"nothing to salvage: {why or 'the file ends before its image data'}")
    scan, frame = scans[0], frames[0]
    if frame.marker not in _SEQUENTIAL:
        raise Unreadable("nothing to salvage: only a sequential JPEG has rows that are whole before its last byte")
    if len(scans) > 1:
        raise Unreadable("nothing to salvage: a JPEG in several scans has no row that is whole before its last one")
    if scan.stop < len(data):
        raise Unreadable("nothing to salvage: the scan has an end, so that what is missing lies anywhere before it")
    intervals = [segment for segment in found if segment.marker == _DRI]
    interval = struct.unpack_from(">H", data, intervals[-1].at + 2)[0] if intervals else 0
    height, width, count = struct.unpack_from(">HHB", data, frame.at + 3)
    if data[scan.at + 2] != count or count not in (1, 3):
        raise Unreadable("nothing to salvage: only grey and three-colour JPEGs in one scan are tried")
    factors = [data[frame.at + 9 + 3 * index] for index in range(count)]
    unit = (8, 8) if count == 1 else (8 * max(f >> 4 for f in factors), 8 * max(f & 15 for f in factors))
    return _Scan(frame, scan, width, height, unit, interval)


def _segments(data: bytes) -> tuple[list[Segment], str | None]:
    """Those before the cut, and the reason where it lies in one of them."""
    found: list[Segment] = []
    try:
        for segment in segments(data):
            found.append(segment)  # noqa: PERF402 - what came before the error counts
    except Unreadable as outcome:
        return found, outcome.reason
    return found, None


def _cut(data: bytes, found: _Scan, height: int) -> bytes:
    """The file up to its scan's end, with another height, and an end marker.

    Whole intervals behind that height are left out too: a decoder would take their restart markers for damage.
    """
    packed = data[found.scan.end : found.scan.stop].rstrip(b"\xff")
    if found.interval:
        needed = -(-height // found.unit[1]) * -(-found.width // found.unit[0])
        ends = [marker.start() for marker in _RESTART.finditer(packed)]
        last = -(-needed // found.interval)
        packed = packed[: ends[last - 1]] if last <= len(ends) else packed
    at = found.frame.at + 3
    return data[:at] + struct.pack(">H", height) + data[at + 2 : found.scan.end] + packed + b"\xff\xd9"
