"""Whether a file has the form of a case: the tables of schema.sql and nothing else, values of the types they state.

A trigger would change what is written later, a view would show rows that are not stored, and a value of another type
is read as something else or not at all. Whatever reads rows may rely on their types only after this check.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from forensic.case import database

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

_MAY_BE_MISSING = frozenset({"tree", "finding_by_outcome", "finding_that_is_a_root"})
"""Of earlier versions: what they say follows from the rows."""
_NUMBERED = {"finding": "seq", "artefact": "seq", "annotation": "number", "run": "run_id", "root": "id"}


def form_differences(connection: sqlite3.Connection) -> Iterator[str]:
    """What is not as schema.sql has it, a sentence each.

    Args:
        connection: to the case, which is of a format that this version reads.

    Raises:
        sqlite3.DatabaseError: the file is damaged.
    """
    wanted = {name: _plain(statement) for name, statement in database.schema().items()}
    if not database.has_annotations(connection):
        del wanted["annotation"]
    query = r"SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY name"
    stored = {name: (kind, _plain(sql or "")) for kind, name, sql in connection.execute(query)}
    for name, (kind, statement) in stored.items():
        if name not in wanted:
            yield f"{kind} {name} belongs to no case of this format"
        elif statement != wanted[name]:
            yield f"{kind} {name} is not as the schema has it"
    yield from (f"{name} is missing" for name in wanted if name not in stored and name not in _MAY_BE_MISSING)
    for name, (kind, statement) in stored.items():
        if kind == "table" and statement == wanted.get(name):
            yield from _values(connection, name)


def _values(connection: sqlite3.Connection, table: str) -> Iterator[str]:
    """Values that are not of their column's type: SQLite itself takes any."""
    wrong = []
    for _, column, declared, not_null, _, key in connection.execute(f"PRAGMA table_info({table})").fetchall():
        types = [declared.lower()] + ([] if not_null or key else ["null"])
        told = ", ".join(f"'{one}'" for one in types)
        wrong.append(f"typeof({column}) NOT IN ({told})")
    number = _NUMBERED.get(table, "NULL")
    query = f"SELECT count(*), min({number}) FROM {table} WHERE {' OR '.join(wrong)}"  # noqa: S608 - names of our own schema
    count, first = connection.execute(query).fetchone()
    if count:
        where = "" if first is None else f", the first in row {first}"
        yield f"table {table}: {count} rows hold values of another type{where}"


def _plain(statement: str) -> str:
    """A statement without its comments and its layout."""
    return " ".join(
        re.sub(r"--[^\n]*", " ", statement).replace("(", " ( ").replace(")", " ) ").replace(";", " ").split()
    )
