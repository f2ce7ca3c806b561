from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from forensic.data.inspection import DecodeLimits
from forensic.engines import choice
from forensic.engines.choice import Choice, processor_features, processor_name
from forensic.errors import MissingError, UsageError
from forensic.scan.plan import ScanPlan, choice_of, configuration_of, versions


@pytest.mark.parametrize(
    "options",
    [
        {"threshold": math.nan},
        {"threshold": math.inf},
        {"workers": 0},
        {"limits": DecodeLimits(max_pixels=0)},
        {"limits": DecodeLimits(max_bytes=-1)},
        {"limits": DecodeLimits(seconds=0)},
        {"limits": DecodeLimits(seconds=math.nan)},
    ],
    ids=str,
)
def test_impossible_options_are_wrong_use(options) -> None:
    with pytest.raises(UsageError):
        ScanPlan(paths=(b"x",), **options)


CHANGES = [
    {"threshold": 0.0},
    {"limits": DecodeLimits(max_pixels=1)},
    {"limits": DecodeLimits(max_bytes=1)},
    {"limits": DecodeLimits(seconds=1.0)},
    {"follow_links": True},
    {"exclude": ("x",)},
    {"scores": True},
    {"thumbnails": False},
    {"skip_hashes": frozenset({"0" * 64})},
    {"device": "cuda"},
    {"engine": "openvino"},
    {"engine": "onnx"},
]


@pytest.fixture(autouse=True)
def every_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if all were installed."""
    monkeypatch.setattr(choice, "_version", lambda _name: "1.2.3")


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_what_can_change_a_finding_is_in_the_configuration(change) -> None:
    changed = configuration_of(ScanPlan(paths=(b"x",), case=Path("x.case"), **change))
    assert changed != configuration_of(ScanPlan(paths=(b"x",), case=Path("x.case")))


@pytest.mark.parametrize(
    "change", [{"workers": 7}, {"argv": ("x",)}, {"clock": lambda: "now"}], ids=["workers", "argv", "clock"]
)
def test_what_can_not_is_not(change) -> None:
    assert configuration_of(ScanPlan(paths=(b"x",), **change)) == configuration_of(ScanPlan(paths=(b"y",)))


def test_configuration_comes_back_from_json() -> None:
    configuration = configuration_of(ScanPlan(paths=(b"x",), exclude=("a", "b"), threshold=0.1))
    assert json.loads(json.dumps(configuration)) == configuration
    assert configuration["decoders"]["pillow"]
    assert "threads" not in json.dumps(configuration["kernels"])  # results do not depend on their number


def test_versions_name_the_libraries() -> None:
    found = versions()
    assert {"forensic", "python", "torch", "pillow", "numpy", "system"} <= found.keys()
    assert found["processor"] == processor_name()
    assert set(found.get("instructions", "").split()) <= processor_features()
    assert ("avx2" in found.get("instructions", "")) == ("avx2" in processor_features())


CASE = {"case": Path("x.case")}
OPENVINO = Choice("openvino", "1.2.3", "bfloat16").recorded


@pytest.mark.parametrize(
    ("options", "recorded", "expected"),
    [
        ({}, None, "auto"),
        (CASE, None, "torch"),
        (CASE, OPENVINO, "openvino"),
        (CASE, "torch 2.11.0 float32", "torch"),
        (CASE | {"engine": "onnx"}, None, "onnx"),
        (CASE | {"engine": "onnx"}, OPENVINO, "onnx"),  # which then does not fit the case
        (CASE | {"device": "cuda"}, OPENVINO, None),
    ],
)
def test_findings_that_are_kept_come_from_torch_unless_another_is_named(options, recorded, expected) -> None:
    plan = ScanPlan(paths=(b"x",), **options)
    if expected is None:
        with pytest.raises(UsageError, match="--engine openvino"):
            choice_of(plan, recorded)
    elif expected == "auto":
        assert choice_of(plan).name == choice.choose("auto").name
    else:
        assert choice_of(plan, recorded).name == expected


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_a_case_goes_on_in_the_precision_it_was_begun_with(monkeypatch: pytest.MonkeyPatch, precision) -> None:
    monkeypatch.setattr(choice, "processor_features", lambda: frozenset({"avx2", "avx512_bf16"}))
    began = Choice("openvino", "1.2.3", precision).recorded
    assert choice_of(ScanPlan(paths=(b"x",), **CASE), began).precision == precision


def test_an_engine_that_is_gone_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_version", lambda name: "1.2.3" if name == "torch" else None)
    with pytest.raises(MissingError, match="openvino is not installed"):
        choice_of(ScanPlan(paths=(b"x",), **CASE), OPENVINO)
