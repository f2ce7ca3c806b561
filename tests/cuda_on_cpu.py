"""The CUDA kernels on the CPU, in the place of `forensic._C`: tests/csrc/cuda/README.md tells how and what it proves.

python tests/cuda_on_cpu.py     builds them
"""

# ruff: noqa: T201 - a build tells where its results are

from __future__ import annotations

import ctypes
import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
import zlib
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

REPOSITORY = Path(__file__).resolve().parents[1]
BUILD = REPOSITORY / "build" / "cuda-on-cpu"
STREAM = 0x5EED
"""kStream of tests/csrc/cuda/block.h: a launch on another fails."""
MARGIN = 512
GARBAGE = 0x5A
"""Around outputs, and in and around integers; in floating-point numbers and around those that are read it is NaN."""


class Arguments(NamedTuple):
    """Which arguments of a function of `forensic._C_cuda` are special, by position."""

    outputs: tuple[int, ...]
    """Written whole; an empty one was not asked for."""
    contiguous: tuple[int, ...] = ()
    """Inputs that the caller makes contiguous for a device but not for the CPU."""


FUNCTIONS = {
    "dct2": Arguments(outputs=(1,), contiguous=(0,)),
    "dct2_log": Arguments(outputs=(5,), contiguous=(0,)),
    "resize_square": Arguments(outputs=(1,)),
    "augment": Arguments(outputs=(5,)),
    "augment_input_gradient": Arguments(outputs=(5,)),
    "augment_weight_gradients": Arguments(outputs=(6, 7, 8, 9)),
    "batch_hard_triplet": Arguments(outputs=(5, 6)),
    "batch_norm_leaky": Arguments(outputs=(5, 6, 7)),
    "batch_norm_leaky_gradient": Arguments(outputs=(8, 9, 10)),
    "radial_spectrum": Arguments(outputs=(1,)),
    "radial_spectrum_gradient": Arguments(outputs=(2,), contiguous=(1,)),
}
"""Functions of `forensic._C_cuda` that have the arguments of those in `forensic._C`, but for the last, `stream`."""

TESTS: dict[str, tuple[str, ...]] = {
    "test_augment": (),
    "test_augment_stacks": (),
    "test_dct": ("test_equals_scipy",),
    "test_dct_norm": (),
    "test_dct_out": (),
    "test_norm": ("test_equals_the_twin",),
    "test_radial": ("test_equals_numpy", "test_gradient_is_bounded"),
    "test_resize": (),
    "test_triplet": ("test_against_a_loop_over_anchors",),
    "test_triplet_limits": ("test_equal_rows_are_at_the_clamp_however_long",),
}
"""Files of tests/kernels whose tests run on `cuda_on_cpu` too -> those that also run on `cuda_on_cpu_small`, where
thresholds are low (tests/csrc/cuda/translate.py)."""


OF_TWINS = ("test_gradgradcheck", "test_gradients_of_both_orders", "test_logarithm_has_gradients_of_both_orders")
"""Tests whose time goes into second derivatives, which are the twins'; others see the first ones."""


def targets(file: str, test: str) -> list[str]:
    """What else a test runs on, by the names of its file and of its function."""
    if file not in TESTS or test in OF_TWINS:
        return []
    return ["cuda_on_cpu", "cuda_on_cpu_small"] if test in TESTS[file] else ["cuda_on_cpu"]


class CudaOnCpu:
    """Stands in for `forensic._C`: functions that have a CUDA kernel run that, all others are `forensic._C`'s.

    Tensors stand between margins of garbage and outputs come in full of it, so that it shows what is read or written
    beside them, and what no thread writes. An array of NumPy that is read goes in as it is: it may have strides that no
    tensor has.
    """

    def __init__(self, target: str, native: ModuleType, test: str) -> None:
        self.native = native
        self.module = _load(target)
        # the same orders of threads at every run of a test, others in other tests
        ctypes.CDLL(self.module.__file__).cuda_on_cpu_begin(zlib.crc32(test.encode()))

    def __getattr__(self, name: str) -> Any:
        if name not in FUNCTIONS:
            return getattr(self.native, name)

        def call(*arguments: Any) -> None:
            self.call(name, [_tensor(one) for one in arguments[:-1]])  # the last: threads

        return call

    def call(self, name: str, arguments: list[Any]) -> None:
        """Runs function `name`; several augmenters one after another, as on a device."""
        if name.startswith("augment") and any(one.dim() == 5 for one in arguments):
            self._stacked(name, arguments)
            return
        special = FUNCTIONS[name]
        for n in special.contiguous:
            arguments[n] = arguments[n].contiguous()
        read, written = [], []
        for n, argument in enumerate(arguments):
            array = isinstance(argument, np.ndarray) and n in special.outputs
            one = torch.from_numpy(argument) if array else argument
            if not isinstance(one, Tensor) or one.numel() == 0 or one.data_ptr() % one.element_size() != 0:
                continue
            memory, arguments[n] = _within_margins(one, empty=n in special.outputs)
            if n in special.outputs:
                written.append((one, memory, arguments[n]))
            else:
                read.append((memory, _bytes(memory).clone()))
        getattr(self.module, name)(*arguments, STREAM)
        for memory, before in read:
            assert torch.equal(_bytes(memory), before), f"{name}: an input was written"
        for output, memory, inner in written:
            output.copy_(inner)
            inner.fill_(GARBAGE)
            assert (memory == GARBAGE).all(), f"{name}: written beside an output"

    def _stacked(self, name: str, arguments: list[Tensor]) -> None:
        """As _run_forward, _run_input_gradient and _run_weight_gradients of forensic/kernels/_augment.py."""
        if name == "augment_input_gradient":
            g, *weights, result = arguments
            total = torch.zeros_like(result)
            for n in range(len(g)):
                part = torch.empty_like(result)
                self.call(name, [g[n], *(one[n] for one in weights), part])
                total += part
            result.copy_(total)
            return
        x, *rest = arguments
        for n in range(len(rest[0])):
            self.call(name, [x, *(one[n] for one in rest)])


def _within_margins(one: Tensor, *, empty: bool) -> tuple[Tensor, Tensor]:
    """Memory full of garbage; in it a tensor with shape, strides, alignment and (not if `empty`) values of `one`.

    Around an input the garbage is NaN, which spreads where it is read; around an output none, which could be written.
    """
    extent = 1 + sum((size - 1) * stride for size, stride in zip(one.shape, one.stride(), strict=True))
    begin = MARGIN + one.data_ptr() % 64 // one.element_size()
    around = GARBAGE if empty or not one.is_floating_point() else float("nan")
    memory = torch.full((begin + extent + MARGIN,), around, dtype=one.dtype)
    inner = memory.as_strided(one.shape, one.stride(), begin)
    if empty:
        inner.fill_(float("nan") if one.is_floating_point() else GARBAGE)
    else:
        once = tuple(slice(1) if stride == 0 else slice(None) for stride in one.stride())  # not an expanded axis
        inner[once].copy_(one[once])
    return memory, inner


def _bytes(memory: Tensor) -> Tensor:
    return memory.view(torch.uint8)


def _tensor(argument: Any) -> Any:
    return torch.from_dlpack(argument) if type(argument).__name__ == "PyCapsule" else argument


@cache
def _load(target: str) -> ModuleType:
    path = build(target)
    # of two modules with one name the first would be had twice
    spec = importlib.util.spec_from_file_location(f"{target}._C_cuda", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build(*targets: str) -> Path:
    """Compiles what has changed, in build/cuda-on-cpu; returns the module of the last target."""
    if shutil.which("c++") is None:
        pytest.skip("needs the C++ toolchain")
    BUILD.mkdir(parents=True, exist_ok=True)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    cmake, found = shutil.which("cmake", path=path) or "cmake", shutil.which("ninja", path=path)
    ninja = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={found}"] if found else []
    options = ["-DCMAKE_BUILD_TYPE=Release", "-DFORENSIC_CUDA=OFF", "-DFORENSIC_CUDA_ON_CPU=ON"]
    with (BUILD / "lock").open("w") as lock:  # of the tests' processes one builds, the others wait
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (BUILD / "CMakeCache.txt").exists():
            _run([cmake, "-S", REPOSITORY, "-B", BUILD, *ninja, *options, f"-DPython_EXECUTABLE={sys.executable}"])
        _run([cmake, "--build", BUILD, "--parallel", str(os.cpu_count() or 1), "--target", *targets])
    (module,) = (BUILD / targets[-1]).glob("_C_cuda*.so")
    return module


def _run(command: list[Any]) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


if __name__ == "__main__":
    print(build("cuda_on_cpu_small", "cuda_on_cpu").parents[1])
