"""What a file is, by its bytes."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forensic.data.signatures import (
    EXTENSIONS,
    HEAD,
    extension_mismatch,
    image_format,
    trailing_word,
    why_no_image,
)

HOSTILE = Path(__file__).parents[1] / "hostile"
BY_EXTENSION = {
    ".jpg": "JPEG",
    ".png": "PNG",
    ".webp": "WebP",
    ".tif": "TIFF",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".avif": "AVIF",
}
TARGA = b"\0\0\2" + bytes(9) + b"\x14\0\x10\0\x18\0" + bytes(range(1, 200)) + bytes(8) + b"TRUEVISION-XFILE.\0"
NO_PICTURES = {"text-renamed.png", "zip-renamed.jpg", "empty.jpg", "README.md"}


@pytest.mark.parametrize("name", sorted(path.name for path in HOSTILE.iterdir()))
def test_head_alone_tells_the_format(name: str) -> None:
    head = (HOSTILE / name).read_bytes()[:HEAD]
    assert image_format(head) == (None if name in NO_PICTURES else BY_EXTENSION[Path(name).suffix])


def archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("a.txt", "x")
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (archive(), "content is a ZIP archive, not an image"),
        (b"%PDF-1.7\n", "content is a PDF document, not an image"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "content is a gzip archive, not an image"),
        (b"\x7fELF\x02\x01\x01", "content is an ELF program, not an image"),
        (b"MZ\x90\0", "content is a Windows program, not an image"),
        (b"<?xml version='1.0'?><svg xmlns='x'/>", "content is an SVG drawing, not an image"),
        (b"<svg width='1'></svg>", "content is an SVG drawing, not an image"),
        (b"<!DOCTYPE html><p>", "content is an HTML page, not an image"),
        (b"<?xml version='1.0'?><a/>", "content is an XML document, not an image"),
        (b"two lines\nof text\n", "content is not an image (text)"),
        ("ümläut".encode(), "content is not an image (text)"),
        (b"\xff\xfeh\0i\0", "content is not an image (text)"),
        (b"BM is how this sentence begins", "content is not an image (text)"),
        (bytes(500), "content is not an image (zero bytes)"),
        (b"\x93\x01\xfa\xfb\x00\x11", "content is not an image (unknown bytes)"),
        (bytes(257) + b"ustar", "content is a tar archive, not an image"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "content is an ISO media file (video), not an image"),
        (b"RIFF\0\0\0\0WAVEfmt ", "content is a WAV recording, not an image"),
        (b"\xff\x0a\xfa\x7f", "JPEG XL images are not read"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000 images are not read"),
        (b"8BPS\0\1", "Photoshop images are not read"),
        (b"II\xbc\x01\x20\0\0\0", "JPEG XR images are not read"),
        (b"DDS |\0\0\0", "DirectDraw (DDS) images are not read"),
        (b"gimp xcf v011\0", "GIMP images are not read"),
        (b"\1\0\0\0" + bytes(36) + b" EMF", "Windows metafile (EMF) images are not read"),
        (b"P6\n# made by hand\n2 1\n255\nabcdef", "portable anymap (PBM, PGM, PPM) images are not read"),
        (b"P2 2 1 255 0 9", "portable anymap (PBM, PGM, PPM) images are not read"),
        (b"P2 or not P2, that is text", "content is not an image (text)"),
        (TARGA, "Targa (TGA) images are not read"),
        (TARGA[:-18], "content is not an image (unknown bytes)"),
        (b"\0\0\2\0\1\0\x20\x20\0\0\0\0\0\0\x30\1\0\0\x16\0\0\0", "Windows cursor images are not read"),
        (
            b"\0\5\x16\7\0\2\0\0Mac OS X        ",
            "content is an AppleDouble file (what macOS keeps beside a file), not an image",
        ),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "content is a PostScript document, not an image"),
        (bytes(128) + b"DICM\2\0", "content is a DICOM file, not an image"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "camera raw (CR3) images are not read"),
    ],
)
def test_what_is_no_picture_is_named(data: bytes, reason: str) -> None:
    assert image_format(data[:HEAD]) is None
    assert why_no_image(data) == reason


@given(st.binary(max_size=400))
def test_any_bytes_have_a_name(data: bytes) -> None:
    assert why_no_image(data).isprintable()
    assert trailing_word(data).isalnum()
    assert image_format(data) in {None, *EXTENSIONS}


@pytest.mark.parametrize("format_name", EXTENSIONS)
def test_own_extensions_fit_in_any_case(format_name: str) -> None:
    for extension in EXTENSIONS[format_name]:
        assert not extension_mismatch(f"a.{extension.upper()}", format_name)
    assert extension_mismatch("a.docx", format_name)
    assert not extension_mismatch("no extension", format_name)
