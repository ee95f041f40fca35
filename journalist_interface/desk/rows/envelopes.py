"""Rows of envelopes: received whole, looked into once, and the record of how they were handled."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, Engine, func, insert, select, tuple_, update
from sqlalchemy.dialects.sqlite import insert as upsert

from common.transport.bundle_item import Item
from journalist_interface.desk.rows.models import (
    OPENED,
    SEALED,
    UNREADABLE,
    ConversationRow,
    EnvelopeRow,
    HandlingRow,
)
from journalist_interface.desk.rows.posts import owe_receipts
from journalist_interface.desk.rows.turn import new_turn

RECEIVED, SAVED = "received", "saved"  # beside "opened": what a record may say
_MANY = 500  # rows asked for in one query
MOST_COUNTED = 1000


@dataclass(frozen=True)
class Envelope:
    """An envelope as its row has it."""

    id: str
    sha256: str
    size: int
    day: date
    imported: date
    state: str
    reason: str | None
    conversation: str | None
    first: bool
    files: int
    epoch: str | None
    turn: int  # rises with each import


@dataclass(frozen=True)
class Inside:
    """What a first opening tells. `sha256` is that of what was sealed."""

    conversation: str
    first: bool
    day: date
    files: int
    sha256: str
    epoch: str  # fingerprint of the key that opened it
    ours: bool  # False: a copy, for oversight


@dataclass(frozen=True)
class Look:
    """The outcome of a first opening: what is inside, or why it did not open (a code of reasons.py)."""

    id: str
    inside: Inside | None
    reason: str | None = None


@dataclass(frozen=True)
class Handled:
    """A row of the record."""

    day: date
    what: str
    envelope: str
    sha256: str


class Envelopes:
    """The envelopes of a cabinet."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def known(self, ids: Sequence[str]) -> dict[str, str]:
        """Of these envelopes the ones that are here: id and SHA-256 of the sealed file."""
        found: dict[str, str] = {}
        with self._engine.connect() as connection:
            for start in range(0, len(ids), _MANY):
                part = ids[start : start + _MANY]
                query = select(EnvelopeRow.id, EnvelopeRow.sha256).where(EnvelopeRow.id.in_(part))
                found |= {row.id: row.sha256 for row in connection.execute(query)}
        return found

    def receive(self, items: Sequence[Item], sent: date, today: date) -> None:
        """Add the envelopes of a bundle, all or none. Their files must be durable already: the servers are told so."""
        if not items:
            return
        with self._engine.begin() as connection:
            turn = new_turn(connection)
            connection.execute(
                insert(EnvelopeRow),
                [
                    {
                        "id": item.name,
                        "sha256": item.sha256,
                        "size": item.size,
                        "day": min(sent, today),
                        "imported": today,
                        "turn": turn,
                    }
                    for item in items
                ],
            )
            owe_receipts(connection, [item.name for item in items])
            record(connection, today, [(RECEIVED, item.name, item.sha256) for item in items])

    def in_state(self, state: str, after: str = "", most: int = 100) -> list[tuple[str, int]]:
        """Up to `most` envelopes of a state whose id is greater than `after`: id and size."""
        query = (
            select(EnvelopeRow.id, EnvelopeRow.size)
            .where(EnvelopeRow.state == state, EnvelopeRow.id > after)
            .order_by(EnvelopeRow.id)
            .limit(most)
        )
        with self._engine.connect() as connection:
            return [(row.id, row.size) for row in connection.execute(query)]

    def note(self, looks: Iterable[Look], today: date) -> None:
        """Keep what first openings told; conversations stay in step. Noting the same twice changes nothing."""
        with self._engine.begin() as connection:
            new_turn(connection)
            for look in looks:
                if look.inside is None:
                    _note_unreadable(connection, look)
                else:
                    _note_opened(connection, look.id, look.inside, today)

    def get(self, envelope_id: str) -> Envelope | None:
        """The envelope of this id."""
        with self._engine.connect() as connection:
            row = connection.execute(_SELECT.where(EnvelopeRow.id == envelope_id)).mappings().one_or_none()
        return None if row is None else Envelope(**row)

    def of_conversation(self, identity: str) -> list[Envelope]:
        """All messages of a conversation, in its order."""
        query = _SELECT.where(EnvelopeRow.conversation == identity).order_by(
            EnvelopeRow.day, EnvelopeRow.turn, EnvelopeRow.later, EnvelopeRow.id
        )
        with self._engine.connect() as connection:
            return [Envelope(**row) for row in connection.execute(query).mappings()]

    def unreadable(self, before: tuple[date, str] | None = None, most: int = 25) -> list[Envelope]:
        """Those that could not be opened, newest first; `before`: day and id of the last one seen."""
        query = _SELECT.where(EnvelopeRow.state == UNREADABLE)
        if before is not None:
            query = query.where(tuple_(EnvelopeRow.day, EnvelopeRow.id) < tuple_(*before))
        query = query.order_by(EnvelopeRow.day.desc(), EnvelopeRow.id.desc()).limit(most)
        with self._engine.connect() as connection:
            return [Envelope(**row) for row in connection.execute(query).mappings()]

    def count(self, state: str) -> int:
        """How many are in a state, counted no further than MOST_COUNTED."""
        some = select(EnvelopeRow.id).where(EnvelopeRow.state == state).limit(MOST_COUNTED).subquery()
        with self._engine.connect() as connection:
            return connection.execute(select(func.count()).select_from(some)).scalar_one()

    def record_saved(self, envelope_id: str, sha256: str, today: date) -> None:
        """Put on record that a file of an envelope was saved."""
        with self._engine.begin() as connection:
            new_turn(connection)
            record(connection, today, [(SAVED, envelope_id, sha256)])

    def handled(self, ids: Sequence[str]) -> list[Handled]:
        """The record of these envelopes, in the order in which it was written."""
        query = (
            select(HandlingRow.day, HandlingRow.what, HandlingRow.envelope, HandlingRow.sha256)
            .where(HandlingRow.envelope.in_(ids))
            .order_by(HandlingRow.number)
        )
        with self._engine.connect() as connection:
            return [Handled(*row) for row in connection.execute(query)]


_SELECT = select(
    EnvelopeRow.id,
    EnvelopeRow.sha256,
    EnvelopeRow.size,
    EnvelopeRow.day,
    EnvelopeRow.imported,
    EnvelopeRow.state,
    EnvelopeRow.reason,
    EnvelopeRow.conversation,
    (EnvelopeRow.later == 0).label("first"),
    EnvelopeRow.files,
    EnvelopeRow.epoch,
    EnvelopeRow.turn,
)


def record(connection: Connection, today: date, lines: Sequence[tuple[str, str, str]]) -> None:
    """Add rows to the record: what was done, to which envelope, and the SHA-256 of what it was done to."""
    connection.execute(
        insert(HandlingRow),
        [
            {"day": today, "what": what, "envelope": envelope, "sha256": digest}
            for what, envelope, digest in lines
        ],
    )


def _note_unreadable(connection: Connection, look: Look) -> None:
    connection.execute(
        update(EnvelopeRow)
        .where(EnvelopeRow.id == look.id, EnvelopeRow.state != OPENED)
        .values(state=UNREADABLE, reason=look.reason)
    )


def _note_opened(connection: Connection, envelope_id: str, inside: Inside, today: date) -> None:
    day = min(inside.day, today)
    turn = connection.execute(
        update(EnvelopeRow)
        .where(EnvelopeRow.id == envelope_id, EnvelopeRow.state.in_((SEALED, UNREADABLE)))
        .values(
            state=OPENED,
            reason=None,
            conversation=inside.conversation,
            later=0 if inside.first else 1,
            day=day,
            files=inside.files,
            epoch=inside.epoch,
        )
        .returning(EnvelopeRow.turn)
    ).scalar()
    if turn is None:
        return  # noted before
    record(connection, today, [(OPENED, envelope_id, inside.sha256)])
    new = upsert(ConversationRow).values(
        identity=inside.conversation,
        first_day=day,
        last_day=day,
        messages=1,
        files=inside.files,
        last_message=turn,
        last_answer=0,
        unanswered=inside.ours,
        ours=int(inside.ours),
    )
    known = ConversationRow
    last_message = func.max(known.last_message, new.excluded.last_message)
    connection.execute(
        new.on_conflict_do_update(
            index_elements=[known.identity],
            set_={
                "first_day": func.min(known.first_day, new.excluded.first_day),
                "last_day": func.max(known.last_day, new.excluded.last_day),
                "messages": known.messages + 1,
                "files": known.files + new.excluded.files,
                "last_message": last_message,
                "ours": func.max(known.ours, new.excluded.ours),
                "unanswered": (last_message > known.last_answer)
                & (func.max(known.ours, new.excluded.ours) == 1),
            },
        )
    )
