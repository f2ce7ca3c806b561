"""Builders of pictures, byte by byte or with Pillow; expected pixels never come from the code under test."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png(
    samples: np.ndarray, *, colour: int, depth: int = 8, before: bytes = b"", after: bytes = b"", packed: bytes = b""
) -> bytes:
    height, width = samples.shape[:2]
    rows = samples.astype(">u2" if depth == 16 else "u1").reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = packed or zlib.compress(raw)
    return (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + before + _chunk(b"IDAT", data) + after + _chunk(b"IEND", b"")
    )


def _saved(image: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture.save(out, kind, **options)
    return out.getvalue()


def _tiff(samples: np.ndarray, tags: dict[int, tuple[int, ...]], *, order: str = "<", big: bool = False) -> bytes:
    """One strip, fields of type SHORT (LONG for offsets and where a value needs it), as TIFF 6.0 or BigTIFF.

    A tag without values is left out, also one of those that are there by default.
    """
    height, width = samples.shape[:2]
    count = 1 if samples.ndim == 2 else samples.shape[2]
    data = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    data += b"\0" * (len(data) & 1)
    start = 16 if big else 8
    fields: dict[int, tuple[int, ...]] = {
        256: (width,),
        257: (height,),
        258: (8 * samples.dtype.itemsize,) * count,
        259: (1,),
        262: (2 if count >= 3 else 1,),
        273: (start,),
        277: (count,),
        278: (height,),
        279: (samples.nbytes,),
        284: (1,),
        **tags,
    }
    fields = {tag: values for tag, values in fields.items() if values}
    inline, entry_size = (8, 20) if big else (4, 12)
    directory = start + len(data)
    head = 8 if big else 2
    beyond = directory + head + entry_size * len(fields) + inline
    entries, blob = b"", b""
    for tag, values in sorted(fields.items()):
        wide = tag in (273, 279, 324, 325) or max(values) > 65535
        raw = struct.pack(order + ("I" if wide else "H") * len(values), *values)
        entries += struct.pack(order + ("HHQ" if big else "HHI"), tag, 4 if wide else 3, len(values))
        if len(raw) > inline:
            entries += struct.pack(order + ("Q" if big else "I"), beyond + len(blob))
            blob += raw + b"\0" * (len(raw) & 1)
        else:
            entries += raw.ljust(inline, b"\0")
    mark = b"II" if order == "<" else b"MM"
    if big:
        first = mark + struct.pack(order + "HHHQ", 43, 8, 0, directory)
        return first + data + struct.pack(order + "Q", len(fields)) + entries + b"\0" * 8 + blob
    first = mark + struct.pack(order + "HI", 42, directory)
    return first + data + struct.pack(order + "H", len(fields)) + entries + b"\0" * 4 + blob


@pytest.fixture(scope="session")
def chunk() -> Callable[..., bytes]:
    """One PNG chunk with its checksum."""
    return _chunk


@pytest.fixture(scope="session")
def png() -> Callable[..., bytes]:
    """`png(samples, colour=2, depth=8)`: a PNG from samples, written by hand."""
    return _png


@pytest.fixture(scope="session")
def saved() -> Callable[..., bytes]:
    """`saved(array, "WEBP", quality=80)`: a picture written by Pillow."""
    return _saved


@pytest.fixture(scope="session")
def tiff() -> Callable[..., bytes]:
    """`tiff(samples, {262: (1,)}, order=">", big=True)`: a TIFF written by hand."""
    return _tiff


@pytest.fixture(scope="session")
def noise() -> Callable[..., np.ndarray]:
    """`noise(20, 30, 3)`: samples that differ everywhere; `noise(20, 30, dtype=np.uint16)`."""

    def make(*shape: int, dtype: type = np.uint8, seed: int = 0) -> np.ndarray:
        return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, shape, dtype)

    return make


@pytest.fixture(scope="session")
def smooth() -> Callable[..., np.ndarray]:
    """`smooth(40, 60)`: a colour picture that survives lossy compression, different in its four corners."""

    def make(height: int, width: int) -> np.ndarray:
        row, column = np.mgrid[0:height, 0:width] / [[[height]], [[width]]]
        return np.dstack([255 * row, 255 * column, 127 * (row + 1 - column)]).round().astype(np.uint8)

    return make
