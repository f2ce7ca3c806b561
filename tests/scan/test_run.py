from __future__ import annotations

import hashlib
import os
import shutil
import socket
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import forensic
from forensic.case import thumbnails
from forensic.case.ledger import open_case
from forensic.case.rows import Counts, exact_path, finding_to_json
from forensic.case.verify import verify_case
from forensic.data.inspection import DecodeLimits
from forensic.errors import MissingError, UsageError
from forensic.scan import run as module
from forensic.scan.events import Found
from forensic.scan.interruption import Interruption
from forensic.scan.plan import ScanPlan
from forensic.scan.run import run


def lines(findings) -> list[str]:
    return [finding_to_json(finding) for finding in findings]


def test_hostile_folder_end_to_end(scan, hostile, tmp_path) -> None:
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in hostile.iterdir()}
    scanned = scan(hostile, case=tmp_path / "a.case", workers=2)
    by_status: dict[str, int] = {}
    for finding in scanned.findings:
        by_status[finding.status] = by_status.get(finding.status, 0) + 1
    assert by_status == {"ok": 44, "unreadable": 13, "skipped": 2}
    assert scanned.summary.exit_code == 3
    assert scanned.summary.other_files == 1  # its README
    paths = [exact_path(finding) for finding in scanned.findings]
    assert paths == sorted(paths)
    assert before == {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in hostile.iterdir()}
    assert verify_case(tmp_path / "a.case").agrees
    for finding in scanned.findings:
        assert finding.sha256 == hashlib.sha256(Path(finding.path).read_bytes()).hexdigest()
        assert (finding.score is None) == (finding.status != "ok")
        assert finding.reason is None or "\n" not in finding.reason


def test_one_damaged_picture_costs_one_finding(scan, samples, hostile, tmp_path) -> None:
    """thumbsup 75, foldergram 50, DVR-Scan 126: it ended a run of tens of thousands, and the log did not name it."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(200):
        shutil.copyfile(samples / "real-00006.png", folder / f"{number:04d}.png")
    shutil.copyfile(hostile / "jpeg-truncated-half.jpg", folder / "0099-damaged.jpg")
    scanned = scan(folder)
    assert scanned.summary.counts == Counts(**{scanned.findings[0].verdict: 200}, unreadable=1)
    assert [finding.status for finding in scanned.findings].index("unreadable") == 99
    assert scanned.statuses["0099-damaged.jpg"][0] == "unreadable"
    assert "truncated" in scanned.statuses["0099-damaged.jpg"][1]
    assert scanned.summary.exit_code == 3


def test_equal_files_name_the_first_in_path_order(scan, copies, tmp_path, monkeypatch) -> None:
    folder = copies(tmp_path / "in", 5)
    os.link(folder / "0000.jpg", folder / "0005.jpg")
    found = {}
    for size in (1, 3, 256):  # whatever the batches are
        monkeypatch.setattr(module, "BATCH_FILES", size)
        scanned = scan(folder)
        assert len({finding.score for finding in scanned.findings}) == 1
        found[size] = lines(scanned.findings)
        first = scanned.findings[0].path
        flags = [finding.flags for finding in scanned.findings]
        assert not any("duplicate-of" in flag for flag in flags[0])
        assert all(f"duplicate-of={first}" in some for some in flags[1:])
    assert found[1] == found[3] == found[256]


def test_awkward_entries(scan, control, tmp_path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    names = [b"[bold]x.jpg", b"[link=x].jpg", b"a\nb.jpg", b"\x1b[31m.jpg", b"-rf.jpg", b"\xff\xfe.jpg"]
    names += ["é.jpg".encode(), "e\u0301.jpg".encode(), b"=1+1.jpg", b"n" * 251 + b".jpg"]
    for name in names:
        shutil.copyfile(control, os.fsencode(folder) + b"/" + name)
    os.mkfifo(folder / "pipe.jpg")
    (folder / "link.jpg").symlink_to(control)
    (folder / "nothing.jpg").symlink_to("nowhere")
    (folder / "x.jpg").mkdir()
    (folder / "empty.png").touch()
    with socket.socket(socket.AF_UNIX) as bound:
        here = Path.cwd()
        os.chdir(folder)
        bound.bind("s.jpg")
        os.chdir(here)
        scanned = scan(folder)
    exact = {exact_path(finding).rpartition(b"/")[2]: finding for finding in scanned.findings}
    assert set(exact) == {*names, b"pipe.jpg", b"link.jpg", b"nothing.jpg", b"empty.png", b"s.jpg"}
    assert all(exact[name].status == "ok" for name in names)
    for name in (b"pipe.jpg", b"s.jpg"):
        assert (exact[name].status, exact[name].reason) == ("skipped", "not a regular file")
    for name in (b"link.jpg", b"nothing.jpg"):
        assert (exact[name].status, exact[name].reason) == ("skipped", "link, not followed")
    assert exact[b"empty.png"].reason == "empty file"
    assert exact[b"\xff\xfe.jpg"].path_b64 is not None


def test_followed_links_and_named_ones(scan, control, tmp_path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "link.jpg").symlink_to(control)
    (folder / "nothing.jpg").symlink_to("nowhere")
    for found in (scan(folder, follow_links=True), scan(folder / "link.jpg", folder / "nothing.jpg")):
        assert found.statuses["link.jpg"] == ("ok", None)
        assert found.statuses["nothing.jpg"] == ("unreadable", "no such file")


def test_special_files_and_missing_ones_as_arguments(scan, tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe")
    scanned = scan(tmp_path / "pipe", "/dev/null", tmp_path / "missing.jpg")
    assert scanned.statuses == {
        "pipe": ("skipped", "not a regular file"),
        "null": ("skipped", "not a regular file"),
        "missing.jpg": ("unreadable", "no such file"),
    }
    assert scanned.summary.exit_code == 3


def test_a_file_from_the_year_2445_costs_no_scan(scan, control, tmp_path) -> None:
    data, case = tmp_path / "in", tmp_path / "a.case"
    data.mkdir()
    shutil.copyfile(control, data / "a.jpg")
    os.utime(data / "a.jpg", ns=(1, 15_000_000_000 * 1_000_000_000))
    assert scan(data, case=case).summary.outcome == "done"
    assert scan(data, case=case).summary.counts.known + scan(data, case=case).summary.counts.unknown == 1


def test_only_a_missing_decoder_of_heic_is_counted_as_one(scan, tmp_path) -> None:
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x10ftypheic\0\0\0\0\0\0\x10\0mdat")
    scanned = scan(tmp_path / "a.heic")
    assert scanned.statuses["a.heic"][0] == "unreadable"
    assert "pillow-heif" not in str(scanned.statuses["a.heic"][1])
    assert scanned.summary.unread_heic == 0


def test_limits_are_kept(scan, control, tmp_path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copyfile(control, folder / "a.jpg")
    with (folder / "sparse.jpg").open("wb") as file:
        file.truncate(5 << 30)
    scanned = scan(folder, limits=DecodeLimits(max_pixels=1000))
    assert "exceed the limit" in scanned.statuses["a.jpg"][1]
    assert "exceed the limit" in scanned.statuses["sparse.jpg"][1]


def test_known_hashes_are_skipped(scan, control) -> None:
    digest = hashlib.sha256(control.read_bytes()).hexdigest()
    scanned = scan(control, skip_hashes=frozenset({digest}))
    (finding,) = scanned.findings
    assert (finding.status, finding.reason, finding.verdict) == ("skipped", "known hash", None)
    assert scanned.summary.counts == Counts(skipped=1)
    assert scanned.summary.exit_code == 0


def test_threshold_decides(scan, control) -> None:
    (low,) = scan(control, threshold=-1e9, scores=True).findings
    (high,) = scan(control, threshold=1e9).findings
    assert (low.verdict, low.label) == ("known", low.nearest)
    assert (high.verdict, high.label) == ("unknown", None)
    assert low.score == high.score
    assert low.scores[low.nearest] == low.score


def test_two_scans_give_the_same_bytes(scan, samples, tmp_path) -> None:
    first = scan(samples / "real-00006.png", samples / "full", workers=1, engine="torch")
    second = scan(samples / "real-00006.png", samples / "full", workers=3, case=tmp_path / "a.case")
    assert lines(first.findings) == lines(second.findings)


def stop_after(plan: ScanPlan, count: int) -> None:
    """Run until so many findings were told, then ask to stop."""
    seen = 0
    with closing(run(plan)) as events:
        for event in events:
            seen += isinstance(event, Found)
            if seen == count:
                plan.interruption.request()


def test_interrupted_scan_goes_on_to_the_same_end(scan, copies, samples, tmp_path, tiny_weights, monkeypatch) -> None:
    monkeypatch.setattr(module, "BATCH_FILES", 7)
    folder = copies(tmp_path / "in", 30)
    shutil.copyfile(samples / "real-00006.png", folder / "0010.png")
    whole = scan(folder, case=tmp_path / "whole.case")
    paths = (os.fsencode(folder),)
    for number, count in enumerate((1, 9)):
        stop_after(
            ScanPlan(paths=paths, weights=tiny_weights, case=tmp_path / "parts.case", interruption=Interruption()),
            count,
        )
        with open_case(tmp_path / "parts.case") as case:
            assert not case.complete
            assert len(case) < 31
            assert len(case) >= count
            assert case.runs[number].outcome == "interrupted"
    parts = scan(folder, case=tmp_path / "parts.case")
    assert parts.summary.closing_digest == whole.summary.closing_digest
    assert lines(parts.findings) == lines(whole.findings)
    assert parts.summary.counts == whole.summary.counts


def test_scan_whose_reader_leaves_keeps_what_is_done(copies, tmp_path, tiny_weights, monkeypatch) -> None:
    monkeypatch.setattr(module, "BATCH_FILES", 4)
    monkeypatch.setattr(module, "BATCH_SECONDS", float("inf"))  # however slow the machine is
    folder = copies(tmp_path / "in", 20)
    plan = ScanPlan(paths=(os.fsencode(folder),), weights=tiny_weights, case=tmp_path / "a.case")
    events = run(plan)
    next(events)
    assert isinstance(next(events), Found)
    events.close()
    with open_case(tmp_path / "a.case") as case:
        assert len(case) == 4
        assert case.runs[0].outcome == "stopped: the output was closed"


def test_complete_case_is_told_again_and_stays_as_it_is(scan, copies, tmp_path) -> None:
    folder = copies(tmp_path / "in", 3)
    (folder / "broken.jpg").touch()
    first = scan(folder, case=tmp_path / "a.case")
    before = (tmp_path / "a.case").read_bytes()
    again = scan(folder, case=tmp_path / "a.case")
    assert lines(again.findings) == lines(first.findings)
    assert again.summary.outcome == "again"
    assert again.summary.exit_code == first.summary.exit_code == 3
    assert again.summary.closing_digest == first.summary.closing_digest
    assert (tmp_path / "a.case").read_bytes() == before


def test_nothing_found_is_wrong_use_and_leaves_no_case(scan, tmp_path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "notes.txt").write_text("nothing here")
    with pytest.raises(UsageError, match="no images here"):
        scan(folder, case=tmp_path / "a.case")
    assert not (tmp_path / "a.case").exists()


def test_missing_weights_leave_no_case(control, tmp_path) -> None:
    plan = ScanPlan(paths=(os.fsencode(control),), weights=tmp_path / "none.safetensors", case=tmp_path / "a.case")
    with pytest.raises(MissingError):
        list(run(plan))
    assert not (tmp_path / "a.case").exists()


def test_case_keeps_thumbnail_and_spectrum_within_the_budget(scan, copies, tmp_path, monkeypatch) -> None:
    folder = copies(tmp_path / "in", 3)
    scan(folder, case=tmp_path / "all.case")
    with open_case(tmp_path / "all.case") as case:
        kept = [artefacts for _, _, artefacts in case.rows()]
        assert all(artefacts.thumbnail[8:12] == b"WEBP" for artefacts in kept)
        assert all(np.isfinite(artefacts.spectrum).all() for artefacts in kept)
    monkeypatch.setattr(thumbnails, "THUMBNAIL_BUDGET", int(2.5 * len(kept[0].thumbnail)))
    scan(folder, case=tmp_path / "some.case")
    with open_case(tmp_path / "some.case") as case:
        assert [artefacts.thumbnail is not None for _, _, artefacts in case.rows()] == [True, True, False]
    scan(folder, case=tmp_path / "none.case", thumbnails=False)
    with open_case(tmp_path / "none.case") as case:
        assert case.thumbnail_bytes == 0


def test_python_door(control, tiny_weights, tmp_path) -> None:
    (finding,) = forensic.scan_images([control], weights=tiny_weights)
    assert finding.status == "ok"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_hundred_thousand_files_around_fifty_images(scan, copies, tmp_path) -> None:
    folder = copies(tmp_path / "in", 50)
    for number in range(100_000):
        os.close(os.open(folder / f"{number:06d}.txt", os.O_CREAT | os.O_WRONLY))
    scanned = scan(folder)
    assert scanned.summary.counts.total == 50
    assert scanned.summary.other_files == 100_000
