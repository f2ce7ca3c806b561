"""dct2 of images that begin anywhere in a cache line, and of sizes that no whole number of registers covers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from forensic import kernels as public

# whole lines to a row, enough of them for a block more; whole registers and a rest; fewer columns than a register has
SIZES = [(128, 128), (40, 256), (100, 200), (75, 33), (9, 17), (130, 7), (5, 96)]


def from_element(first: int, values: Tensor) -> Tensor:
    """The same values in memory that begins `first` elements behind a cache line."""
    memory = torch.full((values.numel() + 32,), float("nan"), dtype=values.dtype)
    line = 64 // values.element_size()
    begin = -memory.data_ptr() // values.element_size() % line + first
    return memory[begin : begin + values.numel()].view_as(values).copy_(values)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(("count", "threads"), [(5, 1), (2, 3)], ids=["planes in turn", "planes shared"])
@pytest.mark.usefixtures("isa")
def test_the_bits_do_not_tell_where_an_image_begins(
    planes, with_threads, dtype, size, count: int, threads: int
) -> None:
    cpp = public.implementation("cpp")
    with_threads(threads)
    values = planes((count, *size), dtype)
    mean, std = planes(size, dtype), planes(size, dtype).abs() + 0.5

    def everything(x: Tensor) -> list[Tensor]:
        with torch.no_grad():
            transforms = [cpp.dct2(x), cpp.idct2(x)]
        logarithm = cpp.dct2_log(x.requires_grad_(), mean, std)
        return [*transforms, logarithm.detach(), *torch.autograd.grad(logarithm.square().sum(), x)]

    expected = everything(from_element(0, values))
    for first in (1, 3, 64 // values.element_size() - 1):
        found = everything(from_element(first, values))
        assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True)), first


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.usefixtures("isa")
def test_blocks_that_overlap_cover_every_line(planes, size) -> None:
    values = planes((3, *size), torch.float64)
    found = public.implementation("cpp").dct2(values)
    torch.testing.assert_close(found, public.implementation("reference").dct2(values), rtol=0, atol=1e-12)
