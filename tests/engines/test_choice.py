from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path

import pytest

from forensic.engines import choice
from forensic.engines.choice import (
    DISTRIBUTIONS,
    Choice,
    EngineName,
    choose,
    named_in,
    precision_in,
    processor_features,
    processor_name,
)
from forensic.errors import MissingError, UsageError

AVX2 = frozenset({"avx2"})
AVX512 = AVX2 | {"avx512f"}
BFLOAT16 = AVX512 | {"avx512_bf16"}
BEFORE_AVX2 = frozenset({"avx"})


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch):
    """`install("torch", "openvino")`: as if these were all there is, on an x86-64."""

    def only(*engines: EngineName) -> None:
        packages = {DISTRIBUTIONS[name] for name in engines}
        monkeypatch.setattr(choice, "_version", lambda name: "1.2.3" if DISTRIBUTIONS[name] in packages else None)
        monkeypatch.setattr(platform, "machine", lambda: "x86_64")

    return only


@pytest.mark.parametrize(
    ("engines", "features", "expected"),
    [
        ((), BFLOAT16, "torch 1.2.3 float32"),
        (("openvino", "onnx"), BFLOAT16, "openvino 1.2.3 int8"),
        (("openvino", "onnx"), AVX512, "openvino 1.2.3 int8"),
        (("openvino", "onnx"), AVX2, "openvino 1.2.3 int8"),
        (("openvino", "onnx"), BEFORE_AVX2, "openvino 1.2.3 float32"),
        (("onnx",), BFLOAT16, "torch 1.2.3 float32"),
        (("onnx",), AVX512, "torch 1.2.3 float32"),
        (("onnx",), BEFORE_AVX2, "onnxruntime 1.2.3 float32"),
        ((), AVX512, "torch 1.2.3 float32"),
        (("onnx",), AVX2, "torch 1.2.3 float32"),
        ((), AVX2, "torch 1.2.3 float32"),
    ],
)
@pytest.mark.parametrize("asked", [None, "auto"])
def test_auto_is_the_fastest_that_is_here(install, engines, features, expected: str, asked) -> None:
    install("torch", *engines)
    chosen = choose(asked, features=features)
    assert str(chosen) == expected
    assert chosen.reason


@pytest.mark.parametrize(
    ("name", "features", "wished", "expected"),
    [
        ("openvino", BFLOAT16, "bfloat16", "bfloat16"),
        ("openvino", BFLOAT16, "float32", "float32"),
        ("openvino", BFLOAT16, None, "int8"),
        ("openvino", BEFORE_AVX2, "int8", "float32"),
        ("openvino", AVX2, "bfloat16", "int8"),
        ("onnx", BFLOAT16, "int8", "float32"),
        ("torch", BFLOAT16, "bfloat16", "float32"),
    ],
)
def test_a_precision_is_had_where_engine_and_processor_have_it(install, name, features, wished, expected: str) -> None:
    install("torch", "openvino", "onnx")
    assert choose(name, features=features, precision=wished).precision == expected


def test_auto_stays_with_torch_on_other_processors(install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("torch", "openvino", "onnx")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert choose("auto", features=frozenset({"bf16"})).name == "torch"


def test_a_device_has_torch(install) -> None:
    install("torch", "openvino", "onnx")
    assert choose("auto", "cuda", BFLOAT16).name == "torch"
    with pytest.raises(UsageError, match="--engine openvino: runs on the CPU, not on cuda:1"):
        choose("openvino", "cuda:1")


@pytest.mark.parametrize(("asked", "package"), [("openvino", "openvino"), ("onnx", "onnxruntime")])
def test_what_is_not_installed_comes_with_the_remedy(install, asked, package: str) -> None:
    install("torch")
    with pytest.raises(MissingError, match=f"{package} is not installed") as raised:
        choose(asked)
    assert f"pip install 'forensic-attribution[{asked}]'" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_is_no_engine_is_wrong_use() -> None:
    with pytest.raises(UsageError, match="--engine tensorrt: is no engine"):
        choose("tensorrt")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["torch", "openvino", "onnx"])
def test_what_a_case_records_tells_the_engine(name) -> None:
    assert named_in(Choice(name, "1.2.3").recorded) == name


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_what_a_case_or_a_finding_records_tells_the_precision(precision) -> None:
    chosen = Choice("openvino", "1.2.3", precision)
    assert precision_in(chosen.recorded) == precision_in(str(chosen)) == precision


def test_where_no_precision_is_told_it_was_float32() -> None:
    assert (
        precision_in("") == precision_in("torch 2.11.0") == precision_in("int8x 9; near a decision int8") == "float32"
    )


def test_a_case_also_names_what_decides_near_a_threshold() -> None:
    torch = metadata.version("torch")
    assert Choice("torch", torch).recorded == f"torch {torch} float32"
    recorded = Choice("openvino", "1.2.3", "bfloat16").recorded
    assert recorded == f"openvino 1.2.3 bfloat16; near a decision torch {torch} float32"


def test_a_case_of_another_version_goes_on_in_torch() -> None:
    assert named_in("torch 2.11.0") == named_in("") == named_in("tensorrt 9") == "torch"


def test_the_processor_is_named_as_the_kernel_names_it() -> None:
    told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    assert processor_name() == platform.machine() or f": {processor_name()}\n" in told


def test_features_of_this_processor() -> None:
    features = processor_features()
    assert features
    assert all(" " not in feature for feature in features)


@pytest.mark.parametrize(("limit", "wide"), [("AVX2", False), ("avx2_vnni", False), ("AVX512_CORE", True), ("", True)])
def test_an_engine_held_to_narrow_registers_has_no_wide_ones(monkeypatch, limit: str, wide: bool) -> None:
    """OpenVINO asked for bfloat16 where ONEDNN_MAX_CPU_ISA=AVX2 forbids it compiles nothing."""
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    there = processor_features()
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    gone = there - processor_features()
    assert gone == (frozenset() if wide else {name for name in there if name.startswith(("avx512", "amx"))})
