"""Spectra to write: read once."""

from __future__ import annotations

from pathlib import Path

import pytest

from forensic.spectra.reading import ImageSpectrum, read_spectrum


@pytest.fixture(scope="session")
def three(samples: Path) -> list[ImageSpectrum]:
    """A whole picture and two crops."""
    names = ("full/ae_ct4_d1_s0-1.png", "real-00006.png", "ae_nearpn_d1_s0-00009.png")
    return [read_spectrum(samples / name) for name in names]
