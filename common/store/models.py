"""The rows. Days, never times; random keys, and no row that links two others.

Tables have no row number, and are kept in the order of their random keys: no column tells what came first. SQLite's
file still does, by where within a page a row was put and by its write-ahead log, until the next sweep rewrites both.
"""

from datetime import date

from sqlalchemy import BigInteger, Date, Index, LargeBinary, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_WITHOUT_ROWID = {"sqlite_with_rowid": False}


class Base(DeclarativeBase):
    """All tables of the servers."""


class EnvelopeRow(Base):
    """A sealed report that waits to be collected, or was collected and not yet deleted."""

    __tablename__ = "envelope"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)  # random, 32 hex digits: the blob's name
    receipt_tag: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True)
    unit: Mapped[str] = mapped_column(String(64))
    day: Mapped[date] = mapped_column(Date)
    padded_size: Mapped[int] = mapped_column(BigInteger)  # of the sealed blob, bytes
    collected_day: Mapped[date | None] = mapped_column(Date, default=None)  # None: it waits
    collected_before: Mapped[date | None] = mapped_column(
        Date, default=None
    )  # where it waits again: since when not

    __table_args__ = (Index("ix_envelope_waiting", "unit", "collected_day", "id"), _WITHOUT_ROWID)


class ReplyRow(Base):
    """A sealed answer, or a header: nobody can tell which, or whose."""

    __tablename__ = "reply"
    tag: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)
    day: Mapped[date] = mapped_column(Date)
    expires: Mapped[date] = mapped_column(Date, index=True)

    __table_args__ = (_WITHOUT_ROWID,)
