"""Damaged files by the thousand, the same for the same seed; and PNG in all its forms."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np

Draws = np.random.Generator


def flip_bits(data: bytes, others: list[bytes], draws: Draws) -> bytes:  # noqa: ARG001 - all mutations are called alike
    """One to eight bits, half of the time within the first 512 bytes."""
    values = bytearray(data)
    reach = min(len(values), 512) if draws.random() < 0.5 else len(values)
    for _ in range(int(draws.integers(1, 9))):
        values[int(draws.integers(reach))] ^= 1 << int(draws.integers(8))
    return bytes(values)


def cut(data: bytes, others: list[bytes], draws: Draws) -> bytes:  # noqa: ARG001
    """The end is missing."""
    return data[: int(draws.integers(len(data)))]


def overwrite(data: bytes, others: list[bytes], draws: Draws) -> bytes:  # noqa: ARG001
    """A range of zeros, ones or noise."""
    at, size = int(draws.integers(len(data))), int(draws.integers(1, 4097))
    size = min(size, len(data) - at)
    filling = (b"\0" * size, b"\xff" * size, draws.bytes(size))[int(draws.integers(3))]
    return data[:at] + filling + data[at + size :]


def splice(data: bytes, others: list[bytes], draws: Draws) -> bytes:
    """The head of one file and the tail of another."""
    other = others[int(draws.integers(len(others)))]
    return data[: int(draws.integers(1, len(data) + 1))] + other[int(draws.integers(len(other))) :]


def swap_ranges(data: bytes, others: list[bytes], draws: Draws) -> bytes:  # noqa: ARG001
    """Two neighbouring ranges change places."""
    a, b, c = sorted(int(draws.integers(len(data))) for _ in range(3))
    return data[:a] + data[b:c] + data[a:b] + data[c:]


def repeat_range(data: bytes, others: list[bytes], draws: Draws) -> bytes:  # noqa: ARG001
    """A range of up to 4 KiB stands there up to twenty times."""
    at, size = int(draws.integers(len(data))), int(draws.integers(1, 4097))
    return data[:at] + data[at : at + size] * int(draws.integers(2, 21)) + data[at + size :]


def lie_about_a_length(data: bytes, others: list[bytes], draws: Draws) -> bytes:  # noqa: ARG001
    """Four bytes become an extreme number, in either byte order."""
    at = int(draws.integers(max(1, min(len(data), 4096) - 4)))
    number = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFF, len(data))[int(draws.integers(7))]
    return data[:at] + struct.pack(">I" if draws.random() < 0.5 else "<I", number) + data[at + 4 :]


MUTATIONS: tuple[Callable[[bytes, list[bytes], Draws], bytes], ...] = (
    flip_bits,
    cut,
    overwrite,
    splice,
    swap_ranges,
    repeat_range,
    lie_about_a_length,
)


def mutants(sources: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    """`count` damaged forms of files, each source as often as the others.

    Args:
        sources: whole files, none empty.
        count: how many.
        seed: of all draws.
    """
    for number in range(count):
        draws = np.random.default_rng((seed, number))
        data = sources[number % len(sources)]
        for _ in range(1 + int(draws.random() < 0.25)):
            data = MUTATIONS[int(draws.integers(len(MUTATIONS)))](data, sources, draws) or b"\0"
        yield data


PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Adam7: first column, first row, step across, step down."""
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""PNG's colour types and how many samples a pixel has."""


def _forms() -> Iterator[tuple[str, tuple[int, int, bool, int]]]:
    for colour, channels in CHANNELS.items():
        for depth in (1, 2, 4, 8, 16):
            if (depth > 8 and colour == 3) or (depth < 8 and channels > 1):
                continue
            for interlaced in (False, True):
                for filtering in range(5) if depth >= 8 else (0,):
                    name = f"colour{colour}-depth{depth}-{'adam7' if interlaced else 'plain'}-filter{filtering}"
                    yield name, (colour, depth, interlaced, filtering)


FORMS = dict(_forms())
"""Every colour type, depth, interlacing and filter that PNG has, by name."""


@cache
def png_forms() -> dict[str, bytes]:
    """A picture of 33 x 21 in each of `FORMS`; not to be changed."""
    return {
        name: _png(colour, depth, interlaced=interlaced, filtering=filtering)
        for name, (colour, depth, interlaced, filtering) in FORMS.items()
    }


def _png(colour: int, depth: int, *, interlaced: bool, filtering: int) -> bytes:
    width, height, channels = 33, 21, CHANNELS[colour]
    draws = np.random.default_rng((colour, depth))
    samples = draws.integers(0, 1 << depth, (height, width, channels))
    parts = PASSES if interlaced else ((0, 0, 1, 1),)
    rows = b"".join(_rows(samples[y::down, x::across], depth, filtering) for x, y, across, down in parts)
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    palette = _chunk(b"PLTE", draws.bytes(3 << depth)) if colour == 3 else b""
    body = _chunk(b"IHDR", head) + palette + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _rows(samples: np.ndarray, depth: int, filtering: int) -> bytes:
    """Rows of one pass as PNG stores them; nothing where the pass has no pixel."""
    if samples.size == 0:
        return b""
    packed = b""
    step = max(1, samples.shape[2] * depth // 8)  # bytes to the pixel on the left
    above = np.zeros(0, np.int64)
    for row in samples.reshape(len(samples), -1):
        if depth == 16:
            line = np.frombuffer(row.astype(">u2").tobytes(), np.uint8).astype(np.int64)
        else:
            bits = (row[:, None] >> np.arange(depth - 1, -1, -1)) & 1
            line = np.packbits(bits.astype(np.uint8).ravel()).astype(np.int64)
        above = above if above.size else np.zeros_like(line)
        left, corner = (np.concatenate([np.zeros(step, np.int64), each])[: len(line)] for each in (line, above))
        predicted = (0 * line, left, above, (left + above) // 2, _paeth(left, above, corner))[filtering]
        packed += bytes([filtering]) + ((line - predicted) % 256).astype(np.uint8).tobytes()
        above = line
    return packed


def _paeth(left: np.ndarray, above: np.ndarray, corner: np.ndarray) -> np.ndarray:
    estimate = left + above - corner
    choices = np.stack([left, above, corner])
    return np.take_along_axis(choices, np.abs(choices - estimate).argmin(axis=0)[None], axis=0)[0]
