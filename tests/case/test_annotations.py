"""Annotations: only added, chained from the closing digest, and the findings stay as they were."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from forensic.case.annotations import Mark, annotate, marks, read_annotations
from forensic.case.ledger import open_case
from forensic.case.verify import verify_case
from forensic.errors import UsageError

WHO = {"by": "E", "at": "2026-01-02T03:04:05+00:00", "source": "command"}


@pytest.fixture
def case(write_case, finding) -> Path:
    path: Path = write_case([finding(1), finding(2), finding(3)])
    return path


def test_the_last_mark_holds_and_all_are_kept(case: Path) -> None:
    with open_case(case) as stored:
        before, digest = list(stored.lines()), stored.closing_digest
    assert annotate(case, [(1, Mark(grade=2)), (0, Mark(tags=("b", "a", "b")))], **WHO) == 2
    assert annotate(case, [(1, Mark(grade=4, note="n"))], **WHO) == 3
    assert annotate(case, [(1, Mark(grade=4, note="n"))], **WHO) == 3  # as it is: nothing new
    assert annotate(case, [(1, Mark())], **WHO) == 4
    with open_case(case) as stored:
        assert (list(stored.lines()), stored.closing_digest) == (before, digest)
        assert marks(stored) == {0: Mark(tags=("a", "b")), 1: Mark()}
        assert [(one.number, one.seq, one.mark.grade) for one in read_annotations(stored)] == [
            (1, 1, 2),
            (2, 0, None),
            (3, 1, 4),
            (4, 1, None),
        ]
    assert verify_case(case).agrees
    assert [entry.name for entry in case.parent.iterdir()] == [case.name]


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE annotation SET mark = replace(mark, '2', '5') WHERE number = 1", "annotation 1: its digest"),
        ("UPDATE annotation SET by = 'X' WHERE number = 2", "annotation 2: its digest"),
        ("UPDATE annotation SET seq = 2 WHERE number = 1", "annotation 1: its digest"),
        ("DELETE FROM annotation WHERE number = 1", "annotation 2: its number"),
        ("UPDATE annotation SET mark = '{}' WHERE number = 1", "an annotation can not be read"),
    ],
)
def test_what_was_altered_is_found(case: Path, statement: str, told: str) -> None:
    annotate(case, [(1, Mark(grade=2)), (0, Mark(flagged=True))], **WHO)
    with sqlite3.connect(case) as connection:
        connection.execute(statement)
    connection.close()
    result = verify_case(case)
    assert not result.agrees
    assert result.differences[0].startswith(told)


def test_a_case_of_format_1_gets_room(case: Path) -> None:
    with sqlite3.connect(case) as connection:
        connection.execute("DROP TABLE annotation")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    with open_case(case) as stored:
        assert marks(stored) == {}
    assert verify_case(case).agrees
    annotate(case, [(2, Mark(note="old"))], **WHO)
    with open_case(case) as stored:
        assert marks(stored) == {2: Mark(note="old")}
    assert verify_case(case).agrees


def test_refused(case: Path) -> None:
    before = case.read_bytes()
    with pytest.raises(UsageError, match="has no finding number 3"):
        annotate(case, [(0, Mark(grade=1)), (3, Mark(grade=1))], **WHO)
    assert case.read_bytes() == before
    with pytest.raises(ValueError, match="grade: expected 1 to 5, got 6"):
        Mark(grade=6)
