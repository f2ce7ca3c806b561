"""Made-up pictures: scores drawn from normal distributions, three classes, some generators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from forensic.calibration.file import sealed
from forensic.calibration.fit import Terms, fit_calibration
from forensic.calibration.pictures import Condition, Picture
from forensic.calibration.record import Calibration
from forensic.calibration.scale import read_scale

CLASSES = ("real", "alpha", "beta")
PNG = Condition("PNG", 128, 128, 1)


@pytest.fixture
def terms() -> Terms:
    return Terms(
        weights="ab" * 32,
        weights_name="made",
        preprocessing="tiles-128-v2",
        classes=CLASSES,
        real="real",
        scale=read_scale(),
        photographs="by hand",
        command="forensic calibrate",
        tool="forensic 0",
    )


@pytest.fixture
def make_pictures() -> Callable[..., tuple[list[Picture], list[Picture]]]:
    """`make_pictures(generators=4, photographs=22)`: known ones that score about 3, unknown ones about -4."""

    def make(
        *, generators: int = 4, photographs: int = 22, each: int = 30, unknown_mean: float = -4.0, seed: int = 0
    ) -> tuple[list[Picture], list[Picture]]:
        draws = np.random.default_rng(seed)
        known = []
        for label, name in enumerate(CLASSES):
            for number in range(each):
                scores = draws.normal(-8, 1, 3)
                scores[label] = draws.normal(3, 1)
                unit = f"p{number % photographs}"
                known.append(Picture(f"{name}{number:060}", unit, name, label, label, scores, PNG))
        unknown = []
        for place in range(generators):
            for number in range(each):
                scores = draws.normal(unknown_mean, 1, 3)
                best = int(scores.argmax())
                digest = f"{place:04}{number:060}"
                unknown.append(Picture(digest, digest, f"g{place}", -1, best, scores, PNG))
        return known, unknown

    return make


@pytest.fixture
def make_calibration(make_pictures: Any, terms: Terms) -> Callable[..., Calibration]:
    """`make_calibration(generators=4, keep=0.9)`: of made-up pictures, with its hash."""

    def make(*, known_alone: bool = False, **options: Any) -> Calibration:
        changed = {name: options.pop(name) for name in ("keep", "least_generators", "real") if name in options}
        known, unknown = make_pictures(**options)
        return sealed(fit_calibration(known, [] if known_alone else unknown, replace(terms, **changed)))

    return make
