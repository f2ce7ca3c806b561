"""The commands by which another laboratory repeats an examination: what a shell makes of them is what the scan had."""

from __future__ import annotations

import shlex
import subprocess
from itertools import pairwise
from typing import Any

import pytest

from forensic.report.repeat import full_hash, repeat_of, shell_word

DIGEST = "ab" * 32


@pytest.mark.parametrize(
    "raw",
    [
        b"in",
        b"it's here/a b",
        b'$(touch x) `id` \\ "',
        b"new\nline\x1b[31m",
        b"\xff\xfe.png",
        "invoice\u202egpj.exe".encode(),
        "b\u00e4r/\u96ea".encode(),
        b"q'\\'\x01",
    ],
)
def test_a_shell_reads_the_exact_bytes(raw: bytes) -> None:
    word = shell_word(raw)
    assert word.isprintable()
    said = subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, check=True)
    assert said.stdout == raw


def test_every_choice_of_the_scan_stands_in_the_command(make_case: Any) -> None:
    configuration = {
        "engine": "onnxruntime 1.32.0 float32; near a decision torch 2.13.0 float32",
        "device": "cuda:1",
        "profile": "triage",
        "threads": None,
        "threshold": -0.5,
        "scores": True,
        "thumbnails": "full",
        "follow_links": True,
        "exclude": ["*.tmp", "a b"],
        "skip_hashes": "cd" * 32,
        "shard": "2/3",
        "stability": 2,
        "salvage": True,
        "max_pixels": 5,
        "max_bytes": 6,
        "timeout": 1.5,
    }
    header = make_case.header(configuration=configuration, question="Who's it?", note="")
    found = repeat_of(header, [b"in", b"a b"], "my case.case", DIGEST, complete=True)
    words = shlex.split(found.anew)
    assert words[:4] == ["forensic", "scan", "in", "a b"]
    pairs = dict(pairwise(words))
    expected = {
        "--case": "NEW.case",
        "--weights": "three",
        "--profile": "triage",
        "--engine": "onnx",
        "--device": "cuda:1",
        "--max-pixels": "5",
        "--max-bytes": "6",
        "--timeout": "1.5",
        "--thumbnails": "full",
        "--skip-hashes": "HASHES",
        "--shard": "2/3",
        "--stability": "2",
        "--question": "Who's it?",
        "--examiner": "M. Okafor",
    }
    assert {name: pairs[name] for name in expected} == expected
    assert {"--threshold=-0.5", "--scores", "--follow-links", "--salvage"} <= set(words)
    assert [words[n + 1] for n, word in enumerate(words) if word == "--exclude"] == ["*.tmp", "a b"]
    assert "--calibration" not in words
    assert "--note" not in words
    assert found.check == f"forensic case verify 'my case.case' --level 0 --expect-digest {DIGEST}"
    assert found.again.startswith("forensic case verify 'my case.case' --level 3 --evidence DIR --weights three ")
    assert any("cd" * 32 in said for said in found.needs)
    assert any(said.startswith("DIR: ") and "of one folder that folder itself" in said for said in found.needs)


def test_court_and_its_calibration(make_case: Any) -> None:
    configuration = {"engine": "torch 2.13.0 float32", "profile": "court", "scores": True, "calibration": "ef" * 32}
    found = repeat_of(make_case.header(configuration=configuration), [b"in"], "a.case", DIGEST, complete=False)
    assert "--profile court --engine torch --device cpu --calibration FILE" in found.anew
    assert "--scores" not in found.anew  # court keeps them by itself
    assert any("ef" * 32 in said for said in found.needs)
    assert any("the digest of the whole" in said for said in found.needs)


@pytest.mark.parametrize("given", [[b"in"] * 9, [b"-in"]])
def test_many_paths_and_those_that_look_like_options_come_from_a_list(make_case: Any, given: list[bytes]) -> None:
    found = repeat_of(make_case.header(), given, "a.case", DIGEST, complete=True)
    assert found.anew.startswith("forensic scan --files-from LIST -0 --case NEW.case")
    assert any(said.startswith("LIST: ") for said in found.needs)


def test_weights_are_named_by_their_whole_hash_where_the_case_has_it(make_case: Any) -> None:
    header = make_case.header()
    assert full_hash(header) == header.weights
    whole = header.weights + "0" * 52
    assert full_hash(make_case.header(card={"hash": whole})) == whole
    assert full_hash(make_case.header(card={"hash": "1" * 64})) == header.weights
