"""Learning rates as pure functions of the step: nothing to keep, nothing to restore."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from forensic.train.config import Recipe


def model_rate(recipe: Recipe, step: int, total_steps: int) -> float:
    """Rate of the task model at a step of the run, counted from 0; linear warm-up, then the recipe's schedule."""
    if step < recipe.warmup_steps:
        return recipe.lr * (step + 1) / recipe.warmup_steps
    if recipe.schedule == "step":
        return recipe.lr * recipe.lr_gamma ** (step // recipe.lr_step)
    if recipe.schedule == "cosine":
        share = (step - recipe.warmup_steps) / max(1, total_steps - recipe.warmup_steps)
        return recipe.lr * (1 + math.cos(math.pi * min(1.0, share))) / 2
    return recipe.lr


def augmenter_rate(recipe: Recipe, step: int) -> float:
    """Rate of the augmenter at a step of its epoch, counted from 0, warm-up included; source: the authors' program."""
    return recipe.augmenter_lr * recipe.lr_gamma ** (step // recipe.lr_step)
