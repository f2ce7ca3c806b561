"""Which engine runs, at which precision, and why: one decision, told and recorded. Loads no torch and no engine."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal, get_args

from forensic.errors import MissingError, UsageError

EngineName = Literal["auto", "torch", "openvino", "onnx"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)
Precision = Literal["float32", "bfloat16", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

DISTRIBUTIONS: dict[EngineName, str] = {
    "torch": "torch",
    "openvino": "openvino",
    "onnx": "onnxruntime",
}
"""Engine -> the package that has it."""
_X86 = ("x86_64", "AMD64")
_BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16"})
_NARROW = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2")


@dataclass(frozen=True)
class Choice:
    """An engine that is here, and how it computes."""

    name: Literal["torch", "openvino", "onnx"]
    version: str
    precision: Precision = "float32"
    reason: str = ""
    """Why this one; for `forensic doctor`, not recorded."""

    def __str__(self) -> str:
        """As a finding names what gave its score: `openvino 2026.4.1 bfloat16`."""
        return f"{DISTRIBUTIONS[self.name]} {self.version} {self.precision}"

    @property
    def recorded(self) -> str:
        """As a case names it: an engine that is not torch leaves what is near a decision to torch."""
        if self.name == "torch":
            return str(self)
        return f"{self}; near a decision torch {metadata.version('torch')} float32"


def named_in(recorded: str) -> EngineName:
    """The engine of what `Choice.recorded` told; torch where it is none of these."""
    return next((name for name, said in DISTRIBUTIONS.items() if recorded.startswith(f"{said} ")), "torch")


def precision_in(recorded: str) -> Precision:
    """The precision of what `Choice.recorded` or a finding's engine told; float32 where it tells none."""
    words = recorded.partition(";")[0].split()
    return next((precision for precision in PRECISIONS if words[-1:] == [precision]), "float32")


def choose(
    asked: EngineName | None = None,
    device: str = "cpu",
    features: frozenset[str] | None = None,
    precision: Precision | None = None,
) -> Choice:
    """The engine to use.

    Args:
        asked: None is `auto`: the fastest that is installed and that suits the processor.
        device: where the network runs; other engines than torch have the processor only.
        features: of the processor, as Linux names them; those of this one where None.
        precision: wished for; taken where the engine has several and the processor multiplies it.

    Raises:
        UsageError: there is no such engine, or not on this device.
        MissingError: it is not installed.
    """
    if asked is not None and asked not in ENGINES:
        raise UsageError(f"--engine {asked}", "is no engine", f"Use {', '.join(ENGINES)}")
    if device != "cpu":
        if asked not in (None, "auto", "torch"):
            raise UsageError(f"--engine {asked}", f"runs on the CPU, not on {device}", "Leave --engine or --device out")
        return Choice("torch", _version("torch") or "", reason=f"the engine of {device}")
    features = processor_features() if features is None else features
    name, reason = _fastest(features) if asked in (None, "auto") else (asked, "asked for")
    version = _version(name)
    if version is None:
        raise MissingError(
            f"--engine {name}",
            f"{DISTRIBUTIONS[name]} is not installed",
            f"Install it with `{install(name)}`, or use --engine auto",
        )
    possible = precisions(name, features)
    precise = precision if precision in possible else possible[0]
    return Choice(name, version, precise, reason)  # type: ignore[arg-type]  # `auto` has become another by now


def install(name: EngineName) -> str:
    """The command that brings an engine."""
    return f"pip install 'forensic-attribution[{name}]'"


def processor_features() -> frozenset[str]:
    """What engines may use of the processor, as Linux names it; empty where it does not say.

    Where ONEDNN_MAX_CPU_ISA holds oneDNN, which torch and OpenVINO multiply with, to 32 bytes, nothing wider is there.
    """
    features = frozenset(_cpuinfo("flags", "Features").split())
    if os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() in _NARROW:
        return frozenset(name for name in features if not name.startswith(("avx512", "amx")))
    return features


def processor_name() -> str:
    """The processor's name as Linux tells it, else the machine's type."""
    return _cpuinfo("model name") or platform.machine()


def _cpuinfo(*names: str) -> str:
    """What the system says of the first processor under one of these names; empty where it says nothing."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(names)), "")


def multiplies_bfloat16(features: frozenset[str]) -> bool:
    """Whether a processor with these features has instructions for it."""
    return bool(features & _BFLOAT16)


def precisions(name: EngineName, features: frozenset[str]) -> list[Precision]:
    """What an engine computes in on a processor with these features, the fastest first."""
    if name != "openvino":
        return ["float32"]
    narrow: list[tuple[Precision, bool]] = [
        ("int8", "avx2" in features),
        ("bfloat16", multiplies_bfloat16(features)),
    ]
    return [precision for precision, able in narrow if able] + ["float32"]


def installed(name: EngineName) -> str | None:
    """The version of an engine, None where it is not installed."""
    return _version(name)


def _fastest(features: frozenset[str]) -> tuple[EngineName, str]:
    """Measured on the trunk, `tests/bench/bench_engine.py`: few bits first, then by instruction set."""
    if platform.machine() not in _X86:
        return "torch", "the others were not measured on this type of processor"
    others: tuple[EngineName, ...] = ("openvino", "onnx")
    here = [name for name in others if _version(name) is not None]
    narrow = precisions("openvino", features)[0]
    if narrow != "float32" and "openvino" in here:
        return "openvino", f"the processor multiplies {narrow}"
    if "avx2" in features:
        return "torch", "in float32 it multiplies least"
    if not here:
        return "torch", "no other engine is installed"
    return here[0], "the fastest of those installed, in float32"


def _version(name: EngineName) -> str | None:
    try:
        return metadata.version(DISTRIBUTIONS[name])
    except metadata.PackageNotFoundError:
        return None
