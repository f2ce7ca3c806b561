from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from forensic.data.layouts import Layout, read_layout
from forensic.evaluate.history import History, HistoryPlan, measure_history
from forensic.evaluate.open_space import OpenSpace, read_open_space
from forensic.evaluate.run import Evaluation, EvaluationPlan, evaluate
from forensic.evaluate.selection import Selection, select
from forensic.models.feature_extractor import Architecture
from forensic.models.weights import Weights, load_weights
from forensic.train.config import Recipe
from forensic.train.loop import TrainPlan, train
from forensic.train.run_folder import RunConfig


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


@pytest.fixture(scope="session")
def kept_run(osma_mini_small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three short epochs on the stand-in that kept its open space; never write below it."""
    recipe = Recipe(
        epochs=3,
        batch_items=4,
        augmented_items=2,
        warmup_steps=2,
        augmenter_channels=4,
        augmenter_warmup_steps=2,
        architecture=Architecture(width=4, neck_channels=4, embedding_dim=16),
    )
    out = tmp_path_factory.mktemp("kept") / "run"
    config = RunConfig(data=str(osma_mini_small), threads=1, record_open_space=True, recipe=recipe)
    train(TrainPlan(out, config, {}), lambda _: None)
    return out


@pytest.fixture(scope="session")
def space(kept_run: Path) -> OpenSpace:
    return read_open_space(kept_run)


@pytest.fixture(scope="session")
def history_plan(space: OpenSpace, selection: Selection) -> HistoryPlan:
    return HistoryPlan(space, selection, "ae_ct4_d1_s0", replicates=50, with_maps=True)


@pytest.fixture(scope="session")
def history(history_plan: HistoryPlan) -> History:
    return measure_history(history_plan)
