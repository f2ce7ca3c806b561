from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from forensic.spectra.pair import write_pair
from forensic.spectra.reading import GroupSpectrum, group_spectrum, read_spectrum


@pytest.fixture(scope="module")
def groups(samples: Path) -> tuple[GroupSpectrum, GroupSpectrum]:
    names = (("real-00006", "real-00044"), ("esrgan_slim_x2-00026",))
    one, other = (group_spectrum([read_spectrum(samples / f"{name}.png") for name in some]) for some in names)
    return one, other


def written(groups: tuple[GroupSpectrum, GroupSpectrum], form: str, name: str = "a/<b>$x$.png") -> bytes:
    stream = io.BytesIO()
    write_pair(*groups, (name, "other"), ["told & said"], stream, form=form)
    return stream.getvalue()


def test_png_is_a_picture_with_both_curves(groups: tuple[GroupSpectrum, GroupSpectrum]) -> None:
    with Image.open(io.BytesIO(written(groups, "png"))) as image:
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    for colour in ((0x0A, 0x6A, 0x5E), (0xA5, 0x48, 0x0F)):
        assert (pixels == colour).all(axis=1).sum() > 100


def test_svg_is_the_same_bytes_twice(groups: tuple[GroupSpectrum, GroupSpectrum]) -> None:
    first = written(groups, "svg")
    assert first == written(groups, "svg")
    assert b"<svg" in first


def test_page_escapes_names_and_asks_for_nothing(groups: tuple[GroupSpectrum, GroupSpectrum]) -> None:
    page = written(groups, "html").decode()
    assert "a/&lt;b&gt;$x$.png" in page
    assert "told &amp; said" in page
    assert "<b>" not in page
    assert "http" not in page.replace("http-equiv", "")
