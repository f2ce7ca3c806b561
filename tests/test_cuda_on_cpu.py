"""How CUDA sources become C++, and what stands between their functions and the tests."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import cuda_on_cpu
import pytest
import torch

from forensic.kernels import backend

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
    found = translate.translated("__shared__ __align__(32) T<2, 3> a[2][n], b;\nextern __shared__ char c[];", "a.cu")
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
