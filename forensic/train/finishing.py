"""The end of a run: from the trained network to weights with a scorer, a threshold and a card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forensic.data.loader import Reencoding
from forensic.models.finish import FinishPlan, finish_weights
from forensic.spectra.profile import log_radial
from forensic.train.config import FORENSIC, RECIPES, changed_fields, recipe_to_dict
from forensic.train.run_folder import WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from forensic.models.feature_extractor import TaskModel
    from forensic.train.inputs import TrainingInputs
    from forensic.train.run_folder import RunConfig


def finish(
    folder: Path, config: RunConfig, model: TaskModel, inputs: TrainingInputs, on_image: Callable[[int, int], None]
) -> None:
    """Writes `weights.safetensors` and `weights.toml`.

    Args:
        folder: the run folder.
        config: of the run.
        model: what is shipped, in evaluation mode.
        inputs: what it was trained on.
        on_image: called with (done, total).

    Raises:
        WeightsError: training ended in values that are not finite.
    """
    recipe = config.recipe
    plan = FinishPlan(
        recipe={key: value for key, value in recipe_to_dict(recipe).items() if key != "architecture"},
        reencoding=Reencoding(recipe.jpeg_share, recipe.jpeg_quality_min, recipe.jpeg_quality_max),
        seed=config.seed,
        command=command_line(config, inputs.layout.name),
        device=config.device,
        score=recipe.score,
    )
    finish_weights(model, inputs.layout, inputs.images, folder / WEIGHTS, plan, profile=log_radial, on_image=on_image)


def command_line(config: RunConfig, data: str) -> str:
    """The command that trains weights like these, for the card: the data by name, never by path.

    Args:
        config: of the run.
        data: the layout's name.
    """
    words = ["forensic train", f"--classes {data}" if config.classes_dir else f"--data {data} --split {config.split}"]
    if config.preprocessing is not None:
        words.append(f"--preprocessing {config.preprocessing}")
    if config.recipe.name != FORENSIC.name:
        words.append(f"--recipe {config.recipe.name}")
    words.append(f"--seed {config.seed}")
    words += [f"--set {name}={value}" for name, value in changed_fields(config.recipe, RECIPES[config.recipe.name])]
    return " ".join(words)
