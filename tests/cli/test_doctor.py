"""The doctor finds what is there, names what is missing, and leaves with the right code."""

from __future__ import annotations

import json

import pytest

from forensic.cli import doctor
from forensic.data.decode import decode
from forensic.errors import MissingError


@pytest.fixture(scope="module")
def checks() -> list[doctor.Check]:
    return list(doctor._all_checks())


def test_everything_that_is_needed_works(checks: list[doctor.Check]) -> None:
    assert [check for check in checks if check.state == "broken"] == []


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WebP", "TIFF", "BMP", "GIF", "ICO", "AVIF", "HEIC"])
def test_each_format_is_tried(checks: list[doctor.Check], name: str) -> None:
    (check,) = [check for check in checks if check.subject == name]
    assert check.state == "ok"
    assert "256x256 control image" in check.found


def test_kernels_and_weights_are_told(checks: list[doctor.Check]) -> None:
    parts = {check.part for check in checks}
    assert {"program", "torch", "kernels", "decoders", "weights", "extras"} <= parts
    assert any("default" in check.found for check in checks if check.part == "weights")


def test_what_is_absent_comes_with_a_cure(checks: list[doctor.Check]) -> None:
    for check in checks:
        if check.part == "extras" and check.state == "absent":
            assert check.cure.startswith("pip install ")


def test_format_that_the_decoder_refuses_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forensic.data.decode.decode", lambda _data, *, name: decode(b"not a picture", name=name))
    check = doctor._format("PNG", "PNG")
    assert check.state == "broken"
    assert check.cure


def test_broken_part_is_a_line_and_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def weights():
        raise MissingError("weights", "not found", "forensic train")
        yield

    def torch():
        raise OSError("libgomp.so.1: cannot open shared object file")
        yield

    monkeypatch.setattr(doctor, "_weights", weights)
    monkeypatch.setattr(doctor, "_torch", torch)
    found = {check.part: check for check in doctor._all_checks() if check.state == "broken"}
    assert found["weights"].cure == "forensic train"
    assert "libgomp" in found["torch"].found


def test_command(run_forensic) -> None:
    ran = run_forensic("doctor")
    assert ran.code == 0, ran.out
    assert ran.out.startswith("part")
    lines = run_forensic("doctor", "--format", "jsonl").lines
    assert [json.loads(line)["state"] for line in lines].count("broken") == 0
