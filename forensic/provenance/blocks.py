"""What the walks through containers give: blocks of metadata with their places, and places that are damaged."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from forensic.data.inspect_png import METADATA_LIMIT, inflate

Kind = Literal["text", "exif", "xmp", "iim", "jumbf"]

_RAW_PROFILE = re.compile(rb"\s*\n?(\w+)\s*\n\s*(\d{1,9})\s*\n")
_PROFILE_HEAD = 200
"""Bytes in which its name and length stand; the expression is not for long texts."""
_EXIF_PREFIX = b"Exif\0\0"
XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\0"


@dataclass(frozen=True)
class Block:
    """Metadata of one kind."""

    kind: Kind
    place: str
    """In words, with the byte at which it begins in the file."""
    data: bytes
    at: int | None = None
    """Where `data` begins in the file; None where it does not stand there in one piece, as it is."""
    key: str = ""
    """Of a text."""


@dataclass(frozen=True)
class Damage:
    """A place that can not be read. With `ends` the walk could not go on: what follows is unseen."""

    place: str
    reason: str
    ends: bool = False


class Budget:
    """Bytes that may still be inflated for one file. A stream beyond it spends all that is left."""

    def __init__(self, left: int = METADATA_LIMIT) -> None:
        self._left = left

    def inflated(self, packed: bytes, place: str) -> bytes | Damage:
        """The inflated bytes, or why not."""
        if self._left <= 0:
            return Damage(place, f"not inflated: texts of this file come to more than {METADATA_LIMIT:,} bytes")
        whole = inflate(packed, self._left + 1)
        if whole is None:
            self._left -= min(self._left, len(packed))
            return Damage(place, "damaged: it does not inflate")
        self._left -= len(whole)
        if self._left < 0:
            return Damage(place, f"it inflates to more than {METADATA_LIMIT:,} bytes")
        return whole


def exif_block(place: str, data: bytes, at: int | None) -> Block:
    """A block of EXIF, with or without its JPEG prefix."""
    if data.startswith(_EXIF_PREFIX):
        return Block("exif", place, data[len(_EXIF_PREFIX) :], None if at is None else at + len(_EXIF_PREFIX))
    return Block("exif", place, data, at)


def raw_profile(key: str, place: str, text: bytes) -> Block | Damage | None:
    """ImageMagick's way to keep EXIF, XMP or IPTC in a PNG text; None where the key names no such profile.

    Args:
        key: the text's keyword.
        place: of the text.
        text: a name, a length, and as many bytes in hexadecimal.
    """
    name = key.removeprefix("Raw profile type ").lower()
    if name == key.lower() or name not in ("exif", "app1", "xmp", "iptc"):
        return None
    head = _RAW_PROFILE.match(text[:_PROFILE_HEAD])
    try:
        body = bytes.fromhex(text[head.end() :].decode("ascii")) if head else b""
    except ValueError:
        body = b""
    if not head or len(body) != int(head[2]):
        return Damage(place, "damaged: not the profile that its key names")
    if body.startswith(XMP_PREFIX):
        return Block("xmp", place, body[len(XMP_PREFIX) :])
    if name == "xmp":
        return Block("xmp", place, body)
    return Block("iim", place, body) if name == "iptc" else exif_block(place, body, None)
