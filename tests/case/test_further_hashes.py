from __future__ import annotations

import hashlib
import os

import pytest

from forensic.case.further_hashes import further_hashes
from forensic.case.ledger import Place, Root, create_case, open_case
from forensic.case.places import Places
from forensic.case.rows import Artefacts
from forensic.errors import VerificationError


@pytest.fixture
def case(tmp_path, header, finding, unreadable):
    (tmp_path / "in").mkdir()
    rows = []
    for number in range(2):
        data = f"picture {number}".encode()
        (tmp_path / "in" / f"{number}.png").write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
        rows.append(finding(number, path=f"in/{number}.png", sha256=sha256, bytes=len(data)))
    rows.append(unreadable(2).__class__(**{**unreadable(2).__dict__, "path": "in/none.png", "sha256": None}))
    with create_case(tmp_path / "a.case", header(), roots=[Root(b"in", os.fsencode(tmp_path / "in"))]) as writer:
        writer.append([(row, Artefacts()) for row in rows], [Place(0, row.path[3:].encode()) for row in rows])
        writer.finish()
    return tmp_path / "a.case"


def hashed(case, evidence=()):
    with open_case(case) as stored:
        return [more for _, more in further_hashes(stored, Places(stored, evidence), ("md5", "sha1"))]


def test_hashes_are_of_the_bytes_whose_sha256_was_checked(case) -> None:
    known = [f"picture {number}".encode() for number in range(2)]
    assert hashed(case) == [
        *(
            {
                "md5": hashlib.md5(data, usedforsecurity=False).hexdigest(),
                "sha1": hashlib.sha1(data, usedforsecurity=False).hexdigest(),
            }
            for data in known
        ),
        {"md5": None, "sha1": None},
    ]


def test_no_hash_of_another_file(case, tmp_path) -> None:
    (tmp_path / "in" / "1.png").write_bytes(b"picture 2")
    with pytest.raises(VerificationError, match=r"in/1\.png: has another content"):
        hashed(case)
    (tmp_path / "in").rename(tmp_path / "moved")
    with pytest.raises(VerificationError, match=r"in/0\.png: can not be hashed again: no such file"):
        hashed(case)
    (tmp_path / "moved" / "1.png").write_bytes(b"picture 1")
    assert len(hashed(case, [str(tmp_path / "moved")])) == 3
