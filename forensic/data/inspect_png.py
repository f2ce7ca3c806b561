"""PNG: chunks, their checksums, and the picture alone for the decoder.

Pillow decodes image data with a wrong checksum in silence and refuses a whole picture for a damaged comment; so the
checksums are ours. The decoder is given the critical chunks and tRNS, nothing else: text, profiles, EXIF and further
frames can not stop it.

Source: PNG, third edition (W3C 2025), chapters 5, 11 and 13.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from forensic.data.exif import NO_EXIF, Exif, icc_is_sound, read_exif
from forensic.data.inspection import DecodeLimits, Inspection, check_pixels, trailing_flag
from forensic.errors import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END = b"\0\0\0\0IEND\xae\x42\x60\x82"
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
METADATA_LIMIT = 8 << 20
"""Bytes that all text and profile chunks may come to, inflated; beyond it they are flagged and left unread."""


class Chunk(NamedTuple):
    """One chunk: its four letters, where it begins, where its data begins and ends."""

    kind: bytes
    start: int
    begin: int
    end: int

    @property
    def critical(self) -> bool:
        """Whether a decoder must understand it."""
        return not self.kind[0] & 0x20


class ChunkText(NamedTuple):
    """A text or profile chunk taken apart: its keyword, where its text begins, whether that is compressed."""

    keyword: bytes
    begin: int
    packed: bool


@dataclass
class _Found:
    """What the walk has met so far."""

    header: tuple[int, int, int, int] | None = None
    kept: list[bytes] = field(default_factory=list)
    palette: int | None = None
    data_chunks: int = 0
    data_closed: bool = False
    transparency: bytes | None = None
    exif: Exif | None = None
    """Of the first eXIf chunk; one is allowed."""
    animated: bool = False
    frames: int = 0
    """Control chunks of an animation."""
    default_outside: bool = False
    """The picture of IDAT is no frame: no control chunk stands before it."""
    frame_data: bool = False
    metadata: int = 0
    ended: int | None = None
    flags: list[str] = field(default_factory=list)

    def flag(self, name: str) -> None:
        if name not in self.flags:
            self.flags.append(name)


def inspect_png(data: bytes, limits: DecodeLimits) -> Inspection:
    """Walks a PNG.

    Args:
        data: the whole file.
        limits: what holds.

    Raises:
        Unreadable: truncated, a critical chunk damaged or missing, too many pixels.
    """
    found = _Found()
    for chunk in chunks(data):
        _take(found, chunk, data, limits)
    return _concluded(found, data)


def chunks(data: bytes) -> Iterator[Chunk]:
    """The chunks of a PNG up to IEND, whatever their checksums; the end marker alone may be missing.

    Args:
        data: the whole file.

    Raises:
        Unreadable: no chunk where one must stand, or the file ends before.
    """
    at, pixels = len(SIGNATURE), False
    while at != len(data) or not pixels:
        chunk = _next_chunk(data, at)
        yield chunk
        if chunk.kind == b"IEND":
            return
        at, pixels = chunk.end + 4, pixels or chunk.kind == b"IDAT"


def made_chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of this kind, of four letters, with its length and its checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def chunk_text(chunk: Chunk, data: bytes) -> ChunkText | None:
    """Takes a tEXt, zTXt, iTXt or iCCP chunk apart; None where its fields do not end inside it.

    Args:
        chunk: one of those kinds.
        data: the whole file.
    """
    end = data.find(b"\0", chunk.begin, min(chunk.end, chunk.begin + 80))
    if end < 0:
        return None
    begin, packed = end + 1, False
    if chunk.kind in (b"zTXt", b"iCCP"):
        begin, packed = end + 2, True
    elif chunk.kind == b"iTXt":
        packed = data[end + 1 : end + 2] == b"\1"
        translated = data.find(b"\0", end + 3, chunk.end)
        begin = data.find(b"\0", translated + 1, chunk.end) + 1
        if translated < 0 or begin == 0:
            return None
    return ChunkText(data[chunk.begin : end], begin, packed) if begin <= chunk.end else None


def _next_chunk(data: bytes, at: int) -> Chunk:
    if at + 8 > len(data):
        where = "in header" if at < 33 else f"the file ends at byte {len(data)} inside a chunk's head"
        raise Unreadable(f"truncated {where}" if at < 33 else f"truncated: {where}")
    size, kind = struct.unpack_from(">I4s", data, at)
    if not kind.isalpha() or size > 0x7FFFFFFF:
        raise Unreadable(f"damaged PNG: no chunk at byte {at}")
    if at + 12 + size > len(data):
        raise Unreadable(f"truncated: {kind.decode()} ends at byte {at + 12 + size} of {len(data)}")
    return Chunk(kind, at, at + 8, at + 8 + size)


def _take(found: _Found, chunk: Chunk, data: bytes, limits: DecodeLimits) -> None:
    if found.header is None and chunk.kind != b"IHDR":
        if chunk.kind == b"CgBI":
            raise Unreadable("Apple's CgBI variant of PNG is not read")
        raise Unreadable("damaged PNG: IHDR is not the first chunk")
    stored = struct.unpack_from(">I", data, chunk.end)[0]
    if zlib.crc32(memoryview(data)[chunk.begin - 4 : chunk.end]) != stored:
        if chunk.critical:
            raise Unreadable(f"{chunk.kind.decode()} CRC error at byte {chunk.start}")
        found.flag("crc-error-ancillary")
        return
    if chunk.critical:
        _take_critical(found, chunk, data, limits)
    else:
        _take_ancillary(found, chunk, data)
    if chunk.kind != b"IDAT" and found.data_chunks:
        found.data_closed = True


def _take_critical(found: _Found, chunk: Chunk, data: bytes, limits: DecodeLimits) -> None:
    size = chunk.end - chunk.begin
    match chunk.kind:
        case b"IHDR":
            if found.header is not None or size != 13:
                raise Unreadable("damaged PNG: IHDR")
            found.header = _header(data, chunk.begin, limits)
        case b"PLTE":
            if found.palette is not None or found.data_chunks or size % 3 or not 3 <= size <= 768:
                raise Unreadable("damaged PNG: palette (PLTE)")
            found.palette = size // 3
        case b"IDAT":
            if found.data_closed:
                raise Unreadable("damaged PNG: image data (IDAT) in two places")
            if found.header is not None and found.header[3] == 3 and found.palette is None:
                raise Unreadable("damaged PNG: palette (PLTE) is missing")
            found.data_chunks += 1
        case b"IEND":
            if not found.data_chunks:
                raise Unreadable("damaged PNG: no image data (IDAT)")
            found.ended = chunk.end + 4
        case _:
            raise Unreadable(f"damaged PNG: unknown critical chunk {chunk.kind.decode()}")
    found.kept.append(data[chunk.start : chunk.end + 4])


def _header(data: bytes, at: int, limits: DecodeLimits) -> tuple[int, int, int, int]:
    width, height, depth, colour, compression, filtering, interlace = struct.unpack_from(">IIBBBBB", data, at)
    check_pixels(width, height, limits)
    if depth not in _DEPTHS.get(colour, ()) or compression or filtering or interlace > 1:
        raise Unreadable("damaged PNG: IHDR holds values that do not exist")
    return width, height, depth, colour


def _take_ancillary(found: _Found, chunk: Chunk, data: bytes) -> None:
    match chunk.kind:
        case b"tRNS":
            if found.transparency is None and not found.data_chunks:
                found.transparency = data[chunk.begin : chunk.end]
                found.kept.append(data[chunk.start : chunk.end + 4])
        case b"eXIf":
            found.exif = found.exif or read_exif(data[chunk.begin : chunk.end])
        case b"acTL":
            found.animated = found.animated or not found.data_chunks
        case b"fcTL":
            found.default_outside = found.default_outside or not (found.frames or not found.data_chunks)
            found.frames += 1
        case b"fdAT":
            found.frame_data = True
        case b"tEXt" | b"zTXt" | b"iTXt" | b"iCCP":
            _weigh(found, chunk, data)
        case _:
            pass


def _weigh(found: _Found, chunk: Chunk, data: bytes) -> None:
    """Counts what a metadata chunk comes to when inflated, and looks at the profile."""
    text = chunk_text(chunk, data)
    packed = memoryview(data)[text.begin : chunk.end] if text is not None and text.packed else b""
    inflated = inflate(packed, METADATA_LIMIT + 1) if packed else b""
    found.metadata += max(chunk.end - chunk.begin, 0 if inflated is None else len(inflated))
    if found.metadata > METADATA_LIMIT:
        found.flag("metadata-limit")
    if chunk.kind == b"iCCP" and (inflated is None or not icc_is_sound(inflated)):
        found.flag("icc-invalid")


def inflate(packed: bytes | memoryview, most: int) -> bytes | None:
    """Inflates no more than `most` bytes; None where the stream is damaged, what there is where it is cut short."""
    try:
        return zlib.decompressobj().decompress(packed, most)
    except zlib.error:
        return None


def _concluded(found: _Found, data: bytes) -> Inspection:
    assert found.header is not None  # noqa: S101 - the walk raises before this without one; narrows the type
    width, height, depth, colour = found.header
    kept = SIGNATURE + b"".join(found.kept)
    flags = list(found.flags)
    if found.ended is None:
        kept += _END
        flags.append("missing-end-marker")
    if depth == 16:
        flags.append("16-bit-reduced")
    elif colour in (0, 4):
        flags.append("grey")
    if found.animated and found.frames and not found.default_outside:
        flags.append(f"animated-first-frame={found.frames}")
    elif found.frames or found.frame_data:  # programs show the others, or none; IDAT's picture stands apart
        flags.append(f"multi-frame-first={1 + max(found.frames, 1)}")
    exif = found.exif or NO_EXIF
    flags += exif.flags
    flags += trailing_flag(data, len(data) if found.ended is None else found.ended)
    return Inspection(
        format="PNG",
        width=width,
        height=height,
        payload=kept,
        flags=tuple(flags),
        orientation=exif.orientation,
        exif=exif.block,
        depth=16 if depth == 16 else 8,
        transparent=_transparent(found.transparency, depth, colour),
        indices=_indices(found, depth, colour),
    )


def _indices(found: _Found, depth: int, colour: int) -> tuple[bytes, int] | None:
    """The same picture as a grey one, whose samples are the palette's indices, where the palette is short."""
    if colour != 3 or found.palette is None or found.palette >= 1 << depth:
        return None
    grey = [SIGNATURE]
    for chunk in found.kept:
        if chunk[4:8] == b"IHDR":
            grey.append(made_chunk(b"IHDR", chunk[8:17] + b"\0" + chunk[18:21]))  # colour type 0
        elif chunk[4:8] in (b"IDAT", b"IEND"):
            grey.append(chunk)
    grey += [] if found.ended is not None else [_END]
    return b"".join(grey), (found.palette - 1) * (255 // ((1 << depth) - 1))


def _transparent(stored: bytes | None, depth: int, colour: int) -> tuple[int, ...] | None:
    """The colour that tRNS calls transparent, scaled as the decoder scales samples; palettes are the decoder's."""
    samples = {0: 1, 2: 3}.get(colour)
    if stored is None or samples is None or len(stored) != 2 * samples:
        return None
    values = struct.unpack(f">{samples}H", stored)
    most = (1 << depth) - 1
    scale = 255 // most if depth < 8 else 1
    return tuple((value & most) * scale for value in values)  # bits beyond the depth do not count (11.3.1.1)
