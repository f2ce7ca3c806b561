"""What is measured, against a scan of the same images by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from forensic.benchmark.measure import JPEG_QUALITY, measure
from forensic.data.layouts import read_layout
from forensic.data.sample import Layout, Sample
from forensic.models.predict import Predictor
from forensic.models.weights import load_weights


@pytest.fixture(scope="module")
def layout(osma_mini_small: Path) -> Layout:
    whole = read_layout(osma_mini_small)
    return replace(whole, val=whole.val[::3], val_unseen=whole.val_unseen[::2])


def by_hand(weights: Path, samples: tuple[Sample, ...], *, jpeg: bool) -> list[tuple[bool, float, float]]:
    """Right or not, largest softmax, sum score of images of 128 x 128."""
    loaded = load_weights(weights)
    images = [cv2.imread(str(sample.path)) for sample in samples]
    if jpeg:
        encoded = [cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1] for image in images]
        images = [cv2.imdecode(data, cv2.IMREAD_COLOR) for data in encoded]
    tiles = np.stack([image[..., ::-1].transpose(2, 0, 1) for image in images])
    found = []
    for sample, logits, embedding in zip(samples, *Predictor(loaded)(tiles), strict=True):
        scored = loaded.scorer(logits[None], embedding[None])
        softmax = torch.from_numpy(logits).double().softmax(dim=0).max().item()
        found.append((scored.label == sample.label, softmax, scored.score))
    return found


def share_in_order(known: list[float], unknown: list[float]) -> float:
    return float(np.mean([(k > u) + (k == u) / 2 for k in known for u in unknown]))


def test_measures_are_those_of_the_images_one_by_one(layout: Layout, tiny_weights: Path) -> None:
    calls: list[tuple[int, int]] = []
    found = measure(tiny_weights, layout, "cpu", 1, lambda done, total: calls.append((done, total)))
    assert (found.known, found.unknown) == (len(layout.val), len(layout.val_unseen))
    total = 2 * (found.known + found.unknown)
    assert calls == [(done, total) for done in range(1, total + 1)]
    for measures, jpeg in ((found.stored, False), (found.jpeg, True)):
        known, unknown = (by_hand(tiny_weights, part, jpeg=jpeg) for part in (layout.val, layout.val_unseen))
        assert measures.accuracy == pytest.approx(np.mean([right for right, _, _ in known]))
        for place, value in ((1, measures.auroc_softmax), (2, measures.auroc_score)):
            sides = ([one[place] for one in side] for side in (known, unknown))
            assert value == pytest.approx(share_in_order(*sides), abs=1e-9)


def test_without_unknown_images_there_is_no_auroc(layout: Layout, tiny_weights: Path) -> None:
    found = measure(tiny_weights, replace(layout, val=layout.val[:2], val_unseen=()), "cpu", 1, lambda *_: None)
    assert found.stored.accuracy is not None
    assert found.stored.auroc_softmax is found.jpeg.auroc_score is None


def test_threads_of_torch_are_put_back(layout: Layout, tiny_weights: Path) -> None:
    before = torch.get_num_threads()
    measure(tiny_weights, replace(layout, val=layout.val[:1], val_unseen=()), "cpu", before + 1, lambda *_: None)
    assert torch.get_num_threads() == before
