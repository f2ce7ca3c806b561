"""TIFF: the first directory, its sample type, and the first page for the decoder.

Float samples have no defined 8-bit reading (Pillow turns them black, in silence); counts and offsets are compared with
the file before anything is allocated. The decoder is given a copy in which orientation is 1 and alpha is "unspecified":
OpenCV would turn the picture whatever it is told, and multiply colours by an unassociated alpha.

Source: TIFF 6.0 sections 2, 8 and 18; BigTIFF (the libtiff design note).
"""

from __future__ import annotations

import struct
import zlib

from forensic.data.exif import ORIENTATION, icc_is_sound
from forensic.data.inspection import DecodeLimits, Inspection, check_pixels, trailing_flag
from forensic.data.tiff_file import CODES, Directory, TiffFile
from forensic.errors import Unreadable

_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 256, 257, 258, 259, 262
_STRIP_OFFSETS, _SAMPLES, _STRIP_ROWS, _STRIP_SIZES, _PLANES, _COLOURS = 273, 277, 278, 279, 284, 320
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_SIZES, _SUB_DIRECTORIES = 322, 323, 324, 325, 330
_EXTRA, _FORMAT, _SUBSAMPLING, _FILL_ORDER, _INKS = 338, 339, 530, 266, 332
_ICC, _DNG = 34675, 50706
_WHITE_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR, _CFA, _LINEAR_RAW = 0, 2, 3, 5, 6, 32803, 34892
_UNREAD_SAMPLES = {2: "signed", 3: "floating-point", 4: "undefined", 5: "complex", 6: "complex"}
_DEFLATE = (8, 32946)
_COMPRESSIONS_READ = frozenset({1, 2, 3, 4, 5, 7, *_DEFLATE, 32771, 32773, 32809, 32909})
_COMPRESSIONS_UNREAD = {
    6: "old-style JPEG",
    34661: "JBIG",
    34712: "JPEG 2000",
    34887: "LERC",
    34892: "lossy JPEG",
    34925: "LZMA",
    34933: "PNG",
    34934: "JPEG XR",
    50000: "Zstandard",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
_PIECE = 1 << 20
_MOST_PAGES = 100_000
_ALIGNMENT, _SLACK = 16, 8
"""Zero bytes, and then any, that a program may leave behind the end: padding, a block's last bytes once more (GDAL)."""


def inspect_tiff(data: bytes, limits: DecodeLimits) -> Inspection:
    """Reads the first directory of a TIFF.

    Args:
        data: the whole file.
        limits: what holds.

    Raises:
        Unreadable: a damaged header, strips beyond the file, samples that have no 8-bit reading, too many pixels.
    """
    file = TiffFile(data)
    start = file.integer(file.offset, file.first_at)
    if start < 8 or start >= len(data):
        raise Unreadable("truncated: the directory lies beyond the file" if start >= 8 else "damaged TIFF header")
    page = file.directory(start)
    _refuse_raw(file, page)
    width, height = file.value(page, _WIDTH), file.value(page, _HEIGHT)
    check_pixels(width, height, limits)
    photometric = file.value(page, _PHOTOMETRIC, 1)
    samples = file.value(page, _SAMPLES, 1)
    compression = file.value(page, _COMPRESSION, 1)
    if compression not in _COMPRESSIONS_READ:
        named = _COMPRESSIONS_UNREAD.get(compression)
        raise Unreadable(f"TIFF with {f'{named} compression' if named else f'compression {compression}'} is not read")
    bits = _bits(file, page, photometric)
    if photometric == _PALETTE and len(file.values(page, _COLOURS, (0,))) != 3 << bits:  # the decoder would invent one
        raise Unreadable("damaged TIFF header: the palette is absent or not whole")
    _check_extent(file, page)
    if compression == 1:
        _check_sizes(file, page, width, height, bits * samples)
    if compression in _DEFLATE and file.value(page, _FILL_ORDER, 1) == 1:
        _check_deflate(file, page, width * height * samples * 2 + _PIECE)
    colours = {_RGB: 3, _YCBCR: 3, _CMYK: 4}.get(photometric, 1)
    if not colours <= samples <= 4 + (photometric == _CMYK):
        raise Unreadable(f"TIFF with {samples} samples a pixel is not read")
    if bits == 16 and samples > 1 and file.value(page, _PLANES, 1) != 1:
        raise Unreadable("16-bit TIFF with separate planes is not read")  # OpenCV takes one plane for the whole picture
    alpha = samples > colours and any(kind in (1, 2) for kind in file.values(page, _EXTRA, (0,)))
    misread = bits == 2 or (bits == 4 and photometric != _PALETTE)  # by OpenCV, or not read
    misread |= colours == 1 and samples > 1 and _TILE_OFFSETS in page.entries
    orientation = file.values(page, ORIENTATION, (1,))
    valid = len(orientation) == 1 and 1 <= orientation[0] <= 8
    return Inspection(
        format="TIFF",
        width=width,
        height=height,
        payload=_first_page(file, page),
        codec="pillow" if misread else "opencv",
        flags=_flags(file, page, bits, photometric, alpha=alpha and samples == 2, valid=valid),
        orientation=orientation[0] if valid else 1,
        depth=bits if bits == 16 else 8,
        alpha=alpha and samples == 4 and photometric == _RGB,
        min_is_white=bits == 16 and photometric == _WHITE_IS_ZERO,
    )


def _refuse_raw(file: TiffFile, page: Directory) -> None:
    """Camera raw files are TIFF; what stands first in them is a preview or a mosaic, not the picture."""
    preview = file.values(page, _SUBFILE, (0,))[0] & 1 and _SUB_DIRECTORIES in page.entries
    mosaic = file.values(page, _PHOTOMETRIC, (1,))[0] in (_CFA, _LINEAR_RAW)
    if _DNG in page.entries or file.data[8:10] == b"CR" or preview or mosaic:
        raise Unreadable("camera raw images are not read; develop to TIFF or PNG first", format="TIFF")


def _bits(file: TiffFile, page: Directory, photometric: int) -> int:
    bits, kinds = file.values(page, _BITS, (1,)), file.values(page, _FORMAT, (1,))
    for kind in kinds:
        if kind in _UNREAD_SAMPLES:
            raise Unreadable(f"{_UNREAD_SAMPLES[kind]} samples have no defined 8-bit reading")
    if photometric not in (0, 1, _RGB, _PALETTE, _CMYK, _YCBCR):
        raise Unreadable(f"TIFF with photometric interpretation {photometric} is not read")
    if photometric == _CMYK and file.value(page, _INKS, 1) != 1:
        raise Unreadable("TIFF with inks other than CMYK is not read")
    if len(set(bits)) != 1 or bits[0] not in ((8, 16) if photometric in (0, 1, _RGB) else (8,)):
        small = len(set(bits)) == 1 and bits[0] in (1, 2, 4) and photometric in (0, 1, _PALETTE)
        if not small or file.value(page, _SAMPLES, 1) != 1:
            raise Unreadable(f"TIFF with samples of {', '.join(map(str, sorted(set(bits))))} bits is not read")
    return bits[0]


def _check_extent(file: TiffFile, page: Directory) -> None:
    tiled = _TILE_OFFSETS in page.entries
    offsets = file.values(page, _TILE_OFFSETS if tiled else _STRIP_OFFSETS)
    sizes = file.values(page, _TILE_SIZES if tiled else _STRIP_SIZES)
    if not offsets or len(offsets) != len(sizes):
        raise Unreadable("damaged TIFF header: offsets and sizes of the image data do not agree")
    end = max(offset + size for offset, size in zip(offsets, sizes, strict=True))
    if end > len(file.data):
        raise Unreadable(f"truncated: image data end at byte {end} of {len(file.data)}")


def _check_sizes(file: TiffFile, page: Directory, width: int, height: int, bits: int) -> None:
    """Refuses uncompressed strips and tiles that hold less than their pixels: the decoder reads on, past their end.

    Args:
        file: the file.
        page: its first directory.
        width: pixels.
        height: pixels.
        bits: of a pixel in all samples.
    """
    tiled = _TILE_OFFSETS in page.entries
    sizes = file.values(page, _TILE_SIZES if tiled else _STRIP_SIZES)
    planes = file.value(page, _SAMPLES, 1) if file.value(page, _PLANES, 1) == 2 else 1
    rows = file.value(page, _TILE_HEIGHT) if tiled else file.value(page, _STRIP_ROWS, height)
    own_width = file.value(page, _TILE_WIDTH) if tiled else width
    if rows < 1 or own_width < 1:
        raise Unreadable("damaged TIFF header: parts of the image without pixels")
    rows = rows if tiled else min(rows, height)
    down, across = -(-height // rows), -(-width // own_width)
    count = down * across
    if len(sizes) < count * planes:
        raise Unreadable(f"truncated: {len(sizes):,} of {count * planes:,} parts of the image are there")
    full = _stored_bytes(file, page, own_width, rows, bits // planes)
    last = full if tiled else _stored_bytes(file, page, width, height - (down - 1) * rows, bits // planes)
    for first in range(0, count * planes, count):
        plane = sizes[first : first + count]
        for some, needed in ((plane[:-1], full), (plane[-1:], last)):
            if min(some, default=needed) < needed:
                raise Unreadable(f"truncated: a part of the image holds {min(some):,} of {needed:,} bytes")


def _check_deflate(file: TiffFile, page: Directory, most: int) -> None:
    """Refuses deflated strips and tiles that fail their checksum: the decoder stops before it, with other pixels.

    Args:
        file: the file.
        page: its first directory.
        most: bytes that the picture may come to; beyond them nothing is looked at.
    """
    tiled = _TILE_OFFSETS in page.entries
    offsets = file.values(page, _TILE_OFFSETS if tiled else _STRIP_OFFSETS)
    sizes = file.values(page, _TILE_SIZES if tiled else _STRIP_SIZES)
    for offset, size in zip(offsets, sizes, strict=True):
        stream, packed = zlib.decompressobj(), file.data[offset : offset + size]
        while packed and not stream.eof and most > 0:
            try:
                most -= len(stream.decompress(packed, _PIECE))
            except zlib.error:
                raise Unreadable(f"damaged TIFF: deflated data at byte {offset} do not hold together") from None
            packed = stream.unconsumed_tail


def _stored_bytes(file: TiffFile, page: Directory, width: int, rows: int, bits: int) -> int:
    """Bytes of so many uncompressed rows; each begins at a whole byte (TIFF 6.0, sections 8 and 21)."""
    if file.value(page, _PHOTOMETRIC, 1) != _YCBCR:
        return rows * -(-width * bits // 8)
    across, down = file.values(page, _SUBSAMPLING, (2, 2))
    if across < 1 or down < 1:
        raise Unreadable("damaged TIFF header: subsampling by 0")
    if file.value(page, _PLANES, 1) == 2:
        return 0  # planes of several sizes; the decoder refuses them
    return -(-width // across) * -(-rows // down) * (across * down + 2)


def _flags(
    file: TiffFile, page: Directory, bits: int, photometric: int, *, alpha: bool, valid: bool
) -> tuple[str, ...]:
    flags = []
    if bits == 16:
        flags.append("16-bit-reduced")
    elif photometric in (0, 1):
        flags.append("grey")
    if alpha:
        flags.append("alpha-dropped")  # grey with alpha: the decoder gives no share of hidden pixels
    if photometric == _CMYK:
        flags.append("cmyk-converted")
    if not valid:
        flags.append("exif-invalid")
    elif file.values(page, ORIENTATION, (1,)) != (1,):
        flags.append("exif-rotated")
    icc = page.entries.get(_ICC)
    if icc is not None and not icc_is_sound(file.data[icc.at : icc.at + icc.length]):
        flags.append("icc-invalid")
    pages = _count_pages(file, page)
    if pages > 1:
        flags.append(f"multi-page-first={pages}")
    return (*flags, *_behind(file))


def _behind(file: TiffFile) -> tuple[str, ...]:
    """`trailing-data` where something stands behind all that the directories speak of."""
    end = file.end()
    if end is None:
        return ()
    following = file.data[end : end + _ALIGNMENT]
    end += len(following) - len(following.lstrip(b"\0"))
    return trailing_flag(file.data, end) if len(file.data) - end > _SLACK else ()


def _count_pages(file: TiffFile, page: Directory) -> int:
    """Directories in the chain, as far as it is sound; a circle ends it."""
    seen = {file.integer(file.offset, file.first_at)}
    try:
        at = file.integer(file.offset, page.next_at)
        while at and at not in seen and len(seen) < _MOST_PAGES:
            following = file.directory(at)
            seen.add(at)
            at = file.integer(file.offset, following.next_at)
    except Unreadable:
        pass  # the damage lies behind the first page, which alone is scored
    return len(seen)


def _first_page(file: TiffFile, page: Directory) -> bytes:
    copy = bytearray(file.data)
    if page.next_at + struct.calcsize("=" + file.offset) <= len(copy):
        struct.pack_into(file.order + file.offset, copy, page.next_at, 0)
    for tag, value in ((ORIENTATION, 1), (_EXTRA, 0)):
        entry = page.entries.get(tag)
        code = None if entry is None else CODES.get(entry.kind)
        if entry is not None and code is not None:
            struct.pack_into(f"{file.order}{entry.length}{code}", copy, entry.at, *(entry.length * (value,)))
    return bytes(copy)
