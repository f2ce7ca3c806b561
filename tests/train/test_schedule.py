"""Learning rates at the steps where they change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from forensic.train.config import Recipe
from forensic.train.schedule import augmenter_rate, model_rate


def test_golden_step_schedule(golden: Path) -> None:
    recorded = json.loads((golden / "pieces.json").read_text())["float64"]["steplr_500_0.9_lr_used_at_iteration"]
    recipe = Recipe(lr=1e-4, schedule="step", warmup_steps=0)
    for step, rate in recorded:
        assert model_rate(recipe, step, 15270) == pytest.approx(rate, rel=1e-12)


def test_warm_up_rises_in_equal_steps() -> None:
    recipe = Recipe(lr=1.0, warmup_steps=4)
    assert [model_rate(recipe, step, 100) for step in range(4)] == [0.25, 0.5, 0.75, 1.0]


def test_cosine_falls_from_the_peak_to_nothing() -> None:
    recipe = Recipe(lr=2.0, schedule="cosine", warmup_steps=10)
    rates = [model_rate(recipe, step, 110) for step in range(10, 111)]
    assert rates[0] == 2.0
    assert rates[50] == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(0.0, abs=1e-12)
    assert rates == sorted(rates, reverse=True)


def test_constant() -> None:
    assert {model_rate(Recipe(schedule="constant", warmup_steps=0), step, 10) for step in range(10)} == {Recipe().lr}


@pytest.mark.parametrize(("step", "decays"), [(0, 0), (499, 0), (500, 1), (1000, 2)])
def test_augmenter_decays_within_its_epoch(step: int, decays: int) -> None:
    assert augmenter_rate(Recipe(), step) == pytest.approx(1e-2 * 0.9**decays)
