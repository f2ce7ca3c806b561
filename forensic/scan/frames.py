"""What goes between the scan and its decode workers: length-prefixed frames over pipes, nothing unpickled.

parent -> worker   settings (once), then one job a file: index and path
worker -> parent   `ready` (once, after the control picture), then for each job `evidence` as soon as the file is
                   read and hashed, and `read` with tiles and thumbnail: a worker that dies in between has told
                   what the file was. `unreadable` comes before `read` where more is tried with a file that is so:
                   what dies then takes nothing of the finding with it.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from forensic.case.beside import CarriedClaim
from forensic.errors import FileOutcome, Skipped, Unreadable

if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Iterator

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
    salvage: bool = False
    """Whether the real rows of a truncated picture come with it."""
    claims: bool = False
    """Whether what the file claims of its origin comes with it."""


@dataclass(frozen=True)
class Rows:
    """What is left of a truncated picture: network inputs of its real rows, or the reason why there are none."""

    rows: int = 0
    of_rows: int | None = None
    width: int | None = None
    """Of the part, upright, pixels."""
    height: int | None = None
    flags: tuple[str, ...] = ()
    decoder: str | None = None
    reason: str | None = None
    tiles: NDArray[np.uint8] | None = field(default=None, repr=False)
    """(T, 3, 128, 128), planar RGB; None with a reason."""


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
    salvage: Rows | None = None
    """Of a truncated picture, where it was asked for; beside an outcome."""
    claims: tuple[CarriedClaim, ...] = ()

    @property
    def images(self) -> Iterator[NDArray[np.uint8]]:
        """Everything of it that is to be scored, in a fixed order: itself, its changed forms, what is left of it."""
        if self.tiles is not None:
            yield self.tiles
            yield from self.variants.values()
        if self.salvage is not None and self.salvage.tiles is not None:
            yield self.salvage.tiles


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


def pack_read(read: Read, kind: str = "read") -> bytes:
    """One file's result; the blob is the tiles, those of the variants and of what was salvaged, then the thumbnail."""
    outcome, rows = read.outcome, read.salvage
    header = {
        "kind": kind,
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
        "salvage": None if rows is None else _told(rows),
        "claims": [asdict(claim) for claim in read.claims],
    }
    return pack(header, b"".join(array.tobytes() for array in read.images) + (read.thumbnail or b""))


def _told(rows: Rows) -> dict[str, Any]:
    """`Rows` as JSON, the number of tiles in their place."""
    told = {one.name: getattr(rows, one.name) for one in fields(rows)}
    return told | {"flags": list(rows.flags), "tiles": 0 if rows.tiles is None else len(rows.tiles)}


def unpack_read(header: dict[str, Any], blob: bytes) -> Read:
    """The inverse of `pack_read`, from an unpacked frame."""
    at = 0

    def taken(count: int) -> NDArray[np.uint8]:
        nonlocal at
        array = np.frombuffer(blob, np.uint8, count * 3 * 128 * 128, at).reshape(-1, 3, 128, 128)
        at += array.nbytes
        return array

    tiles = taken(int(header["tiles"]))
    variants = {name: taken(count) for name, count in header["variants"].items()}
    rows, told = None, header["salvage"]
    if told is not None:
        left = taken(told["tiles"])
        rows = Rows(**(told | {"flags": tuple(told["flags"]), "tiles": left if len(left) else None}))
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
        variants=variants,
        thumbnail=blob[at:] or None,
        outcome=None if kind is None else kind(header["reason"], flags=flags, format=header["format"]),
        look=header["look"],
        salvage=rows,
        claims=tuple(CarriedClaim(**claim) for claim in header["claims"]),
    )
