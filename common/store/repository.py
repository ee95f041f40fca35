"""The one narrow door to what the servers keep. Both interfaces use it; nothing else touches rows or blobs.

The order that makes an acknowledgement true: the blob is durable, then the row is committed, then the caller may
tell the reporter. Deleting goes the other way. A crash between the two leaves a blob without a row, never a row
without a blob; `sweep` sets it aside, and deletes it when no database has known it for two weeks.
"""

import hashlib
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import date
from pathlib import Path

from sqlalchemy import Connection, Engine, bindparam, delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from common.days import today
from common.mailbox import MARK_BYTES, SLOTS, TAG_BYTES
from common.padding import REPLY_CIPHERTEXT_BYTES
from common.store.blobs import BlobFolder, PendingBlob, blur_times, is_blob_id
from common.store.kept import KEEP_REPLIES, AlreadyReceived, Copy, Envelope, Mailbox, NoFreeSlot, SealedReply
from common.store.models import EnvelopeRow, ReplyRow
from common.store.sweeping import Sweep

_NOTHING_BYTES = REPLY_CIPHERTEXT_BYTES - MARK_BYTES - hashlib.sha256().digest_size


# Written once: what every message needs is not put together anew for each.
_INSERT_ENVELOPE = insert(EnvelopeRow)
_INSERT_REPLY = insert(ReplyRow)
_DELETE_REPLY = delete(ReplyRow).where(ReplyRow.tag == bindparam("of_tag"))
_RECEIVED = select(EnvelopeRow.id).where(EnvelopeRow.receipt_tag == bindparam("of_tag"))
# All tags are one value, cut apart by the database: 256 values of their own would cost more than the look-ups.
_EACH_TAG = (
    "WITH RECURSIVE slot(number) AS (SELECT 0 UNION ALL SELECT number + 1 FROM slot WHERE number < :last), "
    "each(one) AS (SELECT substr(:tags, number * :width + 1, :width) FROM slot) "
)
_CUT = {"last": SLOTS - 1, "width": TAG_BYTES}
_SENT = text(
    _EACH_TAG  # noqa: S608
    + "SELECT receipt_tag, day, coalesce(collected_day, collected_before) FROM each JOIN envelope ON receipt_tag = one"
).columns(EnvelopeRow.receipt_tag, EnvelopeRow.day, EnvelopeRow.collected_day)
_REPLIES = text(
    _EACH_TAG + "SELECT tag, ciphertext, day FROM each JOIN reply ON tag = one"  # noqa: S608
).columns(ReplyRow.tag, ReplyRow.ciphertext, ReplyRow.day)
_REPLY = select(ReplyRow.ciphertext).where(ReplyRow.tag == bindparam("of_tag"))


class Store:
    """Rows in `engine`, sealed files in `blobs`. Safe to share between threads."""

    def __init__(self, engine: Engine, blobs: BlobFolder) -> None:
        self.engine = engine
        self.blobs = blobs
        self._is_sqlite = engine.url.get_backend_name() == "sqlite"
        self._writer = threading.Lock() if self._is_sqlite else nullcontext()

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """A transaction. After it the database's files tell no hour.

        SQLite has one writer at a time, and whoever finds it busy sleeps and looks again: so the threads of a
        process queue here, where each is woken when its turn has come.

        Only its owner can set a file's times. On a host that is the source interface's user: a time that the
        collection leaves is that of a courier's call, and is gone with the next message or sweep.
        """
        with self._writer, self.engine.begin() as connection:
            yield connection
        if self._is_sqlite:
            for suffix in ("", "-wal", "-shm"):
                with suppress(PermissionError):
                    blur_times(Path(f"{self.engine.url.database}{suffix}"), today())

    # What the source interface does.

    def accept(
        self,
        blob: PendingBlob,
        *,
        receipt_tag: bytes,
        unit: str,
        day: date,
        header: SealedReply | None,
        second: Copy | None = None,
    ) -> None:
        """Keep a sealed message and, where it is new, the header of its conversation. Durable on return.

        With `second` both copies are kept, or neither. Raises AlreadyReceived; nothing is kept then.
        """
        copies = [Copy(blob, receipt_tag, unit), *([second] if second else [])]
        rows: list[dict[str, object]] = []
        try:
            for copy in copies:
                size = self.blobs.publish(copy.blob, day)
                row = {"receipt_tag": copy.receipt_tag, "unit": copy.unit, "day": day, "padded_size": size}
                rows.append(row | {"id": copy.blob.id})
            with self._writing() as connection:
                connection.execute(_INSERT_ENVELOPE, rows)
                if header is not None:
                    connection.execute(_DELETE_REPLY, {"of_tag": header.tag})
                    connection.execute(_INSERT_REPLY, _reply_values(header, day))
        except (SQLAlchemyError, OSError) as error:
            for row in rows:
                self._discard_unless_kept(str(row["id"]))
            if isinstance(error, IntegrityError) and self.was_received(receipt_tag):
                raise AlreadyReceived from None
            raise

    def _discard_unless_kept(self, blob_id: str) -> None:
        """Delete a blob whose row was not committed. Where that cannot be told, the sweep will."""
        with suppress(SQLAlchemyError), self.engine.connect() as connection:
            query = select(EnvelopeRow.id).where(EnvelopeRow.id == blob_id)
            if connection.execute(query).first() is None:
                self.blobs.delete(blob_id)

    def was_received(self, receipt_tag: bytes) -> bool:
        """True when a message with this tag is kept."""
        with self.engine.connect() as connection:
            return connection.execute(_RECEIVED, {"of_tag": receipt_tag}).first() is not None

    def mailbox(self, receipt_tags: Sequence[bytes], reply_tags: Sequence[bytes]) -> Mailbox:
        """All that lies under 256 + 256 tags, in two queries, whatever there is to find."""
        with self.engine.connect() as connection:
            sent = connection.execute(_SENT, {"tags": b"".join(receipt_tags)} | _CUT).all()
            replies = connection.execute(_REPLIES, {"tags": b"".join(reply_tags)} | _CUT).all()
        return Mailbox(
            sent={tag: (day, collected is not None) for tag, day, collected in sent},
            replies={row.tag: row.ciphertext for row in replies},
            posted={row.tag: row.day for row in replies},
        )

    def reply(self, tag: bytes) -> bytes | None:
        """What lies in one reply slot."""
        with self.engine.connect() as connection:
            return connection.execute(_REPLY, {"of_tag": tag}).scalar()

    def withdraw(self, receipt_tag: bytes) -> bool:
        """Delete a message that nobody has ever collected. False when somebody has, or it is not there."""
        with self._writing() as connection:
            found = connection.execute(
                delete(EnvelopeRow)
                .where(
                    EnvelopeRow.receipt_tag == receipt_tag,
                    EnvelopeRow.collected_day.is_(None),
                    EnvelopeRow.collected_before.is_(None),
                )
                .returning(EnvelopeRow.id)
            ).scalar()
        if found is not None:
            self.blobs.delete(found)
        return found is not None

    def delete_reply(self, tag: bytes, mark: bytes) -> None:
        """Overwrite what lies in a reply slot, if anything does, by `mark` (16 bytes) and what opens with no key.

        The slot stays taken until the day on which its answer would have gone, and the answer counts as posted: so
        its unit, which knows the slots, cannot learn from what it may post that the reporter was here. To that end
        the row ends in the SHA-256 of what lay in it.
        """
        with self._writing() as connection:
            kept = connection.execute(_REPLY, {"of_tag": tag}).scalar()
            if kept is None or kept.startswith(mark):
                return
            left = mark + secrets.token_bytes(_NOTHING_BYTES) + hashlib.sha256(kept).digest()
            connection.execute(update(ReplyRow).where(ReplyRow.tag == tag).values(ciphertext=left))

    # What the collection does. Each call names the unit: nothing of another is seen, not even counted.

    def waiting(
        self, unit: str, after: str = "", most: int = 100, no_larger_than: int | None = None
    ) -> list[Envelope]:
        """Up to `most` uncollected envelopes of a unit whose id is greater than `after`, in order of id."""
        query = (
            select(EnvelopeRow.id, EnvelopeRow.day, EnvelopeRow.padded_size)
            .where(EnvelopeRow.unit == unit, EnvelopeRow.collected_day.is_(None), EnvelopeRow.id > after)
            .order_by(EnvelopeRow.id)
            .limit(most)
        )
        if no_larger_than is not None:
            query = query.where(EnvelopeRow.padded_size <= no_larger_than)
        with self.engine.connect() as connection:
            return [Envelope(*row) for row in connection.execute(query)]

    def sealed_file(self, unit: str, envelope_id: str) -> Path | None:
        """The blob of an envelope of this unit; None for another's, or for none."""
        if not is_blob_id(envelope_id):
            return None
        query = select(EnvelopeRow.id).where(EnvelopeRow.id == envelope_id, EnvelopeRow.unit == unit)
        with self.engine.connect() as connection:
            found = connection.execute(query).scalar()
        return None if found is None else self.blobs.path(found)

    def acknowledge(self, unit: str, envelope_ids: Sequence[str], day: date) -> None:
        """Note that the unit has envelopes safely. What it was told before, or is not the unit's, is passed over."""
        noted = (
            update(EnvelopeRow)
            .where(
                EnvelopeRow.id.in_(envelope_ids),
                EnvelopeRow.unit == unit,
                EnvelopeRow.collected_day.is_(None),
            )
            .values(collected_day=day)
        )
        with self._writing() as connection:
            connection.execute(noted)

    def recall(self, unit: str, since: date) -> int:
        """Let a unit's envelopes that were collected on that day or later wait again: how many. For a lost courier.

        They stay collected for whoever sent them, for somebody may have read them; they are kept until they are
        collected again, and seven days more.
        """
        waiting_again = (
            update(EnvelopeRow)
            .where(EnvelopeRow.unit == unit, EnvelopeRow.collected_day >= since)
            .values(collected_day=None, collected_before=EnvelopeRow.collected_day)
        )
        with self._writing() as connection:
            return connection.execute(waiting_again).rowcount

    def was_forwarded(self, envelope_id: str, unit: str) -> bool:
        """True when an envelope of this id is kept for this unit."""
        query = select(EnvelopeRow.id).where(EnvelopeRow.id == envelope_id, EnvelopeRow.unit == unit)
        with self.engine.connect() as connection:
            return connection.execute(query).first() is not None

    def accept_forwarded(self, part: Path, envelope_id: str, unit: str, size: int, day: date) -> bool:
        """Keep an envelope that one unit passes on to another, `unit`. Durable on return; False: its id is taken.

        Its receipt tag is drawn at random, so that it follows from no codename: a reporter's withdrawing does not
        reach it, and nothing ties it to the envelope that it came from.
        """
        if self.was_forwarded(envelope_id, unit):
            return True
        row = {"id": envelope_id, "receipt_tag": secrets.token_bytes(TAG_BYTES), "unit": unit, "day": day}
        with self.engine.connect() as connection:
            if connection.execute(select(EnvelopeRow.id).where(EnvelopeRow.id == envelope_id)).first():
                return False
        self.blobs.publish_forwarded(part, envelope_id, day)
        with self._writing() as connection:
            connection.execute(_INSERT_ENVELOPE, row | {"padded_size": size})
        return True

    def post_reply(self, candidates: Sequence[bytes], ciphertext: bytes, day: date) -> None:
        """Put a sealed reply into the first candidate slot that is free. The same reply twice is kept once.

        Raises NoFreeSlot.
        """
        digest = hashlib.sha256(ciphertext).digest()  # what is left of it, should it have been deleted
        for _ in candidates:
            with self.engine.connect() as connection:
                taken = dict(
                    connection.execute(
                        select(ReplyRow.tag, ReplyRow.ciphertext).where(ReplyRow.tag.in_(candidates))
                    ).all()
                )
            if any(kept == ciphertext or kept.endswith(digest) for kept in taken.values()):
                return
            free = [tag for tag in candidates if tag not in taken]
            if not free:
                break
            try:
                with self._writing() as connection:
                    connection.execute(
                        insert(ReplyRow).values(_reply_values(SealedReply(free[0], ciphertext), day))
                    )
                return
            except IntegrityError:
                continue  # another courier took the slot in between
        raise NoFreeSlot

    # Housekeeping.

    def sweep(self, today: date, *, alone: bool) -> None:
        """See sweeping.py. `alone`: nobody writes blobs at this moment. Raises WrongDatabase."""
        Sweep(self.engine, self.blobs, self._writing).run(today, alone=alone)


def _reply_values(reply: SealedReply, day: date) -> dict[str, object]:
    return {"tag": reply.tag, "ciphertext": reply.ciphertext, "day": day, "expires": day + KEEP_REPLIES}
