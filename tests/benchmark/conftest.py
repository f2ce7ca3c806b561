"""A benchmark small enough for a test: noise images of three classes, a network two channels wide."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from forensic.benchmark.ablation import find_rows
from forensic.benchmark.run import BenchmarkPlan, run
from forensic.train.config import Recipe, set_field
from forensic.train.run_folder import RunConfig

CLASSES = ("real", "coarse", "stripes")
UNKNOWN = "dots"
SMALL = (
    "batch_items=2",
    "augmented_items=1",
    "warmup_steps=1",
    "joint_augmenters=2",
    "augmenter_channels=2",
    "augmenter_warmup_steps=1",
    "architecture.width=2",
    "architecture.neck_channels=2",
    "architecture.embedding_dim=8",
)
ROWS = "base,joint,depth-1"


def made_image(kind: str, number: int) -> np.ndarray:
    """128 x 128 noise with the trace of its class."""
    image = np.random.default_rng((3, number)).integers(40, 216, (128, 128, 3))
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


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """osma-mini's layout: four training images a class, two for validation, and test images that are none."""
    root = tmp_path_factory.mktemp("benchmark") / "data"
    for name in CLASSES:
        write_images(root / "train" / name, name, range(4))
        write_images(root / "val" / name, name, range(4, 6))
        (root / "test" / name).mkdir(parents=True)
        (root / "test" / name / "00000.png").write_bytes(b"whoever opens this fails")
    write_images(root / "val_unseen" / UNKNOWN, UNKNOWN, range(4, 7))
    names = {"name": "osma-mini", "known": list(CLASSES), "unseen": {}, "val_unseen": [UNKNOWN]}
    (root / "classes.yaml").write_text(yaml.safe_dump(names), encoding="utf-8")
    return root


@pytest.fixture(scope="session")
def tiny_base() -> Recipe:
    """The base recipe of these benchmarks; two steps an epoch."""
    recipe = Recipe()
    for assignment in SMALL:
        recipe = set_field(recipe, assignment)
    return recipe


@pytest.fixture(scope="session")
def plan_for(tiny_data: Path, tiny_base: Recipe) -> Callable[..., BenchmarkPlan]:
    """`plan_for(out, rows="base", seed=1, data=folder)`: three rows of four steps where nothing else is said."""

    def make(out: Path, rows: str = ROWS, seed: int = 0, data: Path = tiny_data) -> BenchmarkPlan:
        return BenchmarkPlan(
            out=out,
            rows=find_rows(rows),
            base=tiny_base,
            steps=4,
            run=RunConfig(data=str(data), seed=seed, threads=1),
            command="forensic benchmark ablation ...",
            versions={"forensic": "0"},
        )

    return make


@pytest.fixture(scope="session")
def undisturbed(
    plan_for: Callable[..., BenchmarkPlan], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """Folder and table of a benchmark without a stop; never write below it."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    return out, run(plan_for(out), lambda _: None)


@pytest.fixture
def timeless() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A table without what a clock measured."""

    def strip(table: dict[str, Any]) -> dict[str, Any]:
        clocks = ("seconds_per_step", "timed_steps")
        return table | {"rows": [{k: v for k, v in row.items() if k not in clocks} for row in table["rows"]]}

    return strip
