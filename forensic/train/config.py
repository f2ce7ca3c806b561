"""Every hyper-parameter of a training run, with its unit, reason and source.

Sources: `text` is the paper (POSE, CVPR 2023); `program` the authors' program; `ours` a choice of this project.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from forensic.data.prepare import TILE
from forensic.errors import UsageError
from forensic.models.feature_extractor import Architecture

Schedule = Literal["step", "cosine", "constant"]
Statistics = Literal["known", "all"]

_CHOICES: dict[str, tuple[str, ...]] = {
    "schedule": ("step", "cosine", "constant"),
    "batch_statistics": ("known", "all"),
    "architecture.neck": ("flatten", "conv1x1", "pool"),
    "architecture.input_transform": ("log-dct", "dct", "rgb"),
}
_POSITIVE = (
    "epochs", "passes", "batch_items", "augmented_items", "lr", "lr_step", "lr_gamma", "augmenter_lr",
    "augmenter_channels", "statistics_images", "architecture.size", "architecture.width",
    "architecture.neck_channels", "architecture.embedding_dim",
)  # fmt: skip
_NOT_NEGATIVE = (
    "warmup_steps", "weight_decay", "gradient_clip", "metric_weight", "margin", "augmenter_warmup_steps",
    "diversity_weight", "closeness_weight", "architecture.log_epsilon",
)  # fmt: skip
_SHARES = ("jpeg_share", "label_smoothing", "average_decay", "architecture.dropout")


@dataclass(frozen=True)
class Recipe:
    """The recipe `forensic`: Algorithm 1 with the paper's losses on a standardised log-magnitude DCT."""

    name: str = "forensic"

    # length and batches
    epochs: int = 16
    """One new augmenter each. text: open, its figures show about 20; ours: what an hour on two cores allows."""
    passes: int = 1
    """Passes over the items in one epoch. Ours: small sets need more steps for each augmenter than one pass gives."""
    batch_items: int = 8
    """Items a batch; an item is one image of each class, so a batch has 8 K images. program: 8."""

    augmented_items: int = 4
    """Of a batch's items, so many take part in the augmented terms, from the first on. text and program: all of them;
    fewer make a step cheaper (with all, 8 of its 11 passes through the trunk are for augmented images)."""

    # task model
    lr: float = 1e-3
    """Peak learning rate of the task model. program: 1e-4, constant but for steps; ours is higher for a short run."""
    schedule: Schedule = "cosine"
    """Of the task model's rate. program: `step`; ours: cosine to zero, which a short run needs."""
    warmup_steps: int = 20
    """Steps of linear rise before the schedule. Ours: Adam's first steps are large in all directions."""
    lr_step: int = 500
    """Steps between two decays of `step`, for task model and augmenter. program: 500."""
    lr_gamma: float = 0.9
    """Factor of a decay. program: 0.9."""
    weight_decay: float = 1e-2
    """Decoupled (AdamW). program: 0."""
    gradient_clip: float = 0.0
    """Largest norm of the task model's gradient, 0 for none. program: none."""
    label_smoothing: float = 0.0
    """Of the classification loss. text: none."""
    average_decay: float = 0.0
    """Of the running mean of weights that is shipped instead of the last ones; 0 ships the last. Ours."""
    batch_statistics: Statistics = "known"
    """Which forward passes move batch norm's running statistics: `all`, or `known` for those of unchanged images.
    Ours: at test time the network sees images as they are, so their statistics are the ones to keep."""

    # loss of the task model, Eq. 4 and 5
    metric_weight: float = 1.0
    """Weight of both L_metric terms. text: 1 (unweighted sum)."""
    margin: float = 0.3
    """m of Eq. 5. text: 0.3."""

    # augmenter, Eq. 2 and 3
    augmenter_lr: float = 1e-2
    """Adam's rate; a new optimiser each epoch. program: 1e-2."""
    augmenter_channels: int = 32
    """Channels between its two convolutions. program: 32."""
    augmenter_kernel: int = 3
    """Side of its kernels, odd. program: 3."""
    augmenter_warmup_steps: int = 40
    """Steps on L_recons alone before an epoch's first batch. Ours, a deviation: an augmenter starts far from the
    identity and a short epoch is over before it comes near; these steps cost no pass through the trunk."""
    diversity_weight: float = 1e-4
    """alpha of Eq. 3. text and program: 1e-4."""
    closeness_weight: float = 1e-2
    """beta of Eq. 3. text and program: 1e-2."""
    closeness_limit: float = 0.95
    """d of Eq. 3. text and program: 0.95."""

    # images
    jpeg_share: float = 0.6
    """Share of training images re-encoded as JPEG, the same for every class. Ours: a model trained on PNG alone is
    useless on the files that examiners have."""
    jpeg_quality_min: int = 60
    """Lowest quality, as libjpeg counts; drawn evenly up to the highest. Ours."""
    jpeg_quality_max: int = 100
    """Highest quality. Ours."""
    statistics_images: int = 4096
    """At most this many images, evenly taken, for mean and deviation of the spectrum. Ours: enough for 1 %."""

    architecture: Architecture = field(default_factory=Architecture)
    """Shapes of the task model; see `forensic.models.feature_extractor.Architecture`."""

    def __post_init__(self) -> None:
        _check_numbers(self)
        for name in _SHARES:
            if not 0 <= _get(self, name) < 1 and not (name == "jpeg_share" and _get(self, name) == 1):
                raise UsageError(f"recipe field {name}", f"is {_get(self, name)}, must be a share from 0 to 1")
        for name, choices in _CHOICES.items():
            if _get(self, name) not in choices:
                raise UsageError(
                    f"recipe field {name}", f"is {_get(self, name)!r}", f"It is one of {', '.join(choices)}"
                )
        if self.augmenter_kernel % 2 == 0:
            raise UsageError("recipe field augmenter_kernel", f"is {self.augmenter_kernel}, must be odd")
        if self.architecture.size % 16:
            raise UsageError("recipe field architecture.size", f"is {self.architecture.size}, must be a multiple of 16")
        if not 1 <= self.jpeg_quality_min <= self.jpeg_quality_max <= 100:
            raise UsageError("recipe field jpeg_quality_min", "qualities must be 1 <= min <= max <= 100")


DEVIATIONS: dict[str, str] = {
    "shared forward": "f(x) and f(x_old) are computed once a step and serve both halves; Algorithm 1 computes them in "
    "each. The task model does not change in between, so only dropout masks and batch-norm updates differ.",
    "one draw": "one old augmenter a step, used in both halves, as Algorithm 1 says; the authors' program draws twice.",
    "train mode": "throughout; the authors' program leaves it after the first epoch.",
    "plain cross-entropy": "on the logits; the authors' program takes softmax first, and a temperature of 0.1.",
    "spectrum": "log |DCT| standardised per coefficient; the authors' program feeds the un-normalised DCT.",
    "augmenter warm-up": "reconstruction alone before an epoch's first batch; see `augmenter_warmup_steps`.",
    "augmented items": "part of a batch may go without augmented images; see `augmented_items`.",
    "batch statistics": "running statistics from unchanged images only; see `batch_statistics`.",
    "re-encoding": "a share of the training images is re-encoded as JPEG; see `jpeg_share`.",
}
"""Where the recipe `forensic` leaves paper or program on purpose: name and what differs."""


def recipe_to_dict(recipe: Recipe) -> dict[str, Any]:
    """The fields in order, architecture as a nested table; TOML values only."""
    return asdict(recipe)


def recipe_from_dict(values: dict[str, Any]) -> Recipe:
    """The inverse of `recipe_to_dict`; fields that are absent keep their default.

    Raises:
        UsageError: an unknown field, or a value of another type.
    """
    recipe = Recipe()
    for name, value in values.items():
        if name == "architecture" and isinstance(value, dict):
            for inner, inner_value in value.items():
                recipe = _with(recipe, f"architecture.{inner}", inner_value)
        else:
            recipe = _with(recipe, name, value)
    return recipe


def set_field(recipe: Recipe, assignment: str) -> Recipe:
    """`NAME=VALUE` as on the command line, e.g. `epochs=20` or `architecture.neck=pool`.

    Raises:
        UsageError: no `=`, an unknown field, or a value that does not fit.
    """
    name, sign, text = assignment.partition("=")
    name = name.strip()
    if not sign:
        raise UsageError(f"--set {assignment}", "has no `=`", "Write NAME=VALUE, e.g. --set epochs=20")
    kind = type(_get(recipe, name))
    try:
        value = kind(text.strip()) if kind is not float else float(text)
    except ValueError:
        raise UsageError(f"--set {assignment}", f"{text!r} is no {kind.__name__}") from None
    return _with(recipe, name, value)


def changed_fields(recipe: Recipe, base: Recipe) -> list[tuple[str, object]]:
    """Fields whose values differ from `base`, as `set_field` names them, in order."""
    names = [f.name for f in fields(recipe) if f.name != "architecture"]
    names += [f"architecture.{f.name}" for f in fields(recipe.architecture)]
    return [(name, _get(recipe, name)) for name in names if _get(recipe, name) != _get(base, name)]


def _check_numbers(recipe: Recipe) -> None:
    for name in _POSITIVE:
        if not _get(recipe, name) > 0:
            raise UsageError(f"recipe field {name}", f"is {_get(recipe, name)}, must be above 0")
    for name in _NOT_NEGATIVE:
        if not _get(recipe, name) >= 0:
            raise UsageError(f"recipe field {name}", f"is {_get(recipe, name)}, must not be below 0")
    for name in (*_POSITIVE, *_NOT_NEGATIVE, "lr_gamma", "closeness_limit"):
        if not math.isfinite(_get(recipe, name)):
            raise UsageError(f"recipe field {name}", f"is {_get(recipe, name)}, must be finite")


def _with(recipe: Recipe, name: str, value: object) -> Recipe:
    expected = type(_get(recipe, name))
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not expected or expected is Architecture:
        raise UsageError(f"recipe field {name}", f"is {value!r}, must be {expected.__name__}")
    if name == "architecture.size" and value != TILE:  # what a run reads; single steps may be smaller
        raise UsageError(f"recipe field {name}", f"is {value}, must be {TILE} as every preprocessing gives")
    if name.startswith("architecture."):
        inner = name.removeprefix("architecture.")
        return replace(recipe, architecture=replace(recipe.architecture, **{inner: value}))  # type: ignore[arg-type]  # checked against the field's own type just above
    return replace(recipe, **{name: value})  # type: ignore[arg-type]  # checked against the field's own type just above


def _get(recipe: Recipe, name: str) -> Any:  # noqa: ANN401 - the fields have several types
    holder: Recipe | Architecture = recipe
    inner = name
    if name.startswith("architecture."):
        holder, inner = recipe.architecture, name.removeprefix("architecture.")
    if inner not in {f.name for f in fields(holder)}:
        raise UsageError(f"recipe field {name}", "is not known", "See `forensic train --print-config`")
    return getattr(holder, inner)
