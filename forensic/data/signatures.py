"""What a file is by its first bytes: a picture we read, or something else with a name.

Nothing here trusts an extension. `image_format` answers for the formats that `decode` reads; `content_name`
names everything else, so that a reason can say what a file called `x.jpg` really is.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

HEAD = 64
"""Bytes of a file's beginning that `image_format` needs."""

EXTENSIONS: dict[str, frozenset[str]] = {
    "JPEG": frozenset({"jpg", "jpeg", "jpe", "jfif", "jif", "mpo"}),
    "PNG": frozenset({"png", "apng"}),
    "WebP": frozenset({"webp"}),
    "TIFF": frozenset({"tif", "tiff"}),
    "BMP": frozenset({"bmp", "dib"}),
    "GIF": frozenset({"gif"}),
    "AVIF": frozenset({"avif", "avifs", "heif", "hif"}),
    "HEIC": frozenset({"heic", "heics", "heif", "heifs", "hif"}),
    "ICO": frozenset({"ico"}),
}
"""Extensions, lower case and without the dot, under which each format is expected."""

_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
DIB_HEADER_SIZES = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
"""Of the bitmap headers that there are."""


class Content(NamedTuple):
    """A kind of content: a short word for flags, a phrase for reasons."""

    word: str
    phrase: str


_MAGIC: tuple[tuple[int, bytes, Content], ...] = (
    (0, b"PK\x03\x04", Content("zip", "a ZIP archive")),
    (0, b"PK\x05\x06", Content("zip", "an empty ZIP archive")),
    (0, b"%PDF-", Content("pdf", "a PDF document")),
    (0, b"\x1f\x8b", Content("gzip", "a gzip archive")),
    (0, b"BZh", Content("bzip2", "a bzip2 archive")),
    (0, b"\xfd7zXZ\x00", Content("xz", "an xz archive")),
    (0, b"7z\xbc\xaf\x27\x1c", Content("7z", "a 7z archive")),
    (0, b"Rar!\x1a\x07", Content("rar", "a RAR archive")),
    (0, b"\x28\xb5\x2f\xfd", Content("zstd", "a Zstandard archive")),
    (257, b"ustar", Content("tar", "a tar archive")),
    (0, b"\x7fELF", Content("elf", "an ELF program")),
    (0, b"MZ", Content("exe", "a Windows program")),
    (0, b"SQLite format 3\x00", Content("sqlite", "an SQLite database")),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Content("ole", "an OLE document")),
    (0, b"{\\rtf", Content("rtf", "an RTF document")),
    (0, b"\x1aE\xdf\xa3", Content("matroska", "a Matroska video")),
    (0, b"OggS", Content("ogg", "an Ogg stream")),
    (0, b"fLaC", Content("flac", "a FLAC recording")),
    (0, b"ID3", Content("mp3", "an MP3 recording")),
    (0, b"\x00\x05\x16\x07", Content("appledouble", "an AppleDouble file (what macOS keeps beside a file)")),
    (0, b"\x00\x05\x16\x00", Content("applesingle", "an AppleSingle file")),
    (0, b"L\x00\x00\x00\x01\x14\x02\x00", Content("lnk", "a Windows shortcut")),
    (0, b"bplist", Content("plist", "an Apple property list")),
    (0, b"%!PS", Content("postscript", "a PostScript document")),
    (0, b"version https://git-lfs", Content("lfs", "a Git LFS pointer")),
    (128, b"DICM", Content("dicom", "a DICOM file")),
    (8, b"AVI ", Content("avi", "an AVI video")),
    (8, b"WAVE", Content("wav", "a WAV recording")),
)

_UNREAD_PICTURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"8BPS", "Photoshop"),
    (0, b"v/1\x01", "OpenEXR"),
    (0, b"#?RADIANCE", "Radiance HDR"),
    (0, b"qoif", "QOI"),
    (0, b"II\xbc", "JPEG XR"),
    (0, b"DDS |", "DirectDraw (DDS)"),
    (0, b"gimp xcf ", "GIMP"),
    (0, b"FLIF", "FLIF"),
    (0, b"BPG\xfb", "BPG"),
    (0, b"icns", "Apple icon"),
    (0, b"\x8aMNG\r\n\x1a\n", "MNG"),
    (0, b"\x8bJNG\r\n\x1a\n", "JNG"),
    (40, b" EMF", "Windows metafile (EMF)"),
    (0, b"\xd7\xcd\xc6\x9a", "Windows metafile (WMF)"),
    (0, b"SIMPLE  = ", "FITS"),
    (0, b"FOVb", "camera raw (X3F)"),
    (0, b"FUJIFILMCCD-RAW", "camera raw (RAF)"),
    (0, b"IIRO", "camera raw (ORF)"),
    (0, b"IIRS", "camera raw (ORF)"),
    (0, b"IIU\x00", "camera raw (RW2)"),
    (4, b"ftypcrx ", "camera raw (CR3)"),
)


_CURSOR = b"\x00\x00\x02\x00"
_PORTABLE = re.compile(rb"P[1-7F][ \t\r\n]+(#[^\r\n]*[\r\n]+)*[0-9A-Z]")
"""PBM, PGM, PPM, PAM and PFM."""


def image_format(head: bytes) -> str | None:  # noqa: PLR0911 - a table of magic numbers reads best as a ladder
    """The format by the first bytes, or None where `decode` reads no such format.

    Args:
        head: the first `HEAD` bytes or more of a file; fewer where the file has fewer.

    Returns:
        One of `JPEG`, `PNG`, `WebP`, `TIFF`, `BMP`, `GIF`, `AVIF`, `HEIC`, `ICO`, or None.
    """
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[:4] in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"):
        return "TIFF"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if head[4:8] == b"ftyp":
        return _isobmff_format(head)
    if head[:2] == b"BM" and len(head) >= 18 and struct.unpack_from("<I", head, 14)[0] in DIB_HEADER_SIZES:
        return "BMP"
    return "ICO" if _is_icon(head) else None


def _isobmff_format(head: bytes) -> str | None:
    size = min(struct.unpack_from(">I", head)[0], len(head))
    brands = [head[8:12]] + [head[at : at + 4] for at in range(16, size - 3, 4)]
    if any(brand in _AVIF_BRANDS for brand in brands):
        return "AVIF"
    return "HEIC" if any(brand in _HEIC_BRANDS for brand in brands) else None


def _is_icon(head: bytes) -> bool:
    return head[:4] == b"\x00\x00\x01\x00" and _has_icon_directory(head)


def _has_icon_directory(head: bytes) -> bool:
    if len(head) < 22 or head[9] != 0:
        return False
    count = struct.unpack_from("<H", head, 4)[0]
    return bool(count > 0 and struct.unpack_from("<I", head, 18)[0] >= 6 + 16 * count)


def content_of(data: bytes) -> Content | None:  # noqa: PLR0911 - a table of kinds reads best as a ladder
    """What bytes are that are no picture; None where nothing is recognised."""
    for offset, magic, content in _MAGIC:
        if data[offset : offset + len(magic)] == magic:
            return content
    if data[4:8] == b"ftyp":
        return Content("mp4", "an ISO media file (video)")
    text = _as_text(data[:4096])
    if text is None:
        return Content("zeros", "zero bytes") if data and not any(data[:65536]) else None
    if re.search(r"<svg[\s>]", text, re.IGNORECASE):
        return Content("svg", "an SVG drawing")
    if re.match(r"\s*(<!doctype html|<html)", text, re.IGNORECASE):
        return Content("html", "an HTML page")
    if text.lstrip().startswith("<?xml"):
        return Content("xml", "an XML document")
    return Content("text", "text")


def _as_text(data: bytes) -> str | None:
    """The bytes as text, or None: no control characters but white space, UTF-8 or UTF-16 with a mark."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = data[: len(data) & ~1].decode("utf-16", errors="replace")
    else:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            if error.start < len(data) - 3:  # not merely a character cut at the end of the sample
                return None
            text = data[: error.start].decode("utf-8")
    control = any(ord(character) < 32 and character not in "\t\n\r\f\x1b" for character in text)
    return None if control or not text else text


def unread_picture(head: bytes) -> str | None:
    """The name of a kind of picture that is known and not read, or None.

    Args:
        head: the first `HEAD` bytes or more of a file; fewer where the file has fewer.
    """
    for offset, magic, name in _UNREAD_PICTURES:
        if head[offset : offset + len(magic)] == magic:
            return name
    if head[:4] == _CURSOR and _has_icon_directory(head):
        return "Windows cursor"
    return None


def why_no_image(data: bytes) -> str:
    """The reason for bytes that `image_format` does not know, one line."""
    name = unread_picture(data[:HEAD])
    if name is None and data.endswith(b"TRUEVISION-XFILE.\0"):
        name = "Targa (TGA)"
    if name is None and _PORTABLE.match(data[:4096]):
        name = "portable anymap (PBM, PGM, PPM)"
    if name is not None:
        return f"{name} images are not read"
    content = content_of(data)
    if content is None:
        return "content is not an image (unknown bytes)"
    if content.word in ("text", "zeros"):
        return f"content is not an image ({content.phrase})"
    return f"content is {content.phrase}, not an image"


def trailing_word(data: bytes) -> str:
    """One word for what stands behind the end of a picture: `zip`, `jpeg`, `zeros`, `text`, ..., `data`."""
    picture = image_format(data[:HEAD])
    if picture is not None:
        return picture.lower()
    content = content_of(data)
    return "data" if content is None else content.word


def extension_mismatch(name: str, format_name: str) -> bool:
    """Whether the name has an extension, and one under which this format is not expected."""
    match = re.search(r"\.([A-Za-z][A-Za-z0-9]{1,4})$", name)
    return match is not None and match.group(1).lower() not in EXTENSIONS[format_name]
