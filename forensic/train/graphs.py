"""Steps of training replayed as CUDA graphs.

On a GPU a step is some 600 small launches, which cost Python and torch three times as long as the device takes to do
them. A graph is the step as it ran once, with all its addresses. What changes from step to step stands in memory that
stays: the batch, the rates, and the old augmenters that were drawn. Dropout's generator is registered, so that a replay
draws what the step itself would have drawn; a replay has the bits of the step.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from forensic.train.step import draw_old, iterate

if TYPE_CHECKING:
    from torch import Tensor

    from forensic.models.augmenter import Augmenter
    from forensic.train.config import Recipe
    from forensic.train.learners import Learners

    _Drawn = tuple[Augmenter | None, Augmenter | None]


class Stepper:
    """Runs `iterate` for the learners of one epoch; on CUDA from a graph, from the second step on.

    Args:
        learners: of this epoch; their optimisers must be capturable on CUDA.
        recipe: of the run.
        masks: the generator of dropout.
    """

    def __init__(self, learners: Learners, recipe: Recipe, masks: torch.Generator) -> None:
        self._learners = learners
        self._recipe = recipe
        self._masks = masks
        self._side: torch.cuda.Stream | None = None
        self._graphs: dict[tuple[bool, bool], _Graph] = {}
        self._steps = 0

    def step(self, x: Tensor, y: Tensor) -> Tensor:
        """One iteration; arguments and result as `forensic.train.step.iterate`."""
        drawn = draw_old(self._learners.old, self._recipe)
        self._steps += 1
        if not x.is_cuda or self._recipe.augmenters == "joint":  # joint steps draw for each augmenter: no two are alike
            return iterate(self._learners, x, y, self._recipe, drawn)
        if self._side is None:
            self._side = torch.cuda.Stream(x.device)  # type: ignore[no-untyped-call]  # torch ships it without a signature
        self._side.wait_stream(torch.cuda.current_stream(x.device))
        with torch.cuda.stream(self._side):
            if self._steps == 1:  # it makes the optimisers' state, which a graph would make anew at every replay
                values = iterate(self._learners, x, y, self._recipe, drawn)
            else:
                kind = drawn[0] is None, drawn[0] is drawn[1]  # whose steps have other launches
                graph = self._graphs.get(kind)
                if graph is None or graph.x.shape != x.shape:
                    graph = self._graphs[kind] = _Graph(self._learners, self._recipe, self._masks, x, y, drawn)
                values = graph.replay(x, y, drawn)
        torch.cuda.current_stream(x.device).wait_stream(self._side)
        return values


@dataclass(frozen=True)
class _Slots:
    """Augmenters whose parameters are overwritten by those of the drawn ones."""

    first: Augmenter | None
    second: Augmenter | None

    @classmethod
    def like(cls, drawn: _Drawn) -> _Slots:
        first, second = drawn
        copied = deepcopy(first)
        return cls(copied, copied if second is first else deepcopy(second))

    def take(self, drawn: _Drawn) -> None:
        for slot, one in zip((self.first, self.second), drawn, strict=True):
            if slot is not None and one is not None:
                with torch.no_grad():
                    torch._foreach_copy_(list(slot.parameters()), list(one.parameters()))


class _Graph:
    """One captured step. Capturing runs nothing."""

    def __init__(
        self, learners: Learners, recipe: Recipe, masks: torch.Generator, x: Tensor, y: Tensor, drawn: _Drawn
    ) -> None:
        self.x, self._y = x.clone(), y.clone()
        self._slots = _Slots.like(drawn)
        self._graph = torch.cuda.CUDAGraph()
        self._graph.register_generator_state(masks)
        with torch.cuda.graph(self._graph, stream=torch.cuda.current_stream(x.device)):
            slots = self._slots.first, self._slots.second
            self._values = iterate(learners, self.x, self._y, recipe, slots)

    def replay(self, x: Tensor, y: Tensor, drawn: _Drawn) -> Tensor:
        self.x.copy_(x)
        self._y.copy_(y)
        self._slots.take(drawn)
        self._graph.replay()
        return self._values.clone()
