"""What goes between the scan and its decode workers: length-prefixed frames over pipes, nothing unpickled.

parent -> worker   settings (once), then one job a file: index and path
worker -> parent   `ready` (once, after the control picture), then for each job `evidence` as soon as the file is
                   read and hashed, and `read` with tiles and thumbnail: a worker that dies in between has told
                   what the file was.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from forensic.errors import FileOutcome, Skipped, Unreadable

if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable

    from numpy.typing import NDArray

_LENGTHS = struct.Struct(">IQ")


@dataclass(frozen=True)
class Settings:
    """What a worker needs to know before its first job."""

    preprocessing: str
    max_tiles: int
    max_pixels: int
    max_bytes: int
    seconds: float
    address_space: int
    follow_links: bool
    thumbnails: bool
    stability: int = 0
    """How many changed forms of a picture come with it (forensic.data.variants)."""
    looks: bool = False
    """Whether the hash of `forensic.data.look` comes with it."""


@dataclass(frozen=True)
class Read:
    """One file after reading: its identity, and network inputs or the reason why there are none."""

    index: int
    """As submitted."""
    sha256: str | None = None
    bytes: int | None = None
    format: str | None = None
    width: int | None = None
    """Of the upright picture, pixels."""
    height: int | None = None
    flags: tuple[str, ...] = ()
    decoder: str | None = None
    tiles: NDArray[np.uint8] | None = field(default=None, repr=False)
    """(T, 3, 128, 128), planar RGB; None with an outcome."""
    thumbnail: builtins.bytes | None = field(default=None, repr=False)
    """WebP, longest side at most 96 px."""
    outcome: FileOutcome | None = None
    """`Unreadable` or `Skipped`; None where there are tiles."""
    variants: dict[str, NDArray[np.uint8]] = field(default_factory=dict, repr=False)
    """Changed forms of the picture by name, (T, 3, 128, 128) each."""
    look: int | None = None
    """`forensic.data.look`, where it was asked for."""
    jpeg_quality: int | None = None
    """As libjpeg counts; None where it is no JPEG."""


def pack(header: dict[str, Any], blob: bytes = b"") -> bytes:
    """One frame: lengths, a JSON object, raw bytes."""
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    return _LENGTHS.pack(len(text), len(blob)) + text + blob


def unpack(take: Callable[[int], bytes]) -> tuple[dict[str, Any], bytes]:
    """Reads one frame.

    Args:
        take: gives exactly so many bytes, or raises EOFError.

    Raises:
        EOFError: the other side is gone.
        ValueError: what came is no frame.
    """
    text_length, blob_length = _LENGTHS.unpack(take(_LENGTHS.size))
    if text_length > 1 << 24 or blob_length > 1 << 34:
        raise ValueError("not a frame")
    header = json.loads(take(text_length))
    if not isinstance(header, dict):
        raise ValueError("not a frame")  # noqa: TRY004 - the documented error: bytes are wrong, not an argument
    return header, take(blob_length) if blob_length else b""


def pack_settings(settings: Settings) -> bytes:
    """The first frame of a worker."""
    return pack(asdict(settings))


def pack_job(index: int, path: bytes) -> bytes:
    """One file to read; the path is raw bytes."""
    return pack({"index": index}, path)


def pack_read(read: Read) -> bytes:
    """One file's result; the blob is the tiles, those of the variants, then the thumbnail."""
    outcome = read.outcome
    header = {
        "kind": "read",
        "index": read.index,
        "sha256": read.sha256,
        "bytes": read.bytes,
        "format": read.format,
        "width": read.width,
        "height": read.height,
        "flags": list(read.flags),
        "decoder": read.decoder,
        "jpeg_quality": read.jpeg_quality,
        "tiles": 0 if read.tiles is None else len(read.tiles),
        "variants": {name: len(tiles) for name, tiles in read.variants.items()},
        "thumbnail": 0 if read.thumbnail is None else len(read.thumbnail),
        "look": read.look,
        "outcome": None if outcome is None else type(outcome).__name__,
        "reason": None if outcome is None else outcome.reason,
    }
    arrays = [*(() if read.tiles is None else (read.tiles,)), *read.variants.values()]
    return pack(header, b"".join(array.tobytes() for array in arrays) + (read.thumbnail or b""))


def unpack_read(header: dict[str, Any], blob: bytes) -> Read:
    """The inverse of `pack_read`, from an unpacked frame."""
    counts = {"": int(header["tiles"]), **header["variants"]}
    at, arrays = 0, {}
    for name, count in counts.items():
        size = count * 3 * 128 * 128
        arrays[name] = np.frombuffer(blob, np.uint8, size, at).reshape(-1, 3, 128, 128)
        at += size
    tiles = arrays.pop("")
    flags = tuple(header["flags"])
    kinds = {"Unreadable": Unreadable, "Skipped": Skipped}
    kind = kinds.get(header["outcome"])
    return Read(
        index=header["index"],
        sha256=header["sha256"],
        bytes=header["bytes"],
        format=header["format"],
        width=header["width"],
        height=header["height"],
        flags=flags,
        decoder=header["decoder"],
        jpeg_quality=header["jpeg_quality"],
        tiles=tiles if len(tiles) else None,
        variants=arrays,
        thumbnail=blob[at:] or None,
        outcome=None if kind is None else kind(header["reason"], flags=flags, format=header["format"]),
        look=header["look"],
    )
