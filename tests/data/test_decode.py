"""Every hostile file gets the treatment that hostile/README.md names, and so does its whole kind."""

from __future__ import annotations

import hashlib
import io
import os
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from forensic.data import codecs
from forensic.data.decode import DecodeLimits, decode, inspect
from forensic.data.prepare import prepare
from forensic.errors import FileOutcome, Skipped, Unreadable

HOSTILE = Path(__file__).parents[1] / "hostile"


class Expected(NamedTuple):
    """A row of hostile/README.md: status, flags without `small` or a part of the reason."""

    status: str
    flags: tuple[str, ...] = ()
    reason: str = ""


def ok(*flags: str) -> Expected:
    return Expected("ok", flags)


def unreadable(reason: str) -> Expected:
    return Expected("unreadable", reason=reason)


def skipped(reason: str) -> Expected:
    return Expected("skipped", reason=reason)


TABLE = {
    "avif-ok.avif": ok(),
    "bmp-header-huge.bmp": unreadable("pixels exceed the limit"),
    "bmp-rle8.bmp": ok(),
    "empty.jpg": unreadable("empty file"),
    "exif-orientation-1.jpg": ok(),
    **{f"exif-orientation-{tag}.jpg": ok("exif-rotated") for tag in range(2, 9)},
    "exif-orientation-9-invalid.jpg": ok("exif-invalid"),
    "gif-animated.gif": ok("animated-first-frame=3"),
    "gif-zero-size-frame.gif": unreadable("empty frame"),
    "jpeg-1x1.jpg": skipped("too small: 1x1, least side is 16"),
    "jpeg-411.jpg": ok(),
    "jpeg-cmyk-adobe.jpg": ok("cmyk-converted"),
    "jpeg-cmyk-no-marker.jpg": ok("cmyk-converted"),
    "jpeg-exif-garbage.jpg": ok("exif-invalid"),
    "jpeg-grey.jpg": ok("grey"),
    "jpeg-icc-broken.jpg": ok("icc-invalid"),
    "jpeg-missing-eoi.jpg": ok("missing-end-marker"),
    "jpeg-mpo-two-frames.jpg": ok("multi-frame-first=2"),
    "jpeg-ok-control.jpg": ok(),
    "jpeg-progressive.jpg": ok(),
    "jpeg-sof-65500x65500.jpg": unreadable("4,290,250,000 pixels exceed the limit"),
    "jpeg-trailing-zip.jpg": ok("trailing-data=7215+226:zip"),
    "jpeg-truncated-half.jpg": unreadable("truncated"),
    "jpeg-truncated-in-header.jpg": unreadable("truncated in header"),
    "jpeg-xmp-digitalsourcetype.jpg": ok(),
    "jpeg-ycck-adobe2.jpg": ok("cmyk-converted"),
    "png-16bit-grey-ramp.png": ok("16-bit-reduced"),
    "png-16bit-rgb.png": ok("16-bit-reduced"),
    "png-1x5000.png": skipped("too small: 1x5000"),
    "png-apng-two-frames.png": ok("animated-first-frame=2"),
    "png-bad-crc-idat.png": unreadable("IDAT CRC error"),
    "png-bad-crc-text.png": ok("crc-error-ancillary"),
    "png-bomb-20000x20000.png": unreadable("400,000,000 pixels exceed the limit"),
    "png-grey-alpha.png": ok("grey", "alpha-dropped=0.0052"),
    "png-html-in-text.png": ok(),
    "png-interlaced-adam7.png": ok(),
    "png-palette-transparency.png": ok("alpha-dropped=0.034"),
    "png-rgba-noise-under-alpha0.png": ok("alpha-dropped=0.75"),
    "png-sd-a1111.png": ok(),
    "png-sd-comfyui.png": ok(),
    "png-sd-invokeai.png": ok(),
    "png-sd-novelai.png": ok(),
    "png-tc260-aigc.png": ok(),
    "png-truncated.png": unreadable("truncated"),
    "png-xmp-digitalsourcetype.png": ok(),
    "png-ztxt-bomb-32mb.png": ok("metadata-limit"),
    "text-renamed.png": unreadable("content is not an image (text)"),
    "tiff-bad-tag-count.tif": unreadable("damaged TIFF header"),
    "tiff-float32-nan-inf.tif": unreadable("floating-point samples have no defined 8-bit reading"),
    "tiff-multipage.tif": ok("multi-page-first=2"),
    "webp-animated.webp": ok("animated-first-frame=3"),
    "webp-lossless-alpha.webp": ok("alpha-dropped=0.75"),
    "zip-renamed.jpg": unreadable("content is a ZIP archive, not an image"),
}
SMALL = {
    "avif-ok.avif", "bmp-rle8.bmp", "gif-animated.gif", "jpeg-cmyk-adobe.jpg", "jpeg-cmyk-no-marker.jpg",
    "jpeg-mpo-two-frames.jpg", "jpeg-ycck-adobe2.jpg", "png-16bit-grey-ramp.png", "png-16bit-rgb.png",
    "png-apng-two-frames.png", "png-interlaced-adam7.png", "png-palette-transparency.png",
    "png-rgba-noise-under-alpha0.png", "tiff-multipage.tif", "webp-animated.webp", "webp-lossless-alpha.webp",
    "exif-orientation-9-invalid.jpg", *(f"exif-orientation-{tag}.jpg" for tag in range(1, 9)),
}  # fmt: skip
MEANS = {
    "jpeg-cmyk-adobe.jpg": (110, 128, 126),
    "jpeg-cmyk-no-marker.jpg": (110, 128, 126),
    "jpeg-ycck-adobe2.jpg": (147, 144, 141),
}
CONTROL = "jpeg-ok-control.jpg"
EQUAL_TO_CONTROL = ("jpeg-missing-eoi.jpg", "jpeg-trailing-zip.jpg", "jpeg-exif-garbage.jpg", "jpeg-icc-broken.jpg")
STORED_CORNERS = {1: "abcd", 2: "badc", 3: "dcba", 4: "cdab", 5: "acbd", 6: "cadb", 7: "dbca", 8: "bdac"}
"""Where the corners of the stored picture (a b above c d) come to stand by tag; EXIF 2.32, section 4.6.4."""

INVERSE = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""What to store so that the tag gives the upright picture."""


def read(name: str) -> bytes:
    return (HOSTILE / name).read_bytes()


def pixels_of(data: bytes, name: str = "x") -> np.ndarray:
    return decode(data, name=name).pixels


def test_the_table_names_every_hostile_file() -> None:
    assert set(TABLE) == {path.name for path in HOSTILE.iterdir()} - {"README.md"}
    statuses = [expected.status for expected in TABLE.values()]
    assert [statuses.count(status) for status in ("ok", "unreadable", "skipped")] == [44, 13, 2]


@pytest.mark.parametrize("name", sorted(TABLE))
def test_hostile_file_gets_its_treatment(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    expected = TABLE[name]
    try:
        decoded = decode(read(name), name=name)
        prepared = prepare(decoded.pixels, "tiles-128-v1")
    except FileOutcome as outcome:
        status, flags, reason = type(outcome).__name__.lower(), (), outcome.reason
    else:
        status, flags, reason = "ok", decoded.flags + prepared.flags, ""
    assert status == expected.status
    assert flags == expected.flags + (("small",) if name in SMALL else ())
    assert expected.reason in reason
    assert "\n" not in reason
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", sorted(MEANS))
def test_cmyk_is_converted_once(name: str) -> None:
    np.testing.assert_allclose(pixels_of(read(name)).mean((0, 1)), MEANS[name], atol=3)


@pytest.mark.parametrize("name", EQUAL_TO_CONTROL)
def test_harmless_damage_leaves_the_pixels(name: str) -> None:
    with Image.open(HOSTILE / CONTROL) as control:
        expected = np.asarray(control.convert("RGB"))
    np.testing.assert_array_equal(pixels_of(read(name)), expected)


@pytest.mark.parametrize("tag", range(1, 9))
def test_orientation_is_applied_exactly_once(tag: int) -> None:
    """OpenCV 8172, 16579 and 10703: applied by one entry point and not by the other."""
    stored = pixels_of(read("exif-orientation-1.jpg"))
    corners = dict(zip("abcd", (stored[2, 2], stored[2, -3], stored[-3, 2], stored[-3, -3]), strict=True))
    turned = pixels_of(read(f"exif-orientation-{tag}.jpg"))
    assert turned.shape == ((32, 48, 3) if tag < 5 else (48, 32, 3))
    found = (turned[2, 2], turned[2, -3], turned[-3, 2], turned[-3, -3])
    for corner, pixel in zip(STORED_CORNERS[tag], found, strict=True):
        np.testing.assert_array_equal(pixel, corners[corner])
    # every pixel: the eight files store the same ones
    inverse = INVERSE[tag]
    whole = Image.fromarray(turned)
    back = whole if inverse is None else whole.transpose(inverse)
    np.testing.assert_array_equal(np.asarray(back), stored)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("tag", range(1, 9))
def test_eight_files_that_store_the_inverse_give_one_picture(kind: str, tag: int, saved, smooth) -> None:
    picture = Image.fromarray(smooth(40, 64))
    inverse = INVERSE[tag]
    stored = picture if inverse is None else picture.transpose(inverse)
    exif = Image.Exif()
    exif[0x0112] = tag
    decoded = decode(saved(stored, kind, exif=exif, **({"quality": 95} if kind != "TIFF" else {})), name="x")
    assert ("exif-rotated" in decoded.flags) == (tag != 1)
    difference = np.abs(decoded.pixels.astype(int) - np.asarray(picture))
    assert difference.mean() < (0.01 if kind in ("PNG", "TIFF") else 4)


def test_grey_ramp_is_scaled_not_clipped() -> None:
    """Pillow 2574, 3011, 3159 and 5991: all above 255 came out white."""
    pixels = pixels_of(read("png-16bit-grey-ramp.png"))
    assert abs(pixels.mean() - 128) < 1
    assert pixels.min() == 0
    assert pixels.max() == 255


def sixteen_bit(kind: str, samples: np.ndarray, png, tiff) -> bytes:
    if kind == "png":
        return png(samples, colour={1: 0, 2: 4, 3: 2, 4: 6}[1 if samples.ndim == 2 else samples.shape[2]], depth=16)
    return tiff(samples, {338: (2,)} if samples.shape[-1] in (2, 4) else {}, order="<" if "little" in kind else ">")


@pytest.mark.parametrize("kind", ["png", "tiff little", "tiff big"])
@pytest.mark.parametrize("shape", [(24, 40), (24, 40, 2), (24, 40, 3), (24, 40, 4)], ids=str)
def test_sixteen_bits_are_reduced_from_the_samples(kind: str, shape: tuple[int, ...], png, tiff, noise) -> None:
    samples = noise(*shape, dtype=np.uint16)
    if kind != "png" and shape[2:] == (2,):  # the decoder reduces these by itself, who knows how
        with pytest.raises(Unreadable, match=r"^samples of 16 bits came out as uint8$"):
            decode(sixteen_bit(kind, samples, png, tiff), name="x")
        return
    decoded = decode(sixteen_bit(kind, samples, png, tiff), name="x")
    grey = samples.reshape(24, 40, -1).shape[2] < 3
    colours = np.repeat(samples.reshape(24, 40, -1)[..., :1], 3, 2) if grey else samples[..., :3]
    np.testing.assert_array_equal(decoded.pixels, (colours.astype(np.int64) + 128) // 257)
    assert "16-bit-reduced" in decoded.flags


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_alpha_is_dropped_with_the_share_of_hidden_pixels(kind: str, saved, noise) -> None:
    samples = noise(32, 40, 4)
    samples[..., 3] = np.maximum(samples[..., 3], 1)
    samples[:8, :, 3] = 0
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    decoded = decode(saved(samples, kind, **options), name="x")
    assert "alpha-dropped=0.25" in decoded.flags
    np.testing.assert_array_equal(decoded.pixels, samples[..., :3])


BOMBS = ("PNG", "BMP", "JPEG", "GIF", "WEBP", "TIFF", "AVIF", "ICO", "HEIF")


@pytest.mark.parametrize("kind", BOMBS)
def test_pixels_over_the_limit_are_refused_before_any_decoder(kind: str, saved, smooth, monkeypatch) -> None:
    """Pillow 515, 2583 and 4966: one format raised another exception than the guard expected."""

    def reached(*_arguments: object) -> None:
        pytest.fail("a decoder was called")

    for decoder in ("decode_opencv", "decode_opencv_colour", "decode_pillow", "decode_heif"):
        monkeypatch.setattr(codecs, decoder, reached)
    options: dict[str, object] = {"sizes": [(60, 40)]} if kind == "ICO" else {}
    if kind == "HEIF":
        pytest.importorskip("pillow_heif", reason="needs pillow-heif").register_heif_opener()
    claimed = "4,096" if kind == "HEIF" else "2,400"  # coded in blocks of 64
    with pytest.raises(Unreadable, match=rf"^{claimed} pixels exceed the limit of 2,399$") as refused:
        decode(saved(smooth(40, 60), kind, **options), name="x", limits=DecodeLimits(max_pixels=2399))
    assert refused.value.format == {"WEBP": "WebP", "HEIF": "HEIC"}.get(kind, kind)


def test_bytes_over_the_limit_are_refused() -> None:
    with pytest.raises(Unreadable, match=r"^7,215 bytes exceed the limit of 7,000$"):
        decode(read(CONTROL), name=CONTROL, limits=DecodeLimits(max_bytes=7000))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF"])
def test_equal_to_pillow_where_both_read_the_samples(kind: str, saved, smooth) -> None:
    data = saved(smooth(50, 70), kind)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(pixels_of(data), expected)


@pytest.mark.parametrize(
    ("name", "flagged"),
    [
        ("a.jpg", False),
        ("a.JPEG", False),
        ("a.png", True),
        ("a", False),
        ("a.2019", False),
        ("a.png.jpg", False),
        ("a.txt", True),
    ],
)
def test_extension_that_does_not_fit_is_flagged(name: str, flagged: bool) -> None:
    assert ("extension-mismatch" in decode(read(CONTROL), name=name).flags) == flagged


def test_decoder_is_named_with_its_version() -> None:
    import cv2
    import PIL

    assert decode(read(CONTROL), name="a.jpg").decoder == f"opencv {cv2.__version__}"
    assert decode(read("gif-animated.gif"), name="a.gif").decoder == f"pillow {PIL.__version__}"


def test_pixels_do_not_depend_on_what_was_decoded_before() -> None:
    digests = {hashlib.sha256(pixels_of(read(name)).tobytes()).hexdigest() for name in (CONTROL, CONTROL)}
    assert len(digests) == 1


MUTATED = (
    CONTROL, "jpeg-progressive.jpg", "jpeg-mpo-two-frames.jpg", "jpeg-cmyk-adobe.jpg", "png-16bit-rgb.png",
    "png-palette-transparency.png", "png-apng-two-frames.png", "png-interlaced-adam7.png", "gif-animated.gif",
    "webp-animated.webp", "webp-lossless-alpha.webp", "tiff-multipage.tif", "bmp-rle8.bmp", "avif-ok.avif",
)  # fmt: skip


def check_outcome(data: bytes, name: str) -> None:
    """Pixels or a reason on one line, nothing else."""
    try:
        decoded = decode(data, name=name, limits=DecodeLimits(max_pixels=4_000_000))
    except (Unreadable, Skipped) as outcome:
        told = outcome.reason
    else:
        told = f"{decoded.pixels.dtype} {decoded.pixels.shape[2:]}"
        assert told == "uint8 (3,)"
    assert told
    assert told.isprintable()
    assert not re.search(r"@\d|0x[0-9a-f]{5}|/io/", told)  # a reason is the same in every run


@pytest.mark.parametrize("name", MUTATED)
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_cut_anywhere_gives_pixels_or_a_reason(name: str, data: st.DataObject) -> None:
    whole = read(name)
    check_outcome(whole[: data.draw(st.integers(0, len(whole) - 1))], name)


@pytest.mark.parametrize("name", MUTATED)
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_changed_bytes_give_pixels_or_a_reason(name: str, data: st.DataObject) -> None:
    changed = bytearray(read(name))
    head = data.draw(st.booleans())  # half of the changes hit the header, where the structure is
    reach = min(len(changed), 600) if head else len(changed)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, reach - 1))] = data.draw(st.integers(0, 255))
    check_outcome(bytes(changed), name)


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTATED)
@settings(max_examples=700, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_ten_thousand_mutations(name: str, data: st.DataObject) -> None:
    changed = bytearray(read(name))
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(changed) - 1))
        match data.draw(st.sampled_from(("set", "cut", "insert", "drop"))):
            case "set":
                changed[at] = data.draw(st.integers(0, 255))
            case "cut" if at:
                del changed[at:]
            case "insert":
                changed[at:at] = data.draw(st.binary(min_size=1, max_size=8))
            case "drop" if len(changed) > 8:
                del changed[at : at + 3]
    check_outcome(bytes(changed), name)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.binary(max_size=200))
def test_any_bytes_give_a_reason(data: bytes) -> None:
    check_outcome(data, os.fsdecode(b"x\xff.jpg"))


TRUNCATED = ("jpeg", "progressive", "png", "webp", "tiff", "bmp", "gif", "avif")


@pytest.mark.parametrize("share", [0.1, 0.35, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("kind", TRUNCATED)
def test_truncated_is_never_scored(kind: str, share: float, saved, noise) -> None:
    options = {"progressive": True} if kind == "progressive" else {}
    data = saved(noise(64, 80, 3), "JPEG" if kind == "progressive" else kind.upper(), **options)
    with pytest.raises(Unreadable):
        decode(data[: int(len(data) * share)], name="x")


def test_inspection_alone_calls_no_decoder(monkeypatch) -> None:
    monkeypatch.setattr(codecs, "_captured", lambda _work: pytest.fail("a decoder was called"))
    inspection = inspect(read(CONTROL))
    assert (inspection.width, inspection.height, inspection.format) == (192, 144, "JPEG")
