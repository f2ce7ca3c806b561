"""The rows of the ablation: each a few recipe fields on top of a base recipe.

The method and its parts (paper, Table 4 and section 4.3), the augmenter's shape (Fig. 6), the input (section 4.2),
where the recipe departs from the method, and the score, which is fitted when training is over.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from forensic.errors import UsageError
from forensic.train.config import FORENSIC, find_recipe, set_field

if TYPE_CHECKING:
    from forensic.data.sample import Layout
    from forensic.train.config import Recipe


@dataclass(frozen=True)
class Row:
    """One variant."""

    name: str
    """Also of its run folder."""
    what: str
    fields: tuple[str, ...] = ()
    """Assignments as `--set` takes them."""
    recipe: str | None = None
    """Named recipe that it begins with; None for the base recipe."""


_BASE = "augmenters=none"
_DCT = "architecture.input_transform=dct"
_RGB = "architecture.input_transform=rgb"

ROWS: tuple[Row, ...] = (
    Row("forensic", "the recipe as it is: two convolutions of 3x3, log-magnitude DCT"),
    Row("base", "cross-entropy alone (Base)", (_BASE,)),
    Row("base-am", "augmenters without L_div (Base+AM)", ("diversity_weight=0", "closeness_weight=0")),
    Row(
        "pose",
        "Algorithm 1 as printed: every image augmented, no warm-up",
        ("augmented_items=8", "augmenter_warmup_steps=0"),
    ),
    Row("joint", "all augmenters from the start, learning together", ("augmenters=joint",)),
    Row("depth-1", "augmenter of one convolution", ("augmenter_depth=1",)),
    Row("depth-3", "augmenter of three convolutions", ("augmenter_depth=3",)),
    Row("depth-4", "augmenter of four convolutions", ("augmenter_depth=4",)),
    Row("kernel-1", "augmenter's kernels 1x1", ("augmenter_kernel=1",)),
    Row("kernel-5", "augmenter's kernels 5x5", ("augmenter_kernel=5",)),
    Row("kernel-7", "augmenter's kernels 7x7", ("augmenter_kernel=7",)),
    Row("relu", "ReLU between the augmenter's convolutions", ("augmenter_activation=relu",)),
    Row("leaky-relu", "leaky ReLU between them", ("augmenter_activation=leaky-relu",)),
    Row("tanh", "tanh between them", ("augmenter_activation=tanh",)),
    Row("sigmoid", "sigmoid between them", ("augmenter_activation=sigmoid",)),
    Row("down-up", "augmenter of a strided and a transposed convolution", ("augmenter_resampling=down-up",)),
    Row("rgb", "the image itself as input", (_RGB,)),
    Row("dct", "DCT without logarithm and standardisation as input", (_DCT,)),
    Row("base-rgb", "Base on the image itself", (_BASE, _RGB)),
    Row("base-dct", "Base on the DCT without logarithm", (_BASE, _DCT)),
    Row(
        "base-program",
        "Base with input and loss of the authors' program",
        (_BASE, _DCT, "double_softmax=true", "temperature=0.1"),
    ),
    Row("no-jpeg", "trained on images as stored", ("jpeg_share=0",)),
    Row("score-sum", "log-odds minus the embedding's distance to the class mean", ("score=sum",)),
    Row("score-softmax", "largest softmax", ("score=softmax",)),
    Row("score-margin", "largest logit minus the second", ("score=margin",)),
    Row("score-energy", "logarithm of the summed exponentials of the logits", ("score=energy",)),
    Row("score-distance", "the embedding's distance to the class mean", ("score=distance",)),
    Row("score-relative", "that distance, relative to the one to all classes", ("score=relative",)),
    Row("score-spectrum", "relative distance of the spectrum's block means", ("score=spectrum",)),
    Row("score-odds-spectrum", "log-odds and that distance", ("score=odds-spectrum",)),
    Row("score-traces-alone", "residual traces without network and spectrum", ("score=traces-alone",)),
    Row("score-combined", "log-odds and both relative distances", ("score=combined",)),
    Row("paper", "the recipe paper", (), "paper"),
    Row("reference", "the recipe reference", (), "reference"),
)  # fmt: skip
"""In the order of the table."""


def find_rows(names: str | None) -> tuple[Row, ...]:
    """The rows of a list `NAME,NAME,...`, in the order of `ROWS`; all of them for None.

    Raises:
        UsageError: a name that there is not, or no name.
    """
    if names is None:
        return ROWS
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    known = [row.name for row in ROWS]
    for name in wanted:
        if name not in known:
            raise UsageError(f"--only {name}", "is no row", f"There are {', '.join(known)}")
    if not wanted:
        raise UsageError("--only", "names no row", f"There are {', '.join(known)}")
    return tuple(row for row in ROWS if row.name in wanted)


def recipe_of(row: Row, base: Recipe, layout: Layout, steps: int) -> Recipe:
    """The recipe of a row, as long as `steps` in whole epochs allows.

    The score is that of the recipe `forensic` where the row names none; the largest softmax is measured too.

    Args:
        row: whose fields are set last.
        base: of rows without a recipe of their own.
        layout: its largest training class decides how many steps an epoch has.
        steps: wanted; the number of epochs is the nearest whole one, at least 1.

    Raises:
        UsageError: fields that do not go together.
    """
    recipe = base if row.recipe is None else find_recipe(row.recipe)
    for assignment in (f"score={FORENSIC.score}", *row.fields):
        recipe = set_field(recipe, assignment)
    return set_field(recipe, f"epochs={max(1, math.floor(steps / steps_per_epoch(recipe, layout) + 0.5))}")


def steps_per_epoch(recipe: Recipe, layout: Layout) -> int:
    """Batches of an epoch if every training image can be used."""
    largest = max(Counter(sample.label for sample in layout.train).values(), default=0)
    return max(1, math.ceil(largest / recipe.batch_items) * recipe.passes)


def augmenters_of(recipe: Recipe) -> int:
    """How many augmenters a run of this recipe makes."""
    return {"none": 0, "joint": recipe.joint_augmenters, "progressive": recipe.epochs}[recipe.augmenters]
