from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from forensic.case import thumbnails
from forensic.case.ledger import Place, Root, RunStart, create_case, open_case
from forensic.case.merge import merge_cases
from forensic.case.rows import Artefacts, exact_path
from forensic.case.verify import verify_case
from forensic.errors import UsageError, VerificationError

RUN = RunStart(started="2026-01-03T00:00:00+00:00", argv=("forensic", "case", "merge"))
ROOT = Root(b"in", b"/evidence/in")


@pytest.fixture
def made(tmp_path, header):
    """`made("a", rows, shard="1/2", root=ROOT, complete=True, **header)`: a case of (finding, thumbnail) rows."""

    def make(name, rows, *, shard=None, root=ROOT, complete=True, **changes):
        path = tmp_path / f"{name}.case"
        configuration = {"threshold": None, "thumbnails": "full"} | ({} if shard is None else {"shard": shard})
        start = RunStart(started=f"2026-01-02T00:00:0{len(name)}+00:00")
        fields = {"configuration": configuration} | changes
        with create_case(path, header(**fields), roots=[root], run=start) as case:
            places = [Place(0, exact_path(row)[len(root.given) + 1 :], 1_000) for row, _ in rows]
            case.append([(row, Artefacts(thumbnail=picture, spectrum=(0.1, 2.5))) for row, picture in rows], places)
            if complete:
                case.finish(other_files=2, ended=f"2026-01-02T00:01:{ord(name[0]) % 60}+00:00")
        return path

    return make


@pytest.fixture
def rows(finding, unreadable):
    """Five rows; the content of the first comes twice more, one row is unreadable."""
    twice = finding(0).sha256
    return [
        (finding(0), b"one"),
        (unreadable(1), None),
        (
            finding(2, sha256=twice, flags=("small", "duplicate-of=in/0000.png", "outside-validation")),
            b"a thumbnail of twenty",
        ),
        (finding(3), b"four"),
        (finding(4, sha256=twice, flags=("duplicate-of=in/0000.png",)), b"five5"),
    ]


def alone(rows):
    """Rows as a part has them that holds only these: the first of equal content is another one."""
    first: dict[str, str] = {}
    told = []
    for row, picture in rows:
        flags = tuple(flag for flag in row.flags if not flag.startswith("duplicate-of="))
        if row.sha256 in first:
            flags = (
                (*flags[:1], f"duplicate-of={first[row.sha256]}", *flags[1:])
                if "small" in flags
                else (f"duplicate-of={first[row.sha256]}",)
            )
        first.setdefault(row.sha256, row.path)
        told.append((replace(row, flags=flags), picture))
    return told


def everything(path):
    with open_case(path) as case:
        return list(case.rows()), [place for _, place in case.places()], case.closing_digest, case.header


@pytest.mark.parametrize(
    "parts", [([0, 1, 2, 3, 4], []), ([0, 2], [1, 3, 4]), ([1, 2, 3], [0, 4]), ([4], [0, 1, 2, 3])]
)
@pytest.mark.parametrize("budget", [1, 3, 8, 12, 30, 1000])
def test_findings_and_digest_are_those_of_the_undivided_case(made, rows, parts, budget, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(thumbnails, "THUMBNAIL_BUDGET", budget)
    kept = thumbnails.ThumbnailBudget()
    whole = made("whole", [(row, kept.kept(picture)) for row, picture in rows])
    named = []
    for number, part in enumerate(parts, start=1):
        kept = thumbnails.ThumbnailBudget()
        own = [(row, kept.kept(picture)) for row, picture in alone([rows[index] for index in part])]
        named.append(made(f"p{number}", own, shard=f"{number}/2"))
    merged = merge_cases(named[::-1], tmp_path / "merged.case", run=RUN)
    assert everything(tmp_path / "merged.case") == everything(whole)
    assert verify_case(tmp_path / "merged.case").agrees
    with open_case(tmp_path / "merged.case") as case:
        assert (merged.findings, merged.closing_digest) == (5, case.closing_digest)
        assert case.other_files == 4
        assert [run.started[-8:] for run in case.runs] == ["02+00:00", "02+00:00", "00+00:00"]
        assert case.complete
    assert sorted(path.name for path in tmp_path.iterdir()) == ["merged.case", "p1.case", "p2.case", "whole.case"]


def test_parts_of_several_folders(made, finding, tmp_path) -> None:
    here = made("a", [(finding(1), None)])
    there = made("b", [(finding(0, path="out/0.png"), None)], root=Root(b"out", b"/evidence/out"))
    merge_cases([here, there], tmp_path / "c.case", run=RUN)
    with open_case(tmp_path / "c.case") as case:
        assert case.roots == [ROOT, Root(b"out", b"/evidence/out")]
        assert [(row.path, place.root) for row, place in case.lines()] == [("in/0001.png", 0), ("out/0.png", 1)]


def test_words_of_several_examiners_are_kept(made, finding, tmp_path) -> None:
    first = made("a", [(finding(1), None)], examiner="A", note="same")
    second = made("b", [(finding(2), None)], examiner="B", note="same")
    merge_cases([first, second], tmp_path / "c.case", run=RUN)
    with open_case(tmp_path / "c.case") as case:
        assert (case.header.examiner, case.header.note, case.header.question) == ("A; B", "same", "")


def refused(tmp_path, parts, match) -> None:
    with pytest.raises(UsageError, match=match):
        merge_cases(parts, tmp_path / "out.case", run=RUN)
    assert not any("out.case" in path.name for path in tmp_path.iterdir())


def test_what_does_not_fit_together(made, finding, tmp_path) -> None:
    one = [(finding(1), None)]
    two = [(finding(2), None)]
    first = made("a", one)
    refused(tmp_path, [first], "needs two cases")
    others = [(finding(2, weights="f" * 12), None)]
    refused(tmp_path, [first, made("b", others, weights="f" * 12)], "weights was 0123456789ab, is ffffffffffff")
    refused(tmp_path, [first, made("c", two, configuration={"threshold": 1.0, "thumbnails": "full"})], "threshold was")
    refused(tmp_path, [first, made("d", two, tool_version="9")], "tool version was 0.1.0, is 9")
    refused(tmp_path, [first, made("e", two, card={})], "another card")
    refused(tmp_path, [first, made("f", two, complete=False)], "is not complete")
    refused(tmp_path, [first, made("g", one)], "two parts have in/0001.png")
    inside = [(finding(2, path="in/x/2.png"), None)]
    refused(tmp_path, [first, made("h", inside, root=Root(b"in/x", b"/evidence/in/x"))], "lies in, in of another part")


def test_every_part_of_a_divided_scan_must_be_there_once(made, finding, tmp_path) -> None:
    one, two = (made(f"p{n}", [(finding(n), None)], shard=f"{n}/3") for n in (1, 2))
    refused(tmp_path, [one, two], "parts are missing: 3/3")
    refused(tmp_path, [one, one, two], "is there twice")
    refused(tmp_path, [one, two, made("x", [(finding(3), None)])], "is no part of 3")
    refused(tmp_path, [one, two, made("y", [(finding(3), None)], shard="3/4")], "is no part of 3")


def test_an_altered_part_is_not_taken_in(made, finding, tmp_path) -> None:
    parts = [made("a", [(finding(1), None)]), made("b", [(finding(2), None)])]
    connection = sqlite3.connect(parts[1])
    connection.execute("UPDATE finding SET finding = replace(finding, 'known', 'other')")
    connection.commit()
    connection.close()
    with pytest.raises(VerificationError, match="does not agree with itself"):
        merge_cases(parts, tmp_path / "c.case", run=RUN)
    assert not (tmp_path / "c.case").exists()


def test_nothing_is_overwritten(made, finding, tmp_path) -> None:
    parts = [made("a", [(finding(1), None)]), made("b", [(finding(2), None)])]
    (tmp_path / "c.case").symlink_to("nowhere")
    with pytest.raises(UsageError, match="exists already"):
        merge_cases(parts, tmp_path / "c.case", run=RUN)
    assert (tmp_path / "c.case").readlink() == Path("nowhere")


def test_only_this_very_merge_is_left_as_it_is(made, finding, tmp_path) -> None:
    out = tmp_path / "c.case"
    parts = [made("a", [(finding(1), b"first")]), made("b", [(finding(2), b"picture")])]
    first = merge_cases(parts, out, run=RUN)
    assert not first.was_there
    assert merge_cases(parts[::-1], out, run=RUN) == replace(first, was_there=True)
    written = out.read_bytes()
    parts[1].unlink()
    made("b", [(finding(2), b"another")])  # by the same runs, as far as one can tell
    for others in ([parts[0], made("c3", [(finding(3), None)])], parts):
        with pytest.raises(UsageError, match=r"c\.case: exists already\. Choose another --out"):
            merge_cases(others, out, run=RUN)
    assert out.read_bytes() == written
    assert not [path.name for path in tmp_path.iterdir() if "part" in path.name or "lock" in path.name]


def test_a_damaged_merge_is_not_taken_for_this_one(made, finding, tmp_path) -> None:
    out = tmp_path / "c.case"
    parts = [made("a", [(finding(1), None)]), made("b", [(finding(2), None)])]
    merge_cases(parts, out, run=RUN)
    with closing(sqlite3.connect(out)) as connection:
        connection.execute("UPDATE finding SET finding = replace(finding, 'known', 'other')")
        connection.commit()
    with pytest.raises(UsageError, match="exists already"):
        merge_cases(parts, out, run=RUN)
