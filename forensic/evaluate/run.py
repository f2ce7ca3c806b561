"""One evaluation: weights on known and unknown images, as stored and re-encoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from forensic.engines import choice
from forensic.engines.runner import Runner
from forensic.evaluate.images import LeftOut, attribute
from forensic.evaluate.measures import Computation, Condition, Terms, measure
from forensic.evaluate.tsne import Map, choose, draw_map
from forensic.metrics.measured import REPLICATES

if TYPE_CHECKING:
    from collections.abc import Callable

    from forensic.engines.choice import EngineName
    from forensic.evaluate.selection import Selection
    from forensic.models.weights import Weights


@dataclass(frozen=True)
class EvaluationPlan:
    """What is evaluated, and how."""

    weights: Weights
    selection: Selection
    jpeg: tuple[int, ...] = ()
    """Qualities at which every image is re-encoded, each an evaluation of its own beside the one as stored."""
    seed: int = 0
    """Of the bootstrap and of the map."""
    replicates: int = REPLICATES
    device: str = "cpu"
    engine: EngineName = "torch"
    """What runs the network."""
    computation: Computation = "forensic"
    with_map: bool = False
    """Whether embeddings are kept and drawn; a page shows them."""


@dataclass(frozen=True)
class Evaluation:
    """The outcome of a plan."""

    stored: Condition
    jpeg: dict[int, Condition]
    left_out: tuple[LeftOut, ...]
    """Images that got no score, by path; they count nowhere."""
    map: Map | None = None
    """Of the images as stored."""


def evaluate(plan: EvaluationPlan, on_image: Callable[[int, int], None] | None = None) -> Evaluation:
    """Runs an evaluation; it depends on the images and not on their order.

    Args:
        plan: what to do.
        on_image: called with (done, total).
    """
    predictor = Runner(plan.weights, plan.device, choice.choose(plan.engine, plan.device))
    unknown = tuple(sample for samples in plan.selection.unknown.values() for sample in samples)
    everything = plan.selection.known + unknown
    mapped = frozenset([*choose(plan.selection.known), *choose(unknown)]) if plan.with_map else frozenset()
    forms: tuple[int | None, ...] = (None, *plan.jpeg)
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        if on_image:
            on_image(done, len(everything) * len(forms))

    card = plan.weights.card
    terms = Terms(card.classes, card.real, plan.seed, plan.replicates, plan.computation)
    conditions: dict[int | None, Condition] = {}
    left_out: dict[str, LeftOut] = {}
    for form in forms:
        embed = mapped if form is None else frozenset()
        found, missed = attribute(plan.weights, predictor, everything, jpeg=form, embed=embed, on_image=count)
        conditions[form] = measure(found, plan.selection, terms)
        left_out |= {entry.path: entry for entry in missed}
    return Evaluation(
        stored=conditions[None],
        jpeg={quality: conditions[quality] for quality in plan.jpeg},
        left_out=tuple(left_out[path] for path in sorted(left_out)),
        map=draw_map(conditions[None].attributed, plan.seed) if plan.with_map else None,
    )
