from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from forensic.case import reader
from forensic.case.ledger import create_case, open_case
from forensic.case.reader import Place, Root
from forensic.case.rows import Artefacts, Counts
from forensic.errors import UsageError, VerificationError


def test_everything_comes_back(write_case, finding, unreadable, header) -> None:
    unknown = finding(2, verdict="unknown", label=None)
    path = write_case([finding(1), unknown, unreadable(3)])
    with open_case(path) as case:
        assert case.header == header()
        assert case.complete
        assert case.counts == Counts(known=1, unknown=1, unreadable=1)
        assert case.counts_by_class == {"real": 0, "alpha": 1}
        assert case.other_files == 7
        assert case.run_times == ("2026-01-02T03:04:05+00:00", "2026-01-02T03:05:00+00:00")
        assert case.thumbnail_bytes == 12
        rows = list(case.rows())
        assert [seq for seq, _, _ in rows] == [0, 1, 2]
        assert [row for _, row, _ in rows] == [finding(1), unknown, unreadable(3)]
        assert rows[0][2] == Artefacts(thumbnail=b"webp", spectrum=(1.5, -2.25))
        assert [row.path for _, row, _ in case.rows(start=1, limit=1)] == ["in/0002.png"]
        assert [place for _, place in case.lines()][1] == Place(0, b"0002.png", 1000)


@pytest.mark.parametrize(
    "stored", [b"", b"\0" * 4, b"\0" * 12, b"\0\0\xc0\x7f" * 2], ids=["none", "one", "three", "nan"]
)
def test_a_spectrum_unlike_those_of_the_classes_is_damage(write_case, finding, stored) -> None:
    path = write_case([finding(1)])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE artefact SET spectrum = ?", (stored,))
    with open_case(path) as case, pytest.raises(VerificationError, match="a spectrum is not as long"):
        list(case.rows())


def test_opening_a_large_case_reads_no_row(write_case, finding) -> None:
    """A million rows are a gigabyte; what `case show` tells first stands in indices and at the end."""
    said: list[str] = []
    with open_case(write_case([finding(1), finding(2)])) as case:
        case.connection.set_trace_callback(said.append)
        assert (len(case), case.counts.total, case.counts_by_class["alpha"]) == (2, 2, 2)
        assert (case.roots_that_are_files, case.stored_root is not None) == (frozenset(), True)
        case.connection.set_trace_callback(None)
        asked = [query for query in said if " finding" in query]
        plans = [case.connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchall() for query in asked]
    assert len(plans) == 4
    assert all("USING INDEX" in plan[0][3] or "USING COVERING INDEX" in plan[0][3] for plan in plans)
    assert not any("TEMP B-TREE" in step for plan in plans for *_, step in plan)


def test_first_with_is_the_first_in_path_order(write_case, finding) -> None:
    path = write_case([finding(1), finding(2), finding(3, sha256=finding(2).sha256)])
    with open_case(path) as case:
        assert case.first_with(finding(2).sha256) == "in/0002.png"
        assert case.first_with("f" * 64) is None


def test_reading_changes_nothing(write_case, finding) -> None:
    path = write_case([finding(1)])
    before = path.read_bytes(), path.stat().st_mtime_ns
    with open_case(path) as case:
        list(case.rows())
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_case_that_is_being_written_can_be_read(tmp_path, header, finding) -> None:
    path = tmp_path / "a.case"
    with create_case(path, header()) as writer:
        writer.append([(finding(1), Artefacts())])
        with open_case(path) as case:
            assert not case.complete
            assert case.other_files is None
            assert len(case) == 1
            writer.append([(finding(2), Artefacts())])
            assert len(case) == 2


def test_empty_case_ends_where_the_chain_starts(tmp_path, header) -> None:
    with create_case(tmp_path / "a.case", header()) as writer:
        before = writer.closing_digest
        assert writer.finish() == before


def test_what_is_not_there_is_named(tmp_path) -> None:
    with pytest.raises(UsageError, match="no such case"):
        open_case(tmp_path / "none.case")


def test_rows_by_number_and_places(write_case, finding) -> None:
    with open_case(write_case([finding(3), finding(5)])) as case:
        assert case.finding(1) == finding(5)
        assert [(seq, place.path) for seq, place in case.places()] == [(0, b"0003.png"), (1, b"0005.png")]
        with pytest.raises(IndexError):
            case.finding(2)
        assert case.roots_that_are_files == frozenset()


def test_a_root_that_is_a_file_and_a_folder_that_can_not_be_listed(tmp_path, header, finding) -> None:
    roots = [Root(b"a.png", b"/e/a.png"), Root(b"in", b"/e/in")]
    with create_case(tmp_path / "a.case", header(), roots=roots) as case:
        rows = [finding(0, path="a.png"), finding(1, path="in/")]
        case.append([(row, Artefacts()) for row in rows], [Place(0), Place(1)])
        assert case.roots_that_are_files == {0}


def test_pages_are_the_lines(write_case, finding, monkeypatch) -> None:
    monkeypatch.setattr(reader, "_PAGE", 3)
    for count in (0, 2, 3, 7):
        with open_case(write_case([finding(n) for n in range(count)], name=f"{count}.case")) as case:
            assert list(case.paged_lines()) == list(case.lines())
            assert len(list(case.lines(1, 2))) == max(0, min(2, count - 1))
