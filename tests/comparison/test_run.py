from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from forensic.comparison.run import MEANING, Comparison, compare_sets, rates_in_words, to_dict
from forensic.comparison.sets import ImageSet, image_files, read_set
from forensic.errors import UsageError
from forensic.models.card import Card
from forensic.models.verification import Verification

Comparing = tuple[Card, Verification]


def read(comparing: Comparing, *paths: Path) -> ImageSet:
    files = [file for path in paths for file in image_files(path)]
    return read_set(paths[0], files, *comparing, lambda: None)


@pytest.fixture
def compared(comparing: Comparing, osma_mini_small: Path) -> Comparison:
    one = read(comparing, osma_mini_small / "val" / "ae_ct4_d1_s0")
    other = read(comparing, osma_mini_small / "test" / "esrgan_slim_x2")
    return compare_sets(one, other, *comparing)


def test_numbers_are_those_of_the_verification(compared: Comparison, comparing: Comparing) -> None:
    assert compared.compared == comparing[1](compared.one.places, compared.other.places)
    assert tuple(compared.rates["images"]) == compared.compared.counts
    assert compared.shared == 0


def test_json_has_verdict_rates_hashes_and_the_difference(compared: Comparison, comparing: Comparing) -> None:
    told = json.loads(json.dumps(to_dict(compared, comparing[0], "mine"), allow_nan=False))
    assert told["verdict"] in MEANING
    assert told["weights"] == {"name": "mine", "hash": comparing[0].short_hash}
    assert all(len(image["sha256"]) == 64 for image in told["first"]["images"])
    spectrum = told["spectrum"]
    difference = np.subtract(spectrum["second_mean"], spectrum["first_mean"])
    np.testing.assert_allclose(spectrum["difference"], difference)
    assert len(spectrum["standard_error"]) == 64
    assert max(spectrum["standard_error"]) > 0


def test_words_say_the_rates_and_what_they_rest_on(compared: Comparison, comparing: Comparing) -> None:
    words = rates_in_words(compared, comparing[0])
    assert f"{compared.rates['false_same']:.1%}" in words
    assert "training never saw" in words
    assert comparing[0].training.data in words


def test_what_is_in_both_sets_counts_once(comparing: Comparing, samples: Path) -> None:
    shared, other = samples / "real-00006.png", samples / "real-00044.png"
    found = compare_sets(read(comparing, shared), read(comparing, shared, other), *comparing)
    assert found.shared == 1
    assert [Path(image.path).name for image in found.other.images] == ["real-00044.png"]
    assert found.other.left_out == [(str(shared), "also in the first set")]


def test_the_same_file_twice_is_refused(comparing: Comparing, samples: Path) -> None:
    one = samples / "real-00006.png"
    with pytest.raises(UsageError, match="the same bytes"):
        compare_sets(read(comparing, one), read(comparing, one), *comparing)
