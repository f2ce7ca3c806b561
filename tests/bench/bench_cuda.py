"""The CUDA kernels beside plain torch on one device: equality first, then interleaved rounds.

python tests/bench/bench_cuda.py [--kernel 'dct2*'] [--rounds 15] [--json FILE]

Two times a row: `call`, what a caller in Python waits for when calls follow each other, and `device`, the same work
replayed as a CUDA graph, without Python. `copy` is the share of the device's time that a copy of as many bytes takes.
Ratios are a rival's time over ours. Rivals compute in full float32; rows marked * multiply in TF32.
"""

# ruff: noqa: T201 - a bench prints its table

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import torch
from bench_augment import one_convolution, two_convolutions
from bench_triplet import by_cdist, by_gram, per_anchor
from case import images
from interleaving import interleaved
from plain_pose import dct_by_fft, dct_by_matrix
from torch import Tensor

from forensic import kernels
from forensic.kernels import reference

HIDDEN = 32
TRUNK = ((56, 32, 64, 64), (56, 64, 32, 32), (56, 128, 16, 16), (56, 256, 8, 8))
"""What the trunk normalises in a step of 56 images."""
STORED = (torch.float32, torch.bfloat16)
PLANES = ((64, 3, 128, 128), (64, 3, 125, 125), (4, 3, 1024, 1024))


@dataclass(frozen=True)
class Row:
    """A kernel on one input, and who else does that."""

    kernel: str
    shape: str
    ours: Callable[[], object]
    rivals: dict[str, Callable[[], object]]
    exact: tuple[Tensor, ...]
    """In float64, on the CPU."""
    bound: float
    bytes_moved: int
    reduced: frozenset[str] = field(default_factory=frozenset)
    """Rivals that multiply in TF32."""

    def error(self, found: object) -> float:
        """Largest difference as a share of the largest expected value; infinite where a NaN or another shape came."""
        worst = 0.0
        for got, want in zip(found if isinstance(found, tuple) else (found,), self.exact, strict=True):
            if got.shape != want.shape:
                return float("inf")
            gap = ((got.double().cpu() - want).abs().max() / want.abs().max()).item()
            worst = max(worst, gap if gap == gap else float("inf"))  # noqa: PLR0124 - a NaN is no equality
        return worst


def tf32(*, allowed: bool) -> AbstractContextManager[Any]:
    """Whether products of float32 may be made of TF32."""
    torch.backends.cuda.matmul.allow_tf32 = allowed
    return torch.backends.cudnn.flags(enabled=True, benchmark=True, deterministic=False, allow_tf32=allowed)


def rows(pattern: str) -> Iterator[Row]:
    """The rows whose kernel the pattern names, made one at a time."""
    planes = [(batch, 3, 128, 128) for batch in (1, 64, 500)] + [(8, 3, size, size) for size in (96, 256, 512)]
    works = ("forward", "weight gradients", "all gradients")
    makers: dict[str, Callable[[], Iterator[Row]]] = {
        "dct2": lambda: map(transform, planes),
        "dct2_log": lambda: iter([logarithm((64, 3, 128, 128))]),
        "resize_square": lambda: (resized(side, 128) for side in (256, 1024, 3000)),
        "augment": lambda: (augmented((64, 3, 128, 128), work) for work in works),
        "batch_hard_triplet": lambda: (triplets(count, 512) for count in (56, 240, 1024)),
        "batch_norm_leaky": lambda: (normed(shape, dtype) for shape in TRUNK for dtype in STORED),
        "radial_spectrum": lambda: (rings(shape, work) for shape in PLANES for work in works[::2]),
    }
    for name, make in makers.items():
        if fnmatch(name, pattern):
            yield from make()


def on_device(*shape: int) -> Tensor:
    return images(*shape).cuda()


def transform(shape: tuple[int, ...]) -> Row:
    x = on_device(*shape)
    n = torch.full((shape[-1],), (2 * shape[-1]) ** -0.5, device=x.device)
    n[0] = 0.5 * shape[-1] ** -0.5
    down = n[:, None] * n  # from the un-normalised to the orthonormal
    return Row(
        "dct2",
        "x".join(map(str, shape)),
        lambda: kernels.dct2(x),
        {
            "two matrix products": lambda: dct_by_matrix(x) * down,
            "by FFT": lambda: dct_by_fft(x) * down,
        },
        (reference.dct2(x.double()).cpu(),),
        1e-5,
        2 * x.nbytes,
    )


def logarithm(shape: tuple[int, ...]) -> Row:
    x, mean, std = on_device(*shape), on_device(*shape[1:]), on_device(*shape[1:]).abs() + 0.5
    return Row(
        "dct2_log",
        "x".join(map(str, shape)),
        lambda: kernels.dct2_log(x, mean, std, 1e-3),
        {"our dct2, then torch": lambda: ((kernels.dct2(x).abs() + 1e-3).log() - mean) / std},
        (reference.dct2_log(x.double(), mean.double(), std.double(), 1e-3).cpu(),),
        1e-3,
        2 * x.nbytes,
    )


def resized(side: int, size: int) -> Row:
    """Ours has Pillow's bits. torch's filter is the same in float32, without rounding between the passes."""
    generator = torch.Generator().manual_seed(side)
    image = torch.randint(256, (side, side, 3), dtype=torch.uint8, generator=generator).cuda()
    slot = torch.empty(3, size, size, device="cuda")

    def interpolated() -> Tensor:
        planes = image.permute(2, 0, 1)[None].float()
        small = torch.nn.functional.interpolate(planes, (size, size), mode="bicubic", antialias=True)
        return (small[0].round().clamp(0, 255) / 255 - 0.5) / 0.5

    return Row(
        "resize_square",
        f"{side}x{side} to {size}x{size}",
        lambda: kernels.resize_square(image, out=slot),
        {"interpolate, not bit-exact": interpolated},
        (kernels.resize_square(image.cpu(), size, dtype="float32").double(),),
        0.0,
        image.nbytes + slot.nbytes,
    )


def augmented(shape: tuple[int, ...], work: str) -> Row:
    plain = [on_device(*one) for one in (shape, (HIDDEN, 3, 3, 3), (HIDDEN,), (3, HIDDEN, 3, 3), (3,))]
    above = on_device(*shape).flip(0, 2).contiguous()
    first = {"forward": 5, "weight gradients": 1, "all gradients": 0}[work]
    last = [one.contiguous(memory_format=torch.channels_last) if one.ndim == 4 else one for one in plain]

    def exactly(inputs: list[Tensor]) -> tuple[Tensor, ...]:
        leaves = [one.requires_grad_(n >= first) for n, one in enumerate(inputs)]
        y = two_convolutions(*leaves)
        found = torch.autograd.grad(y, leaves[first:], above.double()) if leaves[first:] else (y,)
        return tuple(one.detach().cpu() for one in found)

    def run(function: Callable[..., Tensor], inputs: list[Tensor], *, allowed: bool = False) -> object:
        with tf32(allowed=allowed):
            if first == len(inputs):
                return function(*inputs)
            leaves = [one.detach().requires_grad_(n >= first) for n, one in enumerate(inputs)]
            return torch.autograd.grad(function(*leaves), leaves[first:], above.to(inputs[0].dtype))

    with torch.backends.cudnn.flags(enabled=False):  # its search among kernels for float64 takes a minute
        exact = exactly([one.double() for one in plain])
    moved = plain[0].nbytes * (2 + 2 * (first <= 1) + 2 * (first == 0))
    return Row(
        "augment" if work == "forward" else f"augment, {work}",
        "x".join(map(str, shape)),
        lambda: run(kernels.augment, plain),
        {
            "two conv2d": lambda: run(two_convolutions, plain),
            "two conv2d, channels-last": lambda: run(two_convolutions, last),
            "one folded conv2d": lambda: run(one_convolution, plain),
            "two conv2d in TF32": lambda: run(two_convolutions, plain, allowed=True),
            "two conv2d in TF32, channels-last": lambda: run(two_convolutions, last, allowed=True),
        },
        exact,
        1e-4,
        moved,
        frozenset({"two conv2d in TF32", "two conv2d in TF32, channels-last"}),
    )


def triplets(count: int, width: int) -> Row:
    z, labels = on_device(count, width), (torch.arange(count) % max(2, count // 8)).cuda()

    def step(function: Callable[[Tensor, Tensor], Tensor], z: Tensor = z) -> tuple[Tensor, ...]:
        leaf = z.detach().requires_grad_()
        loss = function(leaf, labels)
        return loss.detach(), *torch.autograd.grad(loss, leaf)

    rivals = {"Gram matrix and masks": by_gram, "cdist and masks": by_cdist}
    if count <= 240:
        rivals["loop over anchors"] = per_anchor
    return Row(
        "batch_hard_triplet, gradient",
        f"{count}x{width}",
        lambda: step(kernels.batch_hard_triplet),
        {name: lambda f=function: step(f) for name, function in rivals.items()},
        tuple(one.cpu() for one in step(reference.batch_hard_triplet, z.double())),
        1e-4,
        2 * z.nbytes,
    )


def normed(shape: tuple[int, ...], dtype: torch.dtype) -> Row:
    values, above = on_device(*shape).to(dtype), on_device(*shape).flip(0, 2).to(dtype)
    x, g = (one.contiguous(memory_format=torch.channels_last) for one in (values, above))
    constants = on_device(shape[1], 1)[:, 0] + 1, on_device(shape[1], 1)[:, 0] - 0.5

    def modules(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        y = torch.nn.functional.batch_norm(x, None, None, weight, bias, training=True)
        return torch.nn.functional.leaky_relu(y, 0.2, inplace=True)

    def step(function: Callable[..., Tensor], x: Tensor, g: Tensor, *constants: Tensor) -> tuple[Tensor, ...]:
        leaves = [one.detach().requires_grad_() for one in (x, *constants)]
        y = function(*leaves)
        return y.detach(), *torch.autograd.grad(y, leaves, g)

    with torch.backends.cudnn.flags(enabled=False):
        exact = step(modules, values.double(), above.double(), *(one.double() for one in constants))
    return Row(
        "batch_norm_leaky, all gradients",
        f"{'x'.join(map(str, shape))} {str(dtype).removeprefix('torch.')}",
        lambda: step(lambda *leaves: kernels.batch_norm_leaky(*leaves)[0], x, g, *constants),
        {
            "torch's two modules": lambda: step(modules, values, above, *constants),
            "torch's two modules, channels-last": lambda: step(modules, x, g, *constants),
        },
        tuple(one.cpu() for one in exact),
        1e-4 if dtype == torch.float32 else 2e-2,
        5 * x.nbytes,  # x and the gradient above read, y and the gradient written, x read again for it
    )


def rings(shape: tuple[int, ...], work: str) -> Row:
    height, width = shape[-2:]
    count, half = min(height, width) // 2, width // 2 + 1
    x = on_device(*shape).abs()  # as pictures: the mean is not zero
    above = on_device(*shape[:-2], count, 1)[..., 0]
    ring = reference.ring_of(height, width).clamp(max=count)
    counts = torch.bincount(ring.flatten(), minlength=count + 1)[:count].to(x)
    ring = ring[:, :half].flatten().to(x.device)
    times = torch.full((half,), 2.0, device=x.device)
    times[0] = 1.0
    if width % 2 == 0:
        times[-1] = 1.0  # its own mirror, as the first

    def by_fft(x: Tensor) -> Tensor:
        transform = torch.fft.rfft2(x)
        power = ((transform.real**2 + transform.imag**2) * times).flatten(-2)
        sums = power.new_zeros((*power.shape[:-1], count + 1)).index_add(-1, ring, power)
        return sums[..., :count] / counts

    def run(function: Callable[[Tensor], Tensor], x: Tensor = x) -> Tensor:
        if work == "forward":
            return function(x)
        leaf = x.detach().requires_grad_()
        return torch.autograd.grad(function(leaf), leaf, above.to(x))[0]

    return Row(
        "radial_spectrum" if work == "forward" else "radial_spectrum, gradient too",
        "x".join(map(str, shape)),
        lambda: run(kernels.radial_spectrum),
        {"rfft2 and index_add": lambda: run(by_fft)},
        (run(reference.radial_spectrum, x.double()).cpu(),),
        1e-4,
        x.nbytes if work == "forward" else 3 * x.nbytes,
    )


def replayed(run: Callable[[], object]) -> Callable[[], object] | None:
    """The same work as one graph; None where it can not be captured (it waits for the device)."""
    side = torch.cuda.Stream()
    try:
        with torch.cuda.stream(side):
            for _ in range(3):
                run()
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=side):
            run()
    except RuntimeError:
        torch.cuda.synchronize()
        return None
    return graph.replay


def measure(row: Row, rounds: int) -> dict[str, Any]:
    """Errors and milliseconds of all; a ValueError where ours is wrong."""
    with tf32(allowed=False):
        error = row.error(row.ours())
        if not error <= row.bound:
            raise ValueError(f"{row.kernel} {row.shape}: ours is off by {error:.1e}, not {row.bound:.0e}")
        errors = {name: row.error(run()) for name, run in row.rivals.items()}
        everyone = {"forensic": row.ours, **row.rivals}
        source = torch.ones(max(1, row.bytes_moved // 8), device="cuda")
        target = torch.empty_like(source)
        graphs = {name: graph for name, run in everyone.items() if (graph := replayed(run)) is not None}
        graphs["copy"] = replayed(lambda: target.copy_(source)) or (lambda: target.copy_(source))
        called = _milliseconds(interleaved(everyone, rounds, torch.cuda.synchronize))
        device = _milliseconds(interleaved(graphs, rounds, torch.cuda.synchronize))
    return {"kernel": row.kernel, "shape": row.shape, "error": error, "errors": errors, "call": called} | {
        "device": device,
        "reduced": sorted(row.reduced),
    }


def _milliseconds(times: dict[str, list[float]]) -> dict[str, float]:
    return {name: 1e3 * statistics.median(seconds) for name, seconds in times.items()}


def show(found: dict[str, Any]) -> None:
    call, device = found["call"], found["device"]
    own = device.get("forensic")
    share = f"copy {100 * device['copy'] / own:.0f} %" if own else "no graph"
    head = f"{found['kernel']} {found['shape']}: call {call['forensic']:.3f} ms, device {own or 0:.4f} ms, {share}"
    print(f"{head}, off by {found['error']:.0e}")
    for name in found["errors"]:
        star = "*" if name in found["reduced"] else ""
        alone = f"device {device[name]:.4f} ms {device[name] / own:6.2f}x" if own and name in device else "no graph"
        print(
            f"  {name + star:<36} call {call[name]:.3f} ms {call[name] / call['forensic']:6.2f}x   {alone}", flush=True
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernel", default="*", help="a pattern")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print(f"{torch.cuda.get_device_name()}; torch {torch.__version__}; {kernels.describe()['reason']}")
    done = []
    for row in rows(options.kernel):
        with torch.inference_mode() if "gradient" not in row.kernel else nullcontext():
            found = measure(row, options.rounds)
        show(found)
        done.append(found)
    if options.json:
        about = {"device": torch.cuda.get_device_name(), "torch": torch.__version__, "rows": done}
        options.json.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
