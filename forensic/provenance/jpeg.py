"""JPEG: application segments, with what is spread over several of them put together.

Source: XMP specification part 3, section 1.1.3 (extended XMP); ISO 19566-5 annex D (JUMBF in APP11); CIPA DC-008.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from forensic.data.inspect_jpeg import segments
from forensic.errors import Unreadable
from forensic.provenance.blocks import XMP_PREFIX, Block, Damage, exif_block

if TYPE_CHECKING:
    from collections.abc import Iterator

_APP1, _APP11, _APP13, _COM = 0xE1, 0xEB, 0xED, 0xFE
_EXTENDED = b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP = b"Photoshop 3.0\0"


class _Part(NamedTuple):
    """A piece of an extended packet or of a JUMBF box: its order, its bytes, where the segment begins."""

    order: int
    body: bytes
    at: int


def jpeg_blocks(data: bytes) -> Iterator[Block | Damage]:
    """The metadata of a JPEG's first picture.

    Args:
        data: the whole file.

    Raises:
        Unreadable: as `segments`; what stood before the damage has been given by then.
    """
    extended: dict[bytes, list[_Part]] = {}
    jumbf: dict[int, list[_Part]] = {}
    damage: Unreadable | None = None
    try:
        for marker, at, end, _ in segments(data):
            body, begin = data[at + 2 : end], at - 2
            if marker == _APP11 and body.startswith(b"JP") and len(body) >= 16:
                number, order = struct.unpack_from(">HI", body, 2)
                jumbf.setdefault(number, []).append(_Part(order, body[8:], begin))
            elif marker == _APP1 and body.startswith(_EXTENDED) and len(body) >= len(_EXTENDED) + 40:
                guid, rest = body[len(_EXTENDED) : len(_EXTENDED) + 32], body[len(_EXTENDED) + 32 :]
                extended.setdefault(guid, []).append(_Part(struct.unpack_from(">I", rest, 4)[0], rest[8:], begin))
            else:
                yield from _whole(marker, body, begin)
    except Unreadable as outcome:
        damage = outcome
    yield from _extended_packets(extended)
    yield from _jumbf_boxes(jumbf)
    if damage is not None:
        raise damage


def _whole(marker: int, body: bytes, begin: int) -> Iterator[Block]:
    """What one segment holds by itself."""
    if marker == _APP1 and body.startswith(b"Exif\0"):
        yield exif_block(f"JPEG APP1 EXIF at byte {begin}", body, begin + 4)
    elif marker == _APP1 and body.startswith(XMP_PREFIX):
        size = len(XMP_PREFIX)
        yield Block("xmp", f"JPEG APP1 XMP at byte {begin}", body[size:], begin + 4 + size)
    elif marker == _APP11 and b"AIGC" in body:
        yield Block("text", f"JPEG APP11 at byte {begin}", body, begin + 4, key="APP11")
    elif marker == _APP13 and body.startswith(_PHOTOSHOP):
        yield from photoshop_blocks(f"JPEG APP13 at byte {begin}", body[len(_PHOTOSHOP) :], begin + 4 + len(_PHOTOSHOP))
    elif marker == _COM:
        yield Block("text", f"JPEG comment at byte {begin}", body, begin + 4, key="Comment")


def photoshop_blocks(place: str, data: bytes, at: int) -> Iterator[Block]:
    """The IPTC-IIM record among Photoshop's image resources.

    Args:
        place: of the resources, in words.
        data: the resources.
        at: where they begin in the file.
    """
    here = 0
    while data[here : here + 4] == b"8BIM" and here + 7 < len(data):
        number = int.from_bytes(data[here + 4 : here + 6], "big")
        name = data[here + 6] + 1
        size_at = here + 6 + name + (name & 1)
        begin = size_at + 4
        size = int.from_bytes(data[size_at:begin], "big")
        if number == 0x0404:
            yield Block("iim", f"{place}, IPTC-IIM", data[begin : begin + size], at + begin)
        here = begin + size + (size & 1)


def _extended_packets(parts: dict[bytes, list[_Part]]) -> Iterator[Block | Damage]:
    for pieces in parts.values():
        place = f"JPEG APP1 extended XMP from byte {pieces[0].at}"
        packet, at = [], 0
        for piece in sorted(pieces):
            if piece.order != at:
                yield Damage(place, f"damaged: a part begins at {piece.order:,} instead of {at:,}")
                break
            packet.append(piece.body)
            at += len(piece.body)
        else:
            yield Block("xmp", place, b"".join(packet))


def _jumbf_boxes(parts: dict[int, list[_Part]]) -> Iterator[Block | Damage]:
    """Segments of one box repeat its head; boxes are told apart by their number."""
    for pieces in parts.values():
        place = f"JPEG APP11 JUMBF from byte {pieces[0].at}"
        head = 16 if pieces[0].body[:4] == b"\0\0\0\1" else 8
        ordered = sorted(pieces)
        if [piece.order for piece in ordered] != list(range(ordered[0].order, ordered[0].order + len(ordered))):
            yield Damage(place, "damaged: a segment is missing or there twice")
            continue
        box = b"".join([ordered[0].body[:head], *(piece.body[head:] for piece in ordered)])
        yield Block("jumbf", place, box)
