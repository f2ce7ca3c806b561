"""dct2 with an output of many pages: the request for large ones changes no content."""

from __future__ import annotations

from pathlib import Path

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
