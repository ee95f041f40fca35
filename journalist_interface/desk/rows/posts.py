"""Rows of posts: which envelopes the servers have a receipt for, and what couriers say became of answers and receipts.

A receipt is owed for each envelope that is here until a courier has delivered it. A post's way is told by its id alone.
So it does not matter in which order bundles come, or how often: what came back stays returned under that id, and what
is sealed again has another.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, Engine, func, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from common.transport.bundle import Bundle, Returned
from journalist_interface.desk.rows.models import (
    DELIVERED,
    EXPORTED,
    LEAVING,
    RETURNED,
    AnswerRow,
    BundleRow,
    EnvelopeRow,
    ForwardedRow,
    ForwardRow,
    ReceiptRow,
)
from journalist_interface.desk.rows.turn import new_turn

MOST_COUNTED = 1000
_MANY = 500  # rows in one statement


@dataclass(frozen=True)
class CameBack:
    """An answer, or a passing on, that the servers did not take."""

    id: str
    conversation: str
    is_forward: bool


class Posts:
    """What a cabinet knows of posts."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def note_bundle(self, carried: Bundle, known: Iterable[str], today: date) -> None:
        """Take what a bundle says, once: what was delivered, what came back, and what the servers still list.

        `known`: its envelopes that were here before. They are listed still, so their receipts are owed once more.
        """
        with self._engine.begin() as connection:
            new_turn(connection)
            seen = upsert(BundleRow).values(name=carried.folder.name, day=today).on_conflict_do_nothing()
            if connection.execute(seen).rowcount != 1:
                return  # it lies on the stick still
            owe_receipts(connection, known)
            _note_delivered(connection, carried.delivered)
            _note_returned(connection, carried.returned)

    def owed_receipts(self) -> dict[str, str]:
        """The envelopes whose receipts no courier has delivered: id -> SHA-256 of the sealed file as it came."""
        query = (
            select(EnvelopeRow.id, EnvelopeRow.sha256)
            .join(ReceiptRow, ReceiptRow.envelope == EnvelopeRow.id)
            .where(ReceiptRow.delivered == 0)
            .order_by(EnvelopeRow.id)
        )
        with self._engine.connect() as connection:
            return {row.id: row.sha256 for row in connection.execute(query)}

    def count_owed_receipts(self) -> int:
        """How many of those there are, counted no further than MOST_COUNTED."""
        some = select(ReceiptRow.envelope).where(ReceiptRow.delivered == 0).limit(MOST_COUNTED).subquery()
        with self._engine.connect() as connection:
            return connection.execute(select(func.count()).select_from(some)).scalar_one()

    def note_receipts(self, posts: Mapping[str, Sequence[str]]) -> None:
        """Note in which posts receipts are about to be on the stick: post id -> envelope ids."""
        with self._engine.begin() as connection:
            new_turn(connection)
            for post, envelopes in posts.items():
                for part in _parts(envelopes):
                    connection.execute(
                        update(ReceiptRow).where(ReceiptRow.envelope.in_(part)).values(post=post)
                    )

    def returned(self, most: int = 25) -> list[CameBack]:
        """Up to `most` answers and as many passings on that came back, and wait to be sealed again."""
        found = []
        with self._engine.connect() as connection:
            for row, is_forward in ((AnswerRow, False), (ForwardRow, True)):
                query = select(row.id, row.conversation).where(row.state == RETURNED).limit(most)
                found += [CameBack(*came, is_forward) for came in connection.execute(query)]
        return found


def owe_receipts(connection: Connection, envelopes: Iterable[str]) -> None:
    """Say that the servers are to be told, or told again, that these envelopes are here."""
    for part in _parts(envelopes):
        new = upsert(ReceiptRow).values([{"envelope": one} for one in part])
        connection.execute(
            new.on_conflict_do_update(
                index_elements=[ReceiptRow.envelope], set_={"post": None, "delivered": 0}
            )
        )


def _note_delivered(connection: Connection, posts: Iterable[str]) -> None:
    for part in _parts(posts):
        for row in (AnswerRow, ForwardRow):
            connection.execute(
                update(row)
                .where(row.post.in_(part), row.state.in_((LEAVING, EXPORTED)))
                .values(state=DELIVERED)
            )
        connection.execute(update(ReceiptRow).where(ReceiptRow.post.in_(part)).values(delivered=1))


def _note_returned(connection: Connection, returned: Sequence[Returned]) -> None:
    """An answer, or a passing on by its handover or one of its envelopes, is to be sealed again; a receipt is owed."""
    left = (LEAVING, EXPORTED, DELIVERED)
    for part in _parts(one.post for one in returned):
        for row in (AnswerRow, ForwardRow):
            connection.execute(
                update(row).where(row.post.in_(part), row.state.in_(left)).values(state=RETURNED)
            )
        passed_on = select(ForwardedRow.forward).where(ForwardedRow.id.in_(part))
        connection.execute(
            update(ForwardRow)
            .where(ForwardRow.id.in_(passed_on), ForwardRow.state.in_(left))
            .values(state=RETURNED)
        )
        connection.execute(update(ReceiptRow).where(ReceiptRow.post.in_(part)).values(post=None, delivered=0))


def _parts(ids: Iterable[str]) -> Iterator[list[str]]:
    all_ids = list(ids)
    for start in range(0, len(all_ids), _MANY):
        yield all_ids[start : start + _MANY]
