"""Claims that files carry stand beside their findings; scores and verdicts do not know of them."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from forensic.case.ledger import open_case
from forensic.case.places import Places
from forensic.scan.reexamine import reexamine

SAME_PIXELS = ("png-sd-a1111.png", "png-sd-novelai.png", "png-tc260-aigc.png", "png-html-in-text.png")


@pytest.fixture
def folder(tmp_path: Path, hostile: Path) -> Path:
    """Four pictures of equal pixels with other claims, one without any, and a truncated one that claims."""
    made = tmp_path / "in"
    made.mkdir()
    for name in (*SAME_PIXELS, "jpeg-ok-control.jpg"):
        shutil.copyfile(hostile / name, made / name)
    (made / "cut.png").write_bytes((hostile / "png-sd-a1111.png").read_bytes()[:9000])
    return made


def test_findings_carry_them_and_verdicts_do_not_change(scan, folder) -> None:
    scanned = scan(folder)
    found = {finding.path.rpartition("/")[2]: finding for finding in scanned.findings}
    assert len({(found[name].score, found[name].verdict, found[name].nearest) for name in SAME_PIXELS}) == 1
    kinds = {name: [claim.kind for claim in finding.claims or ()] for name, finding in found.items()}
    assert kinds["png-sd-a1111.png"] == ["generator"]
    assert kinds["png-tc260-aigc.png"] == ["gb45438:AIGC"]
    assert kinds["cut.png"] == ["generator"]
    assert found["cut.png"].status == "unreadable"
    assert found["jpeg-ok-control.jpg"].claims is None
    assert scanned.summary.claiming == 5
    assert found["png-html-in-text.png"].claims[0].value.startswith("</script><script>")


def changed(case: Path, table: str, before: str, after: str) -> None:
    name = {"finding": "finding", "header": "value"}[table]
    with closing(sqlite3.connect(case)) as connection:
        count = connection.execute(
            f"UPDATE {table} SET {name} = replace({name}, ?, ?) WHERE instr({name}, ?) > 0",  # noqa: S608 - ours
            (before, after, before),
        ).rowcount
        connection.commit()
    assert count == 1


def differences(case: Path, level: int, weights: Path) -> dict[str, tuple[str, ...]]:
    with open_case(case) as stored, closing(reexamine(stored, Places(stored, ()), level, weights=weights)) as checks:
        found = {checked.path.rpartition("/")[2]: checked.differences for checked in checks}
    return {path: told for path, told in found.items() if told}


def test_a_case_is_held_against_the_files(scan, folder, tmp_path, tiny_weights) -> None:
    case = tmp_path / "a.case"
    scan(folder, case=case)
    assert differences(case, 2, tiny_weights) == differences(case, 3, tiny_weights) == {}
    changed(case, "finding", '"kind": "gb45438:AIGC"', '"kind": "tool"')
    said = differences(case, 2, tiny_weights)
    assert list(said) == ["png-tc260-aigc.png"]
    assert said["png-tc260-aigc.png"][0].startswith("claims carried by the file were tool (")
    # claims that another version read, or none at all, are no difference of the file
    changed(case, "header", '"claims": 2', '"claims": 0')
    assert differences(case, 2, tiny_weights) == {}
