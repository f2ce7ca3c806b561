from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from forensic.data.layouts import Layout, read_layout
from forensic.evaluate.run import Evaluation, EvaluationPlan, evaluate
from forensic.evaluate.selection import Selection, select
from forensic.models.weights import Weights, load_weights


@pytest.fixture(scope="session")
def tiny(tiny_weights: Path) -> Weights:
    """The tiny weights, loaded; not to be changed."""
    return load_weights(tiny_weights)


@pytest.fixture(scope="session")
def layout(osma_mini_small: Path) -> Layout:
    """The stand-in with two test images a class and one of each unknown."""
    whole = read_layout(osma_mini_small)
    return replace(whole, test=whole.test[::2], unseen={group: samples[::4] for group, samples in whole.unseen.items()})


@pytest.fixture(scope="session")
def selection(layout: Layout) -> Selection:
    return select(layout, layout.classes)


@pytest.fixture(scope="session")
def evaluation(tiny: Weights, selection: Selection) -> Evaluation:
    return evaluate(EvaluationPlan(tiny, selection, jpeg=(80,), replicates=50, with_map=True))
