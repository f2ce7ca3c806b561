"""EXIF texts: the tags in which programs and cameras name themselves, and in which generators keep their parameters.

Source: CIPA DC-008 (EXIF 3.0), sections 4.6.5 to 4.6.8; Microsoft's XP tags as Windows writes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from forensic.data.tiff_file import Directory, TiffFile
from forensic.errors import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXIF_DIRECTORY = 34665
_USER_COMMENT = 0x9286
_XP = {0x9C9B: "XPTitle", 0x9C9C: "XPComment", 0x9C9D: "XPAuthor", 0x9C9E: "XPKeywords", 0x9C9F: "XPSubject"}
TAGS = {
    0x000B: "ProcessingSoftware",
    0x010E: "ImageDescription",
    0x010F: "Make",
    0x0110: "Model",
    0x0131: "Software",
    0x013B: "Artist",
    0x013C: "HostComputer",
    0x8298: "Copyright",
    _USER_COMMENT: "UserComment",
    0xA433: "LensMake",
    0xA434: "LensModel",
    0xA436: "ImageTitle",
    0xA437: "Photographer",
    0xA438: "ImageEditor",
    0xA439: "CameraFirmware",
    0xA43A: "RAWDevelopingSoftware",
    0xA43B: "ImageEditingSoftware",
    0xA43C: "MetadataEditingSoftware",
    **_XP,
}


class ExifText(NamedTuple):
    """One field: its name, its text, its exact bytes, where they begin in the block."""

    name: str
    text: str
    raw: bytes
    at: int


def read_exif_texts(block: bytes) -> Iterator[ExifText | Unreadable]:
    """The texts of a block's first directory and of the EXIF directory below it.

    Args:
        block: beginning with its byte order mark; a whole TIFF is one.

    Yields:
        Fields that are there and not blank; an `Unreadable` for each that is damaged.

    Raises:
        Unreadable: the block or a directory is damaged.
    """
    if block[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        raise Unreadable("damaged EXIF: no byte order mark")
    file = TiffFile(block)
    try:
        first = file.first()
        yield from _texts(file, first)
        if _EXIF_DIRECTORY in first.entries:
            yield from _texts(file, file.directory(file.value(first, _EXIF_DIRECTORY)))
    except Unreadable as outcome:
        raise Unreadable(outcome.reason.replace("TIFF header", "EXIF")) from None


def _texts(file: TiffFile, directory: Directory) -> Iterator[ExifText | Unreadable]:
    for tag, name in TAGS.items():
        entry = directory.entries.get(tag)
        if entry is None:
            continue
        try:
            raw = file.stored(entry)
        except Unreadable as outcome:
            yield Unreadable(f"{name}: {outcome.reason}")
            continue
        text = _decoded(tag, raw, file.order)
        if text:
            yield ExifText(name, text, raw, entry.at)


def _decoded(tag: int, raw: bytes, order: str) -> str:
    if tag in _XP:
        return raw.decode("utf-16-le", errors="replace").strip("\0 ")
    if tag != _USER_COMMENT:
        return text_of(raw)
    code, body = raw[:8], raw[8:]
    if code == b"UNICODE\0":
        return _utf_16(body, order)
    return text_of(body if code in (b"ASCII\0\0\0", b"JIS\0\0\0\0\0", bytes(8)) else raw)


def _utf_16(body: bytes, order: str) -> str:
    """UTF-16 in the order that gives more ASCII: programs disagree on whether the block's own order holds here."""
    body = body[: len(body) & ~1]
    texts = [body.decode(code, errors="replace") for code in ("utf-16-le", "utf-16-be")]
    if order == ">":
        texts.reverse()
    best = max(texts, key=lambda text: sum(character.isascii() and character != "\0" for character in text))
    return best.strip("\0 \ufeff")


def text_of(raw: bytes) -> str:
    """Bytes as text: UTF-8, else Latin-1; what stands behind a last zero, and blanks around, are left out."""
    body = raw.rstrip(b"\0")
    try:
        return body.decode("utf-8").strip()
    except UnicodeDecodeError:
        return body.decode("latin-1").strip()
