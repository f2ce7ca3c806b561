from __future__ import annotations

import sqlite3

import pytest

from forensic.case.annotations import Mark, annotate
from forensic.case.chain import chain_next, chain_start
from forensic.case.exhibit import case_root
from forensic.case.ledger import open_case
from forensic.case.verify import verify_case
from forensic.errors import VerificationError


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
    "a size": "UPDATE finding SET finding = replace(finding, '\"bytes\": 1', '\"bytes\": 7') WHERE seq = 1",
    "a finding that is not ASCII": "UPDATE finding SET finding = finding || 'é' WHERE seq = 1",
    "a finding nested deeply": "UPDATE finding SET finding = replace(hex(zeroblob(60000)), '0', '[') WHERE seq = 1",
    "a path that is a number": "UPDATE finding SET finding = json_set(finding, '$.path', 5) WHERE seq = 1",
    "a half character in it": "UPDATE finding SET finding = replace(finding, 'in/0001', 'in/\\ud800') WHERE seq = 1",
    "exact bytes that are no base64": "UPDATE finding SET finding = json_set(finding, '$.path_b64', '%') WHERE seq = 1",
    "a score that is a word": "UPDATE finding SET finding = json_set(finding, '$.score', 'x') WHERE seq = 1",
    "a score that is no number": "UPDATE finding SET finding = replace(finding, '1.1', 'NaN') WHERE seq = 1",
    "a digest that is text": "UPDATE finding SET digest = 'abc' WHERE seq = 1",
    "the digest of the last row as a number": "UPDATE finding SET digest = 2000000000 WHERE seq = 2",
    "the root as a number": "UPDATE tree SET root = 2000000000",
    "a thumbnail that is text": "UPDATE artefact SET thumbnail = 'x' WHERE seq = 1",
    "a root's number that is text": "UPDATE finding SET root = 'x' WHERE seq = 1",
    "a finding that is no text": "UPDATE finding SET finding = x'7b7d' WHERE seq = 1",
    "a run that can not be read": "UPDATE run SET argv = 'x'",
    "the runs": "DELETE FROM run",
    "the roots": "DELETE FROM root",
    "the closing row": "DELETE FROM closing; DELETE FROM tree",
    "the format": "PRAGMA user_version = 1",
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON annotation BEGIN UPDATE finding SET label = 'real'; END",
    "the card's classes": "UPDATE header SET value = '{\"classes\": [\"x\"]}' WHERE name = 'card'",
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


@pytest.mark.parametrize(
    "script",
    [
        "DROP TABLE finding",
        "DROP TABLE header",
        "DROP TABLE run",
        "DROP TABLE annotation",
        "DELETE FROM header WHERE name = 'card'",
        "INSERT INTO header VALUES ('more', '1')",
        "UPDATE header SET value = 'x' WHERE name = 'card'",
        "UPDATE header SET value = '[]' WHERE name = 'configuration'",
        "UPDATE header SET value = '[1, 2]' WHERE name = 'classes'",
        "UPDATE header SET value = '{\"alpha\": 5}' WHERE name = 'class_spectra'",
        "UPDATE header SET value = '[1]' WHERE name = 'examiner'",
        "UPDATE finding SET finding = CAST(x'ff' AS TEXT)",
        "UPDATE run SET host = CAST(x'ff' AS TEXT)",
    ],
)
def test_damage_is_told_as_damage_and_never_as_a_fault_of_the_machine(write_case, finding, script) -> None:
    path = write_case([finding(0), finding(1)])
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.commit()
    connection.close()
    assert told_of(path)


def told_of(path) -> tuple[str, ...]:
    """The differences; where the file can not even be opened as a case, that."""
    try:
        return verify_case(path).differences
    except VerificationError as error:
        return (str(error),)


def chained_anew(path, script) -> None:
    """Alters a case, then computes its whole chain and its root anew, as a forger with this program can."""
    connection = sqlite3.connect(path)
    connection.executescript(script)
    with open_case(path) as case:
        digest = chain_start(case.header)
    query = "SELECT seq, finding, thumbnail, spectrum FROM finding LEFT JOIN artefact USING (seq) ORDER BY seq"
    for seq, *row in connection.execute(query).fetchall():
        digest = chain_next(digest, *row)
        connection.execute("UPDATE finding SET digest = ? WHERE seq = ?", (digest, seq))
    connection.execute("UPDATE closing SET digest = ?, findings = (SELECT count(*) FROM finding)", (digest,))
    connection.commit()
    with open_case(path) as case:
        root = bytes.fromhex(case_root(case))
    connection.execute("UPDATE tree SET root = ?", (root,))
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("SELECT 1", None),
        ("UPDATE finding SET finding = replace(finding, '\"score\": 1.1', '\"score\": 9.9') WHERE seq = 1", None),
        (
            "UPDATE finding SET finding = replace(finding, '\"score\": 1.1', '\"score\": -9.9') WHERE seq = 1",
            "row 1: its verdict does not follow from its score and threshold",
        ),
        (
            "UPDATE finding SET label = 'real', finding = json_set(finding, '$.label', 'real') WHERE seq = 1",
            "row 1: its verdict does not follow from its score and threshold",
        ),
        (
            "UPDATE finding SET status = 'skipped', finding = replace(finding, '\"ok\"', '\"skipped\"') WHERE seq = 1",
            "row 1: its verdict does not follow from its score and threshold",
        ),
        (
            "UPDATE header SET value = '\"ffffffffffff\"' WHERE name = 'weights'",
            "row 0: its weights or preprocessing are not those of the case",
        ),
    ],
)
def test_a_case_forged_as_a_whole(write_case, finding, script, told) -> None:
    path = write_case([finding(0), finding(1), finding(2)])
    published = verify_case(path).digest
    chained_anew(path, script)
    result = verify_case(path)
    assert result.agrees if told is None else result.differences[0] == told
    assert verify_case(path, published).agrees == (script == "SELECT 1")


def test_annotations_cut_from_the_end_are_found_by_their_digest(write_case, finding) -> None:
    path = write_case([finding(0), finding(1)])
    empty = verify_case(path).annotations
    for grade in (1, 2):
        annotate(path, [(0, Mark(grade=grade))], by="A", at="2026-01-02T00:00:00+00:00", source="command")
    whole = verify_case(path).annotations
    assert verify_case(path, None, whole).agrees
    for digest in (empty, "0" * 64):
        assert f"the annotations end in {whole}, expected was {digest}" in verify_case(path, None, digest).differences
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM annotation WHERE number = 2")
    connection.commit()
    connection.close()
    assert verify_case(path).agrees
    assert not verify_case(path, None, whole).agrees
