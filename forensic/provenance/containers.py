"""Each container's places for metadata, walked by the iterators of `data`; nothing is decoded.

Source: C2PA specification 2.2, annex A (where a manifest store is embedded); PNG, third edition, section 11.3;
RFC 9649; XMP specification part 3; TIFF 6.0; ISO/IEC 14496-12.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from forensic.data import inspect_gif, inspect_png, inspect_webp
from forensic.data.isobmff_boxes import boxes
from forensic.data.isobmff_items import metadata_items
from forensic.data.tiff_file import TiffFile
from forensic.errors import Unreadable
from forensic.provenance.blocks import Block, Budget, Damage, exif_block, raw_profile
from forensic.provenance.jpeg import jpeg_blocks, photoshop_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from forensic.data.inspect_png import Chunk

_XMP_KEY = b"XML:com.adobe.xmp"
_C2PA_BOX = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_XMP_TAG, _IIM_TAG, _PHOTOSHOP_TAG, _C2PA_TAG = 700, 33723, 34377, 52545
_XMP_TRAILER = 258
"""Bytes behind an XMP packet in a GIF, which lead a reader of sub-blocks out of it."""
_MOST_PAGES = 100


def metadata_blocks(data: bytes, format_name: str) -> Iterator[Block | Damage]:
    """The metadata of a picture, in the order of the file; what is damaged is told in its place.

    Args:
        data: the whole file.
        format_name: as `image_format` gives it.
    """
    walk = _WALKS.get(format_name)
    try:
        yield from walk(data) if walk is not None else ()
    except Unreadable as outcome:
        yield Damage(format_name, outcome.reason, ends=True)
    except (struct.error, IndexError, ValueError, OverflowError):  # a field that points outside the file
        yield Damage(format_name, f"damaged {format_name}", ends=True)


def has_metadata_places(format_name: str) -> bool:
    """Whether this format has places that are looked into; BMP and ICO have none."""
    return format_name in _WALKS


def _png(data: bytes) -> Iterator[Block | Damage]:
    budget = Budget()
    for chunk in inspect_png.chunks(data):
        if chunk.kind not in (b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"caBX"):
            continue
        place = f"PNG {chunk.kind.decode()} at byte {chunk.start}"
        stored = struct.unpack_from(">I", data, chunk.end)[0]
        if zlib.crc32(memoryview(data)[chunk.begin - 4 : chunk.end]) != stored:
            yield Damage(place, "its checksum is wrong: not read")
        elif chunk.kind == b"eXIf":
            yield exif_block(place, data[chunk.begin : chunk.end], chunk.begin)
        elif chunk.kind == b"caBX":
            yield Block("jumbf", place, data[chunk.begin : chunk.end], chunk.begin)
        else:
            yield _png_text(chunk, data, budget)


def _png_text(chunk: Chunk, data: bytes, budget: Budget) -> Block | Damage:
    kind, at = chunk.kind.decode(), f"at byte {chunk.start}"
    text = inspect_png.chunk_text(chunk, data)
    if text is None:
        return Damage(f"PNG {kind} {at}", "damaged: its fields do not end inside it")
    key = text.keyword.decode("latin-1")
    place = f"PNG {kind} '{key}' {at}"
    body: bytes | Damage = data[text.begin : chunk.end]
    if text.packed:
        body = budget.inflated(data[text.begin : chunk.end], place)
    if isinstance(body, Damage):
        return body
    if text.keyword == _XMP_KEY:
        return Block("xmp", place, body, None if text.packed else text.begin)
    return raw_profile(key, place, body) or Block("text", place, body, None if text.packed else text.begin, key)


def _webp(data: bytes) -> Iterator[Block | Damage]:
    for kind, begin, size in inspect_webp.chunks(data):
        if kind not in (b"EXIF", b"XMP ", b"C2PA"):
            continue
        place = f"WebP {kind.decode().strip()} at byte {begin - 8}"
        body = data[begin : begin + size]
        if len(body) < size:
            yield Damage(place, "truncated")
        elif kind == b"EXIF":
            yield exif_block(place, body, begin)
        else:
            yield Block("xmp" if kind == b"XMP " else "jumbf", place, body, begin)
    end = inspect_webp.container_end(data)
    if end > len(data) + 1:
        raise Unreadable(f"truncated: the container ends at byte {end} of {len(data)}")


def _gif(data: bytes) -> Iterator[Block | Damage]:
    if len(data) < 13:
        raise Unreadable("truncated in header")
    last: tuple[int, int] | None = None
    for kind, at, begin in inspect_gif.blocks(data):
        if last is not None:
            yield from _gif_extension(data, last[0], last[1], at)
        last = (at, begin) if kind == inspect_gif.EXTENSION else None
    if last is not None:
        yield from _gif_extension(data, last[0], last[1], len(data))


def _gif_extension(data: bytes, at: int, begin: int, end: int) -> Iterator[Block]:
    """A comment, XMP or a manifest store; it ends where the next block begins."""
    label, name = data[at + 1], data[begin + 1 : begin + 12]
    if label == 0xFE:
        yield Block("text", f"GIF comment at byte {at}", _sub_blocks(data, begin, end), key="Comment")
    elif label == 0xFF and name == b"XMP DataXMP":
        packet = data[begin + 12 : max(begin + 12, end - _XMP_TRAILER)]
        yield Block("xmp", f"GIF XMP at byte {at}", packet, begin + 12)
    elif label == 0xFF and name.startswith(b"C2PA_GIF"):
        yield Block("jumbf", f"GIF C2PA_GIF at byte {at}", _sub_blocks(data, begin + 12, end))


def _sub_blocks(data: bytes, at: int, end: int) -> bytes:
    pieces = []
    while at < end and data[at]:
        pieces.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return b"".join(pieces)


def _tiff(data: bytes) -> Iterator[Block | Damage]:
    yield Block("exif", "TIFF", data, 0)
    file = TiffFile(data)
    page, seen = file.first(), 0
    while True:
        for tag in (_XMP_TAG, _IIM_TAG, _PHOTOSHOP_TAG, _C2PA_TAG):
            entry = page.entries.get(tag)
            if entry is None:
                continue
            place = f"TIFF tag {tag} at byte {entry.at}"
            try:
                body = file.stored(entry)
            except Unreadable as outcome:
                yield Damage(place, outcome.reason)
                continue
            if tag == _PHOTOSHOP_TAG:
                yield from photoshop_blocks(place, body, entry.at)
            else:
                kind = {_XMP_TAG: "xmp", _IIM_TAG: "iim", _C2PA_TAG: "jumbf"}[tag]
                yield Block(kind, place, body, entry.at)  # type: ignore[arg-type]
        seen += 1
        at = file.integer(file.offset, page.next_at)
        if not at:
            return
        if seen >= _MOST_PAGES:
            raise Unreadable(f"more than {_MOST_PAGES} pages: the others were not looked into")
        page = file.directory(at)


def _isobmff(data: bytes) -> Iterator[Block | Damage]:
    for kind, begin, end in boxes(data, 0, len(data)):
        if kind == b"uuid" and data[begin : begin + 16] == _XMP_BOX:
            yield Block("xmp", f"uuid box (XMP) at byte {begin - 8}", data[begin + 16 : end], begin + 16)
        elif kind == b"uuid" and data[begin : begin + 16] == _C2PA_BOX:
            yield from _c2pa_box(data, begin, end)
        elif kind == b"meta":
            yield from _items(data, begin + 4, end)


def _c2pa_box(data: bytes, begin: int, end: int) -> Iterator[Block | Damage]:
    """Behind the identifier: version and flags, a purpose that ends with a zero, an offset, the store."""
    place = f"uuid box (C2PA) at byte {begin - 8}"
    close = data.find(b"\0", begin + 20, end)
    if close < 0 or close + 9 > end:
        yield Damage(place, "damaged: its purpose does not end")
    elif data[begin + 20 : close] in (b"manifest", b"original", b"update"):
        yield Block("jumbf", place, data[close + 9 : end], close + 9)


def _items(data: bytes, begin: int, end: int) -> Iterator[Block | Damage]:
    try:
        for item in metadata_items(data, begin, end):
            if item.kind == b"Exif":
                skip = 4 + int.from_bytes(item.data[:4], "big")
                yield exif_block(f"EXIF item at byte {item.at}", item.data[skip:], item.at + skip)
            elif item.content_type == b"application/rdf+xml":
                yield Block("xmp", f"XMP item at byte {item.at}", item.data, item.at)
    except Unreadable as outcome:
        yield Damage(f"meta box at byte {begin - 12}", outcome.reason)


_WALKS: dict[str, Callable[[bytes], Iterator[Block | Damage]]] = {
    "JPEG": jpeg_blocks,
    "PNG": _png,
    "WebP": _webp,
    "GIF": _gif,
    "TIFF": _tiff,
    "AVIF": _isobmff,
    "HEIC": _isobmff,
}
