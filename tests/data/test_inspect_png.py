"""PNG by hand: every rule of the chunk walk, one file each."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from forensic.data.decode import decode
from forensic.data.inspect_png import METADATA_LIMIT, chunk_text, chunks, inflate, inspect_png
from forensic.data.inspection import DecodeLimits
from forensic.errors import Unreadable

LIMITS = DecodeLimits()


def flags_of(data: bytes) -> tuple[str, ...]:
    return inspect_png(data, LIMITS).flags


def test_decoder_gets_only_what_pixels_need(png, chunk, noise) -> None:
    samples = noise(16, 20, 3)
    extra = chunk(b"gAMA", struct.pack(">I", 10000)) + chunk(b"tEXt", b"Comment\0x") + chunk(b"pHYs", bytes(9))
    data = png(samples, colour=2, before=extra, after=chunk(b"tIME", bytes(7)))
    inspection = inspect_png(data, LIMITS)
    assert inspection.payload == png(samples, colour=2)
    assert inspection.flags == ()
    np.testing.assert_array_equal(decode(data, name="x").pixels, samples)


@pytest.mark.parametrize("kind", [b"IHDR", b"PLTE", b"IDAT", b"IEND"])
def test_wrong_checksum_of_a_critical_chunk_is_unreadable(kind: bytes, png, chunk, noise) -> None:
    palette = chunk(b"PLTE", bytes(range(48)))
    data = bytearray(png(noise(16, 20) % 16, colour=3, before=palette))
    at = data.index(kind)
    data[at + 4 + struct.unpack_from(">I", data, at - 4)[0]] ^= 1
    with pytest.raises(Unreadable, match=f"^{kind.decode()} CRC error"):
        inspect_png(bytes(data), LIMITS)


@pytest.mark.parametrize("kind", [b"tEXt", b"gAMA", b"eXIf", b"acTL", b"tRNS"])
def test_wrong_checksum_of_an_ancillary_chunk_is_a_flag(kind: bytes, png, chunk, noise) -> None:
    samples = noise(16, 20, 3)
    damaged = bytearray(chunk(kind, b"\0\1\0\2\0\3\0\4"))
    damaged[-1] ^= 1
    decoded = decode(png(samples, colour=2, before=bytes(damaged)), name="x")
    assert decoded.flags == ("crc-error-ancillary",)
    np.testing.assert_array_equal(decoded.pixels, samples)


def test_missing_end_marker_is_a_flag_when_the_picture_is_whole(png, noise) -> None:
    samples = noise(16, 20, 3)
    decoded = decode(png(samples, colour=2)[:-12], name="x")
    assert decoded.flags == ("missing-end-marker",)
    np.testing.assert_array_equal(decoded.pixels, samples)


@pytest.mark.parametrize("share", [0.5, 0.99])
def test_a_missing_end_marker_hides_no_missing_pixels(share: float, png, noise) -> None:
    samples = noise(16, 20, 3)
    raw = b"".join(b"\0" + row.tobytes() for row in samples)
    short = png(samples, colour=2, packed=zlib.compress(raw[: int(len(raw) * share)]))
    for data in (short, short[:-12]):
        with pytest.raises(Unreadable, match=r"^damaged PNG"):
            decode(data, name="x")


def test_each_wrong_order_is_named(png, chunk, noise) -> None:
    whole = png(noise(16, 20) % 16, colour=3, before=chunk(b"PLTE", bytes(48)))
    header, palette = whole[8:33], chunk(b"PLTE", bytes(48))
    data = whole[whole.index(b"IDAT") - 4 : -12]
    end = chunk(b"IEND", b"")
    magic = whole[:8]
    cases = {
        "palette (PLTE) is missing": magic + header + data + end,
        "palette (PLTE)": magic + header + palette + palette + data + end,
        "IHDR is not the first": magic + palette + header + data + end,
        "in two places": magic + header + palette + data + chunk(b"tIME", bytes(7)) + data + end,
        "no image data": magic + header + palette + end,
        "unknown critical chunk ABCD": magic + header + palette + chunk(b"ABCD", b"") + data + end,
        "IHDR": magic + header + header + data + end,
        "no chunk at byte 33": magic + header + bytes(12),
        "CgBI": magic + chunk(b"CgBI", bytes(4)) + header + data + end,
    }
    for reason, broken in cases.items():
        with pytest.raises(Unreadable, match=reason.replace("(", r"\(").replace(")", r"\)")):
            inspect_png(broken, LIMITS)


@pytest.mark.parametrize(("depth", "colour"), [(3, 0), (16, 3), (4, 2), (8, 1), (8, 7)])
def test_header_values_that_do_not_exist_are_unreadable(depth: int, colour: int, chunk) -> None:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, depth, colour, 0, 0, 0))
    with pytest.raises(Unreadable, match="values that do not exist"):
        inspect_png(b"\x89PNG\r\n\x1a\n" + header, LIMITS)


@pytest.mark.parametrize("size", [(0, 5), (5, 0)])
def test_a_side_of_zero_is_unreadable(size: tuple[int, int], chunk) -> None:
    with pytest.raises(Unreadable, match="damaged header: size"):
        inspect_png(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)), LIMITS)


@pytest.mark.parametrize("kind", ["zTXt", "iTXt", "iCCP", "tEXt"])
def test_metadata_beyond_the_limit_are_a_flag(kind: str, png, chunk, noise) -> None:
    flood = bytes((8 << 20) + 1)
    packed = zlib.compress(flood)
    body = {
        "zTXt": b"Comment\0\0" + packed,
        "iCCP": b"profile\0\0" + packed,
        "iTXt": b"Comment\0\1\0en\0Comment\0" + packed,
        "tEXt": b"Comment\0" + flood,
    }[kind]
    assert "metadata-limit" in flags_of(png(noise(16, 20, 3), colour=2, after=chunk(kind.encode(), body)))


def test_many_small_texts_come_to_the_limit_as_well(png, chunk, noise) -> None:
    texts = b"".join(chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1 << 20))) for _ in range(9))
    assert flags_of(png(noise(16, 20, 3), colour=2, after=texts)) == ("metadata-limit",)


@pytest.mark.parametrize("body", [b"p\0\0" + zlib.compress(b"junk" * 99), b"p\0\0not deflate", b"p", b""])
def test_a_broken_profile_is_a_flag(body: bytes, png, chunk, noise) -> None:
    data = png(noise(16, 20, 3), colour=2, before=chunk(b"iCCP", body))
    assert "icc-invalid" in flags_of(data)


def test_transparent_colour_is_counted(png, chunk) -> None:
    samples = np.zeros((16, 20, 3), np.uint8)
    samples[:4] = (1, 2, 3)
    decoded = decode(png(samples, colour=2, before=chunk(b"tRNS", struct.pack(">3H", 1, 2, 3))), name="x")
    assert decoded.flags == ("alpha-dropped=0.25",)
    wide = samples.astype(np.uint16) * 256
    decoded = decode(png(wide, colour=2, depth=16, before=chunk(b"tRNS", struct.pack(">3H", 256, 512, 768))), name="x")
    assert decoded.flags == ("16-bit-reduced", "alpha-dropped=0.25")
    beyond = chunk(b"tRNS", struct.pack(">H", 0x4001))  # eight bits of it count
    decoded = decode(png(samples[..., 0], colour=0, before=beyond), name="x")
    assert "alpha-dropped=0.25" in decoded.flags
    np.testing.assert_array_equal(decoded.pixels[..., 0], samples[..., 0])


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_few_bits_are_spread_over_the_range(depth: int, png, chunk) -> None:
    most = (1 << depth) - 1
    values = np.arange(64).reshape(4, 16) % (most + 1)
    bits = np.unpackbits(values.astype(np.uint8)[..., None], axis=2)[..., 8 - depth :].reshape(4, -1)
    raw = b"".join(b"\0" + np.packbits(row).tobytes() for row in bits)
    trns = chunk(b"tRNS", struct.pack(">H", most))
    data = png(values, colour=0, depth=depth, before=trns, packed=zlib.compress(raw))
    decoded = decode(data, name="x")
    np.testing.assert_array_equal(decoded.pixels[..., 1], values * (255 // most))
    assert decoded.flags == ("grey", f"alpha-dropped={np.mean(values == most):g}")


def test_a_chunk_that_says_too_much_is_truncated(png, noise) -> None:
    data = bytearray(png(noise(16, 20, 3), colour=2))
    struct.pack_into(">I", data, data.index(b"IDAT") - 4, 0x7FFFFFFF)
    with pytest.raises(Unreadable, match=r"^truncated: IDAT ends at byte"):
        inspect_png(bytes(data), LIMITS)


@pytest.mark.parametrize(("depth", "colours"), [(1, 2), (2, 4), (4, 16), (8, 200)])
def test_index_beyond_the_palette_is_unreadable(depth: int, colours: int, chunk, noise) -> None:
    samples = noise(24, 32) % colours
    bits = np.unpackbits(samples[..., None], axis=2)[..., 8 - depth :].reshape(24, -1)
    rows = np.packbits(bits, axis=1)
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    palette = noise(colours, 3, seed=1)

    def picture(count: int) -> bytes:
        header = struct.pack(">IIBBBBB", 32, 24, depth, 3, 0, 0, 0)
        parts = (b"IHDR", header), (b"PLTE", palette[:count].tobytes()), (b"IDAT", packed), (b"IEND", b"")
        return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, body) for kind, body in parts)

    np.testing.assert_array_equal(decode(picture(colours), name="x").pixels, palette[samples])
    beyond = np.count_nonzero(samples == colours - 1)
    with pytest.raises(Unreadable, match=rf"^damaged PNG: {beyond} pixels have no colour in the palette$"):
        decode(picture(colours - 1), name="x")


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        (b"tEXt", b"Title\0words", (b"Title", False, b"words")),
        (b"zTXt", b"Title\0\0packed", (b"Title", True, b"packed")),
        (b"iCCP", b"name\0\0packed", (b"name", True, b"packed")),
        (b"iTXt", b"Title\0\0\0en\0Titel\0words", (b"Title", False, b"words")),
        (b"iTXt", b"Title\0\1\0\0\0packed", (b"Title", True, b"packed")),
        (b"iTXt", b"Title\0\0\0en\0no end", None),
        (b"iTXt", b"Title\0", None),
        (b"zTXt", b"Title\0", None),
        (b"tEXt", b"no end of the keyword", None),
        (b"tEXt", b"", None),
    ],
)
def test_text_chunks_are_taken_apart(kind: bytes, body: bytes, expected, png, chunk, noise) -> None:
    data = png(noise(16, 20, 3), colour=2, before=chunk(kind, body))
    (found,) = [each for each in chunks(data) if each.kind == kind]
    text = chunk_text(found, data)
    assert (text and (text.keyword, text.packed, data[text.begin : found.end])) == expected


def test_inflating_ends_at_its_limit() -> None:
    packed = zlib.compress(bytes(METADATA_LIMIT + 1000))
    assert inflate(packed, METADATA_LIMIT) == bytes(METADATA_LIMIT)
    assert inflate(packed[:-4], 10) == bytes(10)
    assert inflate(b"no zlib stream", 10) is None


def control(number: int) -> bytes:
    return struct.pack(">IIIIIHHBB", number, 20, 16, 0, 0, 1, 10, 0, 0)


@pytest.mark.parametrize(
    ("before", "after", "flags"),
    [
        ("acTL fcTL", "fcTL fdAT", ("animated-first-frame=2",)),
        ("acTL", "fcTL fdAT fcTL fdAT", ("multi-frame-first=3",)),  # what programs show is not IDAT's picture
        ("acTL", "", ()),  # frames are claimed, none is there
        ("", "fcTL fdAT", ("multi-frame-first=2",)),
        ("", "fdAT", ("multi-frame-first=2",)),
        ("", "acTL", ()),
    ],
)
def test_frames_that_are_there_are_counted(before: str, after: str, flags: tuple[str, ...], png, chunk, noise) -> None:
    samples = noise(16, 20, 3)
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in 255 - samples))
    bodies = {"acTL": struct.pack(">II", 4_000_000_000, 0), "fcTL": control(0), "fdAT": bytes(4) + rows}
    around = [b"".join(chunk(kind.encode(), bodies[kind]) for kind in kinds.split()) for kinds in (before, after)]
    decoded = decode(png(samples, colour=2, before=around[0], after=around[1]), name="x.png")
    assert decoded.flags == flags
    np.testing.assert_array_equal(decoded.pixels, samples)


@pytest.mark.parametrize("hidden", ["more rows", "behind the stream"])
def test_image_data_beyond_the_picture_are_a_flag(hidden: str, png, noise) -> None:
    samples = noise(16, 20, 3)
    rows = b"".join(b"\0" + row.tobytes() for row in samples)
    packed = zlib.compress(rows + b"secret" * 99) if hidden == "more rows" else zlib.compress(rows) + b"secret" * 99
    decoded = decode(png(samples, colour=2, packed=packed), name="x.png")
    assert decoded.flags == ("surplus-image-data",)
    np.testing.assert_array_equal(decoded.pixels, samples)


def test_the_first_of_two_orientations_counts(png, chunk, noise) -> None:
    turns = b"".join(
        chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0" + bytes([turn, 0, 0])) for turn in (6, 3)
    )
    assert inspect_png(png(noise(16, 20, 3), colour=2, before=turns), LIMITS).orientation == 6
