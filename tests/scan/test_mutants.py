"""Damaged files through the workers of a scan: each ends in one finding with a reason that has a code, and no trace."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import cv2
import mutated
import numpy as np
import pytest

from forensic.codes.table import code_of_reason
from forensic.data.inspection import DecodeLimits
from forensic.errors import Skipped, Unreadable
from forensic.scan.frames import Read
from forensic.scan.pool import DecodePool

SEED = 20
BATCH = 250
LIMITS = DecodeLimits(max_pixels=20_000_000, seconds=20.0)


@pytest.fixture(scope="module")
def sources(hostile: Path, samples: Path) -> list[bytes]:
    """The hostile files, the smaller samples, and PNG in all its forms."""
    files = [path for path in sorted(hostile.iterdir()) if path.is_file() and path.suffix not in (".md", "")]
    files += [path for path in sorted(samples.rglob("*.*")) if path.stat().st_size < 100_000]
    found = [data for path in files if 0 < len(data := path.read_bytes()) < 200_000]
    found += mutated.png_forms().values()
    assert len(found) > 100
    return found


def contents(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def check(read: Read, data: bytes) -> None:
    assert read.sha256 == hashlib.sha256(data).hexdigest()
    if read.outcome is None:
        assert read.tiles is not None
        assert read.tiles.dtype == np.uint8
        assert read.tiles.shape[1:] == (3, 128, 128)
        assert read.width
        assert read.height
        return
    assert isinstance(read.outcome, (Unreadable, Skipped))
    assert "internal error" not in read.outcome.reason, read.outcome.reason
    assert code_of_reason(read.outcome.reason) is not None, read.outcome.reason
    assert read.outcome.reason.isprintable()


def go_through(folder: Path, files: list[bytes]) -> tuple[int, int]:
    """How many were read, and how many not."""
    paths = [folder / f"{number:05d}.jpg" for number in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    before = contents(folder)
    with DecodePool(2, LIMITS, "tiles-128-v2", restart_budget=len(files) // 20) as pool:
        reads = list(pool.read(enumerate(map(os.fsencode, paths))))
    assert [read.index for read in reads] == list(range(len(files)))
    for read, data in zip(reads, files, strict=True):
        check(read, data)
    assert contents(folder) == before
    for path in paths:
        path.unlink()
    good = sum(read.outcome is None for read in reads)
    return good, len(reads) - good


def test_three_hundred_damaged_files(sources: list[bytes], tmp_path: Path) -> None:
    good, bad = go_through(tmp_path, list(mutated.mutants(sources, 300, SEED)))
    assert good > 10  # a flag or a pixel less; else the mutations would try nothing but the first check
    assert bad > 100


def test_png_in_all_its_forms_is_read(tmp_path: Path) -> None:
    forms = list(mutated.png_forms().values())
    good, bad = go_through(tmp_path, forms)
    assert (good, bad) == (len(forms), 0)


@pytest.mark.parametrize("form", [form for form in mutated.FORMS if "-filter4" in form])
def test_the_forms_are_what_they_say(form: str) -> None:
    """The writer of these tests against a decoder that is not ours: filters and passes must not change a pixel."""
    forms = mutated.png_forms()
    pair = (forms[form], forms[form.replace("adam7", "plain").replace("filter4", "filter0")])
    mine, other = (cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) for data in pair)
    assert np.array_equal(mine, other)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_ten_thousand_damaged_files(sources: list[bytes], tmp_path: Path) -> None:
    for start in range(0, 10_000, BATCH):
        go_through(tmp_path, list(mutated.mutants(sources, BATCH, SEED + 1 + start)))
