"""Networks side by side give what one gives, in the same batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from forensic.engines.lanes import Lanes
from forensic.engines.runner import MOST_LANES, Runner
from forensic.models.predict import Predictor
from forensic.models.weights import Weights

BATCH = 4


@pytest.fixture
def with_threads() -> Iterator[Callable[[int], None]]:
    """Sets torch's number of threads until the end of the test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def images(weights: Weights, *counts: int) -> list[np.ndarray]:
    side = weights.model.architecture.size
    draws = np.random.default_rng(3)
    return [draws.integers(0, 256, (count, 3, side, side), dtype=np.uint8) for count in counts]


@pytest.mark.parametrize("counts", [(1,), (4,), (5,), (3, 1, 9, 2), (30, 1), (0, 7, 0)], ids=str)
@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_as_one_alone_to_the_bit(tiny, with_threads, lanes: int, counts: tuple[int, ...]) -> None:
    with_threads(1)
    shown = images(tiny, *counts)
    found = Lanes([Predictor(tiny, "cpu", BATCH) for _ in range(lanes)], 1).of_images(shown)
    expected = Predictor(tiny, "cpu", BATCH).of_images(shown)
    assert [len(logits) for logits, _ in found] == list(counts)
    for one, other in zip(found, expected, strict=True):
        assert all(np.array_equal(mine, theirs) for mine, theirs in zip(one, other, strict=True))


def test_no_images(tiny) -> None:
    assert Lanes([Predictor(tiny, "cpu", BATCH)], 1).of_images([]) == []


def test_torch_has_its_own_number_of_threads_in_each_lane(tiny, with_threads) -> None:
    with_threads(3)
    seen = []

    class Watching(Predictor):
        def __call__(self, tiles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            seen.append(torch.get_num_threads())
            return super().__call__(tiles)

    lanes = Lanes([Watching(tiny, "cpu", BATCH) for _ in range(2)], 1)
    assert torch.get_num_threads() == 3
    lanes.of_images(images(tiny, 8))
    assert seen == [1, 1]
    assert torch.get_num_threads() == 3


def test_a_fault_in_one_lane_is_told(tiny) -> None:
    lanes = Lanes([Predictor(tiny, "cpu", BATCH) for _ in range(2)], 1)
    with pytest.raises(TypeError, match="tiles: expected uint8, got float64"):
        lanes.of_images([images(tiny, 8)[0].astype(np.float64)])


@pytest.mark.parametrize("threads", [1, 3, 2 * MOST_LANES + 1])
@pytest.mark.parametrize("name", ["openvino", "onnx"])
def test_no_engine_s_bits_depend_on_the_number_of_lanes(tiny, need, with_threads, name: str, threads: int) -> None:
    engine = need(name)
    shown = images(tiny, 9, 30, 2)
    found = []
    for count in (2, threads):
        with_threads(count)
        found.append(Runner(tiny, "cpu", engine, threshold=-1e9).outputs(shown))
    for one, other in zip(*found, strict=True):
        if one.engine == other.engine == engine:
            assert np.array_equal(one.logits, other.logits)
            assert np.array_equal(one.embeddings, other.embeddings)
