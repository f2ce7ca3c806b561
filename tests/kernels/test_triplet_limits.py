"""batch_hard_triplet across levels, threads, alignments, a fork, and in memory."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from triplet_batches import float32_bound, involved, on_grid, run, seeded

from forensic import kernels


@pytest.mark.parametrize("nudge", [0.0, 1e-7], ids=["free", "nearly tied"])
def test_levels_choose_the_same_pairs(isa, nudge):
    """And the loss is within the bound, whichever pair a rounding decides."""
    z, labels = seeded(240, 512, 30, torch.float32)
    if nudge:
        z = torch.cat([z[:120], z[:120] * (1 + nudge)])  # each row has nearly a twin in its own class
    bound = float32_bound(z[:120] if nudge else z)
    loss, gradient = run(kernels.implementation("cpp"), z, labels)
    expected, slope = run(kernels.implementation("reference"), z.double(), labels)
    assert (loss.double() - expected).abs() <= 2 * bound, isa
    clear = ~involved(z, labels, bound)
    assert nudge or clear.sum() > 200
    assert ((gradient.double() - slope)[clear].abs() <= 2 * bound).all(), isa


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("case", ["free", "ties listed", "ties not listed", "many rows", "many rows, many ties"])
def test_bits_do_not_depend_on_threads(isa, case, dtype):
    z, labels = {
        "free": lambda: seeded(75, 40, 9, dtype),
        "ties listed": lambda: on_grid(75, 6, 9, 2, dtype),
        "ties not listed": lambda: on_grid(75, 2, 3, 1, dtype),
        "many rows": lambda: seeded(1100, 5, 30, dtype),
        "many rows, many ties": lambda: on_grid(1100, 2, 3, 1, dtype),
    }[case]()
    before, seen = torch.get_num_threads(), set()
    try:
        for threads in range(1, 9):
            torch.set_num_threads(threads)
            seen.add(tuple(one.numpy().tobytes() for one in run(kernels.implementation("cpp"), z, labels)))
    finally:
        torch.set_num_threads(before)
    assert len(seen) == 1, isa


def assert_equal_rows_are_at_the_clamp(implementation, rows):
    """Norms and products are chains of the same sums: what is left of equal rows is 0, not a rounding."""
    z, _ = seeded(rows, 700, 5, torch.float32)
    z[rows // 2 :] = z[: rows // 2]
    pairs = torch.arange(rows) % (rows // 2)  # every row has its double, and nothing else, in its class
    loss, gradient = run(implementation, z, pairs, margin=100.0)
    nearest = torch.cdist(z.double(), z.double()).masked_fill(pairs[:, None] == pairs[None, :], torch.inf).amin(dim=1)
    np.testing.assert_allclose(loss, (1e-6 - nearest + 100).mean(), rtol=1e-6)
    assert torch.isfinite(gradient).all()


@pytest.mark.usefixtures("isa")
def test_equal_rows_are_at_the_clamp_however_long_at_every_level():
    assert_equal_rows_are_at_the_clamp(kernels.implementation("cpp"), 60)


@pytest.mark.parametrize("rows", [30, 102])
def test_equal_rows_are_at_the_clamp_however_long(compiled, rows):
    assert_equal_rows_are_at_the_clamp(compiled, rows)


def test_storage_need_only_be_aligned_to_an_element(compiled):
    """Not to a vector: an embedding that begins anywhere in memory gives the same bits."""
    device = "cuda" if compiled.name == "cuda" else "cpu"
    z, labels = seeded(50, 33, 5, torch.float32)
    plain = run(compiled, z, labels)
    for offset in range(1, 16):
        storage = torch.zeros(50 * 33 + 16, device=device)
        shifted = storage[offset : offset + 50 * 33].view(50, 33)
        shifted.copy_(z)
        leaf = shifted.requires_grad_()
        loss = compiled.batch_hard_triplet(leaf, labels.to(device))
        (gradient,) = torch.autograd.grad(loss, leaf)
        assert torch.equal(loss.detach().cpu(), plain[0])
        assert torch.equal(gradient.cpu(), plain[1])
    raw = bytearray(2 * 4 * 4 + 1)
    odd = torch.frombuffer(raw, dtype=torch.float32, count=8, offset=1).view(2, 4)
    if compiled.name == "cpp":
        with pytest.raises(ValueError, match="z: expected data aligned to 4 bytes"):
            compiled.batch_hard_triplet(odd, labels[:2])


def in_a_process(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_forked_child_computes_the_same():
    program = """
import os, torch
from forensic import kernels
torch.set_num_threads(3)
z, labels = torch.randn(100, 40, generator=torch.Generator().manual_seed(0)), torch.arange(100) % 9
here = kernels.batch_hard_triplet(z, labels)
child = os.fork()
if child == 0:
    os._exit(0 if torch.equal(kernels.batch_hard_triplet(z, labels), here) else 7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert in_a_process(program) == "0\n"


@pytest.mark.slow
def test_memory_of_a_large_batch_is_linear():
    """16,384 x 512 in float32, forward and backward: the whole matrix of distances would be 1 GiB."""
    program = """
import torch
from pathlib import Path
from forensic import kernels

def status(field):
    return int(next(line for line in Path("/proc/self/status").read_text().splitlines() if field in line).split()[1])

def step(z, labels):
    kernels.batch_hard_triplet(z, labels).backward()

torch.set_num_threads(2)
labels = torch.arange(16384) % 60
z = torch.randn(16384, 512, generator=torch.Generator().manual_seed(0)).requires_grad_()
step(z[:500].detach().requires_grad_(), labels[:500])
before = status("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
step(z, labels)
assert torch.isfinite(z.grad).all() and z.grad.any()
print(status("VmHWM") - before)
"""
    assert int(in_a_process(program)) * 1024 <= 200e6
