from __future__ import annotations

import sqlite3

import pytest

from forensic.case.ledger import open_case
from forensic.case.verify import verify_case


def test_untouched_case_agrees(write_case, finding, unreadable) -> None:
    path = write_case([finding(1), finding(2), unreadable(3)])
    result = verify_case(path)
    assert result.agrees
    assert result.findings == 3
    with open_case(path) as case:
        assert result.digest == case.closing_digest


ALTERATIONS = {
    "a score": "UPDATE finding SET finding = replace(finding, '\"score\": 1.1', '\"score\": 9.9') WHERE seq = 1",
    "a verdict's column": "UPDATE finding SET verdict = 'unknown' WHERE seq = 1",
    "a path's column": "UPDATE finding SET path = x'61' WHERE seq = 1",
    "a thumbnail": "UPDATE artefact SET thumbnail = x'00' WHERE seq = 1",
    "a spectrum": "UPDATE artefact SET spectrum = NULL WHERE seq = 1",
    "a row in the middle": "DELETE FROM finding WHERE seq = 1",
    "the last row": "DELETE FROM finding WHERE seq = 2",
    "the order of rows": "UPDATE finding SET seq = seq + 100 WHERE seq = 1",
    "a digest": "UPDATE finding SET digest = zeroblob(32) WHERE seq = 1",
    "the closing digest": "UPDATE closing SET digest = zeroblob(32)",
    "the configuration": "UPDATE header SET value = '{\"threshold\": 5}' WHERE name = 'configuration'",
    "the weights": "UPDATE header SET value = '\"ffffffffffff\"' WHERE name = 'weights'",
    "a finding that is no finding": "UPDATE finding SET finding = '{}' WHERE seq = 1",
}


@pytest.mark.parametrize("what", ALTERATIONS)
def test_alteration_is_found(write_case, finding, what) -> None:
    path = write_case([finding(0), finding(1), finding(2)])
    connection = sqlite3.connect(path)
    connection.execute(ALTERATIONS[what])
    connection.commit()
    connection.close()
    result = verify_case(path)
    assert not result.agrees
    assert 1 <= len(result.differences) <= 10


def test_one_altered_row_is_not_told_as_all_that_follow(write_case, finding) -> None:
    path = write_case([finding(number) for number in range(40)])
    connection = sqlite3.connect(path)
    connection.execute("UPDATE artefact SET thumbnail = x'00' WHERE seq = 3")
    connection.commit()
    connection.close()
    assert verify_case(path).differences == ("row 3: its digest does not follow from the row and the one before",)


def test_differences_are_counted_beyond_those_told(write_case, finding) -> None:
    path = write_case([finding(number) for number in range(40)])
    connection = sqlite3.connect(path)
    connection.execute("UPDATE finding SET label = 'real'")
    connection.commit()
    connection.close()
    result = verify_case(path)
    assert len(result.differences) == 10
    assert result.count == 40
