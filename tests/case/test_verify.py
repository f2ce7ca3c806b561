from __future__ import annotations

import sqlite3

import pytest

from forensic.case.chain import chain_next, chain_start
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
    "a root's number": "UPDATE finding SET root = 7 WHERE seq = 1",
    "a thumbnail": "UPDATE artefact SET thumbnail = x'00' WHERE seq = 1",
    "a spectrum": "UPDATE artefact SET spectrum = NULL WHERE seq = 1",
    "a row in the middle": "DELETE FROM finding WHERE seq = 1",
    "the last row": "DELETE FROM finding WHERE seq = 2",
    "the order of rows": "UPDATE finding SET seq = seq + 100 WHERE seq = 1",
    "a digest": "UPDATE finding SET digest = zeroblob(32) WHERE seq = 1",
    "the root": "UPDATE tree SET root = zeroblob(32)",
    "the closing digest": "UPDATE closing SET digest = zeroblob(32)",
    "the configuration": "UPDATE header SET value = '{\"threshold\": 5}' WHERE name = 'configuration'",
    "the weights": "UPDATE header SET value = '\"ffffffffffff\"' WHERE name = 'weights'",
    "a row cut, those after it moved up": "DELETE FROM finding WHERE seq = 1; UPDATE finding SET seq = 1 WHERE seq = 2;"
    "DELETE FROM artefact WHERE seq = 2; UPDATE closing SET findings = 2",
    "two rows swapped": "UPDATE finding SET seq = 9 WHERE seq = 1; UPDATE finding SET seq = 1 WHERE seq = 2;"
    "UPDATE finding SET seq = 2 WHERE seq = 9",
    "a row inserted": "INSERT INTO finding SELECT 3, root, path, mtime_ns, status, verdict, label, sha256, finding, "
    "digest FROM finding WHERE seq = 2; UPDATE closing SET findings = 4",
    "a finding that is no finding": "UPDATE finding SET finding = '{}' WHERE seq = 1",
}


@pytest.mark.parametrize("what", ALTERATIONS)
def test_alteration_is_found(write_case, finding, what) -> None:
    path = write_case([finding(0), finding(1), finding(2)])
    connection = sqlite3.connect(path)
    connection.executescript(ALTERATIONS[what])
    connection.commit()
    connection.close()
    result = verify_case(path)
    assert not result.agrees
    assert 1 <= len(result.differences) <= 10


def test_a_row_hashed_again_no_longer_fits_the_next(write_case, finding) -> None:
    path = write_case([finding(0), finding(1), finding(2)])
    with open_case(path) as case:
        digest = chain_start(case.header)
    connection = sqlite3.connect(path)
    connection.execute(
        "UPDATE finding SET finding = replace(finding, '\"score\": 1.1', '\"score\": 9.9') WHERE seq = 1"
    )
    query = "SELECT seq, finding, thumbnail, spectrum FROM finding JOIN artefact USING (seq) WHERE seq < 2 ORDER BY seq"
    for seq, *row in connection.execute(query).fetchall():
        digest = chain_next(digest, *row)
        connection.execute("UPDATE finding SET digest = ? WHERE seq = ?", (digest, seq))
    connection.commit()
    connection.close()
    assert verify_case(path).differences == ("row 2: its digest does not follow from the row and the one before",)


def test_a_digest_from_elsewhere_is_compared(write_case, finding) -> None:
    path = write_case([finding(0), finding(1)])
    digest = verify_case(path).digest
    assert verify_case(path, digest).agrees
    result = verify_case(path, "0" * 64)
    assert result.differences == (f"the chain ends in {digest}, expected was {'0' * 64}",)


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
