"""A run small enough for a test: noise images of three classes, a network four channels wide."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml

from forensic.models.feature_extractor import Architecture
from forensic.train.config import Recipe
from forensic.train.loop import TrainPlan, train
from forensic.train.run_folder import RunConfig

torch.set_num_threads(1)  # tests share the processor; a run sets its own number
CLASSES = ("real", "coarse", "stripes")
UNKNOWN = "dots"

TINY = Recipe(
    epochs=3,
    batch_items=2,
    augmented_items=2,
    warmup_steps=2,
    augmenter_channels=4,
    augmenter_warmup_steps=2,
    architecture=Architecture(width=4, neck_channels=4, embedding_dim=16),
)


def made_image(kind: str, number: int) -> np.ndarray:
    """128 x 128 noise with the trace of its class."""
    draws = np.random.default_rng((7, number))
    image = draws.integers(40, 216, (128, 128, 3))
    if kind == "coarse":
        image = image[::2, ::2].repeat(2, axis=0).repeat(2, axis=1)
    if kind == "stripes":
        image[:, ::4] += 30
    if kind == UNKNOWN:
        image[::8, ::8] = 255
    return image.astype(np.uint8)


def write_images(folder: Path, kind: str, numbers: range) -> None:
    folder.mkdir(parents=True)
    for number in numbers:
        assert cv2.imwrite(str(folder / f"{number:05d}.png"), made_image(kind, number))


def write_layout(root: Path) -> Path:
    """osma-mini's layout: five training images a class, two for validation."""
    for name in CLASSES:
        write_images(root / "train" / name, name, range(5))
        write_images(root / "val" / name, name, range(5, 7))
    write_images(root / "val_unseen" / UNKNOWN, UNKNOWN, range(5, 7))
    names = {"name": "osma-mini", "known": list(CLASSES), "unseen": {}, "val_unseen": [UNKNOWN]}
    (root / "classes.yaml").write_text(yaml.safe_dump(names), encoding="utf-8")
    return root


@pytest.fixture
def tiny_recipe() -> Recipe:
    """The recipe of these runs."""
    return TINY


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layout; shared, never write below it."""
    return write_layout(tmp_path_factory.mktemp("tiny") / "data")


@pytest.fixture(scope="session")
def tiny_config(tiny_data: Path) -> RunConfig:
    """A run on it; nine steps in three epochs."""
    return RunConfig(data=str(tiny_data), threads=1, recipe=TINY)


@pytest.fixture(scope="session")
def undisturbed(tiny_config: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of that run, trained without a stop; never write below it."""
    out = tmp_path_factory.mktemp("runs") / "undisturbed"
    train(TrainPlan(out, tiny_config, {}), lambda _: None)
    return out


@pytest.fixture
def same_result(undisturbed: Path) -> Callable[[Path], None]:
    """Asserts that a run folder holds what the undisturbed run's holds, byte for byte."""

    def check(run: Path) -> None:
        names = sorted(path.name for path in undisturbed.iterdir())
        assert sorted(path.name for path in run.iterdir()) == names
        for name in names:
            if name != "config.toml":
                assert (run / name).read_bytes() == (undisturbed / name).read_bytes(), name

    return check
