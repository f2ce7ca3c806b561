from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path, hostile) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(14):
        shutil.copyfile(hostile / "jpeg-ok-control.jpg", folder / f"{number:02d}.jpg")
    shutil.copyfile(hostile / "empty.jpg", folder / "empty.jpg")
    return folder


@pytest.fixture
def case(forensic, tiny_weights, folder, tmp_path) -> Path:
    path = tmp_path / "a.case"
    assert forensic("scan", folder, "--weights", tiny_weights, "--case", path).code == 3
    return path


def test_each_level_agrees_and_says_what_it_did_not_check(forensic, case, tiny_weights) -> None:
    before = case.read_bytes()
    for level, done, left in (
        ("0", "agrees with itself", "whether the files are unchanged"),
        ("1", "level 1: 15 files re-hashed, none differs", "whether the files give the same findings"),
        ("2", "level 2: 15 files re-hashed and decoded again, none differs", "scores and verdicts"),
        ("3", "level 3: 15 files re-hashed, decoded and scored again, none differs", "thumbnails"),
    ):
        weights = ("--weights", tiny_weights) if level == "3" else ()
        said = forensic("case", "verify", case, "--level", level, *weights)
        assert said.code == 0
        assert done in said.out
        assert f"Not checked: {left}" in said.err
        assert "no digest covers: the examiner's words, versions and history of the runs" in said.err
        assert ("the card and the spectra of the classes (--level 3)" in said.err) == (level != "3")
    assert "level 1: 15 files" in forensic("case", "verify", case).out
    assert case.read_bytes() == before


def test_a_changed_file_is_a_mismatch_with_its_path(forensic, case, folder) -> None:
    (folder / "03.jpg").write_bytes(b"other")
    (folder / "04.jpg").unlink()
    said = forensic("case", "verify", case)
    assert (said.code, said.out) == (4, "")
    assert f"row 3, {folder}/03.jpg: has another content (5 bytes, was " in said.err
    assert f"row 4, {folder}/04.jpg: is missing" in said.err
    assert "2 differences. 2 of 15 files differ" in said.err
    assert forensic("case", "verify", case, "--level", "0").code == 0


def test_differences_are_a_bounded_list_with_a_count(forensic, case, folder) -> None:
    shutil.rmtree(folder)
    said = forensic("case", "verify", case)
    assert said.code == 4
    assert said.err.count("is missing") == 10
    assert "15 differences, 5 of them not shown" in said.err


def test_another_place_and_a_sample(forensic, case, folder, tmp_path) -> None:
    folder.rename(tmp_path / "copy")
    assert forensic("case", "verify", case).code == 4
    said = forensic("case", "verify", case, "--evidence", tmp_path / "copy", "--sample", "4", "--seed", "7")
    assert said.code == 0
    assert "level 1: 4 of 15 files (seed 7) re-hashed" in said.out


def test_missing_weights_and_wrong_use(forensic, case) -> None:
    said = forensic("case", "verify", case, "--level", "3")
    assert said.code == 5
    assert "Name their file with --weights FILE" in said.err
    assert forensic("case", "verify", case, "--level", "3", "--weights", "osma-mini").code == 5
    assert forensic("case", "verify", case, "--level", "4").code == 2
    assert forensic("case", "verify", case, "--level", "0", "--sample", "2").code == 2
    assert forensic("case", "verify", case, "--expect-digest", "12ab").code == 2
    assert forensic("case", "verify", case, "--evidence", "/no/such").code == 2


def test_a_published_digest_finds_a_case_that_was_forged_as_a_whole(forensic, case) -> None:
    digest = forensic("case", "verify", case).out.split("closing digest ")[1].split()[0]
    assert forensic("case", "verify", case, "--expect-digest", digest.upper()).code == 0
    connection = sqlite3.connect(case)
    connection.execute("UPDATE finding SET finding = replace(finding, 'empty file', 'no reason')")
    connection.commit()
    connection.close()
    altered = forensic("case", "verify", case, "--level", "0")
    assert (altered.code, altered.out) == (4, "")
    assert "row 14: its digest does not follow" in altered.err
    recompute_chain(case)
    half = forensic("case", "verify", case, "--level", "0")
    assert half.code == 4
    assert "the root is not that of the rows" in half.err
    recompute_root(case)
    assert forensic("case", "verify", case, "--level", "0").code == 0
    said = forensic("case", "verify", case, "--level", "0", "--expect-digest", digest)
    assert said.code == 4
    assert f"expected was {digest}" in said.err


def recompute_chain(case: Path) -> None:
    """What a forger does who knows how a case is made."""
    from forensic.case.chain import chain_next, chain_start
    from forensic.case.ledger import open_case

    with open_case(case) as stored:
        digest = chain_start(stored.header)
    connection = sqlite3.connect(case)
    query = "SELECT seq, finding, thumbnail, spectrum FROM finding LEFT JOIN artefact USING (seq) ORDER BY seq"
    for seq, line, thumbnail, spectrum in connection.execute(query).fetchall():
        digest = chain_next(digest, line, thumbnail, spectrum)
        connection.execute("UPDATE finding SET digest = ? WHERE seq = ?", (digest, seq))
    connection.execute("UPDATE closing SET digest = ?", (digest,))
    connection.commit()
    connection.close()


def recompute_root(case: Path) -> None:
    from forensic.case.exhibit import case_root
    from forensic.case.ledger import open_case

    with open_case(case) as stored:
        root = case_root(stored)
    connection = sqlite3.connect(case)
    connection.execute("UPDATE tree SET root = ?", (bytes.fromhex(root),))
    connection.commit()
    connection.close()


@pytest.mark.parametrize("name", ["card", "class_spectra"])
def test_what_the_weights_say_otherwise_is_found_at_level_3(forensic, case, tiny_weights, name) -> None:
    with closing(sqlite3.connect(case, isolation_level=None)) as connection:
        (value,) = connection.execute("SELECT value FROM header WHERE name = ?", (name,)).fetchone()
        said = json.loads(value)
        if name == "card":
            said["tolerance"] = 1e9
        else:
            said.popitem()
        connection.execute("UPDATE header SET value = ? WHERE name = ?", (json.dumps(said), name))
    assert forensic("case", "verify", case, "--level", "0").code == 0  # no digest covers it, and the remark says so
    found = forensic("case", "verify", case, "--level", "3", "--weights", tiny_weights)
    assert (found.code, "are not those of its weights" in found.err) == (4, True)


def test_a_case_that_is_not_complete_may_lack_its_end(forensic, case) -> None:
    with closing(sqlite3.connect(case, isolation_level=None)) as connection:
        connection.executescript(
            "DELETE FROM closing; DELETE FROM tree; UPDATE run SET outcome = 'interrupted';"
            "DELETE FROM finding WHERE seq > 9; DELETE FROM artefact WHERE seq > 9"
        )
    said = forensic("case", "verify", case, "--level", "0")
    assert said.code == 0
    assert "10 findings, not complete" in said.out
    assert "whether rows are missing at the end, since the case is not complete" in said.err
