"""How SQLite is spoken to: the file's identity, its journal, and what its errors mean."""

from __future__ import annotations

import errno
import os
import re
import sqlite3
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from forensic.case.evidence import real_path
from forensic.case.lock import writer_lives
from forensic.errors import MachineError, UsageError, VerificationError, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT = 2
"""The format this version writes; history in schema.sql."""
READ = (1, 2)
"""The formats this version reads."""
_APPLICATION_ID = 0x666F7263
_SQLITE_MAGIC = b"SQLite format 3\x00"
_HEAD, _VERSIONS, _WITH_LOG = 20, slice(18, 20), b"\x02\x02"
"""Of SQLite's file format, section 1.3: whether it is written and read with a write-ahead log."""
_REMOTE = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "gfs2",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "panfs",
        "prl_fs",
        "smb3",
        "smbfs",
        "vboxsf",
        "virtiofs",
    }
)
"""Shared between machines, or between a machine and those that it holds; all of FUSE too but disks (fuseblk)."""
_MOUNTS = Path("/proc/self/mountinfo")
_MISSHAPEN = frozenset(
    {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_SCHEMA}
)
"""A table is missing, or two rows claim one number: the statements are fixed, so the file is at fault."""
_OF_A_DEAD_WRITER = frozenset(
    {
        sqlite3.SQLITE_READONLY_CANTINIT,
        sqlite3.SQLITE_READONLY_CANTLOCK,
        sqlite3.SQLITE_READONLY_RECOVERY,
        sqlite3.SQLITE_READONLY_ROLLBACK,
    }
)
"""A log is there that only one who may write can undo or read."""
_NAME = re.compile(r"^CREATE (?:TABLE|INDEX) (\w+)", re.MULTILINE)
_BUSY_SECONDS = 10.0
_READERS_SECONDS = 600.0
"""As long may a reader keep a writer from a case without a log."""
_PAUSE_MS = 50
_HARDLY = 1 << 16
"""Bytes; the index of a write-ahead log grows by half of that."""
_ANOTHER = "Choose another --case; nothing is overwritten"
_ANEW = "Name the file that `forensic scan --case FILE` wrote, or take it anew from where it is kept"
_AGAIN = "run the same command again"


def connect_for_writing(path: Path | None) -> sqlite3.Connection:
    """A connection that survives a power cut after each commit; without a path, to an anonymous temporary database.

    Raises:
        UsageError: the file is no case, or of another format.
        MachineError: it can not be opened or written.
    """
    if path is None:
        connection = sqlite3.connect("", isolation_level=None)
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = MEMORY")
        return connection
    with told(path):
        connection = sqlite3.connect(_address(path), uri=True, isolation_level=None, timeout=_READERS_SECONDS)
        try:
            if _is_local(path):
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute(f"PRAGMA busy_timeout = {int(_BUSY_SECONDS * 1000)}")
            else:
                connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("PRAGMA synchronous = FULL")
        except BaseException:
            connection.close()
            raise
    return connection


def connect_for_reading(path: Path) -> sqlite3.Connection:
    """A read-only connection; immutable unless a writer lives or died before its log was merged.

    Raises:
        UsageError: the file does not exist, is no case, or is of another format.
        MachineError: it can not be read.
    """
    if not os.path.isfile(path):  # noqa: PTH113 - False for a name that is too long, where a Path raises
        raise UsageError(os.fspath(path), "no such case", "`forensic scan PATH --case FILE` makes one")
    quiet = not writer_lives(path) and not has_leftovers(path)
    options = "?mode=ro&immutable=1" if quiet else "?mode=ro"
    with told(path):
        connection = sqlite3.connect(_address(path) + options, uri=True, isolation_level=None, timeout=_BUSY_SECONDS)
        try:
            check_format(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def create_tables(connection: sqlite3.Connection) -> None:
    """Schema and identity; inside the caller's transaction."""
    for statement in _statements():
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")


def make_room_for_annotations(connection: sqlite3.Connection) -> None:
    """A case of format 1 becomes one of format 2; inside the caller's transaction."""
    if not has_annotations(connection):
        (statement,) = (one for one in _statements() if "CREATE TABLE annotation" in one)
        connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {FORMAT}")


def has_annotations(connection: sqlite3.Connection) -> bool:
    """Whether the case is of a format with annotations."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0]) >= 2


def has_tree(connection: sqlite3.Connection) -> bool:
    """Whether the case has room for its root; those of earlier versions have none."""
    query = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'tree')"
    return bool(connection.execute(query).fetchone()[0])


def schema() -> dict[str, str]:
    """Name of each table and index that a case of this format has, and the statement that makes it."""
    return {_NAME.findall(statement)[0]: statement for statement in _statements()}


def _statements() -> Iterator[str]:
    statement = ""
    for line in Path(__file__).with_name("schema.sql").read_text(encoding="utf-8").splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def check_format(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse what is no case, and a case of another format by its number.

    Raises:
        UsageError: as said.
    """
    (identity,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if identity == 0 and not connection.execute("SELECT EXISTS (SELECT 1 FROM sqlite_schema)").fetchone()[0]:
        raise UsageError(os.fspath(path), "holds nothing yet", "Wait for the scan that begins it, or begin it anew")
    if identity != _APPLICATION_ID:
        raise UsageError(os.fspath(path), "is a SQLite file but not a case of forensic", "Choose another file")
    if version not in READ:
        raise UsageError(
            os.fspath(path),
            f"is a case of format {version}; this version reads formats {READ[0]} to {READ[-1]}",
            "Use the version of forensic that wrote it, or a newer one",
        )


def is_begun(path: Path) -> bool:
    """Whether the file holds a case with at least one run; an empty or missing file does not.

    Raises:
        UsageError: the file is something else, which must not be overwritten.
        MachineError: it can not be read.
    """
    with told(path):
        try:
            if path.stat().st_size == 0:  # a log beside it could only undo what was to be written into it first
                return False
            with path.open("rb") as file:
                head = file.read(len(_SQLITE_MAGIC))
        except FileNotFoundError:
            return False
        if head != _SQLITE_MAGIC:
            raise UsageError(os.fspath(path), "exists and is not a case", _ANOTHER)
        connection = sqlite3.connect(_address(path), uri=True, isolation_level=None, timeout=_BUSY_SECONDS)
        try:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
            if not tables:
                return False
            check_format(connection, path)
            return bool(connection.execute("SELECT EXISTS (SELECT 1 FROM run)").fetchone()[0])
        finally:
            connection.close()


def remove_log(connection: sqlite3.Connection, path: Path | None) -> None:
    """Merge the write-ahead log, so that the case is one file again; the last that a connection is used for.

    While others read the case its log can not go: then it stays, after some waiting, and the case is valid with it.

    Raises:
        MachineError: the disk is full; the log stays and the case stays valid with it.
    """
    if path is None:
        return
    until = time.monotonic() + _BUSY_SECONDS
    with told(path):
        connection.execute(f"PRAGMA busy_timeout = {_PAUSE_MS}")
        while True:
            try:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                connection.execute("PRAGMA journal_mode = DELETE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
            else:
                return
            if time.monotonic() > until:
                return
            time.sleep(_PAUSE_MS / 1000)


def has_log(path: Path) -> bool:
    """Whether anything of SQLite's lies beside the file, merged or not."""
    return any(log.exists() for log in _beside(path, "-wal", "-shm", "-journal"))


def is_settled(path: Path) -> bool:
    """Whether the file is a case for itself: nothing lies beside it, and its head does not say that something should.

    Raises:
        OSError: it can not be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return not has_log(path) and head[_VERSIONS] != _WITH_LOG


def has_leftovers(path: Path) -> bool:
    """Whether a log lies beside the file that is not merged yet."""
    return any(log.is_file() and log.stat().st_size > 0 for log in _beside(path, "-wal", "-journal"))


def remove_database(path: Path) -> None:
    """Remove a file that nobody needs, and all that SQLite kept beside it; what is not there is passed over.

    Raises:
        OSError: it can not be removed.
    """
    for part in (path, *_beside(path, "-wal", "-shm", "-journal")):
        part.unlink(missing_ok=True)


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path | None) -> Iterator[None]:
    """All or nothing, on the disk before it returns.

    Raises:
        MachineError: the disk is full or fails; nothing is stored.
    """
    with told(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


@contextmanager
def told(path: Path | None) -> Iterator[None]:
    """Turn SQLite's and the system's errors into ours.

    Raises:
        VerificationError: the file is damaged.
        MachineError: anything else that keeps it from being read or written.
    """
    subject = "temporary database" if path is None else os.fspath(path)
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_NOTADB:
            raise VerificationError(subject, f"is no case, or a damaged one ({error})", _ANEW) from error
        undecoded = isinstance(error, sqlite3.OperationalError) and not code  # text that is no UTF-8
        if code == sqlite3.SQLITE_CORRUPT or undecoded:
            raise VerificationError(subject, f"is damaged ({error})", _ANEW) from error
        if code in _MISSHAPEN:
            raise VerificationError(subject, f"has not the form of a case ({error})", _ANEW) from error
        left = code == sqlite3.SQLITE_CANTOPEN and path is not None and has_leftovers(path)
        if left or getattr(error, "sqlite_errorcode", 0) in _OF_A_DEAD_WRITER:
            reason = "its writer died while it wrote, and what it left has to be undone first"
            raise MachineError(subject, reason, "Run the command again that wrote it") from error
        if code == sqlite3.SQLITE_READONLY:
            raise refused(subject, _system_error(errno.EACCES)) from error
        if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and path is not None and _is_full(path)):
            raise refused(subject, _system_error(errno.ENOSPC)) from error
        raise MachineError(subject, str(error), f"Cure it, then {_AGAIN}") from error
    except OSError as error:
        raise MachineError(subject, error.strerror or str(error), f"Cure it, then {_AGAIN}") from error


def _system_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@contextmanager
def read(path: Path | None) -> Iterator[None]:
    """As `told`, around code that only turns what is stored into values: what it can not turn is damaged too.

    Raises:
        VerificationError: the file is damaged, or was altered.
        MachineError: it can not be read.
    """
    with told(path):
        try:
            yield
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            subject = "temporary database" if path is None else os.fspath(path)
            what = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
            raise VerificationError(subject, f"holds what no case holds ({what})", _ANEW) from error


def blob(value: object) -> bytes:
    """A stored value that must be bytes.

    Raises:
        TypeError: it is something else; `bytes` would make a number into as many zeros.
    """
    if not isinstance(value, bytes):
        raise TypeError(f"expected bytes, got {type(value).__name__}")
    return value


def _address(path: Path) -> str:
    return "file:" + quote(os.fsencode(path.absolute()))


def _beside(path: Path, *suffixes: str) -> list[Path]:
    """What SQLite keeps beside a database: beside the file itself, where `path` is a link to it."""
    real = real_path(path)
    return [real.with_name(real.name + suffix) for suffix in suffixes]


def _is_full(path: Path) -> bool:
    """Whether there is hardly room: what SQLite keeps beside a case fails without a word of that."""
    try:
        room = os.statvfs(real_path(path).parent)
    except OSError:
        return False
    return room.f_bavail * room.f_frsize < _HARDLY


def _is_local(path: Path) -> bool:
    """Whether the file system shares memory between processes, as the write-ahead log needs it."""
    folder = os.fsencode(real_path(path).parent)
    kind, longest = b"", -1
    try:
        mounts = _MOUNTS.read_bytes().splitlines()
    except OSError:
        return True
    for mount in mounts:
        fields, _, rest = mount.partition(b" - ")
        point = fields.split(b" ")[4].decode("unicode_escape").encode("latin-1")
        inside = point in (b"/", folder) or folder.startswith(point + b"/")
        if inside and len(point) >= longest:
            kind, longest = rest.split(b" ")[0], len(point)
    name = kind.decode("latin-1")
    return name == "fuseblk" or not (name in _REMOTE or name.startswith("fuse"))
