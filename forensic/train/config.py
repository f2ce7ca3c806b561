"""Every hyper-parameter of a training run, with its unit, reason and source, and the three recipes made of them.

A field's default is the recipe `forensic`; `RECIPES` says where `reference` and `paper` differ, and nothing else does.
Sources: `text` is the paper (POSE, CVPR 2023); `program` the authors' program; `ours` a choice of this project. Letters
in brackets are the rows of the table of differences in docs/fidelity.md.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, get_args

from forensic.data.prepare import TILE
from forensic.errors import UsageError
from forensic.models.augmenter import Activation, AugmenterShape, Resampling
from forensic.models.feature_extractor import Architecture
from forensic.models.score_kinds import KINDS, ScoreKind

Schedule = Literal["step", "cosine", "constant"]
Statistics = Literal["known", "all"]
Mode = Literal["train", "train-first-epoch"]
Forward = Literal["shared", "exact"]
Triplets = Literal["mean-distance", "sum-squared"]
Clamp = Literal["image", "batch"]
Draws = Literal["torch", "numpy"]
Augmenters = Literal["progressive", "joint", "none"]
Precision = Literal["auto", "float32", "bfloat16"]

_CHOICES: dict[str, tuple[str, ...]] = {
    "schedule": get_args(Schedule),
    "batch_statistics": get_args(Statistics),
    "mode": get_args(Mode),
    "known_forward": get_args(Forward),
    "triplets": get_args(Triplets),
    "closeness_clamp": get_args(Clamp),
    "old_draws_from": get_args(Draws),
    "score": KINDS,
    "augmenters": get_args(Augmenters),
    "precision": get_args(Precision),
    "augmenter_activation": get_args(Activation),
    "augmenter_resampling": get_args(Resampling),
    "architecture.neck": ("flatten", "conv1x1", "pool"),
    "architecture.input_transform": ("log-dct", "dct", "rgb"),
}
_POSITIVE = (
    "epochs", "passes", "batch_items", "augmented_items", "lr", "lr_step", "lr_gamma", "temperature", "augmenter_lr",
    "augmenter_channels", "joint_augmenters", "statistics_images", "architecture.size", "architecture.width",
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
    """Which of `RECIPES` it began as."""

    # length and batches
    epochs: int = 16
    """One new augmenter each. text: open, its figures show about 20; program: 30 [M]; ours: what an hour on two cores
    allows."""
    passes: int = 1
    """Passes over the items in one epoch. Ours: small sets need more steps for each augmenter than one pass gives."""
    batch_items: int = 8
    """Items a batch; an item is one image of each class, so a batch has 8 K images. text: open; program: 8 [N]."""

    augmented_items: int = 4
    """Of a batch's items, so many take part in the augmented terms, from the first on. text and program: all of them;
    fewer make a step cheaper (with all, 8 of its 11 passes through the trunk are for augmented images)."""

    # task model
    lr: float = 1e-3
    """Peak learning rate of the task model. program: 1e-4, constant but for steps; ours is higher for a short run."""
    schedule: Schedule = "cosine"
    """Of the task model's rate. text and program: `step`, in iterations [L]; ours: cosine to zero, which a short run
    needs."""
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
    precision: Precision = "auto"
    """Of the trunk's convolutions in training mode: `float32`, `bfloat16` (products of rounded values, sums and
    parameters in float32), or `auto`, bfloat16 where the device has instructions for it. program: float32; ours: half
    the time, and no measure changes (docs/runs)."""
    mode: Mode = "train"
    """Mode of the task model: training mode throughout, or in the first epoch only. program: nobody calls train() after
    the first evaluation [E], so statistics are frozen and dropout is off; text: silent, hence `train`."""
    batch_statistics: Statistics = "known"
    """Which forward passes move batch norm's running statistics: `all`, or `known` for those of unchanged images.
    program: all four of an iteration of its first epoch [G]; ours: at test time the network sees images as they are, so
    their statistics are the ones to keep."""
    known_forward: Forward = "shared"
    """Features of known images in the two halves of a step: `shared`, computed once; `exact`, once only where that
    gives the same numbers (evaluation mode), else in each half. text and program: in each half."""
    idle_forward: bool = False
    """Whether the augmenter's half passes augmented and known images through the network in the first epoch too, where
    no term uses them. program: it does [R], which moves statistics and dropout's generator."""

    # loss of the task model, Eq. 4 and 5
    double_softmax: bool = False
    """Whether the classification takes probabilities for logits. program: yes [A], softmax before cross-entropy."""
    temperature: float = 1.0
    """Divides what cross-entropy takes for logits. text: none; program: 0.1 [A]."""
    metric_weight: float = 1.0
    """Weight of both L_metric terms. text: 1 (unweighted sum)."""
    margin: float = 0.3
    """m of Eq. 5, in the unit of the distance. text: 0.3."""
    triplets: Triplets = "mean-distance"
    """Form of Eq. 5 over batch-hard triplets: `mean-distance`, program: plain distances, mean over anchors [I];
    `sum-squared`, text: squared distances, summed. Ours: the mean, whose weight does not grow with the batch."""

    # augmenter, Eq. 2 and 3
    augmenters: Augmenters = "progressive"
    """`progressive`: a new one each epoch, the old ones kept (the method); `joint`: `joint_augmenters` from the start,
    all learning all the time (text, section 4.3, for comparison); `none`: Base, cross-entropy alone."""
    joint_augmenters: int = 9
    """How many; only where `augmenters` is `joint`. text: 9."""
    augmenter_lr: float = 1e-2
    """Adam's rate; a new optimiser each epoch. program: 1e-2."""
    augmenter_channels: int = 32
    """Channels between its convolutions. program: 32."""
    augmenter_kernel: int = 3
    """Side of its kernels in pixels, odd. program: 3; text: varied in Fig. 6."""
    augmenter_depth: int = 2
    """Convolutions, 1 to 4. text and program: 2; text: varied in Fig. 6."""
    augmenter_activation: Activation = "none"
    """Between its convolutions. text and program: none; an ablation."""
    augmenter_resampling: Resampling = "none"
    """`down-up`: down-convolution, then up-convolution. text and program: none; text: far worse (Fig. 6)."""
    augmenter_warmup_steps: int = 40
    """Steps on L_recons alone before an epoch's first batch. Ours, a deviation: an augmenter starts far from the
    identity and a short epoch is over before it comes near; these steps cost no pass through the trunk."""
    diversity_weight: float = 1e-4
    """alpha of Eq. 3. text and program: 1e-4."""
    closeness_weight: float = 1e-2
    """beta of Eq. 3. text and program: 1e-2."""
    closeness_limit: float = 0.95
    """d of Eq. 3. text and program: 0.95."""
    closeness_clamp: Clamp = "image"
    """What is held against d: the cosine of each `image` (text, Eq. 3) or the mean of the `batch` (program [J])."""
    old_draws: int = 1
    """Old augmenters drawn a step: 1 for both halves (text, Algorithm 1) or 2, one for each half (program [H])."""
    old_draws_from: Draws = "torch"
    """Generator of those draws. program: NumPy's legacy one, seeded by the run and used for nothing else [AG]."""

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

    # what is shipped
    score: ScoreKind = "traces"
    """What is held against the threshold, `forensic.models.scorer`: `softmax`, the largest at temperature 1 (text and
    program); ours: `traces`, of residual traces and spectrum, with half the network's log-odds."""

    architecture: Architecture = field(default_factory=Architecture)
    """Shapes of the task model [B, C, D, U]; see `forensic.models.feature_extractor.Architecture`."""

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
        _check_augmenter(self)
        if self.old_draws not in (1, 2):
            raise UsageError("recipe field old_draws", f"is {self.old_draws}, must be 1 or 2")
        if self.architecture.size % 16:
            raise UsageError("recipe field architecture.size", f"is {self.architecture.size}, must be a multiple of 16")
        if not 1 <= self.jpeg_quality_min <= self.jpeg_quality_max <= 100:
            raise UsageError("recipe field jpeg_quality_min", "qualities must be 1 <= min <= max <= 100")

    @property
    def augmenter_shape(self) -> AugmenterShape:
        """What each augmenter is built from."""
        return AugmenterShape(
            self.augmenter_channels,
            self.augmenter_kernel,
            self.augmenter_depth,
            self.augmenter_activation,
            self.augmenter_resampling,
        )


def recipe_to_dict(recipe: Recipe) -> dict[str, Any]:
    """The fields in order, architecture as a nested table; TOML values only."""
    return asdict(recipe)


def recipe_from_dict(values: dict[str, Any]) -> Recipe:
    """The inverse of `recipe_to_dict`; fields that are absent are those of the recipe that `name` names.

    Raises:
        UsageError: an unknown recipe or field, or a value of another type.
    """
    recipe = find_recipe(str(values.get("name", FORENSIC.name)))
    for name, value in values.items():
        if name == "name":
            continue
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
    if name == "name":
        raise UsageError(f"--set {assignment}", "is no field to set", "Choose a recipe with --recipe")
    kind = type(_get(recipe, name))
    if kind is Architecture:
        raise UsageError(f"--set {assignment}", "names a group of fields", "Set one, e.g. architecture.width=64")
    try:
        value = _BOOLS[text.strip().lower()] if kind is bool else kind(text.strip())
    except (ValueError, KeyError):
        expected = "true or false" if kind is bool else kind.__name__
        raise UsageError(f"--set {assignment}", f"{text.strip()!r} must be {expected}") from None
    return _with(recipe, name, value)


_BOOLS = {"true": True, "false": False}


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


def _check_augmenter(recipe: Recipe) -> None:
    kernel, depth = recipe.augmenter_kernel, recipe.augmenter_depth
    if kernel % 2 == 0 or kernel < 1:
        raise UsageError("recipe field augmenter_kernel", f"is {kernel}, must be odd and above 0")
    if not 1 <= depth <= 4:
        raise UsageError("recipe field augmenter_depth", f"is {depth}, must be from 1 to 4")
    if recipe.augmenter_resampling == "down-up" and (depth < 2 or kernel < 3):
        raise UsageError("recipe field augmenter_resampling", "is down-up, needs depth 2 and kernel 3 at least")


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


FORENSIC = Recipe()

REFERENCE = Recipe(
    name="reference",
    epochs=30,
    augmented_items=8,
    lr=1e-4,
    schedule="step",
    warmup_steps=0,
    weight_decay=0.0,
    precision="float32",
    mode="train-first-epoch",
    batch_statistics="all",
    known_forward="exact",
    idle_forward=True,
    double_softmax=True,
    temperature=0.1,
    augmenter_warmup_steps=0,
    closeness_clamp="batch",
    old_draws=2,
    old_draws_from="numpy",
    jpeg_share=0.0,
    score="softmax",
    architecture=Architecture(width=64, neck="flatten", input_transform="dct"),
)
"""The authors' program, step by step, with what looks like a mistake."""

PAPER = replace(
    REFERENCE,
    name="paper",
    epochs=20,
    mode="train",
    idle_forward=False,
    double_softmax=False,
    temperature=1.0,
    triplets="sum-squared",
    closeness_clamp="image",
    old_draws=1,
    old_draws_from="torch",
)
"""The text to the letter; where it is silent, the program (network, rates, batches), as docs/fidelity.md lists."""

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (FORENSIC, REFERENCE, PAPER)}


def find_recipe(name: str) -> Recipe:
    """One of `RECIPES`.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in RECIPES:
        raise UsageError(f"recipe {name}", "is not known", f"There are {', '.join(RECIPES)}")
    return RECIPES[name]
