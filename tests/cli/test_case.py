from __future__ import annotations

import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest
from conftest import clean_environment, forensic_command


@pytest.fixture(scope="module")
def scanned(run_forensic, tiny_weights: Path, hostile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    inputs = [hostile / name for name in ("jpeg-ok-control.jpg", "empty.jpg", "jpeg-1x1.jpg")]
    path = tmp_path_factory.mktemp("scanned") / "a.case"
    ran = run_forensic("scan", *inputs, "--weights", tiny_weights, "--case", path, "--examiner", "A. Example")
    assert ran.code == 3
    return path


@pytest.fixture
def case(scanned: Path, tmp_path: Path) -> Path:
    """A case of the test's own."""
    return shutil.copyfile(scanned, tmp_path / "a.case")


def test_show_and_verify(run_forensic, case) -> None:
    shown = run_forensic("case", "show", case, "--runs", "--unreadable")
    assert shown.code == 0
    for text in ("A. Example", "unreadable", "empty file", "closing digest", "done"):
        assert text in shown.out
    for text in ("torch", "processor", "max_pixels", "pillow", "--examiner 'A. Example'"):  # what repeating needs
        assert text in shown.out
    verified = run_forensic("case", "verify", case)
    assert verified.code == 0
    assert "agrees with itself; 3 findings, complete" in verified.out
    digest = verified.lines[1].rpartition(" ")[2]
    assert digest in shown.out


def test_altered_case_is_a_mismatch(run_forensic, case) -> None:
    connection = sqlite3.connect(case)
    connection.execute("UPDATE finding SET finding = replace(finding, 'empty file', 'no reason')")
    connection.commit()
    connection.close()
    verified = run_forensic("case", "verify", case)
    assert (verified.code, verified.out) == (4, "")
    assert "row " in verified.err


def test_what_is_no_case(run_forensic, tmp_path) -> None:
    (tmp_path / "x.case").write_text("no database")
    assert run_forensic("case", "show", tmp_path / "none.case").code == 2
    for command in (("case", "verify"), ("case", "show")):
        ran = run_forensic(*command, tmp_path / "x.case")
        assert (ran.code, ran.err.count("\n")) == (4, 1)
        assert "Name the file that `forensic scan --case FILE` wrote" in ran.err


@pytest.mark.parametrize(("name", "code"), [("none.case", 2), ("", 0)])
def test_a_full_disk_behind_stderr_changes_no_exit_code(case, tmp_path, name: str, code: int) -> None:
    words = ["case", "verify", tmp_path / name if name else case, "--level", "0"]
    with Path("/dev/full").open("wb") as full:
        line, environment = forensic_command(words), clean_environment({"TMPDIR": str(tmp_path)})
        done = subprocess.run(line, stdout=subprocess.PIPE, stderr=full, env=environment, check=False)
    assert (done.returncode, b"complete" in done.stdout) == (code, not code)
    assert not list(tmp_path.glob("forensic-traceback-*"))


@pytest.mark.parametrize("words", [["--help"], ["weights", "list"], ["provenance"], ["spectrum"]])
def test_a_full_disk_behind_stdout_is_told_by_every_command(hostile, tmp_path, words: list[str]) -> None:
    words = words + [str(hostile / "jpeg-ok-control.jpg")] * (words[0] in ("provenance", "spectrum"))
    with Path("/dev/full").open("wb") as full:
        line, environment = forensic_command(words), clean_environment({"TMPDIR": str(tmp_path)})
        done = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, env=environment, check=False)
    told = b"forensic: stdout: can not be written: no space left on device. "
    assert (done.returncode, done.stderr.startswith(told), done.stderr.count(b"\n")) == (6, True, 1), done.stderr
    assert not list(tmp_path.glob("forensic-traceback-*"))


@pytest.mark.parametrize("command", [["show"], ["show", "--runs"], ["verify", "--level", "0"], ["diff"]])
def test_a_full_disk_behind_stdout_is_no_fault_of_the_program(case, command) -> None:
    words = [*command[:1], case, *([case] if command == ["diff"] else []), *command[1:]]
    with Path("/dev/full").open("wb") as full:
        line, environment = forensic_command(["case", *words]), clean_environment({})
        done = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, env=environment, check=False)
    assert (done.returncode, b"no space left on device" in done.stderr) == (6, True), done.stderr
