"""How CUDA sources become C++, and what stands between their functions and the tests."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace

import cuda_on_cpu
import pytest
import torch
from torch import Tensor

from forensic import kernels
from forensic.kernels import _resize, backend

REPOSITORY = Path(__file__).resolve().parents[1]


def _translate() -> ModuleType:
    path = REPOSITORY / "tests" / "csrc" / "cuda" / "translate.py"
    spec = importlib.util.spec_from_file_location("translate", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


translate = _translate()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("k<<<1, 2>>>(a);", "::cuda_on_cpu::Launch(1, 2).of(k)(a);"),
        ("k<T, (N > 2)>  <<<f(1, 2), dim3(3, 4), n * sizeof(T), on>>>(a, b[c]);",
         "::cuda_on_cpu::Launch(f(1, 2), dim3(3, 4), n * sizeof(T), on).of(k<T, (N > 2)>)(a, b[c]);"),
        ("return ns::k<A<B<1>>><<<1, 2>>>();", "return ::cuda_on_cpu::Launch(1, 2).of(ns::k<A<B<1>>>)();"),
        ("a << b; // k<<<1, 2>>>()\n", "a << b; // k<<<1, 2>>>()\n"),
        ('f("k<<<1, 2>>>()");', 'f("k<<<1, 2>>>()");'),
        ("#define K k<<<1, 2>>>()\n", "#define K k<<<1, 2>>>()\n"),
        ("{\n#pragma unroll 4\nfor (;;) f();", "{\n\nfor (;;) f();"),
    ],
)  # fmt: skip
def test_a_launch_becomes_a_call_and_the_rest_stays(source: str, expected: str) -> None:
    assert translate.translated(source, "a.cu") == expected


def test_shared_memory_becomes_the_blocks() -> None:
    found = translate.translated(
        "__shared__ __align__(32) T<2, 3> a[2][n], b;\nextern __shared__ __align__(16) char c[];", "a.cu"
    )
    assert "using Shared1Of_a = T<2, 3>[2][n];" in found
    assert "Shared1Of_a& a = ::cuda_on_cpu::shared<1, Shared1Of_a>(CUDA_ON_CPU_HERE, 32);" in found
    assert "using Shared2Of_b = T<2, 3>;" in found
    assert "char* c = static_cast<char*>(::cuda_on_cpu::dynamic_shared_memory());" in found
    assert "__shared__" not in found


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("\n<<<1, 2>>>();", "a.cu: line 2: no kernel before <<<"),
        ("k<<<1, 2;", "a.cu: line 1: <<< without >>>"),
        ("__shared__ float a = 1;", "not understood"),
        ("__shared__ float", "without ;"),
        ("extern __shared__ unsigned char c[];", "memory for other types without an alignment"),
    ],
)
def test_what_is_not_understood_is_named(source: str, message: str) -> None:
    with pytest.raises(translate.TranslationError, match=re.escape(message)):
        translate.translated(source, "a.cu")


@pytest.mark.parametrize("small", [False, True], ids=["as it is", "small"])
@pytest.mark.parametrize("path", sorted((REPOSITORY / "csrc").glob("*.cu*")), ids=lambda path: path.name)
def test_lines_keep_their_numbers(path: Path, small: bool) -> None:
    source = path.read_text(encoding="utf-8")
    found = translate.translated(source, path.name, small=small)
    assert not re.search(r"<<<|__shared__", re.sub(r"//.*", "", found))
    assert len(found.splitlines()) == len(source.splitlines())
    unchanged = sum(a == b for a, b in zip(found.splitlines(), source.splitlines(), strict=True))
    assert unchanged >= 0.8 * len(source.splitlines())


def test_low_thresholds_reach_those_that_include_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (("a.cu", '#include "b.cuh"'), ("c.cu", ""), ("triplet.cu", "")):
        (tmp_path / name).write_text(text)
    monkeypatch.setitem(translate.SMALL, "b.cuh", [])
    assert translate.thresholded(tmp_path) == ["a.cu", "triplet.cu"]


def test_every_cuda_function_is_run() -> None:
    stubs = (REPOSITORY / "forensic" / "kernels" / "_C_cuda.pyi").read_text(encoding="utf-8")
    assert set(re.findall(r"^def (\w+)", stubs, re.MULTILINE)) == set(cuda_on_cpu.FUNCTIONS)


def test_margins_keep_strides_and_alignment() -> None:
    whole = torch.arange(60.0)
    one = whole[3:].as_strided((2, 1, 4), (20, 7, 3))
    memory, inner = cuda_on_cpu._within_margins(one, empty=False)
    assert torch.equal(inner, one)
    assert inner.stride() == one.stride()
    assert inner.data_ptr() % 64 == one.data_ptr() % 64
    assert memory.isnan().sum() == memory.numel() - 8
    expanded = torch.arange(3).expand(4, 3)
    assert torch.equal(cuda_on_cpu._within_margins(expanded, empty=False)[1], expanded)
    memory, inner = cuda_on_cpu._within_margins(one, empty=True)
    assert inner.isnan().all()
    assert (memory == cuda_on_cpu.GARBAGE).sum() == memory.numel() - 8


@pytest.mark.slow
def test_kernels_run_and_their_failures_come_out() -> None:
    stand_in = cuda_on_cpu.CudaOnCpu("cuda_on_cpu", backend.native(), "a test")
    x, y = torch.ones(2, 8, 8), torch.zeros(2, 8, 8)
    stand_in.dct2(x, y, False, 1)
    assert y[0, 0, 0] == pytest.approx(8)
    with pytest.raises(ValueError, match="dct2: the launch failed: another stream than the caller's"):
        stand_in.module.dct2(x, y, False, 0)
    with pytest.raises(TypeError, match="x: expected float32 or float64"):
        stand_in.dct2(x.half(), y, False, 1)


@pytest.mark.slow
def test_both_modules_are_loaded() -> None:
    both = [cuda_on_cpu._load(target) for target in ("cuda_on_cpu", "cuda_on_cpu_small")]
    assert both[0].dct2 is not both[1].dct2
    assert [Path(str(one.__file__)).parent.name for one in both] == ["cuda_on_cpu", "cuda_on_cpu_small"]


class OfOneDevice:
    """The module of the tests in the place of `forensic._C_cuda`: a call that `backend.launch` did not make fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.module, self.inside, self.called = cuda_on_cpu._load("cuda_on_cpu"), 0, set[str]()
        monkeypatch.setattr(backend, "choose", lambda tensor, implementation: "cuda")  # noqa: ARG005 - by name
        monkeypatch.setattr(backend, "_native_cuda", lambda: self)
        monkeypatch.setattr(_resize, "_kind", self.kind)
        monkeypatch.setattr(torch.Tensor, "is_cuda", True)
        monkeypatch.setattr(torch.cuda, "device", self.on)
        stream = SimpleNamespace(cuda_stream=cuda_on_cpu.STREAM)
        monkeypatch.setattr(torch.cuda, "current_stream", lambda _: stream)

    @contextmanager
    def on(self, _: torch.device) -> Iterator[None]:
        self.inside += 1
        yield
        self.inside -= 1

    @staticmethod
    def kind(array: Tensor) -> tuple[str, tuple[int, ...], str]:
        return str(array.dtype).removeprefix("torch."), tuple(array.shape), "cuda:0"

    def __getattr__(self, name: str) -> Callable[..., None]:
        def call(*arguments: object) -> None:
            assert self.inside == 1, name
            self.called.add(name)
            getattr(self.module, name)(*arguments)

        return call


def _every_kernel() -> list[Tensor]:
    """Results and gradients of all kernels, of arguments that are not contiguous."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        values = torch.randn(shape[::-1], generator=generator, dtype=torch.float64)
        return values.permute(*reversed(range(len(shape)))).requires_grad_()

    x, z, planes = normal(2, 3, 8, 9), normal(12, 5), normal(3, 8, 9)
    weights = [normal(*shape) for shape in ((4, 3, 3, 3), (4,), (3, 4, 3, 3), (3,))]
    stacks = [torch.stack([one, 2 * one]) for one in weights]
    mean, std = normal(8, 9).detach(), normal(8, 9).detach().abs() + 1
    image = torch.randint(256, (3, 40, 30), generator=generator, dtype=torch.uint8).permute(1, 2, 0)
    scale, shift = normal(3), normal(3)
    results = [
        kernels.augment(x, *weights),
        kernels.augment(x, *stacks),
        kernels.batch_hard_triplet(z, torch.arange(12) % 3),
        *kernels.batch_norm_leaky(x, scale, shift),
        kernels.dct2(planes),
        kernels.idct2(planes),
        kernels.dct2_log(planes, mean, std),
        kernels.radial_spectrum(planes),
    ]
    into = torch.empty(3, 8, 9, dtype=torch.float64)
    total = sum((one.square() * one).sum() for one in results if one.requires_grad)
    assert isinstance(total, Tensor)
    of = [x, z, planes, *weights, scale, shift]
    with torch.no_grad():
        plain = [kernels.dct2(planes, out=into), kernels.radial_spectrum(planes), kernels.augment(x, *weights)]
    return [*results, *plain, *torch.autograd.grad(total, of), kernels.resize_square(image, 17).double()]


@pytest.mark.slow
def test_every_kernel_launches_its_functions_on_the_device_of_its_arguments() -> None:
    expected = _every_kernel()
    with pytest.MonkeyPatch.context() as monkeypatch:
        device = OfOneDevice(monkeypatch)
        found = _every_kernel()
    assert device.called == set(cuda_on_cpu.FUNCTIONS)
    for got, want in zip(found, expected, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
def test_no_room_on_a_device_is_a_memory_error_once() -> None:
    module = cuda_on_cpu._load("cuda_on_cpu")
    rows = 1 << 36
    many, classes = torch.zeros(1, 1).expand(rows, 1), torch.zeros(1, dtype=torch.int64).expand(rows)
    with pytest.raises(MemoryError, match=r"scratch of \d+ bytes: out of memory"):
        module.batch_hard_triplet(
            many, classes, 0.3, False, True, torch.zeros(1), torch.zeros(0, 1), cuda_on_cpu.STREAM
        )
    y = torch.zeros(1, 8, 8)
    module.dct2(torch.ones(1, 8, 8), y, False, cuda_on_cpu.STREAM)
    assert y[0, 0, 0] == pytest.approx(8)


@pytest.mark.slow
def test_images_without_a_row_have_weight_gradients_of_zero() -> None:
    images, weights = torch.zeros(2, 3, 0, 7), [torch.ones(s) for s in ((2, 3, 3, 3), (2,), (3, 2, 3, 3), (3,))]
    gradients = [torch.full_like(one, 7) for one in weights]
    module = cuda_on_cpu._load("cuda_on_cpu")
    module.augment_weight_gradients(images, images, *weights, *gradients, cuda_on_cpu.STREAM)
    assert not any(one.any() for one in gradients)
