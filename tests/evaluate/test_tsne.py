from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from forensic.data.sample import Sample
from forensic.evaluate.images import Attributed
from forensic.evaluate.tsne import LEAST, choose, draw_map, embed


def samples(source: str, count: int, label: int = 0) -> list[Sample]:
    return [Sample(Path(f"{source}/{n:04d}.png"), label, source) for n in range(count)]


def clusters(count: int) -> np.ndarray:
    draws = np.random.default_rng(0)
    centres = np.repeat(np.eye(3, 16) * 20, count, axis=0)
    return (centres + draws.normal(size=centres.shape)).astype(np.float32)


def test_as_many_of_each_class_evenly_over_its_images() -> None:
    listed = samples("a", 100) + samples("b", 7) + samples("c", 20)
    found = choose(listed, most=30)
    counts = {source: sum(sample.source == source for sample in found) for source in "abc"}
    assert counts == {"a": 10, "b": 7, "c": 10}
    assert [sample.path.stem for sample in found if sample.source == "a"] == [f"{n:04d}" for n in range(0, 100, 10)]
    assert choose(listed[::-1], most=30) == found


def test_every_class_has_an_image_however_many_there_are() -> None:
    listed = [sample for n in range(40) for sample in samples(f"class{n}", 3)]
    assert len({sample.source for sample in choose(listed, most=10)}) == 40
    assert choose([], most=10) == []


def test_clusters_stay_together_and_the_map_fills_a_square() -> None:
    plane = embed(clusters(15), seed=0)
    assert plane.shape == (45, 2)
    assert plane.min() >= -1e-12
    assert plane.max() <= 1 + 1e-12
    assert (plane.max(axis=0) - plane.min(axis=0)).max() == pytest.approx(1.0)
    apart = np.linalg.norm(plane[:, None] - plane[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    assert (apart.argmin(axis=1) // 15 == np.arange(45) // 15).all()


def test_same_embeddings_same_map_at_any_number_of_threads() -> None:
    from threadpoolctl import threadpool_limits

    rows = clusters(10)
    with threadpool_limits(2):
        expected = embed(rows, seed=0)
    np.testing.assert_array_equal(embed(rows, seed=0), expected)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (np.zeros((LEAST - 1, 4), np.float32), f"N >= {LEAST}"),
        (np.zeros((LEAST, 4), np.float32), "all rows are equal"),
        (np.full((LEAST, 4), np.nan, np.float32), "not finite"),
        (np.zeros(LEAST, np.float32), r"expected \(N, D\)"),
    ],
    ids=["few", "equal", "nan", "one axis"],
)
def test_what_makes_no_map(rows: np.ndarray, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        embed(rows, seed=0)


def test_a_map_is_of_the_images_with_an_embedding_in_any_order() -> None:
    rows = clusters(5)
    found = [
        Attributed(sample, 0, 1.0, accepted=True, confidence=0.9, embedding=row)
        for sample, row in zip(samples("a", 15), rows, strict=True)
    ]
    without = Attributed(samples("b", 1)[0], 0, 1.0, accepted=True, confidence=0.9)
    drawn = draw_map([*found, without], seed=0)
    assert [sample.path for sample in drawn.samples] == [entry.sample.path for entry in found]
    again = draw_map(found[::-1], seed=0)
    np.testing.assert_array_equal(again.points, drawn.points)
    assert drawn.reason is None


@pytest.mark.parametrize(("count", "reason"), [(3, "fewer than 10 images"), (12, "all embeddings are equal")])
def test_no_map_has_a_reason(count: int, reason: str) -> None:
    same = np.ones(4, np.float32)
    found = [
        Attributed(sample, 0, 1.0, accepted=True, confidence=0.9, embedding=same) for sample in samples("a", count)
    ]
    drawn = draw_map(found, seed=0)
    assert (drawn.samples, drawn.reason) == ((), reason)
