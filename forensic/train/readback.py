"""Loss values from a device to the host without making the loop wait for the step that computes them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

LAG = 8
"""Steps that may be under way on a device before the values of the first are read."""


class Readback:
    """Hands small tensors on as lists, in their order; on a device some steps later.

    A read waits for everything that was queued before it. So the copy to pinned memory is queued behind its own step,
    and only an event recorded right after it is waited for.

    Args:
        device: where the values come from; on the CPU nothing waits and nothing is late.
        lag: how many may be outstanding.
    """

    def __init__(self, device: torch.device, lag: int = LAG) -> None:
        self._cuda = device.type == "cuda"
        self._lag = lag if self._cuda else 0
        self._waiting: deque[tuple[Tensor, torch.cuda.Event | None, Callable[[list[float]], None]]] = deque()

    def put(self, values: Tensor, use: Callable[[list[float]], None]) -> None:
        """Takes (n,) values of a step; `use` is called with them, now or after later ones were put.

        Whatever `use` raises comes out of here or of `drain`.
        """
        event = None
        if self._cuda:
            host = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
            host.copy_(values, non_blocking=True)
            event = torch.cuda.Event()  # type: ignore[no-untyped-call]  # torch ships it without a signature
            event.record()
            values = host
        self._waiting.append((values, event, use))
        while len(self._waiting) > self._lag:
            self._use_first()

    def drain(self) -> None:
        """Hands on all that is outstanding."""
        while self._waiting:
            self._use_first()

    def _use_first(self) -> None:
        values, event, use = self._waiting.popleft()
        if event is not None:
            event.synchronize()
        use(values.tolist())
