"""Clusters of made-up places: found, order-free, bounded."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from forensic.discovery.clusters import DIRECTIONS, LEAST, NOISE, cluster, reduce


def hashes(count: int) -> list[str]:
    return sorted(hashlib.sha256(str(number).encode()).hexdigest() for number in range(count))


def heaps(per_heap: int = 30, heaps: int = 3, width: int = 20) -> tuple[np.ndarray, np.ndarray]:
    draws = np.random.default_rng(5)
    middles = 12.0 * np.eye(width)[:heaps]
    labels = np.repeat(np.arange(heaps), per_heap)
    return (middles[labels] + draws.normal(size=(len(labels), width))).astype(np.float32), labels


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two labellings put the same images together."""
    return (
        len(set(zip(one.tolist(), other.tolist(), strict=True))) == len(set(one.tolist())) == len(set(other.tolist()))
    )


@pytest.mark.parametrize("k", [None, 3])
def test_heaps_are_found_in_any_order(k: int | None) -> None:
    places, labels = heaps()
    shuffled = np.random.default_rng(1).permutation(len(labels))
    for order in (np.arange(len(labels)), shuffled):
        found = cluster(reduce(places[order]), hashes(len(labels)), k=k)
        kept = found != NOISE
        assert kept.mean() > 0.8
        assert same(found[kept], labels[order][kept])


def test_principal_components_are_numpys() -> None:
    places, _ = heaps()
    centred = places - places.mean(axis=0)
    found = reduce(places)
    assert found.shape == (90, DIRECTIONS)
    powers = np.linalg.svd(centred, compute_uv=False)[:DIRECTIONS]
    np.testing.assert_allclose(np.linalg.norm(found, axis=0), powers, rtol=1e-5)
    assert reduce(places[:1]).shape == (1, 0)
    assert reduce(places[:0]).shape == (0, 0)
    assert reduce(places[:4]).shape == (4, 3)


def test_a_sample_stands_for_the_rest_and_the_seed_draws_it() -> None:
    places, labels = heaps(per_heap=60)
    points, names = reduce(places), hashes(180)
    found = cluster(points, names, most=120)
    kept = found != NOISE
    assert kept.mean() > 0.6
    assert same(found[kept], labels[kept])
    np.testing.assert_array_equal(found, cluster(points, names, most=120))
    far = np.concatenate([points, np.full((1, points.shape[1]), 1e3)])
    for seed in range(3):
        last = cluster(far, [*names, "f" * 64], most=120, seed=seed)[-1]
        assert last == NOISE


def test_too_few_images_make_no_cluster() -> None:
    for count in (0, 1, 2 * LEAST - 1):
        assert cluster(np.zeros((count, 2)), hashes(count)).tolist() == [NOISE] * count


def test_one_image_is_one_cluster_by_k_means() -> None:
    assert cluster(np.zeros((1, 0)), hashes(1), k=1).tolist() == [0]


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="rise"):
        cluster(np.zeros((2, 1)), ["b", "a"])
    for k in (0, 3):
        with pytest.raises(ValueError, match="k: expected 1 to 2"):
            cluster(np.zeros((2, 1)), ["a", "b"], k=k)
