"""dct2 with a large output: neither large pages nor planes made in turn, wherever they begin, change content."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from forensic import kernels as public


def flags_of_the_memory_at(address: int) -> list[str]:
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        head = line.split()[0]
        if "-" in head:
            first, last = (int(end, 16) for end in head.split("-"))
            inside = first <= address < last
        elif inside and head == "VmFlags:":
            return line.split()[1:]
    raise AssertionError(hex(address))


def test_a_large_output_is_that_of_its_planes(planes) -> None:
    images = planes((40, 3, 128, 128))
    found = public.dct2(images)
    assert all(torch.equal(found[i], public.dct2(images[i])) for i in range(0, 40, 13))
    if Path("/sys/kernel/mm/transparent_hugepage").exists():
        assert "hg" in flags_of_the_memory_at(found.data_ptr() + found.nbytes // 2)


# planes enough that a thread makes several in turn; rows of whole cache lines: the first two; the last has others
LARGE = [((66, 128, 128), torch.float32), ((150, 33, 112), torch.float64), ((90, 120, 100), torch.float32)]


@pytest.mark.parametrize(("shape", "dtype"), LARGE, ids=str)
@pytest.mark.usefixtures("isa")
def test_a_large_output_has_the_bits_of_small_ones(planes, with_threads, shape, dtype) -> None:
    cpp = public.implementation("cpp")
    with_threads(3)
    values = planes(shape, dtype).requires_grad_()
    mean, std = planes(shape[-2:], dtype), planes(shape[-2:], dtype).abs() + 0.5

    def everything(x: torch.Tensor) -> list[torch.Tensor]:
        with torch.no_grad():
            transforms = [cpp.dct2(x), cpp.idct2(x)]
        logarithm = cpp.dct2_log(x, mean, std)
        return [*transforms, logarithm.detach(), *torch.autograd.grad(logarithm.square().sum(), x)]

    parts = zip(*(everything(part) for part in values.split(11)), strict=True)
    assert all(torch.equal(whole, torch.cat(part)) for whole, part in zip(everything(values), parts, strict=True))


@pytest.mark.usefixtures("isa")
def test_a_large_output_may_begin_anywhere(planes) -> None:
    cpp = public.implementation("cpp")
    values = planes((66, 128, 128), torch.float32)
    place = torch.full((values.numel() + 2,), 7.0)
    cpp.dct2(values, out=place[1:-1].view_as(values))
    assert torch.equal(place[1:-1].view_as(values), cpp.dct2(values))
    assert place[0] == place[-1] == 7.0
