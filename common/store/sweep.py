"""What is past its time goes, and what a crash left; the database is written anew, so that it forgets what came when.

Safe beside servers that write: then it takes only what is surely left over, and leaves a large database for another
time. A blob that the database does not know, or says its desk has held for long, is set aside before it is deleted: it
may be the database that is wrong, or whoever wrote into it. Where something odd lies among what is set aside, that is
logged and passed over. Where the disk has no room for a copy of the database, that is left as it is.
"""

import logging
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine, bindparam, delete, select, text
from sqlalchemy.exc import OperationalError

from common.store.blobs import BlobFolder
from common.store.models import EnvelopeRow, ReplyRow, ReturnedRow
from common.store.set_aside import Aside
from common.store.values import KEEP_RETURNED, State

KEEP_HELD = timedelta(
    days=7
)  # an envelope that its desk holds is kept this long, should the desk's copy fail
KEEP_SET_ASIDE = timedelta(
    days=14
)  # a blob that the database does not know, should the database be an old one
_AT_ONCE = 8
_MOST_OF_A_CRASH = 32  # blobs that servers killed together can leave without a row
_SURELY_OVER = timedelta(days=2)  # nothing that is being written now has a day as old as this
_REWRITTEN_BESIDE_OTHERS = 256 * 1024**2  # bytes of a database
_REWRITTEN_ALONE = 1024**3  # bytes: SQLite holds the copy in memory, and each service has a limit of that
_BETWEEN = select(EnvelopeRow.id).where(EnvelopeRow.id.between(bindparam("first"), bindparam("last")))
_log = logging.getLogger("candour.store")


class WrongDatabase(Exception):
    """The database knows of no message, but there are sealed ones. Name or restore the right database."""

    def __init__(self, count: int) -> None:
        super().__init__(
            f"The database knows of no message, but {count} sealed ones are there. Name the right database, or restore "
            "it; if they are not to be kept, move the folder of blobs elsewhere. Then start again."
        )


class Sweep:
    """One sweep of a store. `writing` begins a transaction, as the store does.

    `keep_free`: how much of the database's disk, in bytes, writing the database anew leaves free.
    """

    def __init__(
        self,
        engine: Engine,
        blobs: BlobFolder,
        writing: Callable[[], AbstractContextManager[Connection]],
        keep_free: int = 0,
    ) -> None:
        self._keep_free = keep_free
        self._engine, self._blobs, self._writing = engine, blobs, writing
        self._odd = False
        self._is_sqlite = engine.url.get_backend_name() == "sqlite"

    def run(self, today: date, *, alone: bool) -> None:
        """`alone`: nobody writes blobs at this moment. Raises WrongDatabase before anything is changed."""
        over_since = _over_since(today, alone=alone)
        self.check_database(today, alone=alone)
        with self._writing() as connection:
            connection.execute(delete(ReplyRow).where(ReplyRow.expires < today))
            connection.execute(delete(ReturnedRow).where(ReturnedRow.day < today - KEEP_RETURNED))
        while over := self._forget_some(today - KEEP_HELD):
            for blob_id in over:
                self._set_aside(blob_id, today, held=True)
        self._blobs.clear_staging(over_since)
        self._clear(self._blobs.aside, today - KEEP_SET_ASIDE)
        self._set_aside_unknown(over_since, today)
        if self._odd:
            _log.error("Something odd lies among the messages that are set aside: it was left alone")
        if self._may_be_rewritten(alone=alone):
            self._forget_order()

    def _may_be_rewritten(self, *, alone: bool) -> bool:
        """Whether it fits into memory, and writers would wait well within their patience: 100 MB take a second."""
        if not self._is_sqlite:
            return False
        most = _REWRITTEN_ALONE if alone else _REWRITTEN_BESIDE_OTHERS
        return Path(str(self._engine.url.database)).stat().st_size <= most

    def check_database(self, today: date, *, alone: bool) -> None:
        """Raises WrongDatabase where it knows of nothing, beside blobs that no crash can have left."""
        not_after = _over_since(today, alone=alone)
        with self._engine.connect() as connection:
            if connection.execute(select(EnvelopeRow.id).limit(1)).first() is not None:
                return
        ids = (blob_id for _, blob_ids in self._blobs.ids() for blob_id in blob_ids)
        count = sum(not self._blobs.is_younger(blob_id, not_after) for blob_id in ids)
        if count > _MOST_OF_A_CRASH:
            raise WrongDatabase(count)

    def _forget_some(self, held_before: date) -> list[str]:
        """Delete a few rows that are past their time, so that no more blobs lose theirs at once; returns their ids."""
        over = EnvelopeRow.state == State.HELD, EnvelopeRow.held_day < held_before
        some = select(EnvelopeRow.id).where(*over).limit(_AT_ONCE)
        with self._writing() as connection:
            found = list(connection.execute(some).scalars())
            connection.execute(delete(EnvelopeRow).where(EnvelopeRow.id.in_(found)))
        return found

    def _forget_order(self) -> None:
        """Write SQLite's file anew in the order of its keys, and empty its log: both show what came last."""
        try:
            if not self._has_room_for_a_copy():
                _log.error("The disk has no room for a copy of the database: it was not written anew")
                return
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("VACUUM"))
                connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        except OperationalError:  # it was too full all the same, or others kept the database busy
            _log.error("The database could not be written anew")

    def _has_room_for_a_copy(self) -> bool:
        """SQLite writes the copy into its log, and then from there into its file."""
        database = Path(str(self._engine.url.database))
        log = database.with_name(f"{database.name}-wal")
        size = sum(file.stat().st_size for file in (database, log) if file.exists())
        return shutil.disk_usage(database.parent).free - self._keep_free >= 2 * size

    def _clear(self, aside: Aside, before: date) -> None:
        """Put back what the database knows, and delete what is old; where that cannot be looked through, neither."""
        try:
            with self._engine.connect() as connection:
                for file in aside.files():
                    if connection.execute(select(EnvelopeRow.id).where(EnvelopeRow.id == file.name)).first():
                        self._blobs.put_back(file.name)
            aside.delete(before)
        except OSError:
            self._odd = True

    def _set_aside_unknown(self, not_after: date, day: date) -> None:
        with self._engine.connect() as connection:
            count = 0
            for prefix, blob_ids in self._blobs.ids():
                if not blob_ids:
                    continue
                known = connection.execute(_BETWEEN, {"first": prefix, "last": f"{prefix}g"}).scalars()
                for blob_id in blob_ids.difference(known):
                    if not self._blobs.is_younger(blob_id, not_after):
                        count += self._set_aside(blob_id, day)
        if count:
            _log.error(
                "%d sealed messages that the database does not know were set aside for %d days",
                count,
                KEEP_SET_ASIDE.days,
            )

    def _set_aside(self, blob_id: str, day: date, *, held: bool = False) -> bool:
        try:
            self._blobs.set_aside(blob_id, day, held=held)
        except OSError:
            self._odd = True
            return False
        return True


def _over_since(today: date, *, alone: bool) -> date:
    return today + _SURELY_OVER if alone else today - _SURELY_OVER
