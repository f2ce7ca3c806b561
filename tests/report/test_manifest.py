from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from forensic.case.ledger import Place, Root, create_case, open_case
from forensic.case.rows import Artefacts, Finding, display_path
from forensic.report.manifest import sha256sum_line, write_bagit, write_sha256sum

NAMES = [
    b"plain.png",
    b"with space  .png",
    b"line\nend.png",
    b"carriage\rreturn.png",
    b"back\\slash.png",
    b"back\\nslash.png",
    b"100%0A.png",
    b"\xff\xfe.png",
    b"-rf *.png",
    "é\u202e.png".encode(),
]


@pytest.fixture
def made(make_case, tmp_path: Path) -> Path:
    """A folder `in` of awkward names, and beside it the case of a scan of it."""
    folder = tmp_path / "in"
    folder.mkdir()
    rows = []
    for number, name in enumerate(sorted(NAMES)):
        data = f"picture {number}".encode()
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(data)
        path, exact = display_path(b"in/" + name)
        finding = Finding(
            path=path,
            path_b64=exact,
            sha256=hashlib.sha256(data).hexdigest(),
            status="ok",
            preprocessing="tiles-128-v1",
            weights="0123456789ab",
        )
        rows.append((finding, Artefacts(), Place(0, name)))
    missing = Finding(
        path="in/none.png", status="unreadable", reason="x", preprocessing="tiles-128-v1", weights="0123456789ab"
    )
    rows.append((missing, Artefacts(), Place(0, b"none.png")))
    case = tmp_path / "a.case"
    with create_case(case, make_case.header(), roots=[Root(b"in", os.fsencode(folder))]) as writer:
        writer.append([row[:2] for row in rows], [row[2] for row in rows])
        writer.finish()
    return case


def written(case: Path, write) -> tuple[bytes, int]:
    stream = io.BytesIO()
    with open_case(case) as stored:
        left_out = write(stored, stream)
    return stream.getvalue(), left_out


def test_sha256sum_itself_checks_the_lines(made: Path, tmp_path: Path) -> None:
    lines, left_out = written(made, write_sha256sum)
    assert left_out == 1
    checked = subprocess.run(
        ["sha256sum", "--strict", "-c"], cwd=tmp_path, input=lines, capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.count(b": OK\n") == len(NAMES)
    (tmp_path / "in" / "plain.png").write_bytes(b"another")
    checked = subprocess.run(
        ["sha256sum", "--strict", "-c"], cwd=tmp_path, input=lines, capture_output=True, check=False
    )
    assert checked.returncode == 1
    assert checked.stdout.count(b"FAILED") == 1


def test_lines_are_those_that_sha256sum_writes(made: Path, tmp_path: Path) -> None:
    lines, _ = written(made, write_sha256sum)
    names = [b"in/" + name for name in sorted(NAMES)]
    said = subprocess.run(["sha256sum", "--", *names], cwd=tmp_path, capture_output=True, check=True).stdout
    assert lines == said


def test_a_plain_name_is_not_escaped() -> None:
    assert sha256sum_line("ab" * 32, b"a.png") == b"ab" * 32 + b"  a.png\n"


def test_bagit_manifest_names_the_payload(made: Path) -> None:
    lines, left_out = written(made, write_bagit)
    assert left_out == 1
    payload = [line.split(b"  ", 1)[1] for line in lines.splitlines()]
    assert b"data/line%0Aend.png" in payload
    assert b"data/carriage%0Dreturn.png" in payload
    assert b"data/100%250A.png" in payload
    assert b"data/\xff\xfe.png" in payload


def test_another_program_takes_it_for_a_bag(made: Path, tmp_path: Path) -> None:
    bagit = pytest.importorskip("bagit", reason="needs bagit", exc_type=ImportError)
    folder = tmp_path / "bag"
    folder.mkdir()
    shutil.copytree(tmp_path / "in", folder / "data")
    for name in (b"100%0A.png", b"\xff\xfe.png"):  # that library decodes neither
        (folder / "data" / os.fsdecode(name)).unlink()
    lines, _ = written(made, write_bagit)
    kept = [line for line in lines.splitlines(keepends=True) if b"%25" not in line and b"\xff" not in line]
    (folder / "manifest-sha256.txt").write_bytes(b"".join(kept))
    (folder / "bagit.txt").write_text("BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")
    bag = bagit.Bag(str(folder))
    bag.validate()
    (folder / "data" / "plain.png").write_bytes(b"another")
    with pytest.raises(bagit.BagValidationError):
        bag.validate()
