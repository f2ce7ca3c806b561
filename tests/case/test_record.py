from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from forensic.case.ledger import open_case
from forensic.case.record import record_differences


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("SELECT 1", None),
        ("UPDATE header SET value = '[\"alpha\", \"real\"]' WHERE name = 'classes'", "the classes are not those of"),
        ("UPDATE header SET value = json_set(value, '$.hash', 'f') WHERE name = 'card'", "that of other weights"),
        (
            "UPDATE header SET value = json_set(value, '$.preprocessing', 'x') WHERE name = 'card'",
            "the preprocessing is not that of the card",
        ),
        (
            "UPDATE header SET value = json_set(value, '$.calibration', json('{\"hash\": \"f\"}')) WHERE name = 'card'",
            "the calibration that is kept is not the one of the configuration",
        ),
        (
            "UPDATE header SET value = json_set(value, '$.calibration', 'f') WHERE name = 'configuration'",
            "the calibration that is kept is not the one of the configuration",
        ),
        ("UPDATE run SET outcome = 'interrupted'", "the case is closed, and by no run"),
        ("DELETE FROM run", "the case is closed, and by no run"),
        ("DELETE FROM closing", "the last run came to its end, and the case has none"),
        ("UPDATE run SET run_id = 4", "the runs are not numbered"),
        ("UPDATE run SET argv = '5'", "a run can not be read: "),
        ("UPDATE run SET versions = 'x'", "a run can not be read: "),
        ("UPDATE root SET id = 4", "the roots are not numbered"),
        ("INSERT INTO artefact VALUES (9, NULL, NULL)", "1 artefacts belong to no finding"),
    ],
)
def test_what_stands_beside_the_rows(write_case, finding, script: str, told: str | None) -> None:
    path = write_case([finding(0), finding(1)])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(script)
    with open_case(path) as case:
        found = list(record_differences(case))
    assert found == [] if told is None else any(told in one for one in found)


def test_an_unfinished_case_agrees(write_case, finding) -> None:
    with open_case(write_case([finding(0)], complete=False)) as case:
        assert list(record_differences(case)) == []


def test_a_hash_of_the_card_that_fits(write_case, finding) -> None:
    path = write_case([finding(0)])
    card = json.dumps({"hash": "0123456789ab" + "0" * 52})
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE header SET value = ? WHERE name = 'card'", (card,))
    with open_case(path) as case:
        assert list(record_differences(case)) == []
