"""What is measured of a row's weights: validation images only, as stored and re-encoded as JPEG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forensic.engines.threads import torch_threads
from forensic.evaluate.images import attribute
from forensic.metrics.closedset import accuracy
from forensic.metrics.openset import auroc
from forensic.models.predict import Predictor
from forensic.models.weights import load_weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from forensic.data.sample import Layout

JPEG_QUALITY = 90


@dataclass(frozen=True)
class Measures:
    """Of one form of the images; None where there are no images to measure it on."""

    accuracy: float | None
    """Closed-set, of the known validation images."""
    auroc_softmax: float | None
    """Known against unknown validation images, by the largest softmax."""
    auroc_score: float | None
    """By the score of the weights."""


@dataclass(frozen=True)
class Measurement:
    """Of one row."""

    known: int
    """Images."""
    unknown: int
    stored: Measures
    jpeg: Measures
    """Re-encoded at `JPEG_QUALITY`."""


def measure(
    weights: Path, layout: Layout, device: str, threads: int, on_image: Callable[[int, int], None]
) -> Measurement:
    """Measures weights, by their own score and by the largest softmax.

    Args:
        weights: the tensors file.
        layout: whose validation images count; test images are not opened.
        device: `cpu` or `cuda`.
        threads: of torch.
        on_image: called with (done, total).

    Raises:
        MissingError, WeightsError: the weights are not there, or are damaged.
    """
    loaded = load_weights(weights, device=device)
    predictor = Predictor(loaded, device)
    total = 2 * (len(layout.val) + len(layout.val_unseen))
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        on_image(done, total)

    forms = []
    with torch_threads(threads):
        for jpeg in (None, JPEG_QUALITY):
            known, unknown = (
                attribute(loaded, predictor, samples, jpeg=jpeg, on_image=count)[0]
                for samples in (layout.val, layout.val_unseen)
            )
            softmax, scores = (
                auroc(*(np.array([getattr(one, score) for one in side], dtype=np.float64) for side in (known, unknown)))
                for score in ("confidence", "score")
            )
            right = accuracy([one.sample.label for one in known], [one.label for one in known])
            forms.append((len(known), len(unknown), Measures(right.value, softmax.value, scores.value)))
    return Measurement(forms[0][0], forms[0][1], forms[0][2], forms[1][2])
