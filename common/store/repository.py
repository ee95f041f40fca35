"""The one narrow door to what the servers keep. The source interface's user alone has it.

The order that makes an acknowledgement true: the blob is durable, then the row is committed, then the caller may
tell the reporter. Deleting goes the other way. A crash between the two leaves a blob without a row, never a row
without a blob; `sweep` sets it aside, and deletes it when no database has known it for two weeks.

What a unit sees and sends passes through the settlement (common/store/settlement.py), at settled hours only.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from datetime import date
from pathlib import Path

from sqlalchemy import Connection, Date, Engine, bindparam, delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from common.conversation.mailbox import TAG_BYTES
from common.days import blur_times, today
from common.store.blobs import BlobFolder, Presence
from common.store.models import EnvelopeRow, ReplyRow
from common.store.sweep import Sweep
from common.store.values import (
    KEEP_REPLIES,
    Addressed,
    AlreadyReceived,
    Mailbox,
    NoFreeSlot,
    SealedReply,
    Sent,
    State,
    Withdrawal,
)

# Written once: what every message needs is not put together anew for each.
_INSERT_ENVELOPE = insert(EnvelopeRow)
_INSERT_REPLY = insert(ReplyRow)
_DELETE_REPLY = delete(ReplyRow).where(ReplyRow.tag == bindparam("of_tag"))
_INSERT_IF_FREE = text(
    "INSERT INTO reply (tag, ciphertext, day, expires) VALUES (:tag, :ciphertext, :day, :expires) "
    "ON CONFLICT (tag) DO NOTHING"
).bindparams(bindparam("day", type_=Date), bindparam("expires", type_=Date))
_RECEIVED = select(EnvelopeRow.id).where(EnvelopeRow.receipt_tag == bindparam("of_tag"))
# All tags are one value, cut apart by the database: hundreds of values of their own would cost more than the look-ups.
_EACH_TAG = (
    "WITH RECURSIVE slot(number) AS (SELECT 0 UNION ALL SELECT number + 1 FROM slot WHERE number < :last), "
    "each(one) AS (SELECT substr(:tags, number * :width + 1, :width) FROM slot) "
)
_SENT = text(
    _EACH_TAG + "SELECT receipt_tag, day, state FROM each JOIN envelope ON receipt_tag = one"  # noqa: S608
).columns(EnvelopeRow.receipt_tag, EnvelopeRow.day, EnvelopeRow.state)
_REPLIES = text(
    _EACH_TAG + "SELECT tag, ciphertext FROM each JOIN reply ON tag = one"  # noqa: S608
).columns(ReplyRow.tag, ReplyRow.ciphertext)
_REPLY = select(ReplyRow.ciphertext).where(ReplyRow.tag == bindparam("of_tag"))
_WITHDRAW_NEW = (
    delete(EnvelopeRow)
    .where(EnvelopeRow.receipt_tag == bindparam("of_tag"), EnvelopeRow.state == State.NEW)
    .returning(EnvelopeRow.id)
)
_MARK_WITHDRAWN = (
    update(EnvelopeRow)
    .where(
        EnvelopeRow.receipt_tag == bindparam("of_tag"),
        EnvelopeRow.state.in_([State.LISTED, State.WITHDRAWN]),
    )
    .values(state=State.WITHDRAWN)
)
_NOTE_HELD = (
    update(EnvelopeRow)
    .where(
        EnvelopeRow.id.in_(bindparam("ids", expanding=True)),
        EnvelopeRow.unit == bindparam("of_unit"),
        EnvelopeRow.state.in_([State.LISTED, State.WITHDRAWN]),
    )
    .values(state=State.HELD, held_day=bindparam("since"))
)


class Store:
    """Rows in `engine`, sealed files in `blobs`. Safe to share between threads."""

    def __init__(self, engine: Engine, blobs: BlobFolder) -> None:
        self.engine = engine
        self.blobs = blobs
        self._is_sqlite = engine.url.get_backend_name() == "sqlite"
        self._writer = threading.Lock() if self._is_sqlite else nullcontext()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction. After it the times of the database's files tell no hour.

        SQLite has one writer at a time, and whoever finds it busy sleeps and looks again: so the threads of a
        process queue here, where each is woken when its turn has come.
        """
        with self._writer, self.engine.begin() as connection:
            yield connection
        self.blur_database()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that only reads; SQLite notes even that, in the time of one of its files."""
        with self.engine.connect() as connection:
            yield connection
        self.blur_database()

    def blur_database(self) -> None:
        """Set the times of the database's files to midnight."""
        for file in self.database_files():
            with suppress(PermissionError):
                blur_times(file, today())

    def database_files(self) -> list[Path]:
        """SQLite's files, whether or not they are there; none for another database."""
        if not self._is_sqlite:
            return []
        return [Path(f"{self.engine.url.database}{suffix}") for suffix in ("", "-wal", "-shm")]

    def receive(
        self,
        envelopes: Sequence[Addressed],
        header: SealedReply,
        day: date,
        seal: Callable[[Sequence[int]], object],
    ) -> list[str]:
        """Keep a message: an envelope for each unit, and the header that comes with it. Durable on return.

        Returns the ids of the envelopes.

        `seal`: writes each envelope's content into the descriptor at its place. All are kept, or none, as where it
        raises; then this raises the same. Raises AlreadyReceived where the first one's tag is taken. A header under its
        tag is left of a message that was withdrawn, or is gone: this one takes its place.
        """
        with ExitStack() as stack:
            blobs = [stack.enter_context(self.blobs.create()) for _ in envelopes]
            seal([blob.descriptor for blob in blobs])
            try:
                rows = [
                    {"id": blob.id, "receipt_tag": one.receipt_tag, "unit": one.unit, "day": day}
                    | {"padded_size": self.blobs.commit(blob, day), "state": State.NEW}
                    for one, blob in zip(envelopes, blobs, strict=True)
                ]
                with self.writing() as connection:
                    connection.execute(_INSERT_ENVELOPE, rows)
                    connection.execute(_DELETE_REPLY, {"of_tag": header.tag})
                    connection.execute(_INSERT_REPLY, _reply_values(header, day))
            except (SQLAlchemyError, OSError) as error:
                for blob in blobs:
                    self._discard_unless_kept(blob.id)
                if isinstance(error, IntegrityError) and self.was_received(envelopes[0].receipt_tag):
                    raise AlreadyReceived from None
                raise
            return [blob.id for blob in blobs]

    def _discard_unless_kept(self, blob_id: str) -> None:
        """Delete a blob whose row was not committed. Where that cannot be told, the sweep will."""
        with suppress(SQLAlchemyError), self.engine.connect() as connection:
            query = select(EnvelopeRow.id).where(EnvelopeRow.id == blob_id)
            if connection.execute(query).first() is None:
                self.blobs.delete(blob_id)

    def was_received(self, receipt_tag: bytes) -> bool:
        """True when a message with this tag is kept."""
        with self.reading() as connection:
            return connection.execute(_RECEIVED, {"of_tag": receipt_tag}).first() is not None

    def mailbox(self, receipt_tags: Sequence[bytes], reply_tags: Sequence[bytes]) -> Mailbox:
        """All that lies under a codename's tags, in two queries, whatever there is to find."""
        with self.reading() as connection:
            sent = connection.execute(_SENT, _cut(receipt_tags)).all()
            replies = connection.execute(_REPLIES, _cut(reply_tags)).all()
        return Mailbox(
            sent={row.receipt_tag: Sent(row.day, State(row.state)) for row in sent},
            replies={row.tag: row.ciphertext for row in replies},
        )

    def reply(self, tag: bytes) -> bytes | None:
        """What lies in one reply slot."""
        with self.reading() as connection:
            return connection.execute(_REPLY, {"of_tag": tag}).scalar()

    def withdraw(self, receipt_tag: bytes) -> Withdrawal | None:
        """Delete a message: now where no unit ever saw that it was there, otherwise at the next settlement.

        None where its unit's desk holds it, or it is not there.
        """
        asked = {"of_tag": receipt_tag}
        with self.writing() as connection:
            gone = connection.execute(_WITHDRAW_NEW, asked).scalar()
            marked = gone is None and connection.execute(_MARK_WITHDRAWN, asked).rowcount > 0
        if gone is not None:
            self.blobs.delete(gone)
            return Withdrawal.GONE
        return Withdrawal.LATER if marked else None

    def overwrite_reply(self, tag: bytes, ciphertext: bytes) -> None:
        """Replace what lies in a reply slot, if anything does, by other 9,328 bytes.

        The slot stays taken until the day on which its answer would have gone: so its unit, which knows the slots,
        cannot learn from what it may post that the reporter was here.
        """
        with self.writing() as connection:
            connection.execute(update(ReplyRow).where(ReplyRow.tag == tag).values(ciphertext=ciphertext))

    # What the settlement does.

    def put_reply(self, candidates: Sequence[bytes], ciphertext: bytes, day: date) -> None:
        """Put a sealed reply into the first candidate slot that is free. Raises NoFreeSlot.

        The same reply again takes another slot: were it kept once, whether it was deleted meanwhile could be told by
        posting it again. The reporter is shown it once.
        """
        with self.writing() as connection:
            add_reply(connection, candidates, ciphertext, day)

    def note_held(self, unit: str, ids: Sequence[str], day: date) -> None:
        """Note that a unit's desk holds envelopes that were listed for it. What is not such a one is passed over."""
        with self.writing() as connection:
            connection.execute(_NOTE_HELD, {"ids": list(ids), "of_unit": unit, "since": day})

    # What a server does at its start, and what it asks before it takes anything.

    def enter(self) -> Presence:
        """Say that this process may write blobs, for as long as it lives."""
        return self.blobs.enter()

    def fill_pool(self) -> None:
        """Make the files ahead that blobs are written into. Raises OSError."""
        self.blobs.fill_pool()

    def free_bytes(self) -> int:
        """Room left where blobs are kept."""
        return self.blobs.free_bytes()

    def sweep(self, today: date, *, alone: bool, keep_free: int = 0) -> None:
        """See sweeping.py. `alone`: nobody writes blobs at this moment. Raises WrongDatabase."""
        Sweep(self.engine, self.blobs, self.writing, keep_free).run(today, alone=alone)
        self.blur_database()

    def check_database(self, today: date, *, alone: bool) -> None:
        """Raises WrongDatabase where the database knows of no message, and there are many."""
        Sweep(self.engine, self.blobs, self.writing).check_database(today, alone=alone)


def add_reply(connection: Connection, candidates: Sequence[bytes], ciphertext: bytes, day: date) -> None:
    """Put a sealed reply into the first candidate slot that is free, within a transaction. Raises NoFreeSlot."""
    for tag in candidates:
        if connection.execute(_INSERT_IF_FREE, _reply_values(SealedReply(tag, ciphertext), day)).rowcount:
            return
    raise NoFreeSlot


def _cut(tags: Sequence[bytes]) -> dict[str, object]:
    return {"tags": b"".join(tags), "last": len(tags) - 1, "width": TAG_BYTES}


def _reply_values(reply: SealedReply, day: date) -> dict[str, object]:
    return {"tag": reply.tag, "ciphertext": reply.ciphertext, "day": day, "expires": day + KEEP_REPLIES}
