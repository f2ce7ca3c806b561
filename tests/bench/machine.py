"""What a figure depends on besides the code: processor, versions, commit; and what the processor can do at most."""

from __future__ import annotations

import ctypes
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from forensic.kernels import backend

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
PACKAGES = ("torch", "numpy", "scipy", "ducc0", "opencv-python-headless", "opencv-python", "pillow")
OPTIONAL = ("pytorch-metric-learning",)
SETS = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512bw", "avx512_bf16", "avx512_vnni", "asimd", "sve")


def processor() -> dict[str, Any]:
    """Model, instruction sets, cores, and the level at which our kernels run; `key` names all but the cores."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    facts: dict[str, str] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        facts.setdefault(name.strip(), value.strip())
    model = facts.get("model name", platform.processor() or platform.machine())
    version = [facts[name] for name in ("cpu family", "model") if name in facts]
    level = backend.native().isa()
    key = "-".join(re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in (model, *version, level))
    flags = (facts.get("flags") or facts.get("Features") or "").split()
    return {
        "key": key,
        "model": " ".join([model, *(f"{n} {v}" for n, v in zip(("family", "model"), version, strict=False))]),
        "instruction_sets": [name for name in SETS if name in flags],
        "level": level,
        "cores": len(re.findall(r"^processor\s*:", text, re.MULTILINE)) or 1,
    }


def versions() -> dict[str, str]:
    """Python, the rivals' packages, and the compilers of our kernels and of torch."""
    found = {"python": platform.python_version()}
    for name in (*PACKAGES, *OPTIONAL):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    compiled = re.search(r"(GCC|Clang|clang) [\d.]+", torch.__config__.show())
    return found | {"compiler": _first_line([compiler(), "--version"]), "torch's": compiled[0] if compiled else "?"}


@cache
def compiler() -> str:
    """The compiler that built the kernels in place, else the system's."""
    for cache_file in sorted((REPOSITORY / "build").glob("*/CMakeCache.txt")):
        chosen = re.search(r"^CMAKE_CXX_COMPILER:\w+=(.+)$", cache_file.read_text(encoding="utf-8"), re.MULTILINE)
        if chosen and not cache_file.parent.name.startswith("csrc-") and shutil.which(chosen[1]):
            return chosen[1]
    return "c++"


def commit() -> str:
    """The commit measured, with `+` behind it where the working tree differs."""
    changed = _first_line(["git", "-C", str(REPOSITORY), "status", "--porcelain", "--untracked-files=no"])
    head = _first_line(["git", "-C", str(REPOSITORY), "rev-parse", "--short=12", "HEAD"])
    return f"{head or 'unknown'}{'+' if changed else ''}"


def _first_line(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.partition("\n")[0].strip()


@cache
def _loops() -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "peak.so"
        options = ["-O3", "-march=native", "-ffp-contract=fast", "-shared", "-fPIC"]
        done = subprocess.run(
            [compiler(), *options, "-Wno-psabi", str(HERE / "peak.cpp"), "-o", str(library)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            sys.exit(f"{HERE / 'peak.cpp'}: the limit can not be measured: {done.stderr[-500:]}")
        return ctypes.CDLL(str(library))


@cache
def multiply_adds_a_second(dtype: str, threads: int) -> float:
    """Multiply-adds a second that `threads` threads reach with nothing else to do: median of nine rounds of 50 ms.

    Args:
        dtype: `float32` or `float64`.
        threads: at least 1.
    """
    kind = ctypes.c_float if dtype == "float32" else ctypes.c_double
    loop = getattr(_loops(), f"multiply_adds_{dtype}")
    loop.argtypes = (ctypes.c_int64, kind, ctypes.POINTER(kind))
    loop.restype = ctypes.c_int64
    with ThreadPoolExecutor(threads) as pool:

        def rate(rounds: int) -> tuple[float, float]:
            start = time.perf_counter()
            done = sum(pool.map(lambda _: loop(rounds, 0.5, kind()), range(threads)))
            seconds = time.perf_counter() - start
            return done / seconds, seconds

        rounds = 100_000
        while rate(rounds)[1] < 0.05:
            rounds *= 2
        return statistics.median(rate(rounds)[0] for _ in range(9))


@cache
def copied_bytes_a_second(threads: int) -> float:
    """Bytes read and written a second by a copy between two buffers of 128 MiB: median of nine."""
    torch.set_num_threads(threads)
    source, target = torch.ones(2**25), torch.empty(2**25)
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        target.copy_(source)
        seconds.append(time.perf_counter() - start)
    return 2 * source.numel() * source.element_size() / statistics.median(seconds[1:])
