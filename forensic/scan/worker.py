"""One decode worker: reads a file, hashes it, decodes it, cuts its tiles; its own process, without torch.

A file can crash or stall a decoder; here that costs a process of which there are more. Everything a library prints
goes to where the parent can look for it, never to the user's terminal.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import os
import resource
import signal
import sys
from dataclasses import fields, replace
from typing import TYPE_CHECKING, BinaryIO

import cv2

from forensic.case import evidence
from forensic.case.beside import CarriedClaim
from forensic.case.flags import SALVAGED
from forensic.data.decode import DecodeLimits, decode, image_format
from forensic.data.exif_thumbnail import thumbnail_flags
from forensic.data.jpeg_quality import jpeg_quality
from forensic.data.look import look
from forensic.data.prepare import TILE, keeps_resolution, prepare
from forensic.data.salvage import salvage
from forensic.data.signatures import HEAD
from forensic.data.variants import variants
from forensic.errors import FileOutcome, Unreadable
from forensic.provenance.carried import carried_claims
from forensic.scan.frames import Read, Rows, Settings, pack, pack_read, unpack

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

THUMBNAIL_SIDE = 96
"""Pixels, the longest side."""
_THUMBNAIL_QUALITY = 80
TRUNCATED = "truncated"
"""What the reason of a truncated picture begins with."""
_PR_SET_PDEATHSIG = 1

CONTROL_PICTURE = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19i"
    "Z2hnPk1xeXBkeFxlZ2P/wAALCAAQABABAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAAP/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAI"
    "AQEAAD8AAP/Z"
)
"""A grey 16x16 JPEG: what a decoder that works can read. If it fails, the machine is at fault and not a file."""


def main() -> None:
    """Serves jobs from stdin until it is closed; results go to what stdout was at the start."""
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would land in the working directory
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    jobs = os.fdopen(0, "rb", closefd=False)
    cv2.setNumThreads(0)
    with contextlib.suppress(EOFError, BrokenPipeError):
        header, _ = unpack(lambda size: _take(jobs, size))
        settings = Settings(**header)
        _limit_memory(settings.address_space)
        _check_control()
        _send(results, pack({"kind": "ready"}))
        while True:
            header, path = unpack(lambda size: _take(jobs, size))
            _send(results, pack_read(_work(header["index"], path, settings, results)))


def _die_with_parent() -> None:
    """Also in the middle of a file; one that died before this call has closed stdin, which ends the worker as well."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _limit_memory(growth: int) -> None:
    """Allows so many bytes of address space on top of what the libraries hold already."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - the kernel's file, no path to build
        held = int(file.read().split()[0]) * resource.getpagesize()
    limit, hard = held + growth, resource.getrlimit(resource.RLIMIT_AS)[1]
    if hard != resource.RLIM_INFINITY:  # the shell's or the machine's own limit stays where it is the lower one
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _check_control() -> None:
    pixels = decode(CONTROL_PICTURE, name="control.jpg").pixels
    if pixels.shape != (16, 16, 3) or abs(int(pixels.mean()) - 128) > 2:
        sys.exit("the control image is decoded wrongly")


def _take(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _send(stream: BinaryIO, frame: bytes) -> None:
    stream.write(frame)
    stream.flush()


def _work(index: int, path: bytes, settings: Settings, results: BinaryIO) -> Read:
    """One job, whatever happens; the `evidence` frame goes out before any decoder is called."""
    try:
        found = evidence.read(path, max_bytes=settings.max_bytes, follow_links=settings.follow_links)
    except FileOutcome as outcome:
        return Read(index, flags=outcome.flags, outcome=outcome)
    except MemoryError:
        return Read(index, outcome=Unreadable("decoder stopped (memory limit)"))
    head = Read(index, found.sha256, found.bytes, image_format(found.data[:HEAD]))
    _send(results, pack({"kind": "evidence", "sha256": head.sha256, "bytes": head.bytes, "format": head.format}))
    try:
        read = read_image(head, found.data, os.fsdecode(path), settings)
    except MemoryError:
        read = replace(head, outcome=Unreadable("decoder stopped (memory limit)"))
    except Exception as error:  # noqa: BLE001 - a fault of ours in one file must not end the scan of the others
        read = replace(head, outcome=Unreadable(f"decoder stopped (internal error: {type(error).__name__})"))
    if settings.claims and head.format is not None:
        read = replace(read, claims=_claims(found.data, head.format))
    if settings.salvage and read.outcome is not None and read.outcome.reason.startswith(TRUNCATED):
        _send(results, pack_read(read, "unreadable"))
        rows = _salvaged(found.data, settings)
        flags = (f"{SALVAGED}{rows.rows}/{rows.of_rows}",) if rows.tiles is not None else ()
        quality = jpeg_quality(found.data)
        read = replace(read, salvage=rows, flags=read.flags + flags, jpeg_quality=quality)
    return read


def _claims(data: bytes, format_name: str) -> tuple[CarriedClaim, ...]:
    names = [field.name for field in fields(CarriedClaim)]
    claims = carried_claims(data, format_name)
    return tuple(CarriedClaim(**{name: getattr(claim, name) for name in names}) for claim in claims)


def _salvaged(data: bytes, settings: Settings) -> Rows:
    """The real rows of a truncated picture, cut into tiles where they are enough for them."""
    limits = DecodeLimits(settings.max_pixels, settings.max_bytes, settings.seconds, settings.address_space)
    try:
        part = salvage(data, limits)
        height, width = part.pixels.shape[:2]
        rows = Rows(part.rows, part.of_rows, width, height, part.flags, part.decoder)
        if min(height, width) < TILE:
            return replace(rows, reason=f"part not scored: {width}x{height}, its least side must be {TILE}")
        if not keeps_resolution(settings.preprocessing):
            return replace(rows, reason=f"part not scored: {settings.preprocessing} resizes whole images")
        return replace(rows, tiles=prepare(part.pixels, settings.preprocessing, max_tiles=settings.max_tiles).tiles)
    except FileOutcome as outcome:
        return Rows(reason=outcome.reason)
    except MemoryError:
        return Rows(reason="nothing to salvage: memory limit")
    except Exception as error:  # noqa: BLE001 - as for the picture itself
        return Rows(reason=f"nothing to salvage: internal error: {type(error).__name__}")


def read_image(head: Read, data: bytes, name: str, settings: Settings) -> Read:
    """Decodes one file's bytes and cuts its tiles.

    Args:
        head: index, hash, size and format.
        data: the file.
        name: its path; only the extension counts.
        settings: limits and preprocessing.

    Returns:
        `head` with what could be told; an outcome in place of tiles where the file gets no score.
    """
    limits = DecodeLimits(settings.max_pixels, settings.max_bytes, settings.seconds, settings.address_space)
    try:
        decoded = decode(data, name=name, limits=limits)
    except FileOutcome as outcome:
        found = outcome.format or head.format
        return Read(head.index, head.sha256, head.bytes, found, flags=outcome.flags, outcome=outcome)
    height, width = decoded.pixels.shape[:2]
    known = replace(
        head,
        format=decoded.format,
        width=width,
        height=height,
        flags=decoded.flags + thumbnail_flags(decoded),
        decoder=decoded.decoder,
        jpeg_quality=jpeg_quality(data),
    )
    try:
        prepared = prepare(decoded.pixels, settings.preprocessing, max_tiles=settings.max_tiles)
    except FileOutcome as outcome:
        return replace(known, flags=known.flags + outcome.flags, outcome=outcome)
    thumbnail = make_thumbnail(decoded.pixels) if settings.thumbnails else None
    changed = {}
    for form, pixels in variants(decoded.pixels, settings.stability):
        with contextlib.suppress(FileOutcome):  # one that became too small for a score
            changed[form] = prepare(pixels, settings.preprocessing, max_tiles=settings.max_tiles).tiles
    flags = known.flags + prepared.flags
    looks = look(decoded.pixels) if settings.looks else None
    return replace(known, flags=flags, tiles=prepared.tiles, variants=changed, thumbnail=thumbnail, look=looks)


def make_thumbnail(pixels: NDArray[np.uint8]) -> bytes:
    """A WebP whose longest side is at most 96 px.

    Args:
        pixels: (H, W, 3) RGB.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, THUMBNAIL_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if scale < 1 else pixels
    encoded = cv2.imencode(".webp", small[:, :, ::-1], [cv2.IMWRITE_WEBP_QUALITY, _THUMBNAIL_QUALITY])[1]
    return encoded.tobytes()


if __name__ == "__main__":
    main()
