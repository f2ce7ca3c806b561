"""The network at work: tiles of several images in, score and spectrum of each image out. Loads torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from forensic.engines.choice import choose
from forensic.engines.runner import Runner
from forensic.engines.threads import torch_threads
from forensic.errors import UsageError
from forensic.models.weights import load_weights
from forensic.spectra.profile import log_radial

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from forensic.engines.choice import Choice
    from forensic.models.scorer import Scored


@dataclass(frozen=True)
class Measured:
    """What the network made of one image."""

    scored: Scored | None
    """None where a score is not finite: such an image gets no verdict."""
    spectrum: tuple[float, ...]
    """log10 of the radial spectrum, 64 values."""
    engine: str | None = None
    """What computed the score, where it was not torch in float32."""


class Engine:
    """Loaded weights on a device.

    Args:
        weights: name or file, as for `load_weights`.
        device: `cpu`, `cuda` or `cuda:N`.
        choice: what runs the network; the fastest here where None.
        threshold: takes the place of the card's.
        threads: of the network; None takes what torch takes.

    Raises:
        UsageError: there is no such device.
        MissingError, WeightsError: as `load_weights`.
    """

    def __init__(
        self,
        weights: str | Path | None,
        device: str,
        choice: Choice | None = None,
        threshold: float | None = None,
        threads: int | None = None,
    ) -> None:
        _check_device(device)
        self._threads = threads
        self.weights = load_weights(weights, device=device)
        self._runner = Runner(self.weights, device, choice or choose(None, device), threshold)

    @property
    def spectra(self) -> dict[str, tuple[tuple[float, ...], tuple[float, ...]]]:
        """Class -> (mean, spread) of the radial spectrum, as a case keeps them."""
        known = self.weights.spectra.items()
        return {name: (_floats(mean), _floats(spread)) for name, (mean, spread) in known}

    def measure(self, images: Sequence[NDArray[np.uint8]]) -> list[Measured]:
        """Score and spectrum of each image.

        Args:
            images: tiles of each image, (T, 3, 128, 128) uint8, T >= 1.
        """
        measured = []
        with torch_threads(self._threads):
            for tiles, output in zip(images, self._runner.outputs(images), strict=True):
                try:
                    scored = self.weights.scorer(output.logits, output.embeddings)
                except ValueError:
                    scored = None
                engine = None if output.engine.name == "torch" else str(output.engine)
                measured.append(Measured(scored, _floats(log_radial(tiles)), engine))
        return measured


def _check_device(device: str) -> None:
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise UsageError(f"--device {device}", "is no device", "Use cpu, cuda or cuda:N") from error
    if kind not in ("cpu", "cuda"):
        raise UsageError(f"--device {device}", "is not supported", "Use cpu, cuda or cuda:N")
    number = torch.device(device).index or 0
    if kind == "cuda" and number >= torch.cuda.device_count():
        raise UsageError(
            f"--device {device}", "no such CUDA device here", "Use --device cpu; `forensic doctor` tells more"
        )


def _floats(values: NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
