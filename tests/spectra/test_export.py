"""JSON and NPZ hold what the figures show."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest

from forensic.spectra.export import KINDS, VIEWS, write_json, write_npz


def as_json(spectra: Any, kinds: tuple[str, ...]) -> dict[str, Any]:
    stream = io.BytesIO()
    write_json(spectra, kinds, stream)
    loaded: dict[str, Any] = json.loads(stream.getvalue())
    return loaded


def test_json_holds_every_number(three: Any) -> None:
    whole = as_json(three, KINDS)
    assert list(whole["meaning"]) == list(KINDS)
    assert whole["frequencies"][32] == 0.25
    for told, spectrum in zip(whole["images"], three, strict=True):
        assert told["path"] == spectrum.name
        assert told["tiles"] == spectrum.tiles
        np.testing.assert_array_equal(np.float32(told["radial"]), spectrum.profile)
        np.testing.assert_array_equal(told["dct"], spectrum.dct)
    profiles = np.array([spectrum.profile for spectrum in three], dtype=np.float64)
    np.testing.assert_allclose(whole["group"]["radial_mean"], profiles.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(whole["group"]["radial_spread"], profiles.std(axis=0, ddof=1), rtol=1e-9)


def test_json_of_one_image_has_no_group(three: Any) -> None:
    assert "group" not in as_json(three[:1], ("radial",))


@pytest.mark.parametrize("kind", KINDS)
def test_json_of_one_kind(three: Any, kind: str) -> None:
    image = as_json(three[:1], (kind,))["images"][0]
    assert set(image) & {"radial", *VIEWS} == {kind}


def test_npz_holds_every_array(three: Any) -> None:
    stream = io.BytesIO()
    write_npz(three, KINDS, stream)
    stream.seek(0)
    with np.load(stream, allow_pickle=False) as arrays:
        assert list(arrays["paths"]) == [spectrum.name for spectrum in three]
        np.testing.assert_array_equal(arrays["radial"], [spectrum.profile for spectrum in three])
        np.testing.assert_array_equal(arrays["fft"], [spectrum.fourier for spectrum in three])
        np.testing.assert_array_equal(arrays["autocorrelation"], [spectrum.autocorrelation for spectrum in three])


@pytest.mark.parametrize("write", [write_json, write_npz])
def test_same_spectra_same_bytes(three: Any, write: Any) -> None:
    streams = io.BytesIO(), io.BytesIO()
    for stream in streams:
        write(three, KINDS, stream)
    assert streams[0].getvalue() == streams[1].getvalue()
