"""What a bench file declares: a kernel on one input, its rivals, what all must give, and what must be done at least."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch


@dataclass(frozen=True)
class Case:
    """One row of the table, and one a rival."""

    kernel: str
    """Name in `forensic.kernels`, with what else is done: `augment, all gradients`."""
    shape: str
    dtype: str
    """Of the input: `float32`, `float64`, `bfloat16` or `uint8`."""
    threads: int
    ours: Callable[[], object]
    rivals: dict[str, Callable[[], object]]
    expected: tuple[np.ndarray | torch.Tensor, ...]
    """What ours and the rivals give, in float64 or exactly."""
    bound: float
    """Largest difference, as a share of the largest expected value of each array."""
    bytes_moved: int
    """Inputs read once and outputs written once."""
    multiply_adds: int
    """Of the best way known, a sum counting as much as a product and a sum together."""
    other_values: frozenset[str] = field(default_factory=frozenset)
    """Rivals that compute something else, shown for their speed only."""
    gradients: bool = False
    """Whether autograd is needed; without it all run in inference mode."""

    @property
    def computed(self) -> str:
        """Whose multiply-adds are the limit; integers and bfloat16 are held against float32."""
        return "float64" if self.dtype == "float64" else "float32"

    def mode(self) -> contextlib.AbstractContextManager[Any]:
        """In force while rivals run."""
        return contextlib.nullcontext() if self.gradients else torch.inference_mode()

    def error(self, found: object) -> float:
        """Largest difference from what is expected, as `bound` counts it; infinite where the shapes differ."""
        arrays = found if isinstance(found, (tuple, list)) else (found,)
        if len(arrays) != len(self.expected):
            return float("inf")
        worst = 0.0
        for array, expected in zip(arrays, self.expected, strict=True):
            got, want = (_float64(one) for one in (array, expected))
            if got.shape != want.shape:
                return float("inf")
            gap = float(np.abs(got - want).max() / (np.abs(want).max() or 1.0))
            worst = max(worst, gap if gap == gap else float("inf"))  # noqa: PLR0124 - a NaN is no equality
        return worst


def _float64(array: Any) -> np.ndarray:
    if isinstance(array, torch.Tensor):
        array = array.double().numpy()  # NumPy has no bfloat16
    return np.asarray(array, dtype=np.float64).ravel()


def images(*shape: int, dtype: str = "float32") -> torch.Tensor:
    """Standard normal values, the same in every run."""
    values = np.random.default_rng(sum(shape)).standard_normal(shape)
    return torch.from_numpy(values.astype(dtype))
