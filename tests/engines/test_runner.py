"""Every engine says what torch says: on the sample pictures, on test images of osma-mini, and at made-up thresholds."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from forensic.data.decode import decode
from forensic.data.layouts import read_layout
from forensic.data.prepare import prepare
from forensic.engines import runner as running
from forensic.engines.choice import Choice, choose
from forensic.engines.runner import Output, Runner

OF_OSMA_MINI = 4
"""Every fourth test image; the whole benchmark takes the slow test."""


@pytest.fixture(scope="session")
def pictures(samples: Path, bundled) -> list[np.ndarray]:
    return [_tiles(path, bundled) for path in sorted(samples.rglob("*.png"))]


@pytest.fixture(scope="session")
def torch(bundled) -> Runner:
    """What every engine is compared with."""
    return Runner(bundled, "cpu", choose("torch"))


@pytest.fixture(scope="session")
def runner_of(bundled) -> Callable[[Choice], Runner]:
    """`runner_of(engine)`: the default weights in it, made once; not to be changed."""
    return cache(lambda engine: Runner(bundled, "cpu", engine))


@pytest.fixture
def fast(runner_of: Callable[[Choice], Runner], engine: Choice) -> Runner:
    """The same in the engine of the test."""
    return runner_of(engine)


@pytest.fixture(scope="session")
def exact(torch: Runner, pictures) -> list[Output]:
    """What torch finds in the pictures; not to be changed."""
    return torch.outputs(pictures)


@pytest.fixture(scope="session", params=[OF_OSMA_MINI, pytest.param(1, marks=pytest.mark.slow)])
def of_osma_mini(
    request: pytest.FixtureRequest, torch: Runner, bundled, osma_mini: Path
) -> tuple[list[np.ndarray], list[Output]]:
    """Test images, known and unknown, and what torch finds in them; not to be changed."""
    layout = read_layout(osma_mini)
    unknown = [sample for samples in layout.unseen.values() for sample in samples]
    images = [_tiles(sample.path, bundled) for sample in [*layout.test, *unknown][:: request.param]]
    return images, torch.outputs(images)


def _tiles(path: Path, weights) -> np.ndarray:
    return prepare(decode(path.read_bytes(), name=path.name).pixels, weights.card.preprocessing).tiles


def said(weights, outputs, threshold: float | None = None) -> list[tuple[bool, int]]:
    """Known or not, and the best class, of each image."""
    scored = [weights.scorer(output.logits, output.embeddings) for output in outputs]
    thresholds = [
        weights.card.threshold.at(len(output.logits)) if threshold is None else threshold for output in outputs
    ]
    return [(one.score >= at, one.label) for one, at in zip(scored, thresholds, strict=True)]


def scores(weights, outputs) -> np.ndarray:
    return np.array([weights.scorer(output.logits, output.embeddings).score for output in outputs])


def within_the_cards_tolerance(weights, engine: Choice, found, expected) -> bool:
    difference = np.abs(scores(weights, found) - scores(weights, expected)).max()
    return bool(difference <= weights.card.tolerance_in(engine.precision))


def at(threshold: float, runner: Runner) -> Runner:
    """The same network for another threshold; making it anew takes longer than all of its pictures."""
    other = copy(runner)
    other._threshold = threshold
    return other


def test_same_verdicts_on_the_samples_and_scores_within_the_tolerance(
    bundled, engine: Choice, fast: Runner, pictures, exact: list[Output]
) -> None:
    found = fast.outputs(pictures)
    assert said(bundled, found) == said(bundled, exact)
    assert within_the_cards_tolerance(bundled, engine, found, exact)
    assert any(output.engine == engine for output in found)


def test_same_verdicts_on_osma_mini(bundled, engine: Choice, fast: Runner, of_osma_mini) -> None:
    images, expected = of_osma_mini
    found = fast.outputs(images)
    assert said(bundled, found) == said(bundled, expected)
    assert within_the_cards_tolerance(bundled, engine, found, expected)


def test_a_score_near_the_threshold_is_that_of_torch(bundled, fast: Runner, pictures, exact: list[Output]) -> None:
    """At a threshold that is just the score of an image, no engine but torch itself would be right every time."""
    some = pictures[:6]
    for place, score in enumerate(scores(bundled, exact[:6])):
        for threshold in (score, np.nextafter(score, np.inf)):
            outputs = at(float(threshold), fast).outputs(some)
            assert outputs[place].engine.name == "torch"
            assert scores(bundled, outputs)[place] == score
            assert said(bundled, outputs, threshold)[place][0] == (score >= threshold)


def test_two_classes_close_together_are_left_to_torch(
    bundled, engine: Choice, fast: Runner, pictures, monkeypatch
) -> None:
    far = at(-1e6, fast)
    assert {output.engine.name for output in far.outputs(pictures[:4])} == {engine.name}
    monkeypatch.setattr(type(bundled.scorer), "lead", lambda *_: 0.0)
    assert {output.engine.name for output in far.outputs(pictures[:4])} == {"torch"}


def test_an_image_is_the_same_in_any_company(fast: Runner, pictures, tiles) -> None:
    (alone,) = fast.outputs([tiles[:3]])
    for before in (1, 5, 6, 13):
        *_, among = fast.outputs([tiles[3 : 3 + before], *pictures[:2], tiles[:3]])
        assert among.engine == alone.engine
        assert among.logits.tobytes() == alone.logits.tobytes()
        assert among.embeddings.tobytes() == alone.embeddings.tobytes()


def test_torch_alone(tiny, tiles) -> None:
    torch = Runner(tiny, "cpu", choose("torch"))
    (output,) = torch.outputs([tiles])
    assert output.engine.name == "torch"
    assert output.logits.shape == (21, tiny.card.num_classes)
    assert torch.of_images([]) == []


def test_tolerance_is_what_is_stated_or_what_control_tiles_show(
    bundled, engine: Choice, fast: Runner, monkeypatch
) -> None:
    stated, gap = bundled.card.tolerance_in(engine.precision), running._GAPS[engine.precision]
    found = fast.tolerance
    assert stated <= found.score <= 1.5 * stated
    assert gap <= found.gap <= 1.5 * gap
    monkeypatch.setattr(running, "_CONTROL_FACTOR", 1e6)
    assert Runner(bundled, "cpu", engine).tolerance.score > stated


def test_control_tiles_are_of_the_models_size_and_differ() -> None:
    tiles = running._control_tiles(48)
    assert all(tile.shape == (1, 3, 48, 48) and tile.dtype == np.uint8 for tile in tiles)
    assert len({tile.tobytes() for tile in tiles}) == len(tiles)
