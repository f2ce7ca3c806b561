"""Tiles of images to logits and embeddings through an engine, with verdicts that are torch's.

    tiles -> engine -> score -> far from every decision: kept
                             -> near one:                torch in float32 scores it anew

Near is: the score lies within the engine's tolerance of the threshold, or the two best classes lie within it of each
other. As long as the engine errs by less than its tolerance, verdict, label and nearest class are those of torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from forensic.engines.choice import Choice, choose
from forensic.engines.lanes import Lanes
from forensic.models.predict import BATCH, Predictor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from forensic.engines.choice import Precision
    from forensic.models.weights import Weights

MOST_LANES = 8
"""Networks side by side; each keeps its own weights and values."""
AHEAD = 128
"""Tiles that are gathered for a call, so that what is scored anew fills a batch too."""
_CONTROL_FACTOR = 2.0
_CONTROL_TILES = 8


@dataclass(frozen=True)
class Tolerance:
    """By how much an engine may differ from torch in float32."""

    score: float
    gap: float
    """By which the label is ahead of the next class."""


_GAPS: dict[Precision, float] = {"float32": 1e-3, "bfloat16": 0.05, "int8": 0.35}
"""Measured with the bundled weights on 1,317 images of osma-mini: 0.00001 and 0.021; scores differed by 0.00004 and
0.098, and by 0.056 within 1 of a decision. In 8-bit integers on 322 images: 0.15, with the score `sum` 0.20. What
scores may differ by stands in the card."""


@dataclass(frozen=True)
class Output:
    """What an engine gives for one image."""

    logits: NDArray[np.float32]
    """(T, K)."""
    embeddings: NDArray[np.float32]
    """(T, D)."""
    engine: Choice
    """What computed them."""


class Runner:
    """Loaded weights in an engine.

    Args:
        weights: loaded, on the device.
        device: `cpu`, `cuda` or `cuda:N`.
        choice: of the engine.
        threshold: takes the place of the card's; what is near it is scored anew.
    """

    def __init__(self, weights: Weights, device: str, choice: Choice, threshold: float | None = None) -> None:
        self.choice = choice
        self._weights = weights
        self._threshold = threshold
        self._exact = Predictor(weights, device)
        self._exact_choice = choose("torch", device)
        self._fast: Lanes | None = None
        if self.choice.name != "torch":
            self._fast = _fast(self.choice, weights, device)
            self.tolerance = self._measured_tolerance(self._fast)

    @property
    def ahead(self) -> int:
        """Tiles to gather for one call."""
        return self._exact.ahead if self._fast is None else AHEAD

    def of_images(self, images: Sequence[NDArray[np.uint8]]) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Logits (T, K) and embeddings (T, D) of each image, from its tiles (T, 3, S, S) uint8."""
        return [(output.logits, output.embeddings) for output in self.outputs(images)]

    def outputs(self, images: Sequence[NDArray[np.uint8]]) -> list[Output]:
        """The same, each with the engine that computed it."""
        if self._fast is None:
            return [Output(*found, self._exact_choice) for found in self._exact.of_images(images)]
        outputs = [Output(*found, self.choice) for found in self._fast.of_images(images)]
        near = [place for place, output in enumerate(outputs) if self._is_near(output)]
        for place, found in zip(near, self._exact.of_images([images[place] for place in near]), strict=True):
            outputs[place] = Output(*found, self._exact_choice)
        return outputs

    def _is_near(self, output: Output) -> bool:
        try:
            score = self._weights.scorer(output.logits, output.embeddings).score
            lead = self._weights.scorer.lead(output.logits, output.embeddings)
        except ValueError:  # not finite: torch decides whether it is
            return True
        threshold = self._weights.card.threshold.at(len(output.logits)) if self._threshold is None else self._threshold
        return abs(score - threshold) <= self.tolerance.score or lead <= self.tolerance.gap

    def _measured_tolerance(self, fast: Lanes) -> Tolerance:
        """What the card states, or more for weights on which control tiles show more."""
        precision = self.choice.precision
        stated = Tolerance(self._weights.card.tolerance_in(precision), _GAPS[precision])
        tiles = _control_tiles(self._weights.model.architecture.size)
        differences = []
        for found, expected in zip(fast.of_images(tiles), self._exact.of_images(tiles), strict=True):
            scorer = self._weights.scorer
            (one, lead), (other, other_lead) = ((scorer(*out).score, scorer.lead(*out)) for out in (found, expected))
            differences.append((abs(one - other), abs(lead - other_lead)))
        score, gap = _CONTROL_FACTOR * np.max(differences, axis=0)
        return Tolerance(max(stated.score, float(score)), max(stated.gap, float(gap)))


def _control_tiles(side: int) -> list[NDArray[np.uint8]]:
    """Images of one tile, (1, 3, S, S): noise from fine to coarse."""
    draws = np.random.default_rng(0)
    tiles = []
    for number in range(_CONTROL_TILES):
        grain = 1 << number % 4
        noise = draws.normal(128, 40, (1, 3, -(-side // grain), -(-side // grain)))
        spread = np.kron(noise, np.ones((1, 1, grain, grain)))[:, :, :side, :side]
        tiles.append((spread + draws.normal(0, 4, spread.shape)).clip(0, 255).astype(np.uint8))
    return tiles


def _fast(choice: Choice, weights: Weights, device: str) -> Lanes:
    threads = torch.get_num_threads()
    lanes = min(threads, MOST_LANES)
    each = threads // lanes
    return Lanes(
        [Predictor(weights, device, BATCH, network=_network(choice, weights, each)) for _ in range(lanes)], each
    )


def _network(choice: Choice, weights: Weights, threads: int) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    if choice.name == "openvino":
        from forensic.engines.openvino_network import OpenVinoNetwork  # noqa: PLC0415 - an extra

        return OpenVinoNetwork(weights.model, BATCH, choice.precision, threads)
    from forensic.engines.onnx_network import OnnxNetwork  # noqa: PLC0415 - an extra

    return OnnxNetwork(weights.model, BATCH, threads)
