"""Rows of contact details that were asked for, and of what came of it: the signed entries, as they came.

Both can be added to and read; triggers refuse to change or delete them. No word of any contact details is ever here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError

from common.report.disclosure import Outcome
from journalist_interface.desk.rows.envelopes import record
from journalist_interface.desk.rows.models import ContactEntryRow, ContactRequestRow
from journalist_interface.desk.rows.turn import new_turn

ASKED = "asked"  # what a record of handling may say
CAME_OF_IT = {Outcome.OPENED: "disclosed", Outcome.REFUSED: "declined"}


@dataclass(frozen=True)
class Asked:
    """A request as its row has it. `unit`: whose identity holders are asked, and `key`: which key of theirs, by its
    fingerprint; empty in a row of a release that knew one alone. `digest`: SHA-256 of the document.
    """

    id: str
    envelope: str
    unit: str
    why: str
    day: date
    digest: str
    key: str


class Contacts:
    """The requests and entries of a cabinet."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, asked: Asked) -> bool:
        """Keep a request, and record it. False when one of this id is here already."""
        try:
            with self._engine.begin() as connection:
                turn = new_turn(connection)
                connection.execute(insert(ContactRequestRow).values(vars(asked) | {"turn": turn}))
                record(connection, asked.day, [(ASKED, asked.envelope, asked.digest)])
        except IntegrityError:
            return False
        return True

    def get(self, request_id: str) -> Asked | None:
        """The request of this id."""
        with self._engine.connect() as connection:
            row = connection.execute(_SELECT.where(ContactRequestRow.id == request_id)).one_or_none()
        return None if row is None else Asked(*row)

    def of(self, envelope: str) -> list[Asked]:
        """The requests for what came with an envelope, oldest first."""
        query = _SELECT.where(ContactRequestRow.envelope == envelope).order_by(ContactRequestRow.turn)
        with self._engine.connect() as connection:
            return [Asked(*row) for row in connection.execute(query)]

    def take(self, asked: Asked, digest: str, document: bytes, outcome: Outcome, today: date) -> bool:
        """Keep an entry that was verified. False when it is here already."""
        try:
            with self._engine.begin() as connection:
                turn = new_turn(connection)
                values = {"digest": digest, "request": asked.id, "document": document, "turn": turn}
                connection.execute(insert(ContactEntryRow).values(values))
                record(connection, today, [(CAME_OF_IT[outcome], asked.envelope, digest)])
        except IntegrityError:
            return False
        return True

    def entries(self, request_id: str) -> Sequence[bytes]:
        """The entries that answer a request, in the order in which they were taken."""
        query = (
            select(ContactEntryRow.document)
            .where(ContactEntryRow.request == request_id)
            .order_by(ContactEntryRow.turn)
        )
        with self._engine.connect() as connection:
            return list(connection.execute(query).scalars())


_SELECT = select(
    ContactRequestRow.id,
    ContactRequestRow.envelope,
    ContactRequestRow.unit,
    ContactRequestRow.why,
    ContactRequestRow.day,
    ContactRequestRow.digest,
    ContactRequestRow.key,
)
