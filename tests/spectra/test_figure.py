"""Figures: real pictures of the right kind, the same bytes again, any name."""

from __future__ import annotations

import dataclasses
import io
import sys
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from PIL import Image

from forensic.errors import MissingError
from forensic.spectra.export import KINDS
from forensic.spectra.figure import MOST_ROWS, write_figure


def drawn(spectra: Any, form: str, kinds: tuple[str, ...] = KINDS) -> bytes:
    stream = io.BytesIO()
    write_figure(spectra, kinds, stream, form=form, told=str)
    return stream.getvalue()


def test_png_has_a_row_for_each_image_and_one_for_the_mean(three: Any) -> None:
    sizes = []
    for spectra in (three[:1], three):
        with Image.open(io.BytesIO(drawn(spectra, "png"))) as image:
            sizes.append(image.size)
            assert len(image.convert("RGB").getcolors(1 << 24)) > 1000
    assert sizes[0][0] == sizes[1][0]
    assert sizes[1][1] == pytest.approx(sizes[0][1] + 3 * 2.25 * 150, abs=2)


def test_svg_is_xml_and_leads_nowhere(three: Any) -> None:
    root = ET.fromstring(drawn(three[:1], "svg", ("radial",)))  # noqa: S314 - our own file
    links = [value for node in root.iter() for key, value in node.attrib.items() if key.endswith("href")]
    assert links
    assert all(link.startswith(("#", "data:")) for link in links)


@pytest.mark.parametrize("form", ["png", "svg"])
def test_same_spectra_same_bytes(three: Any, form: str) -> None:
    assert drawn(three[:1], form, ("radial",)) == drawn(three[:1], form, ("radial",))


@pytest.mark.parametrize("name", ["$\\frac{1}{0}$.png", "東京🌄.png", "x" * 300, "a_b^c{d.png"])
def test_name_is_text(three: Any, name: str) -> None:
    drawn([dataclasses.replace(three[1], name=name)], "png", ("radial",))


def test_many_images_share_a_figure(three: Any) -> None:
    with Image.open(io.BytesIO(drawn([three[1]] * (MOST_ROWS + 5), "png", ("fft",)))) as image:
        assert image.height < (MOST_ROWS + 2) * 2.25 * 150 + 200


def test_without_matplotlib_the_remedy_is_told(three: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingError, match="pip install matplotlib"):
        drawn(three[:1], "png")
