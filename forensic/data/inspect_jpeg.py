"""JPEG: markers from SOI to EOI, and the picture alone for the decoder.

The decoder is given frame, tables and scans, with the JFIF and Adobe segments that decide its colours. EXIF, ICC,
XMP and what stands behind the end can not stop it. Whether a scan is whole only the decoder can say; it says so on
stderr ("premature end"), which `decode` reads. Here is seen whether scans are missing altogether (`jpeg_scans`).

Source: ITU-T T.81 annex B (markers); CIPA DC-007 (MPO); T.872 for the Adobe segment.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from forensic.data.exif import NO_EXIF, Exif, icc_is_sound, read_exif
from forensic.data.inspection import DecodeLimits, Inspection, check_pixels, trailing_flag
from forensic.data.jpeg_scans import Scans, quiet_segment
from forensic.errors import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARKER_OR_FILL = re.compile(rb"\xff[^\x00\xd0-\xd7]")
"""In a scan: no stuffed byte and no restart. With a repeat in it the search takes 30 times as long."""
_FILL = re.compile(rb"\xff*")
_FRAMES = {0xC0, 0xC1, 0xC2}
_UNREAD_FRAMES = {
    0xC3: "lossless",
    0xC5: "hierarchical",
    0xC6: "hierarchical",
    0xC7: "hierarchical",
    0xC9: "arithmetic-coded",  # decoders go on behind the end of such data without a word
    0xCA: "arithmetic-coded",
    0xCB: "lossless arithmetic",
    0xCD: "hierarchical",
    0xCE: "hierarchical",
    0xCF: "hierarchical",
    0xDE: "hierarchical",
    0xF7: "lossless (LS)",
}
_SOI, _EOI, _SOS, _DRI, _APP0, _APP1, _APP2, _APP14, _COM = 0xD8, 0xD9, 0xDA, 0xDD, 0xE0, 0xE1, 0xE2, 0xEE, 0xFE
_PROGRESSIVE = 0xC2


class Segment(NamedTuple):
    """One marker segment: where its size stands (two bytes behind the marker), its end, where the next marker stands.

    The last two differ behind SOS, by the scan.
    """

    marker: int
    at: int
    end: int
    stop: int


@dataclass
class _Found:
    """What the walk has met so far."""

    kept: list[bytes] = field(default_factory=lambda: [b"\xff\xd8"])
    width: int = 0
    height: int = 0
    components: int = 0
    scans: Scans | None = None
    """Of the frame, once it has been met."""
    interval: int = 0
    """Units between restart markers."""
    exif: Exif | None = None
    icc: dict[int, bytes] = field(default_factory=dict)
    pictures: tuple[int, int] | None = None
    """MPO: number of pictures, where the last one begins."""
    end: int | None = None


def inspect_jpeg(data: bytes, limits: DecodeLimits) -> Inspection:
    """Walks a JPEG to its end marker.

    Args:
        data: the whole file.
        limits: what holds.

    Raises:
        Unreadable: truncated in header, scans missing, a kind of JPEG that is not read, too many pixels.
    """
    found = _walk(data, 2, limits)
    if found.scans is None or not found.scans.count:
        raise Unreadable("damaged JPEG: no image before the end marker")
    return _concluded(found, data, limits)


def segments(data: bytes, at: int = 2) -> Iterator[Segment]:
    """A picture's segments, from behind its SOI to its EOI.

    A file whose last scan runs to its end lacks the EOI; everything else that is no segment is an error.

    Args:
        data: the whole file.
        at: where the first marker stands.

    Raises:
        Unreadable: no marker where one must stand, or the file ends before.
    """
    truncated = "truncated in header"
    while True:
        after = _after_fill(data, at)
        if after >= len(data):
            raise Unreadable(truncated)
        if data[at] != 0xFF:
            raise Unreadable(f"damaged JPEG: no marker at byte {at}")
        marker, at = data[after], after + 1
        if marker == _EOI:
            yield Segment(marker, at, at, at)
            return
        end = _segment_end(data, at, marker, truncated)
        stop = end
        if marker == _SOS:
            stop, truncated = _scan_end(data, end), "truncated between scans"
        yield Segment(marker, at, end, stop)
        if marker == _SOS and stop >= len(data):
            return  # the end marker is missing
        at = stop


def _segment_end(data: bytes, at: int, marker: int, truncated: str) -> int:
    if marker in (_SOI, 0x01, 0x00) or 0xD0 <= marker <= 0xD7 or 0x02 <= marker <= 0xBF:
        raise Unreadable(f"damaged JPEG: marker FF{marker:02X} at byte {at - 2}")
    if at + 2 > len(data):
        raise Unreadable(truncated)
    size = int(struct.unpack_from(">H", data, at)[0])
    if size < 2:
        raise Unreadable(f"damaged JPEG: segment of {size} bytes at byte {at}")
    if at + size > len(data):
        raise Unreadable(truncated)
    return at + size


def _walk(data: bytes, at: int, limits: DecodeLimits) -> _Found:
    """From behind a picture's SOI to behind its EOI, or to the end of a file that lacks one."""
    found = _Found()
    for segment in segments(data, at):
        if segment.marker == _EOI:
            found.end = segment.at
        else:
            _take(data, segment, found, limits)
    return found


def _take(data: bytes, segment: Segment, found: _Found, limits: DecodeLimits) -> None:
    """Takes one segment and, after SOS, its scan."""
    marker, at, end, stop = segment
    body = data[at + 2 : end]
    if marker in _UNREAD_FRAMES:
        raise Unreadable(f"{_UNREAD_FRAMES[marker]} JPEG is not read")
    if marker in _FRAMES:
        _frame(body, marker, found, limits)
    elif marker == _SOS:
        if found.scans is None:
            raise Unreadable("damaged JPEG: scan before its frame")
        body = found.scans.add(body, data, (end, stop), found.interval)
        found.kept.append(data[at - 2 : at + 2] + body + data[end:stop])
        return
    elif marker == _DRI and len(body) >= 2:
        found.interval = struct.unpack_from(">H", body)[0]
    else:
        _application(marker, body, at + 2, found)
    if marker in (_APP0, _APP14) or not (0xE0 <= marker <= 0xEF or marker == _COM):
        found.kept.append(data[at - 2 : stop])


def _frame(body: bytes, marker: int, found: _Found, limits: DecodeLimits) -> None:
    if found.components:
        raise Unreadable("damaged JPEG: two frames")
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        raise Unreadable("damaged JPEG: frame header")
    precision, found.height, found.width, count = struct.unpack_from(">BHHB", body)
    if precision != 8:
        raise Unreadable(f"JPEG with {precision}-bit samples is not read")
    if found.height == 0 and found.width:
        raise Unreadable("JPEG without a height in its header (DNL) is not read")
    check_pixels(found.width, found.height, limits)
    if count not in (1, 3, 4):
        raise Unreadable(f"JPEG with {count} components is not read")
    found.components = count
    found.scans = Scans(body, progressive=marker == _PROGRESSIVE)


def _scan_end(data: bytes, at: int) -> int:
    """Where the next marker stands that is no restart, its fill bytes included; the file's end without one."""
    while found := _MARKER_OR_FILL.search(data, at):
        at = _after_fill(data, found.start())
        if at >= len(data):
            break
        if data[at] != 0 and not 0xD0 <= data[at] <= 0xD7:
            return found.start()
    return len(data)


def _after_fill(data: bytes, at: int) -> int:
    """The first byte that is not FF."""
    fill = _FILL.match(data, at)
    return fill.end() if fill else at


def _application(marker: int, body: bytes, at: int, found: _Found) -> None:
    if marker == _APP1 and body.startswith(b"Exif\0"):
        found.exif = found.exif or read_exif(body[6:])
    if marker != _APP2:
        return
    if body.startswith(b"ICC_PROFILE\0") and len(body) >= 14:
        found.icc.setdefault(body[12], body[14:])
    elif body.startswith(b"MPF\0") and found.pictures is None:
        found.pictures = _pictures(body[4:], at + 4)


def _pictures(index: bytes, origin: int) -> tuple[int, int] | None:
    """How many pictures an MPF index names, and where the last begins in the file; None when it is damaged."""
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(index[:4])
    if order is None or len(index) < 10:
        return None
    start = struct.unpack_from(order + "I", index, 4)[0]
    if start + 2 > len(index):
        return None
    tags = struct.unpack_from(order + "H", index, start)[0]
    if start + 2 + 12 * tags > len(index):
        return None
    count, table = 0, 0
    for at in range(start + 2, start + 2 + 12 * tags, 12):
        tag, _kind, _values, value = struct.unpack_from(order + "HHII", index, at)
        count = value if tag == 0xB001 else count
        table = value if tag == 0xB002 else table
    if count < 2 or table + 16 * count > len(index):
        return None
    offsets = [struct.unpack_from(order + "I", index, at + 8)[0] for at in range(table, table + 16 * count, 16)]
    return count, origin + max(offsets)


def _end_of_last(data: bytes, at: int, limits: DecodeLimits) -> int:
    """Where the picture that begins there ends, by its markers: sizes in an MPF index are often wrong."""
    if data[at : at + 2] != b"\xff\xd8":
        return at
    try:
        return _walk(data, at + 2, limits).end or len(data)
    except Unreadable:  # damage in a picture that is not scored
        return len(data)


def _concluded(found: _Found, data: bytes, limits: DecodeLimits) -> Inspection:
    assert found.scans is not None  # noqa: S101 - without a scan there is nothing to conclude; narrows the type
    if found.scans.missing:
        raise Unreadable("truncated: scans are missing")
    kept = b"".join(quiet_segment(segment, found.components) for segment in found.kept)
    kept = kept.rstrip(b"\xff") if found.end is None else kept
    exif = found.exif or NO_EXIF
    flags = [*exif.flags]
    if found.components == 1:
        flags.append("grey")
    if found.components == 4:
        flags.append("cmyk-converted")
    if found.icc and not icc_is_sound(b"".join(found.icc[number] for number in sorted(found.icc))):
        flags.append("icc-invalid")
    end = len(data) if found.end is None else found.end
    if found.end is None:
        flags.append("missing-end-marker")
    elif found.pictures is not None:
        flags.append(f"multi-frame-first={found.pictures[0]}")
        end = max(end, min(_end_of_last(data, found.pictures[1], limits), len(data)))
    flags += trailing_flag(data, end)
    return Inspection(
        format="JPEG" if found.pictures is None or found.end is None else "JPEG (MPO)",
        width=found.width,
        height=found.height,
        payload=kept + b"\xff\xd9",
        flags=tuple(flags),
        orientation=exif.orientation,
        exif=exif.block,
        alpha=False,
        intervals_missing=found.scans.intervals_missing,
    )
