"""The settlement: the one step by which anything passes between a unit and the store, at settled hours only.

In this order, each safe to repeat after a kill: what couriers delivered is taken in; what was withdrawn is deleted; the
sweep; what is new becomes listed; all blobs get the same time of change; the listing is put in place. The collection
sees nothing of it before that last rename, and then all of it.

It runs as the source interface's user. What lies in the inbox is untrusted: the collection may be broken into.
"""

import logging
from collections.abc import Iterator
from datetime import date

from sqlalchemy import bindparam, delete, select, update

from common.config import Limits
from common.days import today
from common.durable import locked
from common.registry.registry import Registry
from common.store.arrivals import take_in
from common.store.inbox import Inbox
from common.store.models import EnvelopeRow, ReturnedRow
from common.store.outbox import Outbox
from common.store.repository import Store
from common.store.values import Envelope, Returned, State, Why

_AT_ONCE = 8  # withdrawn rows that go before their blobs do
_LISTED_AT_ONCE = 1000
_FETCHED_AT_ONCE = 10_000
_ROOM_STEP = 64 * 1024**2
_SEEN = (State.LISTED, State.WITHDRAWN)
_LIST = (
    update(EnvelopeRow)
    .where(EnvelopeRow.id == bindparam("of_id"), EnvelopeRow.state == State.NEW)
    .values(state=State.LISTED, sha256=bindparam("digest"))
)
_log = logging.getLogger("candour.settlement")


class Settlement:
    """Settles what lies in `store` and `inbox` into `outbox`, for the units of `registry`."""

    def __init__(
        self,
        store: Store,
        inbox: Inbox,
        outbox: Outbox,
        registry: Registry,
        limits: Limits = Limits(),  # noqa: B008  # frozen
    ) -> None:
        self._store, self._inbox, self._outbox = store, inbox, outbox
        self._registry, self._limits = registry, limits

    def run(self, hour: str) -> None:
        """Settle, and call the listing that of `hour`, such as 2026-11-28T18. Two at once wait for each other.

        Raises WrongDatabase before anything is changed; SQLAlchemyError, OSError or sqlite3.Error where it could not
        end: then the listing stays as it was, and another run takes it up.
        """
        presence = self._store.blobs.enter()
        presence.share()  # servers may start meanwhile
        try:
            with locked(self._store.blobs.lock_of_settlement):
                self._settle(hour, today())
        finally:
            presence.leave()

    def _settle(self, hour: str, day: date) -> None:
        self._store.check_database(day, alone=False)
        odd = take_in(self._store, self._inbox, self._registry, self._limits, day)
        if odd:
            _log.error("%d things in the inbox were not as a courier leaves them: none was taken", odd)
        self._delete_withdrawn()
        self._store.sweep(day, alone=False, keep_free=self._limits.keep_free_bytes)
        self._list_new()
        self._store.blobs.fill_pool()
        self._store.blobs.touch_all()
        write_listing(self._store, self._outbox, hour, self._limits, self._inbox.taken_bytes())

    def _delete_withdrawn(self) -> None:
        some = select(EnvelopeRow.id).where(EnvelopeRow.state == State.WITHDRAWN).limit(_AT_ONCE)
        while True:
            with self._store.writing() as connection:
                found = list(connection.execute(some).scalars())
                connection.execute(delete(EnvelopeRow).where(EnvelopeRow.id.in_(found)))
            for blob_id in found:
                self._store.blobs.delete(blob_id)
            if not found:
                return

    def _list_new(self) -> None:
        """Whatever is new now becomes listed; what arrives meanwhile waits for the next settlement."""
        with self._store.reading() as connection:
            query = select(EnvelopeRow.id).where(EnvelopeRow.state == State.NEW)
            new = list(connection.execute(query).scalars())
        for at in range(0, len(new), _LISTED_AT_ONCE):
            digests = {one: self._store.blobs.show(one) for one in new[at : at + _LISTED_AT_ONCE]}
            with self._store.writing() as connection:
                connection.execute(
                    _LIST, [{"of_id": one, "digest": digest} for one, digest in digests.items()]
                )


def write_listing(store: Store, outbox: Outbox, hour: str, limits: Limits, inbox_bytes: int = 0) -> None:
    """Put the listing of what is listed in place, and change nothing else. Raises as `Settlement.run` does.

    `inbox_bytes`: what waits in the inbox. Where it is not said, couriers have so much less room.
    """
    outbox.write(hour, _listed(store), _returned(store), _room(store, limits, inbox_bytes))
    store.blur_database()


def _room(store: Store, limits: Limits, inbox_bytes: int) -> int:
    """How many bytes the inbox may take until the next settled hour, what waits there included.

    It is rounded down to 64 MiB, or to a 256th of a disk that is smaller than 16 GiB: few reports show in it.
    """
    disk = store.blobs.disk_bytes()
    free = store.blobs.free_bytes() + inbox_bytes - limits.kept_from_posts(disk)
    step = min(_ROOM_STEP, disk // 256)
    return max(0, free // step * step)


def _listed(store: Store) -> Iterator[tuple[str, Envelope]]:
    """One that is withdrawn meanwhile may be given twice."""
    query = (
        select(EnvelopeRow.unit, EnvelopeRow.id, EnvelopeRow.day, EnvelopeRow.padded_size)
        .where(EnvelopeRow.state == bindparam("of_state"))
        .order_by(EnvelopeRow.unit, EnvelopeRow.id)
    )
    for state in _SEEN:
        with store.reading() as connection:
            found = connection.execute(query, {"of_state": state})
            for unit, one, day, size in found.yield_per(_FETCHED_AT_ONCE):
                yield unit, Envelope(one, day, size)


def _returned(store: Store) -> Iterator[tuple[str, Returned]]:
    query = select(ReturnedRow.unit, ReturnedRow.post, ReturnedRow.why).where(ReturnedRow.why.in_(list(Why)))
    with store.reading() as connection:
        for unit, name, why in connection.execute(query.order_by(ReturnedRow.unit, ReturnedRow.post)):
            yield unit, Returned(name, why)
