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
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

REPOSITORY = Path(__file__).resolve().parents[1]
BUILD = REPOSITORY / "build" / "cuda-on-cpu"
STREAM = 0x5EED
"""kStream of tests/csrc/cuda/block.h: a launch on another fails."""
ORDERS = ("changing", "forward", "backward", "shuffled")
MARGIN = 512


class Arguments(NamedTuple):
    """Which arguments of a function of `forensic._C_cuda` are special, by position."""

    outputs: tuple[int, ...]
    """Written whole; an empty one was not asked for."""
    contiguous: tuple[int, ...] = ()
    """Inputs that the caller makes contiguous for a device but not for the CPU."""


FUNCTIONS = {
    "dct2": Arguments(outputs=(1,), contiguous=(0,)),
    "dct2_log": Arguments(outputs=(5,), contiguous=(0,)),
    "augment": Arguments(outputs=(5,)),
    "augment_input_gradient": Arguments(outputs=(5,)),
    "augment_weight_gradients": Arguments(outputs=(6, 7, 8, 9)),
    "batch_hard_triplet": Arguments(outputs=(5, 6)),
}
"""Functions of `forensic._C_cuda` that have the arguments of those in `forensic._C`, but for the last, `stream`."""

TARGETS = {
    "test_augment": ("cuda_on_cpu",),
    "test_augment_stacks": ("cuda_on_cpu",),
    "test_dct": ("cuda_on_cpu", "cuda_on_cpu_small"),
    "test_dct_large": ("cuda_on_cpu",),
    "test_dct_norm": ("cuda_on_cpu",),
    "test_dct_out": ("cuda_on_cpu",),
    "test_triplet": ("cuda_on_cpu", "cuda_on_cpu_small"),
    "test_triplet_limits": ("cuda_on_cpu", "cuda_on_cpu_small"),
}
"""File of tests/kernels -> what its tests run on; `small` has low thresholds (tests/csrc/cuda/translate.py)."""


class CudaOnCpu:
    """Stands in for `forensic._C`: functions that have a CUDA kernel run that, all others are `forensic._C`'s.

    Outputs come in full of NaN between margins of NaN, so that what no thread writes shows, and what is written beside
    it.
    """

    def __init__(self, target: str, native: ModuleType) -> None:
        self.native = native
        self.module = _load(target)

    def __getattr__(self, name: str) -> Any:
        if name not in FUNCTIONS:
            return getattr(self.native, name)

        def call(*arguments: Any) -> None:
            self.call(name, [_tensor(one) for one in arguments[:-1]])  # the last: threads

        return call

    def call(self, name: str, arguments: list[Any]) -> None:
        """Runs function `name`; several augmenters one after another, as on a device."""
        if name.startswith("augment") and next(one for one in arguments if one.dim() != 4).dim() == 5:
            self._stacked(name, arguments)
            return
        special = FUNCTIONS[name]
        for n in special.contiguous:
            arguments[n] = arguments[n].contiguous()
        written = []
        for n in special.outputs:
            if arguments[n].numel() == 0:
                continue
            output = arguments[n]
            within = torch.full((output.numel() + 2 * MARGIN,), float("nan"), dtype=output.dtype)
            arguments[n] = within[MARGIN:-MARGIN].view(output.shape)
            written.append((output, within, arguments[n]))
        getattr(self.module, name)(*arguments, STREAM)
        for output, within, inner in written:
            assert within[:MARGIN].isnan().all(), f"{name}: written before an output"
            assert within[-MARGIN:].isnan().all(), f"{name}: written behind an output"
            output.copy_(inner)

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

    def set_order(self, order: str) -> None:
        """In which order threads run from the next launch on: one of `ORDERS`."""
        ctypes.CDLL(self.module.__file__).cuda_on_cpu_set_order(ORDERS.index(order))


def _tensor(argument: Any) -> Any:
    return torch.from_dlpack(argument) if type(argument).__name__ == "PyCapsule" else argument


@cache
def _load(target: str) -> ModuleType:
    path = build(target)
    spec = importlib.util.spec_from_file_location("_C_cuda", path)
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
    beside = Path(sys.executable).parent
    cmake = str(beside / "cmake") if (beside / "cmake").exists() else "cmake"
    ninja = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={beside / 'ninja'}"] if (beside / "ninja").exists() else []
    options = ["-DCMAKE_BUILD_TYPE=Release", "-DFORENSIC_CUDA=OFF", "-DFORENSIC_CUDA_ON_CPU=ON"]
    with (BUILD / "lock").open("w") as lock:  # of the tests' processes one builds, the others wait
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (BUILD / "CMakeCache.txt").exists():
            _run([cmake, "-S", REPOSITORY, "-B", BUILD, *ninja, *options, f"-DPython_EXECUTABLE={sys.executable}"])
        _run([cmake, "--build", BUILD, "--parallel", str(os.cpu_count() or 1), "--target", *targets])
    (path,) = (BUILD / targets[-1]).glob("_C_cuda*.so")
    return path


def _run(command: list[Any]) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


if __name__ == "__main__":
    print(build("cuda_on_cpu_small", "cuda_on_cpu").parents[1])
