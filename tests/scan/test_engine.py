from __future__ import annotations

import numpy as np
import pytest

from forensic.errors import UsageError
from forensic.scan.engine import Engine


@pytest.fixture
def engine(tiny_weights) -> Engine:
    return Engine(tiny_weights, "cpu")


def test_an_image_is_measured_the_same_in_any_company(engine, seeded) -> None:
    tiles = seeded().integers(0, 256, (40, 3, 128, 128), dtype=np.uint8)
    (alone,) = engine.measure([tiles[:3]])
    for before in (1, 7, 30, 31, 37):
        *_, among = engine.measure([tiles[3 : 3 + before], tiles[:3]])
        assert among.scored.score == alone.scored.score
        assert np.array_equal(among.scored.per_class, alone.scored.per_class)
        assert among.spectrum == alone.spectrum


def test_nothing_to_measure(engine) -> None:
    assert engine.measure([]) == []


def test_spectrum_has_64_values(engine, seeded) -> None:
    tiles = seeded().integers(0, 256, (2, 3, 128, 128), dtype=np.uint8)
    (measured,) = engine.measure([tiles])
    assert len(measured.spectrum) == 64


def test_class_spectra_are_plain_numbers(engine) -> None:
    assert set(engine.spectra) == set(engine.weights.card.classes)
    for mean, spread in engine.spectra.values():
        assert len(mean) == len(spread) == 64
        assert all(isinstance(value, float) for value in mean + spread)


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "meta", ""])
def test_device_that_is_not_there_is_wrong_use(tiny_weights, device) -> None:
    with pytest.raises(UsageError, match="--device"):
        Engine(tiny_weights, device)
