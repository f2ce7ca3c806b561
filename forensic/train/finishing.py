"""The end of a run: from the trained network to weights with a scorer, a threshold and a card.

The score is fitted when training is over, so that weights can be given another one afterwards.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from forensic.data.cache import read_training_images
from forensic.data.loader import Reencoding
from forensic.data.prepare import same_crops
from forensic.errors import UsageError
from forensic.models.card import files_hash
from forensic.models.finish import FinishPlan, finish_weights
from forensic.spectra.profile import log_radial
from forensic.train.config import FORENSIC, RECIPES, changed_fields, recipe_to_dict
from forensic.train.run_folder import WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from forensic.data.sample import Layout
    from forensic.models.card import Card
    from forensic.models.feature_extractor import TaskModel
    from forensic.models.score_kinds import ScoreKind
    from forensic.models.weights import Weights
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


def rescore(
    weights: Weights,
    layout: Layout,
    out: Path,
    score: ScoreKind,
    *,
    seed: int = 0,
    device: str = "cpu",
    on_image: Callable[[int, int], None] | None = None,
) -> Card:
    """Writes weights with the same network and another score, fitted and measured as at the end of their training.

    Args:
        weights: made by `finish`, whatever their score.
        layout: what they were trained on.
        out: path of the tensors file.
        score: the kind.
        seed: of the run.
        device: `cpu` or `cuda`.
        on_image: called with (done, total).

    Raises:
        UsageError: weights that were not trained here or have enrolled classes, or other training images.
    """
    card = weights.card
    if card.enrolled:
        first = next(iter(card.enrolled))
        raise UsageError(weights.name, f"has the enrolled class {first}", "`forensic weights remove` it first")
    try:
        reencoding = Reencoding(*(card.recipe[name] for name in ("jpeg_share", "jpeg_quality_min", "jpeg_quality_max")))
    except KeyError as error:
        raise UsageError(weights.name, f"was not trained by this program: its recipe lacks {error.args[0]}") from error
    images = read_training_images(layout.train, layout.preprocessing)
    fits = layout.classes == card.classes and same_crops(layout.preprocessing, card.preprocessing)
    if not fits or files_hash(images.hashes) != card.training.hash:
        raise UsageError(str(layout.root), f"are not the images that {weights.name} was trained on")
    plan = FinishPlan(
        recipe=card.recipe | {"score": score},
        reencoding=reencoding,
        seed=seed,
        command=re.sub(" --set score=[a-z-]+", "", card.training.command) + _named(score, card.recipe),
        device=device,
        licence=card.licence,
        limits=card.limits,
        score=score,
    )
    return finish_weights(weights.model, layout, images, out, plan, profile=log_radial, on_image=on_image)


def _named(score: ScoreKind, recipe: Mapping[str, object]) -> str:
    """What the command needs to say so that the recipe gives this score."""
    own = RECIPES.get(str(recipe.get("name")))
    return "" if own is not None and own.score == score else f" --set score={score}"


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
