"""The desk's rows: what came, whether it opened, which belong together. Never text, a file's name or a key.

Why a conversation was passed on is a code of common/report/trail.py. What it says of that is never changed, only its
state.

Days, never times. What orders two things of one day is a `turn`, a number that rises with each import and each
answer. `handling` and the contact tables can be added to and read: triggers refuse to change or delete a row of it.
"""

from datetime import date

from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    Date,
    Engine,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable

_WITHOUT_ROWID = {"sqlite_with_rowid": False}

SEALED, OPENED, UNREADABLE = "sealed", "opened", "unreadable"  # states of an envelope
WAITING, LEAVING, EXPORTED = "waiting", "leaving", "exported"  # states of an answer, or of a passing on
DELIVERED, RETURNED = "delivered", "returned"  # as a courier says; what came back is to be sealed again
TAKEN_BACK = "taken back"  # of a passing on: its row stays


class Base(DeclarativeBase):
    """All tables of the desk."""


class EnvelopeRow(Base):
    """A sealed report that this desk has. What is known of its inside came from opening it once."""

    __tablename__ = "envelope"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))  # of the sealed file
    size: Mapped[int] = mapped_column(BigInteger)
    day: Mapped[date] = mapped_column(Date)  # sent; the bundle's, until it is opened
    imported: Mapped[date] = mapped_column(Date)
    turn: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(10), default=SEALED)
    reason: Mapped[str | None] = mapped_column(String(20), default=None)  # a code: see failure_reasons.py
    conversation: Mapped[str | None] = mapped_column(String(32), default=None)
    later: Mapped[int] = mapped_column(Integer, default=1)  # 0: the first message of its conversation
    files: Mapped[int] = mapped_column(Integer, default=0)
    epoch: Mapped[str | None] = mapped_column(
        String(40), default=None
    )  # fingerprint of the key that opens it

    __table_args__ = (
        Index("ix_envelope_epoch", "epoch", "day"),
        Index("ix_envelope_conversation", "conversation", "day", "turn", "later", "id"),
        Index("ix_envelope_state", "state", "day", "id"),
        _WITHOUT_ROWID,
    )


class ReceiptRow(Base):
    """That the servers are told of an envelope: it is here. `post`: the last post that said so, once it left."""

    __tablename__ = "receipt"
    envelope: Mapped[str] = mapped_column(String(32), primary_key=True)
    post: Mapped[str | None] = mapped_column(String(32), default=None, index=True)
    delivered: Mapped[int] = mapped_column(Integer, default=0)  # 1: a courier says so

    __table_args__ = (Index("ix_receipt_delivered", "delivered", "envelope"), _WITHOUT_ROWID)


class BundleRow(Base):
    """A bundle that was imported: what it says of posts is taken once, however long it lies on the stick."""

    __tablename__ = "bundle"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    day: Mapped[date] = mapped_column(Date)

    __table_args__ = (_WITHOUT_ROWID,)


class ConversationRow(Base):
    """The sum of a conversation's messages and answers, kept in step in the same transaction as they."""

    __tablename__ = "conversation"
    identity: Mapped[str] = mapped_column(String(32), primary_key=True)
    first_day: Mapped[date] = mapped_column(Date)
    last_day: Mapped[date] = mapped_column(Date)
    messages: Mapped[int] = mapped_column(Integer)
    files: Mapped[int] = mapped_column(Integer)
    last_message: Mapped[int] = mapped_column(Integer)  # turns
    last_answer: Mapped[int] = mapped_column(Integer, default=0)
    unanswered: Mapped[bool] = mapped_column(Boolean)
    kept: Mapped[int] = mapped_column(Integer, default=0, server_default="0")  # 1: a case needs it
    ours: Mapped[int] = mapped_column(
        Integer, default=1, server_default="1"
    )  # 0: all of it is a copy, for oversight

    __table_args__ = (
        Index("ix_conversation_day", "last_day", "identity"),
        Index("ix_conversation_unanswered", "unanswered", "last_day", "identity"),
        _WITHOUT_ROWID,
    )


class AnswerRow(Base):
    """An answer of this desk. Its words, and its sealed form for the reporter, lie in a file sealed to the unit."""

    __tablename__ = "answer"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    conversation: Mapped[str] = mapped_column(String(32))
    day: Mapped[date] = mapped_column(Date)
    turn: Mapped[int] = mapped_column(Integer)
    slots: Mapped[str] = mapped_column(Text)  # candidates, three each time it was sealed, such as "7,91,200"
    number: Mapped[int] = mapped_column(Integer)  # among this unit's answers in the conversation, from 1
    post: Mapped[str] = mapped_column(
        String(32), index=True
    )  # id of the signed post (common/transport/post.py)
    state: Mapped[str] = mapped_column(String(10), default=WAITING)
    exported: Mapped[date | None] = mapped_column(Date, default=None)
    epoch: Mapped[str | None] = mapped_column(
        String(40), default=None
    )  # fingerprint of the key that opens it

    __table_args__ = (
        Index("ix_answer_conversation", "conversation", "day", "turn", "id"),
        Index("ix_answer_state", "state", "turn", "id"),
        _WITHOUT_ROWID,
    )


class ForwardRow(Base):
    """A conversation passed on to another unit, with the handover that tells its mailbox so."""

    __tablename__ = "forward"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    conversation: Mapped[str] = mapped_column(String(32))
    receiver: Mapped[str] = mapped_column(String(64))  # the other unit's id
    why: Mapped[str] = mapped_column(String(16))
    rewritten: Mapped[bool] = mapped_column(Boolean)
    day: Mapped[date] = mapped_column(Date)
    turn: Mapped[int] = mapped_column(Integer)
    slots: Mapped[str] = mapped_column(Text)  # the handover's candidates
    post: Mapped[str] = mapped_column(String(32), index=True)  # id of the handover's signed post
    state: Mapped[str] = mapped_column(String(10), default=WAITING)
    exported: Mapped[date | None] = mapped_column(Date, default=None)
    epoch: Mapped[str] = mapped_column(String(40))  # fingerprint of the key that opens its document

    __table_args__ = (
        Index("ix_forward_conversation", "conversation", "turn", "id"),
        Index("ix_forward_state", "state", "turn", "id"),
        _WITHOUT_ROWID,
    )


class ForwardedRow(Base):
    """An envelope made for another unit: the name and the checksum of its sealed file, and what it was made from."""

    __tablename__ = "forwarded"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    forward: Mapped[str] = mapped_column(String(32), index=True)
    original: Mapped[str] = mapped_column(String(32), index=True)  # the envelope; of several, the first
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))

    __table_args__ = (_WITHOUT_ROWID,)


class HandlingRow(Base):
    """What was done with an envelope, and the SHA-256 of what it was done to. Append-only."""

    __tablename__ = "handling"
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    day: Mapped[date] = mapped_column(Date)
    what: Mapped[str] = mapped_column(String(10))  # received, opened, saved, ...: see _handled.html
    envelope: Mapped[str] = mapped_column(String(32), index=True)
    sha256: Mapped[str] = mapped_column(String(64))


class ContactRequestRow(Base):
    """Contact details asked for: of whose holders, why (a code of common/report/disclosure.py); the request's SHA-256;
    the fingerprint of the key that they are sealed to.
    """

    __tablename__ = "contact_request"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    envelope: Mapped[str] = mapped_column(String(32), index=True)
    unit: Mapped[str] = mapped_column(String(64))
    why: Mapped[str] = mapped_column(String(16))
    day: Mapped[date] = mapped_column(Date)
    turn: Mapped[int] = mapped_column(Integer)
    digest: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(String(40), server_default="")

    __table_args__ = (_WITHOUT_ROWID,)


class ContactEntryRow(Base):
    """What came of a request: the entry that holders signed, as it came. `digest`: its SHA-256."""

    __tablename__ = "contact_entry"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    request: Mapped[str] = mapped_column(String(32), index=True)
    document: Mapped[bytes] = mapped_column(LargeBinary)
    turn: Mapped[int] = mapped_column(Integer)

    __table_args__ = (_WITHOUT_ROWID,)


class DestroyedRow(Base):
    """An epoch whose secret was destroyed here."""

    __tablename__ = "destroyed"
    epoch: Mapped[str] = mapped_column(String(40), primary_key=True)
    day: Mapped[date] = mapped_column(Date)


class TurnRow(Base):
    """One row: the last turn that was given. Adding to it is the first statement of every change."""

    __tablename__ = "turn"
    only: Mapped[int] = mapped_column(Integer, primary_key=True)
    last: Mapped[int] = mapped_column(Integer)


_REFUSE = "BEGIN SELECT RAISE(ABORT, 'append-only'); END"
_LATER = (
    ("envelope", "epoch"),
    ("answer", "epoch"),
    ("conversation", "kept"),
    ("conversation", "ours"),
    ("contact_request", "key"),
)  # columns of a newer release
_FIRST = 'INSERT OR IGNORE INTO turn ("only", "last") VALUES (1, 0)'
_SAID = "id, conversation, receiver, why, rewritten, day, turn"  # of a passing on
_STANDING = (
    f"CREATE TRIGGER IF NOT EXISTS handling_is_not_changed BEFORE UPDATE ON handling {_REFUSE}",
    f"CREATE TRIGGER IF NOT EXISTS handling_is_not_deleted BEFORE DELETE ON handling {_REFUSE}",
    f"CREATE TRIGGER IF NOT EXISTS forward_is_not_changed BEFORE UPDATE OF {_SAID} ON forward {_REFUSE}",
    f"CREATE TRIGGER IF NOT EXISTS forward_is_not_deleted BEFORE DELETE ON forward {_REFUSE}",
    *(
        f"CREATE TRIGGER IF NOT EXISTS {table}_is_not_{done}d BEFORE {done.upper()} ON {table} {_REFUSE}"
        for table in ("contact_request", "contact_entry")
        for done in ("update", "delete")
    ),
)


def create(engine: Engine) -> None:
    """Make what is not there yet; safe when two processes start at once."""
    with engine.begin() as connection:
        for table in Base.metadata.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
        connection.execute(text(_FIRST))  # from here on the write lock is held
        for name, column in _LATER:
            _add_column(connection, name, column)
        for table in Base.metadata.sorted_tables:
            for index in sorted(table.indexes, key=lambda index: str(index.name)):
                connection.execute(CreateIndex(index, if_not_exists=True))
        for statement in _STANDING:
            connection.execute(text(statement))


def _add_column(connection: Connection, table: str, column: str) -> None:
    if any(row[1] == column for row in connection.execute(text(f"PRAGMA table_info({table})"))):
        return
    made = CreateColumn(Base.metadata.tables[table].columns[column]).compile(dialect=connection.dialect)
    connection.execute(text(f"ALTER TABLE {table} ADD COLUMN {made}"))
