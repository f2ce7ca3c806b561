from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from forensic.data.layouts import Layout, load_image
from forensic.data.prepare import prepare
from forensic.evaluate.images import attribute, largest_softmax
from forensic.models.predict import Predictor
from forensic.models.weights import Weights, load_weights
from tests.conftest import make_tiny_weights


def test_an_image_passes_as_in_a_scan(layout: Layout, tiny: Weights) -> None:
    predictor = Predictor(tiny)
    (found,), left_out = attribute(tiny, predictor, layout.test[:1])
    expected = tiny.scorer(*predictor(prepare(load_image(layout.test[0]), "tiles-128-v1").tiles))
    assert (found.label, found.score) == (expected.label, expected.score)
    assert found.accepted == (expected.score >= tiny.card.threshold.value)
    assert left_out == []


def test_a_score_of_the_spectrum_leaves_the_embedding_what_it_is(
    layout: Layout, tiny: Weights, osma_mini_small: Path, tmp_path: Path
) -> None:
    made = make_tiny_weights(tmp_path / "spectral.safetensors", osma_mini_small, score="combined")
    spectral = load_weights(made)
    sample = layout.test[0]
    both = [
        attribute(weights, Predictor(weights), (sample,), embed=frozenset([sample]))[0][0]
        for weights in (tiny, spectral)
    ]
    assert both[0].embedding is not None
    np.testing.assert_array_equal(both[1].embedding, both[0].embedding)
    assert both[0].confidence == both[1].confidence
    expected = spectral.scorer(*Predictor(spectral)(prepare(load_image(sample), "tiles-128-v1").tiles))
    assert both[1].score == expected.score != both[0].score


def test_reencoding_is_jpeg_420(layout: Layout, tiny: Weights) -> None:
    predictor = Predictor(tiny)
    pixels = load_image(layout.test[0])
    settings = [cv2.IMWRITE_JPEG_QUALITY, 60, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x221111]
    _, encoded = cv2.imencode(".jpg", pixels[..., ::-1], settings)
    again = np.ascontiguousarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1])
    expected = tiny.scorer(*predictor(prepare(again, "tiles-128-v1").tiles))
    (found,), _ = attribute(tiny, predictor, layout.test[:1], jpeg=60)
    assert found.score == expected.score


def test_damaged_and_missing_images_are_left_out_with_a_reason(layout: Layout, tiny: Weights, tmp_path: Path) -> None:
    cut, absent, small = tmp_path / "cut.png", tmp_path / "absent.png", tmp_path / "small.png"
    cut.write_bytes(layout.test[0].path.read_bytes()[:-300])
    assert cv2.imwrite(str(small), np.zeros((5, 300, 3), np.uint8))
    samples = tuple(replace(layout.test[0], path=path) for path in (cut, absent, small)) + layout.test[:1]
    seen = []
    found, left_out = attribute(tiny, Predictor(tiny), samples, on_image=lambda: seen.append(1))
    assert [entry.sample for entry in found] == [layout.test[0]]
    assert [entry.path for entry in left_out] == [str(cut), str(absent), str(small)]
    assert left_out[1].reason == "No such file or directory"
    assert left_out[2].reason.startswith("too small")
    assert len(seen) == 4


def test_embeddings_and_confidence_are_those_of_the_network(layout: Layout, tiny: Weights, tmp_path: Path) -> None:
    predictor = Predictor(tiny)
    large = np.tile(load_image(layout.test[0]), (2, 2, 1))
    path = tmp_path / "large.png"
    assert cv2.imwrite(str(path), large[..., ::-1])
    samples = (replace(layout.test[0], path=path), layout.test[1])
    found, _ = attribute(tiny, predictor, samples, embed=frozenset(samples[:1]))
    tiles = prepare(large, "tiles-128-v1").tiles
    assert found[0].tiles == len(tiles) > 1
    logits, embeddings = predictor(tiles)
    assert found[0].embedding is not None
    np.testing.assert_array_equal(found[0].embedding, embeddings.mean(axis=0))
    assert found[1].embedding is None
    expected = torch.softmax(torch.from_numpy(logits).double().mean(dim=0), dim=0).max().item()
    assert found[0].confidence == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(("logits", "expected"), [([[0.0, 0.0]], 0.5), ([[1000.0, -1000.0]], 1.0), ([[7.0] * 4], 0.25)])
def test_the_largest_softmax_neither_overflows_nor_passes_one(logits: list[list[float]], expected: float) -> None:
    assert largest_softmax(np.array(logits, dtype=np.float32)) == expected


def test_a_picture_that_no_jpeg_can_hold_is_left_out(layout: Layout, tiny: Weights, tmp_path: Path) -> None:
    path = tmp_path / "long.png"
    assert cv2.imwrite(str(path), np.zeros((16, 65_501, 3), np.uint8))
    found, left_out = attribute(tiny, Predictor(tiny), (replace(layout.test[0], path=path),), jpeg=90)
    assert found == []
    assert left_out[0].reason == "a side is longer than the 65500 px of a JPEG"
