from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from forensic.case import database
from forensic.case.ledger import open_case
from forensic.case.verify import verify_case
from forensic.errors import MachineError, UsageError, VerificationError


def test_other_format_is_refused_by_number(write_case, finding) -> None:
    path = write_case([finding(1)])
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 3")
    connection.close()
    with pytest.raises(UsageError, match="format 3; this version reads formats 1 to 2"):
        database.connect_for_reading(path)
    with pytest.raises(UsageError, match="format 3"):
        database.is_begun(path)


def test_writer_is_safe_against_a_power_cut(tmp_path) -> None:
    connection = database.connect_for_writing(tmp_path / "a.case")
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_reader_can_not_write(write_case, finding) -> None:
    connection = database.connect_for_reading(write_case([finding(1)]))
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM finding")
    connection.close()


def test_damage_is_told_as_damage(write_case, finding) -> None:
    path = write_case([finding(number) for number in range(50)])
    data = bytearray(path.read_bytes())
    data[4096:8192] = b"\xa5" * 4096
    path.write_bytes(data)
    with pytest.raises(VerificationError, match="damaged"):
        read_all(path)


def test_what_is_no_database_is_told_with_a_remedy(tmp_path) -> None:
    path = tmp_path / "a.case"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(VerificationError, match=r"is no case, or a damaged one .*scan --case FILE") as told:
        database.connect_for_reading(path)
    assert told.value.remedy


def read_all(path) -> None:
    with database.told(path), closing(sqlite3.connect(path)) as connection:
        for table in ("header", "finding", "root"):
            connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - names from the line above


def test_system_errors_are_the_machines(tmp_path) -> None:
    with pytest.raises(MachineError, match="No space left"), database.told(tmp_path / "a.case"):
        raise OSError(28, "No space left on device")


def test_path_with_awkward_characters(tmp_path) -> None:
    path = tmp_path / "a?b#c%20 d.case"
    connection = database.connect_for_writing(path)
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    assert path.is_file()


def test_every_column_of_the_schema_is_explained() -> None:
    schema = Path(database.__file__).with_name("schema.sql").read_text()
    connection = sqlite3.connect(":memory:", isolation_level=None)
    database.create_tables(connection)
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    assert sorted(tables) == ["annotation", "artefact", "closing", "finding", "header", "root", "run", "tree"]
    for table in tables:
        before, _, _ = schema.partition(f"CREATE TABLE {table} (")
        assert before.rstrip("\n").rpartition("\n")[2].startswith("--")
    connection.close()


def test_a_change_that_its_writer_left_half_done_is_told(write_case, finding) -> None:
    """As on a file system that is not local, where no write-ahead log is kept."""
    path = write_case([finding(number) for number in range(40)])
    half = (
        "import os, sqlite3, sys\n"
        "case = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "case.execute('PRAGMA cache_size = 1')\n"
        "case.execute('BEGIN')\n"
        "case.execute('UPDATE finding SET finding = finding || hex(randomblob(3000))')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", half, str(path)], check=False)
    assert path.with_name(path.name + "-journal").stat().st_size
    with pytest.raises(MachineError, match="Run the command again that wrote it"):
        open_case(path)
    assert database.is_begun(path)  # the first look of that command undoes it
    assert verify_case(path).agrees


def test_an_input_or_output_error_on_a_full_disk_is_told_as_what_it_is(tmp_path, monkeypatch) -> None:
    """The index of the log is made to grow by writing: where there is no room SQLite knows only that it failed."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
    with pytest.raises(MachineError, match="disk I/O error"), database.told(tmp_path / "a.case"):
        raise error
    monkeypatch.setattr(database, "_HARDLY", 1 << 62)
    with pytest.raises(MachineError, match=r"no space left on device\. Make room"), database.told(tmp_path / "a.case"):
        raise error


@pytest.mark.parametrize(
    ("folder", "mode"),
    [("here", "wal"), ("nfs", "delete"), ("a b", "delete"), ("disk", "wal"), ("here/to-nfs", "delete")],
)
def test_no_write_ahead_log_where_memory_is_not_shared(tmp_path, monkeypatch, folder, mode) -> None:
    """On network file systems and those of FUSE, whatever links lead there; a table of mounts stands for them."""
    kinds = {"": "ext4", "nfs": "nfs4", "a b": "fuse.sshfs", "disk": "fuseblk"}
    places = {str(tmp_path / name).replace(" ", r"\040"): kind for name, kind in kinds.items()}
    lines = [f"1 1 0:1 / {place} rw - {kind} source rw\n" for place, kind in places.items()]
    (tmp_path / "mounts").write_text("".join(lines))
    for name in ("nfs", "a b", "disk", "here"):
        (tmp_path / name).mkdir()
    (tmp_path / "here" / "to-nfs").mkdir()
    (tmp_path / "here" / "to-nfs" / "x.case").symlink_to(tmp_path / "nfs" / "x.case")
    monkeypatch.setattr(database, "_MOUNTS", tmp_path / "mounts")
    with closing(database.connect_for_writing(tmp_path / folder / "x.case")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == (mode,)
