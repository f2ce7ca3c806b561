"""Values arrive whole, in order, and none is left behind."""

from __future__ import annotations

import pytest
import torch

from forensic.train.readback import LAG, Readback


def test_on_the_cpu_nothing_is_late() -> None:
    seen: list[list[float]] = []
    late = Readback(torch.device("cpu"))
    for step in range(3):
        late.put(torch.tensor([step, 0.5]), seen.append)
        assert seen[-1] == [step, 0.5]


def test_what_is_raised_comes_out() -> None:
    def refuse(values: list[float]) -> None:
        raise ValueError(str(values))

    with pytest.raises(ValueError, match=r"\[1.0\]"):
        Readback(torch.device("cpu")).put(torch.ones(1), refuse)


@pytest.mark.cuda
def test_on_a_device_values_come_later_and_in_order() -> None:
    seen: list[list[float]] = []
    late = Readback(torch.device("cuda"))
    for step in range(3 * LAG):
        late.put(torch.tensor([float(step)], device="cuda"), seen.append)
        assert len(seen) == max(0, step + 1 - LAG)
    late.drain()
    assert seen == [[float(step)] for step in range(3 * LAG)]
