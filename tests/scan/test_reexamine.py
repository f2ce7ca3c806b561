from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
import torch
from torch.nn.modules.module import register_module_forward_pre_hook

from forensic.case.ledger import open_case
from forensic.case.places import Places
from forensic.engines.threads import torch_threads
from forensic.errors import MissingError
from forensic.models.weights import read_card
from forensic.models.winograd import WORKER
from forensic.scan.reexamine import read_again, reexamine, sample_of, weights_of


@pytest.fixture(scope="module")
def scanned(tmp_path_factory, scan, hostile):
    """A scan of a picture, the same once more, a truncated one, a name without a file, a link, a FIFO and 16 bits."""
    place = tmp_path_factory.mktemp("scanned")
    folder = place / "was" / "in"
    folder.mkdir(parents=True)
    shutil.copyfile(hostile / "jpeg-ok-control.jpg", folder / "a.jpg")
    shutil.copyfile(hostile / "jpeg-ok-control.jpg", folder / "b.jpg")
    shutil.copyfile(hostile / "jpeg-truncated-half.jpg", folder / "c.jpg")
    (folder / "d.jpg").symlink_to("a.jpg")
    os.mkfifo(folder / "e.jpg")
    shutil.copyfile(next(hostile.glob("*16*.png")), folder / "f.png")
    scan(folder, folder.parent / "none.jpg", case=folder.parent / "a.case")
    folder.parent.rename(place / "kept")
    return place


@pytest.fixture
def folder(scanned):
    """What was scanned, as it was: each test may change it."""
    subprocess.run(["cp", "-a", scanned / "kept", scanned / "was"], check=True)
    yield scanned / "was" / "in"
    shutil.rmtree(scanned / "was")


@pytest.fixture
def case(folder):
    return folder.parent / "a.case"


@pytest.fixture(scope="module")
def of_one_picture(scan, samples, tmp_path_factory):
    """A case of a scan on one thread."""
    case = tmp_path_factory.mktemp("one") / "a.case"
    scan(samples / "real-00006.png", case=case, profile="court", threads=1, engine="torch")
    return case


def differences(case, level: int, weights=None, evidence=(), **options) -> dict[str, tuple[str, ...]]:
    with (
        open_case(case) as stored,
        closing(reexamine(stored, Places(stored, evidence), level, weights=weights, **options)) as checks,
    ):
        found = list(checks)
        if "chosen" not in options:
            assert [checked.seq for checked in found] == list(range(len(stored)))
    return {checked.path.rpartition("/")[2]: checked.differences for checked in found if checked.differences}


@pytest.mark.parametrize("level", [1, 2, 3])
def test_nothing_differs_whatever_the_statuses(case, folder, level, tiny_weights) -> None:
    before = {path: path.lstat().st_mtime_ns for path in folder.iterdir()}
    assert differences(case, level, tiny_weights) == {}
    assert before == {path: path.lstat().st_mtime_ns for path in folder.iterdir()}


@pytest.mark.parametrize("level", [1, 2, 3])
def test_every_change_of_a_file_is_found(case, folder, level, tiny_weights, hostile) -> None:
    data = (folder / "a.jpg").read_bytes()
    (folder / "a.jpg").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    (folder / "b.jpg").write_bytes(data + b"\0")
    (folder / "c.jpg").unlink()
    (folder / "e.jpg").unlink()
    shutil.copyfile(hostile / "jpeg-ok-control.jpg", folder / "e.jpg")
    (folder / "f.png").unlink()
    (folder / "f.png").mkdir()
    shutil.copyfile(hostile / "jpeg-ok-control.jpg", folder.parent / "none.jpg")
    found = differences(case, level, tiny_weights)
    assert set(found) == {"a.jpg", "b.jpg", "c.jpg", "e.jpg", "f.png", "none.jpg"}
    assert "another content (of equal size)" in found["a.jpg"][0]
    assert f"{len(data) + 1} bytes, was {len(data)}" in found["b.jpg"][0]
    assert found["c.jpg"] == ("is missing",)
    assert found["e.jpg"] == ("was skipped (not a regular file), can be read now",)
    assert found["f.png"] == ("can not be read any more: not a regular file",)
    assert found["none.jpg"] == ("was unreadable (no such file), can be read now",)


def test_evidence_may_lie_elsewhere(case, folder, tmp_path) -> None:
    (tmp_path / "lab").mkdir()
    folder.rename(tmp_path / "lab" / "in")
    assert set(differences(case, 1)) == {"a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg", "f.png"}
    assert differences(case, 1, evidence=[str(tmp_path / "lab")]) == {}
    assert differences(case, 1, evidence=[f"{folder}={tmp_path / 'lab' / 'in'}"]) == {}


def altered(case, name: str, before: str, after: str) -> None:
    connection = sqlite3.connect(case)
    changed = connection.execute(
        "UPDATE finding SET finding = replace(finding, ?, ?) WHERE finding LIKE ? AND instr(finding, ?) > 0",
        (before, after, f'%/{name}", "sha256"%', before),
    ).rowcount
    connection.commit()
    connection.close()
    assert changed == 1


@pytest.mark.parametrize(
    ("name", "before", "after", "said"),
    [
        ("a.jpg", '"format": "JPEG"', '"format": "PNG"', "format was PNG, is JPEG"),
        ("a.jpg", '"width": ', '"width": 1', "width was 1"),
        ("a.jpg", '"decoder": "', '"decoder": "x', "decoder was x"),
        ("f.png", "16-bit-reduced", "cmyk-converted", "flags was cmyk-converted"),
        ("c.jpg", '"reason": "truncated', '"reason": "cut', "reason was cut"),
    ],
)
def test_level_2_finds_what_the_decoder_says_otherwise(case, name, before, after, said) -> None:
    altered(case, name, before, after)
    assert differences(case, 1) == {}
    found = differences(case, 2)
    assert set(found) == {name}
    assert said in found[name][0]


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_level_3_grants_an_engine_the_tolerance_of_its_precision(case, tiny_weights, precision) -> None:
    with open_case(case) as stored:
        score = next(finding.score for finding, _ in stored.lines() if finding.path.endswith("a.jpg"))
    tolerance = read_card(tiny_weights).tolerance_in(precision)
    for factor, found in ((0.9, set()), (1.1, {"a.jpg"})):
        told = f'"engine": "openvino 1.2.3 {precision}", "score": {score + factor * tolerance}'
        altered(case, "a.jpg", f'"score": {score}', told)
        said = differences(case, 3, tiny_weights).get("a.jpg", ())
        altered(case, "a.jpg", told, f'"score": {score}')
        assert {"a.jpg" for line in said if "further apart" in line} == found


def test_level_3_finds_another_verdict_score_and_flag(case, tiny_weights) -> None:
    with open_case(case) as stored:
        score = next(finding.score for finding, _ in stored.lines() if finding.path.endswith("a.jpg"))
    tolerance = read_card(tiny_weights).tolerance
    altered(case, "a.jpg", f'"score": {score}', f'"score": {score + tolerance / 2}')
    assert differences(case, 3, tiny_weights) == {}
    altered(case, "a.jpg", f'"score": {score + tolerance / 2}', f'"score": {score + 2 * tolerance}')
    assert differences(case, 2) == {}
    found = differences(case, 3, tiny_weights)
    assert set(found) == {"a.jpg"}
    assert "further apart than the card's tolerance" in found["a.jpg"][0]
    altered(case, "b.jpg", "duplicate-of=", "duplicate-of=x")
    assert "flags was" in differences(case, 3, tiny_weights)["b.jpg"][0]


@contextmanager
def watched_threads() -> Iterator[set[int]]:
    """On how many threads modules of a network were called inside, where torch has three; workers have their own."""
    seen: set[int] = set()

    def watch(*_: object) -> None:
        if not threading.current_thread().name.startswith(WORKER):
            seen.add(torch.get_num_threads())

    hook = register_module_forward_pre_hook(watch)
    try:
        with torch_threads(3):
            yield seen
    finally:
        hook.remove()


@pytest.mark.parametrize(
    ("profile", "threads", "expected"), [("court", 1, 1), ("court", 2, 2), ("triage", None, 3), ("standard", None, 3)]
)
def test_level_3_scores_on_as_many_threads_as_the_scan(
    scan, samples, tmp_path, tiny_weights, profile, threads, expected
) -> None:
    with watched_threads() as seen:
        scan(samples / "real-00006.png", case=tmp_path / "a.case", profile=profile, threads=threads, engine="torch")
    assert seen == {expected}
    with watched_threads() as seen:
        assert differences(tmp_path / "a.case", 3, tiny_weights) == {}
    assert seen == {expected}


@pytest.mark.parametrize("threads", [0, -1, 10**9, "1", None])
def test_a_number_of_threads_that_no_scan_had_is_not_asked_for(of_one_picture, tmp_path, tiny_weights, threads) -> None:
    shutil.copyfile(of_one_picture, tmp_path / "a.case")
    with closing(sqlite3.connect(tmp_path / "a.case")) as forged:
        [(stored,)] = forged.execute("SELECT value FROM header WHERE name = 'configuration'")
        changed = json.dumps(json.loads(stored) | {"threads": threads})
        forged.execute("UPDATE header SET value = ? WHERE name = 'configuration'", (changed,))
        forged.commit()
    with watched_threads() as seen:
        assert differences(tmp_path / "a.case", 3, tiny_weights) == {}
    assert seen == {3}


def test_a_sample_looks_at_no_other_row(case, folder) -> None:
    for path in folder.iterdir():
        path.unlink()
    found = differences(case, 1, chosen=frozenset({1}))
    assert set(found) == {"b.jpg"}


def test_the_sample_depends_on_the_seed_alone() -> None:
    assert sample_of(1000, 3, 0) == sample_of(1000, 3, 0) == sorted(sample_of(1000, 3, 0))
    assert len(set(sample_of(1000, 900, 1))) == 900
    assert sample_of(1000, 3, 0) != sample_of(1000, 3, 1)
    assert sample_of(5, 9, 0) == [0, 1, 2, 3, 4]


def test_weights_are_found_by_their_hash(case, tiny_weights) -> None:
    with open_case(case) as stored:
        assert weights_of(stored.header, str(tiny_weights)) == tiny_weights
        with pytest.raises(MissingError, match="are not among the bundled ones"):
            weights_of(stored.header)
        with pytest.raises(MissingError, match="has the hash"):
            weights_of(stored.header, "osma-mini")


def test_levels_that_are_none(case) -> None:
    with open_case(case) as stored, pytest.raises(ValueError, match="level must be"):
        next(reexamine(stored, Places(stored), 3))


def test_reading_again_gives_pixels_and_says_what_changed(case, folder) -> None:
    (folder / "b.jpg").write_bytes((folder / "b.jpg").read_bytes() + b"\0")
    with open_case(case) as stored:
        rows = {finding.path.rpartition("/")[2]: seq for seq, (finding, _) in enumerate(stored.paged_lines())}
        chosen = {rows["a.jpg"], rows["b.jpg"], rows["c.jpg"]}
        with closing(read_again(stored, Places(stored), chosen, "tiles-128-v2")) as again:
            found = {checked.path.rpartition("/")[2]: (checked.differences, read) for checked, read in again}
    assert set(found) == {"a.jpg", "b.jpg", "c.jpg"}
    differences, read = found["a.jpg"]
    assert differences == ()
    assert read.tiles is not None
    assert read.look is not None
    assert "another content" in found["b.jpg"][0][0]
    assert found["c.jpg"][1].tiles is None
