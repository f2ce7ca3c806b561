"""The page of spectra: closed to the network, pictures that can be read, names as text."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import html
import io
import re
from typing import Any

import numpy as np
from PIL import Image

from forensic.spectra.export import KINDS
from forensic.spectra.image import AROUND_ZERO, colours
from forensic.spectra.page import write_html


def page_of(spectra: Any, kinds: tuple[str, ...] = KINDS) -> str:
    stream = io.BytesIO()
    write_html(spectra, kinds, stream, told=str)
    return stream.getvalue().decode("utf-8")


def test_policy_and_addresses(three: Any) -> None:
    page = page_of(three)
    style = re.search(r"<style>(.*)</style>", page, re.DOTALL)[1]  # type: ignore[index]
    assert f"style-src 'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'" in page
    assert "default-src 'none'" in page
    sources = re.findall(r'(?:src|href)="([^"]{0,30})', page)
    assert sources
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert "<script" not in page
    assert 'style="' not in page


def test_pictures_are_the_views(three: Any) -> None:
    page = page_of(three[:1])
    pictures = [
        np.array(Image.open(io.BytesIO(base64.b64decode(text))))
        for text in re.findall(r"data:image/png;base64,([^\"]+)", page)
    ]
    assert len(pictures) == 4
    np.testing.assert_array_equal(pictures[0], three[0].preview)
    np.testing.assert_array_equal(pictures[3], colours(three[0].autocorrelation, *AROUND_ZERO, signed=True))


def test_group_stands_first(three: Any) -> None:
    page = page_of(three)
    assert page.index("Mean of 3 images") < page.index(html.escape(three[0].name))
    assert page.count("<section>") == 4
    assert "Mean of" not in page_of(three[:1])


def test_name_is_text(three: Any) -> None:
    page = page_of([dataclasses.replace(three[1], name="</title><script>alert(1)</script>.png")])
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;.png" in page


def test_same_spectra_same_bytes(three: Any) -> None:
    assert page_of(three) == page_of(three)
