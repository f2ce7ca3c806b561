from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from forensic.case import database
from forensic.case.form import form_differences


def differences(path: Path) -> list[str]:
    with closing(database.connect_for_reading(path)) as connection:
        return list(form_differences(connection))


def altered(path: Path, script: str) -> Path:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(script)
    return path


@pytest.mark.parametrize(
    "harmless",
    [
        "SELECT 1",
        "VACUUM",
        "ANALYZE",
        "REINDEX",
        "DROP TABLE tree",
        "DROP INDEX finding_by_outcome; DROP INDEX finding_that_is_a_root",
        "DROP TABLE annotation; PRAGMA user_version = 1",
    ],
)
def test_cases_of_this_and_of_earlier_versions_agree(write_case, finding, harmless: str) -> None:
    assert differences(altered(write_case([finding(0), finding(1)]), harmless)) == []


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (
            "CREATE TRIGGER later AFTER INSERT ON annotation BEGIN DELETE FROM finding; END",
            "trigger later belongs to no case of this format",
        ),
        ("CREATE TABLE more (x)", "table more belongs to no case of this format"),
        (
            "ALTER TABLE finding RENAME TO hidden; CREATE VIEW finding AS SELECT * FROM hidden",
            "view finding is not as the schema has it",
        ),
        ("ALTER TABLE finding ADD COLUMN more", "table finding is not as the schema has it"),
        ("DROP INDEX finding_by_content", "finding_by_content is missing"),
        ("DROP TABLE annotation", "annotation is missing"),
        ("DROP TABLE closing", "closing is missing"),
        ("PRAGMA user_version = 1", "table annotation belongs to no case of this format"),
        (
            "UPDATE finding SET digest = 'text' WHERE seq = 1",
            "table finding: 1 rows hold values of another type, the first in row 1",
        ),
        (
            "UPDATE finding SET root = 0.5",
            "table finding: 2 rows hold values of another type, the first in row 0",
        ),
        ("UPDATE finding SET finding = x'00'", "table finding: 2 rows hold values of another type, the first in row 0"),
        (
            "UPDATE artefact SET thumbnail = 9 WHERE seq = 1",
            "table artefact: 1 rows hold values of another type, the first in row 1",
        ),
        ("UPDATE tree SET root = 2000000000", "table tree: 1 rows hold values of another type"),
        ("UPDATE closing SET digest = 'text'", "table closing: 1 rows hold values of another type"),
        ("UPDATE header SET value = x'00' WHERE name = 'card'", "table header: 1 rows hold values of another type"),
        ("UPDATE run SET pid = 'x'", "table run: 1 rows hold values of another type, the first in row 1"),
        ("UPDATE root SET given = 'x'", "table root: 1 rows hold values of another type, the first in row 0"),
    ],
)
def test_what_no_case_has_is_told(write_case, finding, script: str, told: str) -> None:
    assert told in differences(altered(write_case([finding(0), finding(1)]), script))
