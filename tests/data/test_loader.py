"""Pixels of a batch: crops in the phase of scanned tiles, re-encoding that says nothing about the class."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy import stats

from forensic.data.cache import read_training_images
from forensic.data.loader import BatchLoader, Reencoding, random_crop, reencode
from forensic.data.sample import Sample
from forensic.data.sampler import ClassBalancedSampler

NONE = Reencoding(0.0, 60, 100)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3)).astype(np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def loader_of(tmp_path: Path):
    def make(how: Reencoding, seed: int = 0, side: int = 128) -> tuple[BatchLoader, ClassBalancedSampler]:
        samples = []
        for label in range(2):
            for number in range(3):
                path = tmp_path / f"{label}{number}.png"
                cv2.imwrite(str(path), picture(128, 128 + 64 * label, seed=number))
                samples.append(Sample(path, label, str(label)))
        images = read_training_images(samples, "tiles-128-v1")
        return BatchLoader(images, seed, side, how), ClassBalancedSampler([0] * 3 + [1] * 3, 2, 3, seed)

    return make


def test_crop_starts_at_multiples_of_16_and_reaches_all_of_them() -> None:
    rows, columns = np.mgrid[:160, :192].astype(np.uint8)
    pixels = np.stack([rows, columns, rows], axis=2)
    draws = np.random.default_rng(0)
    origins = {tuple(int(v) for v in random_crop(pixels, 128, draws)[0, 0, :2]) for _ in range(300)}
    assert origins == {(row, column) for row in (0, 16, 32) for column in (0, 16, 32, 48, 64)}


def test_exact_size_stays_whole() -> None:
    pixels = picture(128, 128)
    assert np.array_equal(random_crop(pixels, 128, np.random.default_rng(3)), pixels)


def test_no_share_no_change() -> None:
    pixels = picture(128, 128)
    assert np.array_equal(reencode(pixels, NONE, np.random.default_rng(0)), pixels)


def test_re_encoded_keeps_the_colours_in_their_places() -> None:
    pixels = np.zeros((128, 128, 3), np.uint8)
    pixels[..., 0] = 200
    out = reencode(pixels, Reencoding(1.0, 95, 95), np.random.default_rng(0))
    assert np.abs(out.astype(int) - pixels).max() <= 4


def test_low_quality_costs_more_than_high() -> None:
    pixels = picture(128, 128)
    errors = [
        np.abs(reencode(pixels, Reencoding(1.0, q, q), np.random.default_rng(0)).astype(int) - pixels).mean()
        for q in (100, 90, 60)
    ]
    assert errors == sorted(errors)
    assert errors[0] > 0


def test_both_subsamplings_occur() -> None:
    pixels = picture(128, 128)
    made = {reencode(pixels, Reencoding(1.0, 90, 90), np.random.default_rng(n)).tobytes() for n in range(20)}
    assert len(made) == 2


def test_share_is_met() -> None:
    pixels = picture(16, 16)
    how = Reencoding(0.6, 60, 90)
    changed = sum(not np.array_equal(reencode(pixels, how, np.random.default_rng(n)), pixels) for n in range(400))
    assert stats.binomtest(changed, 400, 0.6).pvalue > 1e-4


def test_how_an_image_was_compressed_says_nothing_about_its_class(tmp_path: Path) -> None:
    """The same image in both classes: the errors of its re-encoded forms have one distribution."""
    whole = picture(128, 128)
    assert cv2.imwrite(str(tmp_path / "same.png"), whole[..., ::-1])
    samples = [Sample(tmp_path / "same.png", label, str(label)) for label in (0, 1)]
    loader = BatchLoader(read_training_images(samples, "tiles-128-v1"), 0, 128, Reencoding(0.6, 60, 100))
    sampler = ClassBalancedSampler([0, 1], 2, 1, seed=0)
    errors: dict[int, list[float]] = {0: [], 1: []}
    for pass_index in range(150):
        (batch,) = sampler.batches(pass_index)
        for out, label in zip(loader.load(batch, pass_index), batch.labels, strict=True):
            errors[int(label)].append(float(np.abs(out.transpose(1, 2, 0).astype(int) - whole).mean()))
    assert errors[0] != errors[1]
    assert stats.ks_2samp(errors[0], errors[1]).pvalue > 1e-4


def test_same_seed_and_pass_same_pixels(loader_of) -> None:
    how = Reencoding(0.6, 60, 100)
    (loader, sampler), (again, _), (other, _) = loader_of(how), loader_of(how), loader_of(how, seed=1)
    batch = sampler.batches(0)[0]
    assert np.array_equal(loader.load(batch, 0), again.load(batch, 0))
    assert not np.array_equal(loader.load(batch, 0), loader.load(batch, 1))
    assert not np.array_equal(loader.load(batch, 0), other.load(batch, 0))


def test_planar_shape(loader_of) -> None:
    loader, sampler = loader_of(NONE)
    batch = sampler.batches(0)[0]
    pixels = loader.load(batch, 0)
    assert (pixels.shape, pixels.dtype) == ((6, 3, 128, 128), np.uint8)
