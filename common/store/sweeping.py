"""What is past its time goes, and what a crash left; the database is written anew, so that it forgets what came when.

Safe beside servers that write: then it takes only what is surely left over, and leaves a large database for another
time. A blob that the database does not know, or says was collected long ago, is set aside before it is deleted: it may
be the database that is wrong, or whoever wrote into it. Where something odd lies among what is set aside, that is
logged and passed over: whoever can put it there cannot keep the servers from starting.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine, delete, select, text

from common.store.aside import Aside
from common.store.blobs import FORWARDED_PREFIX, BlobFolder
from common.store.models import EnvelopeRow, ReplyRow

KEEP_COLLECTED = timedelta(days=7)  # an acknowledged envelope is kept this long, should the unit's copy fail
KEEP_SET_ASIDE = timedelta(
    days=14
)  # a blob that the database does not know, should the database be an old one
_AT_ONCE = 8
_MOST_OF_A_CRASH = 32  # blobs that servers killed together can leave without a row
_SURELY_OVER = timedelta(days=2)  # nothing that is being written now has a day as old as this
_REWRITTEN_BESIDE_OTHERS = 256 * 1024**2  # bytes of a database
_log = logging.getLogger("candour.store")


class WrongDatabase(Exception):
    """The database knows of no message, but there are sealed ones. Name or restore the right database."""

    def __init__(self, count: int) -> None:
        super().__init__(
            f"The database knows of no message, but {count} sealed ones are there. Name the right database, or restore "
            "it; if they are not to be kept, move the folder of blobs elsewhere. Then start again."
        )


class Sweep:
    """One sweep of a store. `writing` begins a transaction, as the store does."""

    def __init__(
        self, engine: Engine, blobs: BlobFolder, writing: Callable[[], AbstractContextManager[Connection]]
    ) -> None:
        self._engine, self._blobs, self._writing = engine, blobs, writing
        self._odd = False
        self._is_sqlite = engine.url.get_backend_name() == "sqlite"

    def run(self, today: date, *, alone: bool) -> None:
        """`alone`: nobody writes blobs at this moment. Raises WrongDatabase before anything is changed."""
        over_since = today + _SURELY_OVER if alone else today - _SURELY_OVER
        self._check_database(over_since)
        with self._writing() as connection:
            connection.execute(delete(ReplyRow).where(ReplyRow.expires < today))
        while over := self._forget_some(today - KEEP_COLLECTED):
            for blob_id in over:
                self._set_aside(blob_id, today, collected=True)
        self._blobs.clear_staging(over_since)
        for aside in self._blobs.asides:
            self._clear(aside, today - KEEP_SET_ASIDE)
        self._set_aside_unknown(over_since, today)
        if self._odd:
            _log.error("Something odd lies among the messages that are set aside: it was left alone")
        if alone or self._is_soon_rewritten():
            self._forget_order()

    def _is_soon_rewritten(self) -> bool:
        """Whether writers would wait for it well within their patience (`busy_timeout`): 100 MB take a second."""
        database = self._engine.url.database
        return self._is_sqlite and Path(str(database)).stat().st_size <= _REWRITTEN_BESIDE_OTHERS

    def _check_database(self, not_after: date) -> None:
        """Raises WrongDatabase where it knows of nothing, beside blobs that no crash can have left."""
        with self._engine.connect() as connection:
            if connection.execute(select(EnvelopeRow.id).limit(1)).first() is not None:
                return
        count = sum(len(blob_ids) for _, blob_ids in self._blobs.ids(not_after))
        if count > _MOST_OF_A_CRASH:
            raise WrongDatabase(count)

    def _forget_some(self, collected_before: date) -> list[str]:
        """Delete a few rows that are past their time, so that no more blobs lose theirs at once; returns their ids."""
        some = select(EnvelopeRow.id).where(EnvelopeRow.collected_day < collected_before).limit(_AT_ONCE)
        with self._writing() as connection:
            found = list(connection.execute(some).scalars())
            connection.execute(delete(EnvelopeRow).where(EnvelopeRow.id.in_(found)))
        return found

    def _forget_order(self) -> None:
        """Write SQLite's file anew in the order of its keys, and empty its log: both show what came last."""
        if self._is_sqlite:
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("VACUUM"))
                connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))

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
            forwarded = self._blobs.forwarded_ids(day - _SURELY_OVER)  # the collection may be writing
            for prefix, blob_ids in (*self._blobs.ids(not_after), (FORWARDED_PREFIX, forwarded)):
                query = select(EnvelopeRow.id).where(EnvelopeRow.id.between(prefix, f"{prefix}g"))
                for blob_id in blob_ids.difference(connection.execute(query).scalars()):
                    count += self._set_aside(blob_id, day)
        if count:
            _log.error(
                "%d sealed messages that the database does not know were set aside for %d days",
                count,
                KEEP_SET_ASIDE.days,
            )

    def _set_aside(self, blob_id: str, day: date, *, collected: bool = False) -> bool:
        try:
            self._blobs.set_aside(blob_id, day, collected=collected)
        except OSError:
            self._odd = True
            return False
        return True
