"""Class-balanced batches against the rule in words: image i mod n_c of class c for item i."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from forensic.data.sampler import ClassBalancedSampler

LABELS = [0] * 10 + [1] * 4 + [2] * 7


def test_an_epoch_of_the_paper_has_509_batches() -> None:
    counts = (4021, 3990, 3976, 3956, 3975, 4036, 4066, 4012, 3967, 4018, 4002, 4005, 3970, 4032, 3972)
    labels = np.repeat(np.arange(15), counts)
    sampler = ClassBalancedSampler(labels.tolist(), 15, 8, seed=0)
    batches = sampler.batches(0)
    assert (sampler.items, len(sampler), len(batches)) == (4066, 509, 509)
    assert {len(batch.images) for batch in batches[:-1]} == {120}
    assert len(batches[-1].images) == 30


def test_item_takes_image_i_mod_n_of_each_class() -> None:
    for batch in ClassBalancedSampler(LABELS, 3, 4, seed=1).batches(0):
        for image, label, item in zip(batch.images, batch.labels, batch.items, strict=True):
            members = [index for index, own in enumerate(LABELS) if own == label]
            assert image == members[item % len(members)]


def test_every_image_of_the_largest_class_once_and_small_ones_repeat() -> None:
    batches = ClassBalancedSampler(LABELS, 3, 4, seed=1).batches(0)
    counts = Counter(int(image) for batch in batches for image in batch.images)
    assert [counts[index] for index in range(10)] == [1] * 10
    assert [counts[index] for index in range(10, 14)] == [3, 3, 2, 2]


def test_labels_run_through_all_classes_again_and_again() -> None:
    batch = ClassBalancedSampler(LABELS, 3, 4, seed=1).batches(0)[0]
    assert batch.labels.tolist() == [0, 1, 2] * 4
    assert batch.items.reshape(4, 3).std(axis=1).tolist() == [0.0] * 4


def test_order_is_that_of_seed_and_pass() -> None:
    def order(seed: int, pass_index: int) -> list[int]:
        batches = ClassBalancedSampler(LABELS, 3, 4, seed).batches(pass_index)
        return [int(item) for batch in batches for item in batch.items[::3]]

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 1)
    assert order(0, 0) != order(1, 0)
    assert sorted(order(0, 1)) == list(range(10))


def test_class_without_an_image() -> None:
    with pytest.raises(ValueError, match="class 1"):
        ClassBalancedSampler([0, 2], 3, 4, seed=0)
