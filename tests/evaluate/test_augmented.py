"""One class under every augmenter, against plain loops."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.torch import load_file

from forensic.data.layouts import load_image
from forensic.errors import Unreadable
from forensic.evaluate import tsne
from forensic.evaluate.augmented import (
    IMAGES,
    augment_class,
    cosine_similarity,
    embed_sets,
    panel_epochs,
    read_tiles,
)
from forensic.evaluate.history import History
from forensic.evaluate.open_space import OpenSpace
from forensic.evaluate.selection import Selection
from forensic.models.augmenter import Augmenter
from forensic.models.feature_extractor import TaskModel

NAME = "ae_ct4_d1_s0"


def plain_embeddings(space: OpenSpace, network: int, augmenters: int, samples) -> np.ndarray:
    """(1 + A, N, D) by torch modules alone, image by image."""
    model = TaskModel(len(space.classes), space.network(1).architecture)
    stored = load_file(space.run / "open-space" / f"epoch-{network}.safetensors")
    model.load_state_dict({k.removeprefix("model."): v for k, v in stored.items() if k.startswith("model.")})
    model.eval()
    sets = []
    for number in range(augmenters + 1):
        rows = []
        for sample in samples:
            x = torch.from_numpy(load_image(sample)[:128, :128].copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
            if number:
                kept = load_file(space.run / "open-space" / f"epoch-{number}.safetensors")
                first = torch.nn.functional.conv2d(x, kept["augmenter.w1"], kept["augmenter.b1"], padding=1)
                x = torch.nn.functional.conv2d(first, kept["augmenter.w2"], kept["augmenter.b2"], padding=1)
            with torch.no_grad():
                rows.append(model(x)[1][0].numpy())
        sets.append(rows)
    return np.array(sets, dtype=np.float64)


def of_class(selection: Selection, space: OpenSpace) -> list:
    return [sample for sample in selection.known if space.classes[sample.label] == NAME]


def test_similarity_is_that_of_the_means_under_the_last_network(
    history: History, space: OpenSpace, selection: Selection
) -> None:
    samples = of_class(selection, space)
    means = torch.from_numpy(plain_embeddings(space, 3, 3, samples).mean(axis=1))
    expected = torch.nn.functional.cosine_similarity(means[:, None], means[None], dim=2)
    found = history.augmented
    assert (found.class_name, found.images, found.similarity.shape) == (NAME, len(samples), (4, 4))
    np.testing.assert_allclose(found.similarity, expected.numpy(), atol=1e-4)
    pairs = [found.similarity[i, j] for i in range(1, 4) for j in range(i + 1, 4)]
    assert found.mean_similarity == pytest.approx(np.mean(pairs))


def test_each_panel_has_its_own_network_and_augmenters(space: OpenSpace, selection: Selection) -> None:
    samples = [sample for sample in selection.known if sample.label < 3]  # six images are enough for a map
    found = augment_class(space, samples, "three", seed=5, device="cpu", with_maps=True)
    assert [(panel.epoch, panel.augmenters) for panel in found.panels] == [(1, 1), (2, 2), (3, 3)]
    chosen = tsne.choose(samples, IMAGES)
    for panel in found.panels:
        assert panel.reason is None
        assert panel.sets.tolist() == [number for number in range(panel.epoch + 1) for _ in chosen]
    tiles = np.stack([read_tiles(sample, space.preprocessing)[0] for sample in chosen])
    sets = embed_sets(space.network(1), space.augmenters(1), tiles, "cpu")
    plain = plain_embeddings(space, 1, 1, chosen)
    np.testing.assert_allclose(sets, plain, rtol=1e-3, atol=1e-3 * np.abs(plain).max())
    expected = tsne.embed(sets.reshape(-1, sets.shape[-1]).astype(np.float32), 5)
    np.testing.assert_array_equal(found.panels[0].points, expected)


def test_too_few_images_make_no_map(history: History) -> None:
    for panel in history.augmented.panels:
        assert panel.reason == "fewer than 10 images"
        assert panel.points.shape == (0, 2)
    assert len(history.augmented.panels) == 3


def test_no_image_or_no_augmenter_says_so(space: OpenSpace, selection: Selection, tmp_path: Path) -> None:
    absent = replace(selection.known[0], path=tmp_path / "absent.png")
    found = augment_class(space, [absent], NAME, seed=0, device="cpu", with_maps=True)
    assert (found.reason, found.images, found.panels) == (f"no images of class {NAME}", 0, ())
    base = replace(space, at_once=0)
    found = augment_class(base, of_class(selection, space), NAME, seed=0, device="cpu", with_maps=True)
    assert found.reason == "the run has no augmenters"
    assert found.mean_similarity is None


def test_an_image_that_can_not_be_read(selection: Selection, tmp_path: Path) -> None:
    absent = replace(selection.known[0], path=tmp_path / "absent.png")
    assert isinstance(read_tiles(absent, "tiles-128-v1"), Unreadable)


def test_an_augmenter_that_is_the_identity_changes_nothing(space: OpenSpace, seeded) -> None:
    same = Augmenter(channels=3)
    with torch.no_grad():
        for channel in range(3):
            same.w1[channel, channel, 1, 1] = same.w2[channel, channel, 1, 1] = 1.0
    tiles = seeded().integers(0, 256, (2, 3, 128, 128)).astype(np.uint8)
    plain, augmented = embed_sets(space.network(3), [same], tiles, "cpu")
    np.testing.assert_allclose(augmented, plain, rtol=1e-5, atol=1e-5 * np.abs(plain).max())


def test_panels_of_the_paper() -> None:
    assert panel_epochs(20) == [5, 10, 15, 20]
    assert panel_epochs(16) == [4, 8, 12, 16]
    assert panel_epochs(1) == [1]


@given(st.integers(1, 500))
def test_panels_are_epochs_of_the_run_and_end_with_its_last(last: int) -> None:
    found = panel_epochs(last)
    assert found[-1] == last
    assert found[0] >= 1
    assert len(found) == min(last, 4)
    assert all(low < high for low, high in pairwise(found))


ROWS = arrays(
    np.float64,
    st.tuples(st.integers(1, 6), st.integers(1, 5)),
    elements=st.floats(-100, 100, allow_subnormal=False).filter(lambda value: value == 0 or abs(value) > 1e-3),
)


@given(ROWS, st.floats(0.1, 10))
def test_cosines(rows: np.ndarray, scale: float) -> None:
    found = cosine_similarity(rows)
    np.testing.assert_allclose(found, found.T)
    np.testing.assert_allclose(found, cosine_similarity(rows * scale), atol=1e-9)
    assert (np.abs(found) <= 1).all()
    np.testing.assert_allclose(np.diag(found), (np.abs(rows).max(axis=1) > 0).astype(float))
    for i, one in enumerate(rows):
        for j, other in enumerate(rows):
            product = np.linalg.norm(one) * np.linalg.norm(other)
            assert found[i, j] * product == pytest.approx(float(one @ other), abs=1e-6)
