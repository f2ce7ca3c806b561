"""What the kernel tests share: every implementation, every instruction set of this processor, awkward layouts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cuda_on_cpu
import formulas
import numpy as np
import pytest
import torch
from torch import Tensor

from forensic import kernels as all_kernels
from forensic.kernels import backend

COMPILED = ["cpp", pytest.param("cuda", marks=pytest.mark.cuda)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What `kernels` and `compiled` run on; kernels that have a CUDA form also run that on the CPU."""
    targets = cuda_on_cpu.targets(Path(metafunc.module.__file__).stem, metafunc.function.__name__)
    compiled = [*COMPILED, *(pytest.param(target, marks=pytest.mark.slow) for target in targets)]
    if "kernels" in metafunc.fixturenames:
        metafunc.parametrize("kernels", ["reference", *compiled], indirect=True)
    if "compiled" in metafunc.fixturenames:
        metafunc.parametrize("compiled", compiled, indirect=True)


def _implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> backend.Implementation:
    name = request.param
    if name == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    if name.startswith("cuda_on_cpu"):
        stand_in = cuda_on_cpu.CudaOnCpu(name, backend.native(), request.node.nodeid)
        monkeypatch.setattr(backend, "native", lambda: stand_in)
        name = "cpp"  # whose callers hand over tensors on the CPU
    return all_kernels.implementation(name)  # one that is not built is an error here, never a skip


@pytest.fixture
def kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> backend.Implementation:
    """Twin, C++ and CUDA alike."""
    return _implementation(request, monkeypatch)


@pytest.fixture
def compiled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> backend.Implementation:
    """C++ and CUDA, to be held against the twin."""
    return _implementation(request, monkeypatch)


@pytest.fixture
def varies(compiled: backend.Implementation) -> float:
    """By how much a second derivative may differ from run to run: on CUDA it is cuDNN's, which adds in any order."""
    return 1e-12 if compiled.name == "cuda" else 0.0


@pytest.fixture(params=backend.native().supported_isas())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set that this processor has, in force during the test."""
    module = backend.native()
    before = module.isa()
    module.set_isa(request.param)
    yield request.param
    module.set_isa(before)


@pytest.fixture
def with_threads() -> Iterator[Callable[[int], None]]:
    """`with_threads(4)` sets torch's number of threads until the end of the test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def _contiguous(planes: Tensor) -> Tensor:
    return planes.contiguous()


def _transposed(planes: Tensor) -> Tensor:
    return planes.transpose(-1, -2).contiguous().transpose(-1, -2)


def _every_second(planes: Tensor) -> Tensor:
    shape = (*planes.shape[:-2], 2 * planes.shape[-2], 2 * planes.shape[-1])
    larger = torch.full(shape, float("nan"), dtype=planes.dtype, device=planes.device)
    larger[..., ::2, ::2] = planes
    return larger[..., ::2, ::2]


def _inside(planes: Tensor) -> Tensor:
    larger = torch.nn.functional.pad(planes, (3, 2, 1, 4), value=float("nan"))
    return larger[..., 1 : 1 + planes.shape[-2], 3 : 3 + planes.shape[-1]]


def _leading_last(planes: Tensor) -> Tensor:
    return planes.movedim(0, -1).contiguous().movedim(-1, 0)


LAYOUTS = {
    "contiguous": _contiguous,
    "transposed": _transposed,
    "every second": _every_second,
    "inside a larger one": _inside,
    "first axis last": _leading_last,
}


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> Callable[[Tensor], Tensor]:
    """The same values under other strides."""
    return LAYOUTS[request.param]


@pytest.fixture
def planes() -> Callable[..., Tensor]:
    """`planes(shape, dtype, device)`: standard normal values, the same in every run."""

    def make(shape: tuple[int, ...], dtype: torch.dtype = torch.float64, device: str = "cpu") -> Tensor:
        values = np.random.default_rng(sum(shape)).standard_normal(shape)
        return torch.from_numpy(values).to(dtype).to(device)

    return make


@pytest.fixture
def device(kernels: backend.Implementation) -> str:
    """Where the arguments of `kernels` must be."""
    return "cuda" if kernels.name == "cuda" else "cpu"


@pytest.fixture
def compiled_device(compiled: backend.Implementation) -> str:
    """Where the arguments of `compiled` must be."""
    return "cuda" if compiled.name == "cuda" else "cpu"


@pytest.fixture
def image_u8() -> Callable[..., np.ndarray]:
    """`image_u8(label, sample, height, width)`: the formula image of tests/golden/README.md as uint8 (H, W, 3)."""

    def make(label: int, sample: int, height: int, width: int) -> np.ndarray:
        return np.ascontiguousarray(formulas.image_u8(label, sample, height, width).transpose(1, 2, 0))

    return make
