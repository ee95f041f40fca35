"""The rows. Days, never times; random keys, and no row that links two others.

Tables have no row number, and are kept in the order of their random keys: no column tells what came first. SQLite's
file still does, by where within a page a row was put and by its write-ahead log, until it is next written anew.
"""

from datetime import date

from sqlalchemy import BigInteger, Date, Index, LargeBinary, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_WITHOUT_ROWID = {"sqlite_with_rowid": False}


class Base(DeclarativeBase):
    """All tables of the servers."""


class EnvelopeRow(Base):
    """A sealed report that waits for its unit, or that its unit holds and that is not deleted yet."""

    __tablename__ = "envelope"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)  # 32 hex digits: the blob's name
    receipt_tag: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True)
    unit: Mapped[str] = mapped_column(String(64))
    day: Mapped[date] = mapped_column(Date)
    padded_size: Mapped[int] = mapped_column(BigInteger)  # of the sealed blob, bytes
    state: Mapped[str] = mapped_column(String(9))  # of kept.State
    sha256: Mapped[bytes | None] = mapped_column(
        LargeBinary(32), default=None
    )  # of the blob, once it is listed
    held_day: Mapped[date | None] = mapped_column(Date, default=None)

    __table_args__ = (Index("ix_envelope_state", "state", "unit", "id"), _WITHOUT_ROWID)


class ReplyRow(Base):
    """A sealed answer, or a header: nobody can tell which, or whose."""

    __tablename__ = "reply"
    tag: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)
    day: Mapped[date] = mapped_column(Date)
    expires: Mapped[date] = mapped_column(Date, index=True)

    __table_args__ = (_WITHOUT_ROWID,)


class ReturnedRow(Base):
    """A post of a unit that was not taken, and why.

    For a moment also one that was taken: from when its rows are there until its file in the inbox is gone, so that a
    settlement that is killed in between takes none twice. Nothing else says what a unit posted, or how much.
    """

    __tablename__ = "returned"
    unit: Mapped[str] = mapped_column(String(64), primary_key=True)
    post: Mapped[str] = mapped_column(String(32), primary_key=True)
    why: Mapped[str] = mapped_column(String(8))  # of kept.Why, or TAKEN
    day: Mapped[date] = mapped_column(Date)

    __table_args__ = (_WITHOUT_ROWID,)


TAKEN = "taken"
