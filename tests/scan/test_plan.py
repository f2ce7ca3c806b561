from __future__ import annotations

import json
import math

import pytest

from forensic.data.inspection import DecodeLimits
from forensic.errors import UsageError
from forensic.scan.plan import ScanPlan, configuration_of, versions


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
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_what_can_change_a_finding_is_in_the_configuration(change) -> None:
    assert configuration_of(ScanPlan(paths=(b"x",), **change)) != configuration_of(ScanPlan(paths=(b"x",)))


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
    assert {"forensic", "python", "torch", "pillow", "numpy"} <= versions().keys()
