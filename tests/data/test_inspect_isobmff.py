"""AVIF and HEIC: the primary image's own size and transform; what a missing extra says."""

from __future__ import annotations

import importlib.util
import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from forensic.data import inspect_isobmff
from forensic.data.decode import decode, inspect
from forensic.data.inspect_isobmff import inspect_avif, inspect_heic
from forensic.data.inspection import DecodeLimits
from forensic.errors import Unreadable

LIMITS = DecodeLimits()


def box(kind: bytes, *bodies: bytes) -> bytes:
    body = b"".join(bodies)
    return struct.pack(">I", 8 + len(body)) + kind + body


def container(brand: bytes, *properties: bytes, size: tuple[int, int] = (40, 30)) -> bytes:
    """The boxes of a still picture without its samples; enough for the structure check."""
    everything = (box(b"ispe", bytes(4), struct.pack(">II", *size)), *properties)
    links = struct.pack(">IHB", 1, 1, len(everything)) + bytes(range(1, len(everything) + 1))
    meta = box(
        b"meta",
        bytes(4),
        box(b"pitm", bytes(4), struct.pack(">H", 1)),
        box(b"iprp", box(b"ipco", *everything), box(b"ipma", bytes(4), links)),
    )
    return box(b"ftyp", brand, bytes(4), brand) + meta + box(b"mdat", b"samples")


@pytest.mark.parametrize("angle", range(4))
@pytest.mark.parametrize("mirror", [None, 0, 1])
def test_turn_then_mirror_is_one_of_the_eight(angle: int, mirror: int | None) -> None:
    from forensic.data.exif import turn

    properties = [box(b"irot", bytes([angle]))] if angle else []
    properties += [box(b"imir", bytes([mirror]))] if mirror is not None else []
    inspection = inspect_avif(container(b"avif", *properties), LIMITS)
    stored = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    expected = np.rot90(stored, angle)  # ISO/IEC 23008-12: anti-clockwise, then the mirror
    if mirror is not None:
        expected = expected[::-1] if mirror == 0 else expected[:, ::-1]
    np.testing.assert_array_equal(turn(stored, inspection.orientation), expected)
    assert ("exif-rotated" in inspection.flags) == (inspection.orientation != 1)


def aperture(*values: int) -> bytes:
    """A clean aperture: width, height, horizontal and vertical offset, each as numerator and denominator."""
    return box(b"clap", struct.pack(">iIiIiIiI", *values))


def with_property(data: bytes, added: bytes) -> bytes:
    """A still AVIF as OpenCV writes it, with one more property of its primary item."""
    shift = len(added) + 1
    out = bytearray(data)
    for name, by in ((b"meta", shift), (b"iprp", shift), (b"ipco", len(added)), (b"ipma", 1)):
        at = out.index(name) - 4
        struct.pack_into(">I", out, at, struct.unpack_from(">I", out, at)[0] + by)
    at = out.index(b"iloc") + 4
    assert struct.unpack_from(">IBBHHHHI", out, at)[:5] == (0, 0x44, 0, 1, 1)  # one item, offsets of four bytes
    offset = at + 4 + 2 + 2 + 2 + 2 + 2
    struct.pack_into(">I", out, offset, struct.unpack_from(">I", out, offset)[0] + shift)
    links = out.index(b"ipma") + 4
    count = out[links + 4 + 4 + 2]
    ipco = out.index(b"ipco") - 4
    end = ipco + struct.unpack_from(">I", out, ipco)[0] - len(added)
    numbers, at = 0, ipco + 8
    while at < end:
        numbers, at = numbers + 1, at + struct.unpack_from(">I", out, at)[0]
    after = links + 4 + 4 + 2 + 1 + count
    out[links + 4 + 4 + 2] = count + 1
    out[after:after] = bytes([0x80 | (numbers + 1)])
    out[end:end] = added
    return bytes(out)


@pytest.mark.parametrize("angle", range(4))
def test_clean_aperture_is_cut_out_before_the_turn(angle: int, smooth) -> None:
    data = cv2.imencode(".avif", smooth(64, 96), [cv2.IMWRITE_AVIF_QUALITY, 100])[1].tobytes()
    whole = decode(data, name="x.avif").pixels
    # 40 x 30 about a centre 4 left of and 3 below the picture's
    cut = with_property(data, aperture(40, 1, 60, 2, -4, 1, 3, 1))
    expected = whole[20:50, 24:64]
    if angle:
        cut = with_property(cut, box(b"irot", bytes([angle])))
        expected = np.rot90(expected, angle)
    np.testing.assert_array_equal(decode(cut, name="x.avif").pixels, expected)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ((40, 1, 30, 1, 0, 0, 0, 1), "divides by zero"),
        ((41, 2, 30, 1, 0, 1, 0, 1), "between pixels"),
        ((39, 1, 30, 1, 0, 1, 0, 1), "between pixels"),
        ((42, 1, 30, 1, 0, 1, 0, 1), "beyond the image"),
        ((40, 1, 30, 1, 1, 1, 0, 1), "beyond the image"),
        ((40, 1, 30, 1, 0, 1, -1, 1), "beyond the image"),
        ((0, 1, 30, 1, 0, 1, 0, 1), "beyond the image"),
        ((-2, 1, 30, 1, 0, 1, 0, 1), "beyond the image"),
    ],
)
def test_clean_aperture_that_can_not_be(values: tuple[int, ...], reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        inspect_avif(container(b"avif", aperture(*values)), LIMITS)


def test_any_claimed_size_counts_against_the_limit() -> None:
    thumbnail = box(b"ispe", bytes(4), struct.pack(">II", 65536, 65536))
    with pytest.raises(Unreadable, match=r"^4,294,967,296 pixels exceed the limit"):
        inspect_avif(container(b"avif", thumbnail), LIMITS)


def test_a_box_beyond_the_file_is_truncated() -> None:
    data = container(b"avif")
    with pytest.raises(Unreadable, match=rf"^truncated: mdat ends at byte {len(data)} of {len(data) - 1}$"):
        inspect_avif(data[:-1], LIMITS)


def test_boxes_nested_without_end_are_unreadable() -> None:
    nested = b""
    for _ in range(5000):
        nested = box(b"moov", nested)
    with pytest.raises(Unreadable, match="damaged AVIF header"):
        inspect(box(b"ftyp", b"avif\0\0\0\0avif") + nested)


def test_what_stands_behind_the_boxes_is_flagged() -> None:
    data = container(b"avif")
    assert inspect_avif(data + b"PK\x03\x04 and more", LIMITS).flags == (f"trailing-data={len(data)}+13:zip",)


@pytest.mark.parametrize("cut", ["pitm", "ispe", "ipma"])
def test_without_a_primary_picture_it_is_damaged(cut: str) -> None:
    data = container(b"avif").replace(cut.encode(), b"free")
    with pytest.raises(Unreadable, match="damaged AVIF: no primary image"):
        inspect_avif(data, LIMITS)


def test_ten_bits_are_reduced_by_us(noise) -> None:
    samples = noise(40, 60, 3, dtype=np.uint16) & 1023
    quality = [cv2.IMWRITE_AVIF_DEPTH, 10, cv2.IMWRITE_AVIF_QUALITY, 100]
    data = cv2.imencode(".avif", samples, quality)[1].tobytes()
    decoded = decode(data, name="x.avif")
    assert decoded.flags == ("16-bit-reduced=10",)
    stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)[..., ::-1]
    np.testing.assert_array_equal(decoded.pixels, np.floor(stored.astype(float) * 255 / 1023 + 0.5))


def test_frames_of_a_sequence_are_counted(saved, smooth) -> None:
    frames = [Image.fromarray(np.roll(smooth(32, 48), n, axis=1)) for n in range(3)]
    data = saved(frames[0], "AVIF", save_all=True, append_images=frames[1:])
    assert decode(data, name="x.avif").flags == ("animated-first-frame=3",)


def test_alpha_and_grey(saved, smooth) -> None:
    alpha = np.full((32, 48, 1), 255, np.uint8)
    alpha[:16] = 0
    decoded = decode(saved(np.dstack([smooth(32, 48), alpha]), "AVIF", quality=100), name="x.avif")
    assert decoded.flags == ("alpha-dropped=0.5",)
    assert decode(saved(smooth(32, 48)[..., 0].copy(), "AVIF"), name="x.avif").flags == ("grey",)


def stated(data: bytes, width: int, height: int) -> bytes:
    """With another size in the first `ispe`."""
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]


@pytest.mark.parametrize("size", [(96, 64), (48, 64), (4800, 3200), (47, 32), (24, 16)])
def test_pixels_that_are_not_coded_are_not_scored(size: tuple[int, int], saved, smooth) -> None:
    """A decoder scales a picture to what its header states: resampled pixels that nobody stored."""
    data = saved(smooth(32, 48), "AVIF")
    assert decode(stated(data, 48, 32), name="x.avif").pixels.shape == (32, 48, 3)
    reason = f"^damaged AVIF: its header states {size[0]} by {size[1]} pixels, 48 by 32 are coded$"
    with pytest.raises(Unreadable, match=reason):
        decode(stated(data, *size), name="x.avif")


def test_one_of_several_layers_may_be_smaller(saved, smooth) -> None:
    data = with_property(stated(saved(smooth(32, 48), "AVIF"), 24, 16), box(b"lsel", b"\0\0"))
    inspection = inspect_avif(data, LIMITS)
    assert (inspection.width, inspection.height) == (24, 16)


def items(*kinds: bytes, references: bytes = b"", primary: int = 1) -> bytes:
    """A container with the tables of such items, numbered from 1, all of 40 x 30."""
    entries = b"".join(
        box(b"infe", b"\2\0\0\0", struct.pack(">HH4s", number, 0, kind), b"\0") for number, kind in enumerate(kinds, 1)
    )
    links = b"".join(struct.pack(">HBBB", number, 2, 1, 2) for number in range(1, len(kinds) + 1))
    alpha = box(b"auxC", bytes(4), b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0")
    properties = box(b"ispe", bytes(4), struct.pack(">II", 40, 30)) + alpha
    meta = box(
        b"meta",
        bytes(4),
        box(b"pitm", bytes(4), struct.pack(">H", primary)),
        box(b"iinf", bytes(4), struct.pack(">H", len(kinds)), entries),
        box(b"iref", bytes(4), references) if references else b"",
        box(b"iprp", box(b"ipco", properties), box(b"ipma", bytes(4), struct.pack(">I", len(kinds)), links)),
    )
    return box(b"ftyp", b"avif", bytes(4), b"avif") + meta + box(b"mdat", b"samples")


def reference(kind: bytes, source: int, *targets: int) -> bytes:
    return box(kind, struct.pack(f">HH{len(targets)}H", source, len(targets), *targets))


@pytest.mark.parametrize(
    ("kinds", "references", "count"),
    [
        ((b"av01", b"Exif", b"mime"), b"", 0),
        ((b"av01", b"av01"), b"", 2),
        ((b"av01", b"av01"), reference(b"thmb", 2, 1), 0),
        ((b"av01", b"av01"), reference(b"auxl", 2, 1), 0),  # transparency has a flag of its own
        ((b"grid", b"av01", b"av01"), reference(b"dimg", 1, 2, 3), 0),
        ((b"av01", b"tmap", b"av01"), reference(b"dimg", 2, 1, 3), 2),  # a gain map
        ((b"grid", b"av01", b"av01", b"hvc1"), reference(b"dimg", 1, 2, 3), 2),
    ],
)
def test_pictures_beside_the_primary_one_are_counted(kinds: tuple[bytes, ...], references: bytes, count: int) -> None:
    flags = inspect_avif(items(*kinds, references=references), LIMITS).flags
    assert flags == ((f"multi-frame-first={count}",) if count else ())


def test_references_beyond_their_box_are_damaged() -> None:
    broken = box(b"dimg", struct.pack(">HH", 1, 9))
    with pytest.raises(Unreadable, match=r"^damaged header: references between items$"):
        inspect_avif(items(b"grid", references=broken), LIMITS)


def test_several_pictures_of_a_heic_are_told(smooth) -> None:
    if importlib.util.find_spec("pillow_heif") is None:
        pytest.skip("needs pillow-heif")
    import pillow_heif

    heif = pillow_heif.from_bytes(mode="RGB", size=(64, 48), data=smooth(48, 64).tobytes())
    heif.add_from_pillow(Image.fromarray(255 - smooth(48, 64)))
    out = io.BytesIO()
    heif.save(out, quality=90)
    assert decode(out.getvalue(), name="x.heic").flags == ("multi-frame-first=2",)


def test_heic_without_the_extra_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspect_isobmff.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(Unreadable, match=r"forensic-attribution\[heic\]") as refused:
        decode(container(b"heic"), name="x.heic")
    assert refused.value.format == "HEIC"
    with pytest.raises(Unreadable, match=r"^4,294,967,296 pixels exceed the limit"):  # the bomb comes first
        inspect_heic(container(b"heic", size=(65536, 65536)), LIMITS)


def test_heic_with_the_extra_is_read(smooth) -> None:
    if importlib.util.find_spec("pillow_heif") is None:
        pytest.skip("needs pillow-heif")
    import pillow_heif

    picture = smooth(48, 64)
    heif = pillow_heif.from_bytes(mode="RGB", size=(64, 48), data=picture.tobytes())
    out = io.BytesIO()
    heif.save(out, quality=90)
    data = out.getvalue()
    decoded = decode(data, name="x.heic")
    assert (decoded.format, decoded.flags) == ("HEIC", ())
    assert decoded.decoder == f"pillow-heif {pillow_heif.__version__}"
    assert np.abs(decoded.pixels.astype(int) - picture).mean() < 4
    for end in (len(data) // 3, len(data) - 10):
        with pytest.raises(Unreadable):
            decode(data[:end], name="x.heic")
