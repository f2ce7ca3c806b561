"""Which implementation runs, why, and what happens when it can not; threads and forks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest
import torch

from forensic import kernels
from forensic.kernels import backend

REPOSITORY = Path(__file__).resolve().parents[2]


def fresh(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs `code` in an interpreter of its own."""
    settings = {k: v for k, v in os.environ.items() if not k.startswith("FORENSIC_")} | environment
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=REPOSITORY,
        env=settings,
        capture_output=True,
        text=True,
        check=False,
    )


def test_importing_the_room_is_cheap() -> None:
    code = "import sys, forensic.kernels\nprint(sorted({'torch', 'numpy', 'forensic._C'} & set(sys.modules)))"
    assert fresh(code).stdout == "[]\n"


def test_public_names_are_all_there() -> None:
    assert all(callable(getattr(kernels, name)) for name in kernels.__all__)
    assert set(kernels.__all__) <= set(dir(kernels))
    with pytest.raises(AttributeError, match="no attribute 'fft'"):
        _ = kernels.fft


@pytest.mark.parametrize("name", backend.native().supported_isas())
def test_an_instruction_set_can_be_forced(name) -> None:
    done = fresh("from forensic import kernels; print(kernels.describe())", FORENSIC_ISA=name)
    assert f"'dct2': 'cpp/{name}, 1 thread'" in done.stdout, done.stderr
    assert f"FORENSIC_ISA={name}" in done.stdout


@pytest.mark.parametrize("name", ["sse9", *({"avx2", "avx512"} - set(backend.native().supported_isas()))])
def test_an_instruction_set_that_is_not_here_is_an_error(name) -> None:
    done = fresh("from forensic import kernels; kernels.describe()", FORENSIC_ISA=name)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "UsageError: FORENSIC_ISA: expected one of auto, baseline" in last
    assert last.endswith(f"got {name}. Unset it to use the best")


def test_kernels_can_be_forced() -> None:
    code = (
        "from forensic import kernels; import torch; print(kernels.describe())\n"
        "print(kernels.dct2(torch.ones(2, 2)).sum())"
    )
    done = fresh(code, FORENSIC_KERNELS="reference")
    assert "'dct2': 'reference'" in done.stdout, done.stderr
    assert "tensor(2" in done.stdout
    assert "FORENSIC_KERNELS=cpp" in fresh(code, FORENSIC_KERNELS="cpp").stdout


def test_forcing_what_is_unknown_is_an_error() -> None:
    done = fresh("from forensic import kernels; kernels.describe()", FORENSIC_KERNELS="fast")
    assert "FORENSIC_KERNELS: is 'fast'. Use auto, reference, cpp, cuda, or unset it" in done.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs Python without a CUDA device")
def test_forcing_cuda_without_a_device_is_an_error() -> None:
    done = fresh("from forensic import kernels; kernels.describe()", FORENSIC_KERNELS="cuda")
    assert done.returncode == 1
    assert "MissingError: forensic._C_cuda: " in done.stderr
    assert "make inplace" in done.stderr


def test_a_missing_build_names_the_command_that_makes_it() -> None:
    code = (
        "import sys; sys.modules['forensic._C'] = None\n"
        "import torch; from forensic import kernels; kernels.dct2(torch.ones(2, 2))"
    )
    done = fresh(code)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "MissingError: forensic._C: the compiled kernels do not load" in last
    assert last.endswith(f"Build them with `make inplace PYTHON={sys.executable}`")


def test_describe_names_threads_and_reason(with_threads) -> None:
    with_threads(2)
    found = kernels.describe()
    assert set(found) == {*backend.KERNELS, "reason"}
    assert found["resize_square"].endswith("2 threads")
    assert found["reason"]


@pytest.mark.parametrize("kernel", ["dct2", "augment", "batch_hard_triplet", "batch_norm_leaky", "radial_spectrum"])
def test_tensors_on_a_device_have_a_kernel_of_their_own(monkeypatch, kernel) -> None:
    monkeypatch.setattr(backend, "_why_no_cuda", lambda: "")
    assert kernels.describe()[kernel].endswith("; cuda for CUDA tensors")
    monkeypatch.setattr(backend, "_forced", "cuda")
    assert kernels.describe()[kernel] == "cuda"


def test_implementation_by_name() -> None:
    cpp = kernels.implementation("cpp")
    assert repr(cpp) == "implementation('cpp')"
    assert cpp.dct2.__doc__ == kernels.dct2.__doc__
    with pytest.raises(ValueError, match="name: expected one of reference, cpp, cuda, got 'gpu'"):
        kernels.implementation("gpu")
    with pytest.raises(AttributeError, match="no kernel is called 'fft'"):
        _ = cpp.fft
    with pytest.raises(ValueError, match="implementation: expected one of reference, cpp, cuda, got 'gpu'"):
        kernels.dct2(torch.ones(2, 2), implementation="gpu")
    with pytest.raises(ValueError, match="implementation: expected one for tensors on cpu, got 'cuda'"):
        kernels.dct2(torch.ones(2, 2), implementation="cuda")


STREAMS = {"cpu": 5, "cuda:1": 7}


class Launches:
    """Stands in for `forensic._C_cuda` and for a device: what is called, where, and with which stream."""

    def __init__(self, monkeypatch, failures: int = 0, *, capturing: bool = False) -> None:
        self.current, self.failures, self.emptied = "cuda:0", failures, 0
        self.calls: list[tuple[object, ...]] = []
        monkeypatch.setattr(backend, "_native_cuda", lambda: self)
        monkeypatch.setattr(torch.cuda, "device", self.on)
        monkeypatch.setattr(
            torch.cuda, "current_stream", lambda device: SimpleNamespace(cuda_stream=STREAMS[str(device)])
        )
        monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: capturing)
        monkeypatch.setattr(torch.cuda, "empty_cache", self.empty)

    @contextmanager
    def on(self, device):
        before, self.current = self.current, str(device)
        try:
            yield
        finally:
            self.current = before

    def empty(self) -> None:
        self.emptied += 1

    def dct2(self, x, y, inverse, stream) -> None:
        values = [torch.from_dlpack(one).tolist() for one in (x, y)]  # a capsule can be taken once
        self.calls.append((self.current, *values, inverse, stream))
        if len(self.calls) <= self.failures:
            raise MemoryError("scratch of 7 bytes: out of memory")


class Elsewhere(torch.Tensor):
    """Says that it is on the second device."""

    @property
    def device(self):
        return torch.device("cuda:1")


def test_a_launch_is_made_on_the_device_of_its_arguments(monkeypatch) -> None:
    device = Launches(monkeypatch)
    backend.launch("dct2", torch.ones(1).as_subclass(Elsewhere), torch.zeros(1), True)
    assert device.calls == [("cuda:1", [1.0], [0.0], True, STREAMS["cuda:1"])]
    assert device.current == "cuda:0"


def test_torch_gives_back_what_it_keeps_where_there_is_no_room(monkeypatch) -> None:
    device = Launches(monkeypatch, failures=1)
    backend.launch("dct2", torch.ones(1), torch.zeros(1), False)
    assert len(device.calls) == 2
    assert device.calls[0] == device.calls[1]
    assert device.emptied == 1


@pytest.mark.parametrize(("capturing", "calls"), [(False, 2), (True, 1)])
def test_no_room_even_so_is_an_error(monkeypatch, capturing, calls) -> None:
    device = Launches(monkeypatch, failures=2, capturing=capturing)
    with pytest.raises(MemoryError, match="scratch of 7 bytes: out of memory"):
        backend.launch("dct2", torch.ones(1), torch.zeros(1), False)
    assert len(device.calls) == calls
    assert device.emptied == calls - 1
    assert device.current == "cuda:0"


def test_every_function_of_the_cuda_module_can_be_launched() -> None:
    stubs = (REPOSITORY / "forensic" / "kernels" / "_C_cuda.pyi").read_text(encoding="utf-8")
    assert sorted(get_args(backend.CudaFunction)) == sorted(re.findall(r"^def (\w+)", stubs, re.MULTILINE))


@pytest.mark.parametrize("asked", ["auto", "cuda"])
def test_describe_names_both_places_of_a_kernel(monkeypatch, asked) -> None:
    monkeypatch.setattr(backend, "forced", lambda: asked)
    monkeypatch.setattr(backend, "_why_no_cuda", lambda: "")
    found = kernels.describe()
    assert found["resize_square"].startswith("cpp/")
    assert found["resize_square"].endswith("; cuda for CUDA tensors")
    assert found["dct2"] == ("cuda" if asked == "cuda" else found["resize_square"])


def test_compiled_graphs_see_through_the_operators() -> None:
    code = (
        "import torch\nfrom forensic import kernels\n"
        "def f(x): return (kernels.dct2(x).abs().sum() + kernels.radial_spectrum(x).sum())\n"
        "x = torch.rand(2, 8, 8, dtype=torch.float64)\n"
        "g = torch.compile(f, backend='eager', fullgraph=True)\n"
        "assert torch.allclose(f(x), g(x), rtol=1e-14)\n"
    )
    done = fresh(code)
    assert done.returncode == 0, done.stderr


FORKED = {
    "dct2": "torch.rand(16, 32, 32)",
    "augment": "torch.rand(9, 3, 40, 8), torch.rand(4, 3, 3, 3), torch.rand(4), torch.rand(3, 4, 3, 3), torch.rand(3)",
    "batch_hard_triplet": "torch.rand(60, 8), torch.arange(60)",
    "resize_square": "torch.randint(256, (90, 90, 3), dtype=torch.uint8), 40",
    "radial_spectrum": "torch.rand(16, 32, 32)",
}
"""Kernel -> arguments that make several blocks."""


def test_a_forked_child_has_threads_of_its_own() -> None:
    runs = "".join(f"    {kernel!r}: (kernels.{kernel}, [{given}]),\n" for kernel, given in FORKED.items())
    code = (
        "import os, torch\nfrom forensic import kernels\n"
        "torch.set_num_threads(4)\n"
        f"calls = {{\n{runs}}}\n"  # arguments are made here, since torch's threads do not survive a fork
        "expected = {name: call(*given) for name, (call, given) in calls.items()}\n"  # the pool has threads now
        "def wrong():\n"
        "    return [name for name, (call, given) in calls.items()\n"
        "            if not all(torch.equal(call(*given), expected[name]) for _ in range(5))]\n"
        "for _ in range(6):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        found = wrong()\n"
        "        print(*found, flush=True)\n"
        "        os._exit(len(found))\n"
        "    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0\n"
        "assert wrong() == []\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_child_forked_before_the_first_kernel_runs_ends() -> None:
    code = (
        "import os, torch\nfrom forensic.kernels import _dct, backend\n"
        "backend.native(); torch.set_num_threads(4)\n"
        "(torch.rand(600, 600) @ torch.rand(600, 600)).exp()\n"  # torch's threads, not yet ours
        "child = os.fork()\n"
        "if child == 0:\n"
        "    _dct.dct2(torch.rand(16, 32, 32)); os._exit(0)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_calls_from_several_threads_at_once(with_threads) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with_threads(4)
    images = [torch.from_numpy(np.random.default_rng(i).standard_normal((9, 40, 24))) for i in range(8)]
    expected = [kernels.implementation("cpp").dct2(image) for image in images]
    with ThreadPoolExecutor(8) as callers:
        for _ in range(10):
            found = list(callers.map(kernels.dct2, images))
            assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_arrays_are_given_back() -> None:
    """A call keeps neither its arguments nor its results, also when it refuses them."""
    image, slot = np.zeros((9, 9, 3), np.uint8), np.zeros((3, 4, 4), np.uint8)
    before = sys.getrefcount(image), sys.getrefcount(slot)
    for _ in range(10):
        backend.native().resize_square(image, slot, 1)
        with pytest.raises(ValueError, match="image: expected 3 axes"):
            backend.native().resize_square(image[0], slot, 1)
    assert (sys.getrefcount(image), sys.getrefcount(slot)) == before


def test_labels_are_counted_at_the_door() -> None:
    z, loss, gradient = torch.zeros(4, 2), torch.zeros(1), torch.zeros(4, 2)
    with pytest.raises(ValueError, match="labels: expected one for each of 4 rows of z, got 3"):
        backend.native().batch_hard_triplet(z, torch.arange(3), 0.3, False, True, loss, gradient, 1)
