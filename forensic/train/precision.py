"""In which precision the trunk is trained, where a recipe leaves it to the machine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from forensic.engines.choice import multiplies_bfloat16, processor_features

if TYPE_CHECKING:
    from forensic.train.config import Recipe
    from forensic.train.run_folder import RunConfig


def settle(recipe: Recipe, device: torch.device) -> Recipe:
    """The recipe with a precision in the place of `auto`: bfloat16 where the device multiplies it faster than float32.

    Args:
        recipe: any; one that names a precision is given back as it is.
        device: where it is to be trained.
    """
    if recipe.precision != "auto":
        return recipe
    return replace(recipe, precision="bfloat16" if _multiplies_bfloat16(device) else "float32")


def settle_run(config: RunConfig) -> RunConfig:
    """The configuration with what `auto` means on its device, so that a run goes on elsewhere as it began."""
    return replace(config, recipe=settle(config.recipe, torch.device(config.device)))


def _multiplies_bfloat16(device: torch.device) -> bool:
    """Whether there are instructions for it, AVX512_BF16 or AMX, and a step is the faster for them.

    On CUDA it is not: convolutions of float32 multiply in TF32 there, and casts cost more launches than they save.
    """
    if device.type != "cpu":
        return False
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]  # torch's own convolutions would go value by value
        return False
    return multiplies_bfloat16(processor_features())
