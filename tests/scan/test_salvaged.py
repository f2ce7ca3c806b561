"""What is left of truncated images stands beside their findings and changes nothing else of a scan."""

from __future__ import annotations

import io
import os
import shutil
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from forensic.case.difference import case_changes
from forensic.case.ledger import open_case
from forensic.case.places import Places
from forensic.case.rows import finding_to_json
from forensic.data.decode import decode
from forensic.data.inspection import DecodeLimits
from forensic.scan import run as module
from forensic.scan.events import Found
from forensic.scan.plan import ScanPlan
from forensic.scan.pool import WORKER_COMMAND, DecodePool
from forensic.scan.reexamine import reexamine
from forensic.scan.run import run


@pytest.fixture
def folder(tmp_path: Path, hostile: Path, samples: Path) -> Path:
    """A whole picture; truncated ones: enough left, too little left, nothing left; another unreadable one."""
    made = tmp_path / "in"
    made.mkdir()
    shutil.copyfile(hostile / "jpeg-ok-control.jpg", made / "a.jpg")
    whole = (samples / "full" / "real-2.png").read_bytes()
    (made / "b.png").write_bytes(whole[: len(whole) * 7 // 10])
    with Image.open(io.BytesIO(whole)) as image:
        for name, progressive in (("c.jpg", False), ("d.jpg", True)):
            file = io.BytesIO()
            image.convert("RGB").save(file, "JPEG", quality=90, progressive=progressive)
            (made / name).write_bytes(file.getvalue()[: len(file.getvalue()) * 6 // 10])
    shutil.copyfile(hostile / "jpeg-truncated-half.jpg", made / "e.jpg")
    shutil.copyfile(hostile / "png-bad-crc-idat.png", made / "f.png")
    return made


def test_they_stand_beside_the_findings_and_change_nothing_else(scan, folder, samples, tmp_path) -> None:
    plain = scan(folder, engine="torch")
    salvaged = scan(folder, engine="torch", salvage=True, scores=True)
    assert plain.summary.counts == salvaged.summary.counts
    assert (plain.summary.counts.scored, plain.summary.counts.unreadable) == (1, 5)
    assert (plain.summary.exit_code, plain.summary.salvaged) == (3, 0)
    assert (salvaged.summary.exit_code, salvaged.summary.salvaged) == (3, 2)
    for before, after in zip(plain.findings, salvaged.findings, strict=True):
        flags = tuple(flag for flag in after.flags if not flag.startswith("salvaged="))
        assert replace(after, salvaged=None, flags=flags, scores=None) == before
    parts = {finding.path[-5:]: finding.salvaged for finding in salvaged.findings}
    assert parts["a.jpg"] is parts["f.png"] is None
    for name in ("b.png", "c.jpg"):
        part = parts[name]
        assert (part.of_rows, part.width, part.height, part.reason) == (448, 640, part.rows, None)
        assert 200 < part.rows < 448
        assert part.verdict in ("known", "unknown")
        assert part.scores[part.nearest] == part.score
        assert f"salvaged={part.rows}/448" in next(f.flags for f in salvaged.findings if f.path.endswith(name))
    assert parts["b.png"].flags[0].startswith("checksum-missing=")
    assert parts["d.jpg"].reason.startswith("nothing to salvage: only a sequential JPEG")
    assert (parts["e.jpg"].rows, parts["e.jpg"].reason) == (62, "part not scored: 192x62, its least side must be 128")
    # the part is scored as the same rows would be that somebody cut out of the whole file
    top = decode((samples / "full" / "real-2.png").read_bytes(), name="x.png").pixels[: parts["b.png"].rows]
    Image.fromarray(top).save(tmp_path / "top.png")
    (cut,) = scan(tmp_path / "top.png", engine="torch").findings
    assert (cut.score, cut.verdict, cut.nearest) == (
        parts["b.png"].score,
        parts["b.png"].verdict,
        parts["b.png"].nearest,
    )


def test_a_case_goes_on_to_the_same_end_and_is_verified(scan, folder, tmp_path, tiny_weights, monkeypatch) -> None:
    monkeypatch.setattr(module, "BATCH_FILES", 2)
    whole = scan(folder, case=tmp_path / "whole.case", salvage=True)
    plan = ScanPlan(paths=(os.fsencode(folder),), weights=tiny_weights, case=tmp_path / "parts.case", salvage=True)
    with closing(run(plan)) as events:
        for event in events:
            if isinstance(event, Found):
                plan.interruption.request()
    with open_case(tmp_path / "parts.case") as case:
        assert 0 < len(case) < 6
    parts = scan(folder, case=tmp_path / "parts.case", salvage=True)
    told = [finding_to_json(finding) for finding in whole.findings]
    assert [finding_to_json(finding) for finding in parts.findings] == told
    assert parts.summary == replace(whole.summary, case=tmp_path / "parts.case")
    with open_case(tmp_path / "whole.case") as case:
        assert case.header.configuration["salvage"] is True
        assert case.counts == whole.summary.counts
        for level in (1, 2, 3):
            with closing(reexamine(case, Places(case, ()), level, weights=tiny_weights)) as checks:
                assert [checked.differences for checked in checks] == [()] * 6
    scan(folder, case=tmp_path / "plain.case")
    with open_case(tmp_path / "plain.case") as plain, open_case(tmp_path / "whole.case") as case:
        assert "salvage" not in plain.header.configuration
        assert list(case_changes(plain, case)) == []


@pytest.mark.parametrize(
    ("before", "after", "level", "said"),
    [
        ('"rows": 2', '"rows": 3', 2, "salvaged part: rows was 3"),
        ('"nearest": "', '"nearest": "x', 3, "salvaged part: nearest was x"),
        ('"height": 2', '"height": 1', 2, "salvaged part: height was 1"),
    ],
)
def test_a_case_that_says_otherwise_of_a_part_is_found(
    scan, folder, tmp_path, tiny_weights, before, after, level, said
) -> None:
    case = tmp_path / "a.case"
    scan(folder / "c.jpg", case=case, salvage=True)
    with closing(sqlite3.connect(case)) as connection:
        (line,) = connection.execute("SELECT finding FROM finding").fetchone()
        head, mark, part = line.partition('"salvaged": {')
        altered = head + (mark + part).replace(before, after, 1)
        assert altered != line
        connection.execute("UPDATE finding SET finding = ?", (altered,))
        connection.commit()
    with (
        open_case(case) as stored,
        closing(reexamine(stored, Places(stored, ()), level, weights=tiny_weights)) as checks,
    ):
        (checked,) = checks
    assert checked.differences[0].startswith(said)


def test_known_hashes_are_left_out(scan, folder) -> None:
    (plain,) = scan(folder / "c.jpg", salvage=True).findings
    (finding,) = scan(folder / "c.jpg", salvage=True, skip_hashes=frozenset({plain.sha256})).findings
    assert (finding.status, finding.salvaged, finding.claims, finding.flags) == ("skipped", None, None, ())


_HARM = """
import sys, os, time
sys.path.insert(0, sys.argv[1])
from forensic.scan import worker
def salvage(data, limits):
    if b"JFIF" in data[:20]: os._exit(7)
    time.sleep(3600)
worker.salvage = salvage
worker.main()
"""


def test_a_worker_that_dies_over_a_part_takes_nothing_of_the_finding(folder) -> None:
    """The decoder of the rows is replaced by one that stops the process, or never comes back."""
    command = (sys.executable, "-P", "-c", _HARM, WORKER_COMMAND[-1])
    paths = [os.fsencode(folder / name) for name in ("a.jpg", "b.png", "c.jpg", "f.png")]
    with DecodePool(1, DecodeLimits(seconds=2), "tiles-128-v1", salvage=True, command=command) as pool:
        reads = list(pool.read(enumerate(paths)))
    with DecodePool(1, DecodeLimits(), "tiles-128-v1") as pool:
        plain = list(pool.read(enumerate(paths)))
    told = [None if read.salvage is None else read.salvage.reason for read in reads]
    stopped = "nothing to salvage: the decoder stopped"
    assert told == [None, f"{stopped} (time limit 2 s)", f"{stopped} (exit code 7)", None]
    for read, before in zip(reads, plain, strict=True):
        assert (read.sha256, read.flags, read.format) == (before.sha256, before.flags, before.format)
        assert str(read.outcome) == str(before.outcome)


def test_a_picture_that_is_resized_whole_gives_no_part(folder) -> None:
    paths = [os.fsencode(folder / "c.jpg")]
    with DecodePool(1, DecodeLimits(), "pose-128-v1", salvage=True) as pool:
        (read,) = pool.read(enumerate(paths))
    assert read.salvage.reason == "part not scored: pose-128-v1 resizes whole images"
    assert read.salvage.tiles is None
