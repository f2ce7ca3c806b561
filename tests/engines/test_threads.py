"""Torch's number of threads is put back, also behind an error."""

from __future__ import annotations

import pytest
import torch

from forensic.engines.threads import torch_threads


@pytest.mark.parametrize("count", [None, 1, 3])
def test_the_number_is_put_back_also_behind_an_error(count: int | None) -> None:
    before = torch.get_num_threads()
    inside: list[int] = []

    def work() -> None:
        with torch_threads(count):
            inside.append(torch.get_num_threads())
            raise KeyError

    with pytest.raises(KeyError):
        work()
    assert inside == [count or before]
    assert torch.get_num_threads() == before
