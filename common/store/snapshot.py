"""All rows as they stood at one moment, in pieces for a backup, and such pieces as rows again.

Rows are copied and not the file they lie in: the copy holds nothing that was deleted and no order of arrival, and it
needs no memory for more than one piece. Reading opens SQLite's file read-only: it neither writes a page nor takes away
the write-ahead log, which other users share.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Column, Date, Engine, LargeBinary, String, Table, insert
from sqlalchemy.exc import SQLAlchemyError

from common import canonical
from common.canonical import NotCanonical
from common.conversation.mailbox import TAG_BYTES
from common.envelope_id import is_envelope_id
from common.report.padding import REPLY_CIPHERTEXT_BYTES
from common.store.database import NEWEST
from common.store.models import TAKEN, Base
from common.store.values import State, Why

ENVELOPE, REPLY, RETURNED = "envelope", "reply", "returned"
TABLES = (ENVELOPE, REPLY, RETURNED)
PIECE_ROWS = 500
MOST_PIECE_BYTES = 16 * 1024**2
_PATIENCE = 10.0  # seconds, until the database is free
_BYTES = {"receipt_tag": TAG_BYTES, "tag": TAG_BYTES, "ciphertext": REPLY_CIPHERTEXT_BYTES, "sha256": 32}
_WORDS = {"state": set(State), "why": {*Why, TAKEN}}


class NoSnapshot(Exception):
    """The database cannot be read, or has another shape than this version. Start the servers once, and try again."""


class BadRows(Exception):
    """These are not rows that Candour kept."""


@dataclass(frozen=True)
class Piece:
    """Up to 500 rows of a table. `content`: a canonical document; `keys`: the rows' primary keys."""

    table: str
    content: bytes
    keys: tuple[Any, ...]


@contextmanager
def reading(database: Path) -> Iterator[Iterator[Piece]]:
    """The rows of SQLite's file as they are now, whatever others write meanwhile. Raises NoSnapshot."""
    try:
        connection = sqlite3.connect(
            f"file:{quote(str(database))}?mode=ro", uri=True, isolation_level=None, timeout=_PATIENCE
        )
    except sqlite3.Error as error:
        raise NoSnapshot(str(error)) from error
    with closing(connection):
        yield _pieces(connection)


def _pieces(connection: sqlite3.Connection) -> Iterator[Piece]:
    try:
        connection.execute("BEGIN")
        shape = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        if shape != (NEWEST,):
            raise NoSnapshot("It has another shape.")
        for name in TABLES:
            columns = list(Base.metadata.tables[name].columns)
            keys = ", ".join(column.name for column in columns if column.primary_key)
            named = ", ".join(column.name for column in columns)
            rows = connection.execute(f"SELECT {named} FROM {name} ORDER BY {keys}")  # noqa: S608  names of our own
            while some := rows.fetchmany(PIECE_ROWS):
                written = [[_written(value) for value in row] for row in some]
                content = canonical.dump({"columns": [column.name for column in columns], "rows": written})
                yield Piece(name, content, tuple(row[0] for row in some))
        connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise NoSnapshot(str(error)) from error


def _written(value: Any) -> Any:
    return canonical.encode(value) if isinstance(value, bytes) else value


def add(engine: Engine, name: str, untrusted: bytes) -> None:
    """Put a piece of the table `name` into a database of the newest shape. Raises BadRows."""
    table = Base.metadata.tables[name]
    columns = list(table.columns)
    try:
        document = canonical.load(untrusted)
        if document.get("columns") != [column.name for column in columns]:
            raise BadRows("other columns")
        rows = [_row(columns, row) for row in canonical.listed(document, "rows")]
        _insert(engine, table, rows)
    except (NotCanonical, ValueError, SQLAlchemyError) as error:
        raise BadRows(f"not rows of {name}") from error


def _insert(engine: Engine, table: Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        with engine.begin() as connection:
            connection.execute(insert(table), rows)


def _row(columns: list[Column[Any]], untrusted: Any) -> dict[str, Any]:
    if not isinstance(untrusted, list) or len(untrusted) != len(columns):
        raise BadRows("not a row")
    return {column.name: _value(column, value) for column, value in zip(columns, untrusted, strict=True)}


def _value(column: Column[Any], untrusted: Any) -> Any:
    if untrusted is None and column.nullable:
        return None
    if isinstance(column.type, String | LargeBinary | Date):
        if not isinstance(untrusted, str):
            raise BadRows("not a text")
        return _from_text(column, untrusted)
    if type(untrusted) is not int or not 0 <= untrusted < 2**63:
        raise BadRows("not a size")
    return untrusted


def _from_text(column: Column[Any], untrusted: str) -> Any:
    if isinstance(column.type, LargeBinary):
        return canonical.decode(untrusted, _BYTES[column.name])
    if isinstance(column.type, Date):
        return date.fromisoformat(untrusted)
    if column.name in ("id", "post") and not is_envelope_id(untrusted):
        raise BadRows("not an id")
    if column.name in _WORDS and untrusted not in _WORDS[column.name]:
        raise BadRows("not a word that there is")
    if not 0 < len(untrusted) <= 64:
        raise BadRows("not a unit")
    return untrusted
