"""GIF: the first frame on its screen; frames are counted, cut ones are not scored."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from forensic.data.decode import decode
from forensic.data.inspect_gif import EXTENSION, blocks, inspect_gif
from forensic.data.inspection import DecodeLimits
from forensic.errors import Unreadable

LIMITS = DecodeLimits()


@pytest.fixture(scope="module")
def animated(saved, noise) -> bytes:
    frames = [Image.fromarray(noise(30, 40, seed=n)) for n in range(4)]
    return saved(frames[0], "GIF", save_all=True, append_images=frames[1:])


def test_frames_are_counted_and_the_first_is_read(animated: bytes, noise) -> None:
    decoded = decode(animated, name="x.gif")
    assert decoded.flags == ("animated-first-frame=4",)
    np.testing.assert_array_equal(decoded.pixels[..., 0], noise(30, 40))


def test_decoder_gets_the_first_frame_alone(animated: bytes) -> None:
    with Image.open(io.BytesIO(inspect_gif(animated, LIMITS).payload)) as image:
        assert image.n_frames == 1


def test_a_transparent_colour_is_alpha(saved) -> None:
    indices = np.ones((16, 20), np.uint8)
    indices[:4] = 0
    picture = Image.fromarray(indices, "L").convert("P")
    decoded = decode(saved(picture, "GIF", transparency=0), name="x.gif")
    assert decoded.flags == ("alpha-dropped=0.25",)


def test_only_the_end_marker_may_be_missing(animated: bytes) -> None:
    assert decode(animated[:-1], name="x.gif").flags == ("animated-first-frame=4", "missing-end-marker")
    for cut in (2, len(animated) // 2, len(animated) - 20):
        with pytest.raises(Unreadable, match=r"^truncated"):
            inspect_gif(animated[:-cut], LIMITS)


def test_what_stands_behind_the_end_is_flagged(animated: bytes) -> None:
    assert f"trailing-data={len(animated)}+3:text" in inspect_gif(animated + b"abc", LIMITS).flags


def test_a_frame_whose_codes_end_early_is_unreadable() -> None:
    head = b"GIF89a\x10\0\x10\0\x80\0\0" + b"\0\0\0\xff\xff\xff"
    frame = b",\0\0\0\0\x10\0\x10\0\0" + b"\x02" + b"\x02\x44\x01" + b"\0;"  # clear, one pixel, end
    with pytest.raises(Unreadable, match=r"^damaged GIF: "):
        decode(head + frame, name="x.gif")


@pytest.mark.parametrize(
    ("tail", "reason"),
    [
        (b";", "no frame in it"),
        (b"\x7f", "damaged GIF: no block at byte 13"),
        (b",\0\0\0\0\0\0\x10\0\0", "truncated: the file ends inside a frame"),
        (b",\0\0\0\0\0\0\x10\0\0\x02", r"empty frame \(0 by 16 pixels\)"),
        (b",\0\0\0\0\x10\0\x10\0\0\x02\x02\x44\x01\0;", "damaged GIF: a frame without a colour table"),
        (b",\0\0\0\0\x10\0\x10\0\x80" + bytes(6) + b"\0\x02\x44\x01\0;", "damaged GIF: a frame with codes of 0 bits"),
        (
            b",\0\0\0\0\x10\0\x10\0\x80" + bytes(6) + b"\x0b\x02\x44\x01\0;",
            "damaged GIF: a frame with codes of 11 bits",
        ),
        (b"!\xfe\x05ab", "truncated: the file ends inside a block"),
        (b"", "truncated in header"),
    ],
)
def test_each_fault_is_named(tail: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=f"^{reason}$"):
        inspect_gif(b"GIF89a\x10\0\x10\0\0\0\0" + tail, LIMITS)


def test_index_beyond_the_colour_table_is_unreadable(saved, noise) -> None:
    samples = noise(24, 40) % 8
    image = Image.fromarray(samples).convert("P")
    palette = noise(256, 3, seed=1)
    image.putpalette(palette.tobytes())
    data = saved(image, "GIF")
    size = 3 << ((data[10] & 7) + 1)
    four = data[:10] + bytes([data[10] & 0xF8 | 1]) + data[11 : 13 + 12] + data[13 + size :]
    np.testing.assert_array_equal(decode(data, name="x").pixels, palette[samples])
    beyond = np.count_nonzero(samples >= 4)
    with pytest.raises(Unreadable, match=rf"^damaged GIF: {beyond} pixels have no colour in the palette$"):
        decode(four, name="x")


def test_blocks_are_told_with_their_places(saved, noise) -> None:
    data = saved(Image.fromarray(noise(16, 20)), "GIF", comment=b"a comment")
    found = list(blocks(data))
    assert [kind for kind, _, _ in found][-2:] == [0x2C, 0x3B]
    places = [place for kind, place, _ in found if kind == EXTENSION and data[place + 1] == 0xFE]
    assert [data[place + 3 : place + 12] for place in places] == [b"a comment"]


def placed(data: bytes, left: int, top: int, width: int, height: int) -> bytes:
    """A still GIF whose frame lies there on a screen of that size."""
    out = bytearray(data)
    frame = next(place for kind, place, _ in blocks(data) if kind == 0x2C)
    struct.pack_into("<HH", out, 6, width, height)
    struct.pack_into("<HH", out, frame + 1, left, top)
    return bytes(out)


def test_only_the_frame_is_scored_where_it_covers_a_part_of_the_screen(saved, noise) -> None:
    """The decoder fills the rest with a colour that the file may not even name."""
    data = placed(saved(Image.fromarray(noise(30, 40)), "GIF"), 7, 5, 100, 90)
    decoded = decode(data, name="x.gif")
    assert decoded.flags == ("part-of-canvas=100x90",)
    np.testing.assert_array_equal(decoded.pixels[..., 0], noise(30, 40))


@pytest.mark.parametrize("place", [(1, 0, 40, 30), (0, 1, 40, 30), (60000, 60000, 40, 30), (0, 0, 20, 20)])
def test_a_frame_beyond_the_screen_is_damaged(place: tuple[int, int, int, int], saved, noise) -> None:
    data = placed(saved(Image.fromarray(noise(30, 40)), "GIF"), *place)
    with pytest.raises(Unreadable, match=r"^damaged GIF: the first frame reaches beyond the screen$"):
        inspect_gif(data, LIMITS)
