"""Rows by the key that opens them: what an epoch's end would take along, and what a case needs to be kept.

The key of an envelope is noted when it is first opened, that of an answer when it is sealed.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Engine, func, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from journalist_interface.desk.rows.envelopes import record
from journalist_interface.desk.rows.models import (
    LEAVING,
    OPENED,
    RETURNED,
    SEALED,
    WAITING,
    AnswerRow,
    ConversationRow,
    DestroyedRow,
    EnvelopeRow,
    ForwardRow,
)
from journalist_interface.desk.rows.turn import new_turn

RESEALED, DESTROYED = "resealed", "destroyed"  # what a record may say, beside those of envelopes.py
_MANY = 500
_TO_LEAVE = (WAITING, LEAVING, RETURNED)  # what came back is still to be sealed again


@dataclass(frozen=True)
class Holding:
    """What is sealed to one key: envelopes and their first and last day, answers, conversations without an answer."""

    envelopes: int = 0
    first_day: date | None = None
    last_day: date | None = None
    unanswered: int = 0
    answers: int = 0
    kept_envelopes: int = 0  # of conversations that a case needs
    kept_answers: int = 0
    waiting_answers: int = 0  # not on a stick yet, or perhaps not, or back from it
    waiting_forwards: int = 0


class SealedTo:
    """The rows of a cabinet, by the key that opens them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def holding(self, epoch: str) -> Holding:
        """What is sealed to the key of this fingerprint."""
        kept = select(ConversationRow.identity).where(ConversationRow.kept == 1)
        envelopes = select(
            func.count(),
            func.min(EnvelopeRow.day),
            func.max(EnvelopeRow.day),
            func.count().filter(EnvelopeRow.conversation.in_(kept)),
        ).where(EnvelopeRow.epoch == epoch)
        answers = select(
            func.count(),
            func.count().filter(AnswerRow.conversation.in_(kept)),
            func.count().filter(AnswerRow.state.in_(_TO_LEAVE)),
        ).where(AnswerRow.epoch == epoch)
        forwards = select(func.count()).where(ForwardRow.epoch == epoch, ForwardRow.state.in_(_TO_LEAVE))
        unanswered = select(func.count(EnvelopeRow.conversation.distinct())).where(
            EnvelopeRow.epoch == epoch,
            EnvelopeRow.conversation.in_(
                select(ConversationRow.identity).where(
                    ConversationRow.unanswered == 1, ConversationRow.kept == 0
                )
            ),
        )
        with self._engine.connect() as connection:
            count, first, last, kept_envelopes = connection.execute(envelopes).one()
            answer_count, kept_answers, waiting = connection.execute(answers).one()
            return Holding(
                envelopes=count,
                first_day=first,
                last_day=last,
                unanswered=connection.execute(unanswered).scalar_one(),
                answers=answer_count,
                kept_envelopes=kept_envelopes,
                kept_answers=kept_answers,
                waiting_answers=waiting,
                waiting_forwards=connection.execute(forwards).scalar_one(),
            )

    def unknown(self) -> tuple[list[tuple[str, int]], list[str], int]:
        """What was opened or sealed before keys were noted: envelopes (id, size) and answers; how many never opened."""
        envelopes = select(EnvelopeRow.id, EnvelopeRow.size).where(
            EnvelopeRow.epoch.is_(None), EnvelopeRow.state == OPENED
        )
        answers = select(AnswerRow.id).where(AnswerRow.epoch.is_(None))
        unopened = select(func.count()).where(EnvelopeRow.state == SEALED)
        with self._engine.connect() as connection:
            return (
                [(row.id, row.size) for row in connection.execute(envelopes)],
                list(connection.execute(answers).scalars()),
                connection.execute(unopened).scalar_one(),
            )

    def learn(self, envelopes: Collection[tuple[str, str]], answers: Collection[tuple[str, str]]) -> None:
        """Note the key of envelopes and answers, given by id."""
        with self._engine.begin() as connection:
            new_turn(connection)
            for identity, epoch in envelopes:
                connection.execute(update(EnvelopeRow).where(EnvelopeRow.id == identity).values(epoch=epoch))
            for identity, epoch in answers:
                connection.execute(update(AnswerRow).where(AnswerRow.id == identity).values(epoch=epoch))

    def forget(self, envelopes: Sequence[str]) -> None:
        """Say that the key of these envelopes is not known."""
        with self._engine.begin() as connection:
            new_turn(connection)
            for start in range(0, len(envelopes), _MANY):
                part = envelopes[start : start + _MANY]
                connection.execute(update(EnvelopeRow).where(EnvelopeRow.id.in_(part)).values(epoch=None))

    def is_kept(self, conversation: str) -> bool:
        """True for a conversation that a case needs."""
        query = select(ConversationRow.kept).where(ConversationRow.identity == conversation)
        with self._engine.connect() as connection:
            return connection.execute(query).scalar() == 1

    def keep(self, conversation: str) -> bool:
        """Say that a case needs a conversation. False when there is none."""
        with self._engine.begin() as connection:
            new_turn(connection)
            changed = connection.execute(
                update(ConversationRow).where(ConversationRow.identity == conversation).values(kept=1)
            )
        return changed.rowcount == 1

    def to_reseal(
        self, conversation: str, epochs: Collection[str]
    ) -> tuple[list[tuple[str, int]], list[str]]:
        """The envelopes (id, size) and answers of a conversation that an epoch's end would take, or may take."""
        envelopes = select(EnvelopeRow.id, EnvelopeRow.size).where(
            EnvelopeRow.conversation == conversation,
            or_(EnvelopeRow.epoch.in_(epochs), EnvelopeRow.epoch.is_(None)),
        )
        answers = select(AnswerRow.id).where(
            AnswerRow.conversation == conversation,
            or_(AnswerRow.epoch.in_(epochs), AnswerRow.epoch.is_(None)),
        )
        with self._engine.connect() as connection:
            found = [(row.id, row.size) for row in connection.execute(envelopes)]
            return found, list(connection.execute(answers).scalars())

    def note_resealed(self, envelope: str, epoch: str, sha256: str, today: date) -> None:
        """Note an envelope's new key, and put on record the checksum of the new sealed file."""
        with self._engine.begin() as connection:
            new_turn(connection)
            connection.execute(update(EnvelopeRow).where(EnvelopeRow.id == envelope).values(epoch=epoch))
            record(connection, today, [(RESEALED, envelope, sha256)])

    def note_destroyed(self, epoch: str, today: date) -> None:
        """Put on record, once, that an epoch was destroyed, and of each envelope that it was sealed to it."""
        with self._engine.begin() as connection:
            new_turn(connection)
            new = upsert(DestroyedRow).values(epoch=epoch, day=today).on_conflict_do_nothing()
            if connection.execute(new).rowcount != 1:
                return
            sealed = select(EnvelopeRow.id, EnvelopeRow.sha256).where(EnvelopeRow.epoch == epoch)
            lines = [(DESTROYED, row.id, row.sha256) for row in connection.execute(sealed)]
            if lines:
                record(connection, today, lines)

    def destroyed(self) -> dict[str, date]:
        """The epochs that were destroyed at this desk, and on which day."""
        with self._engine.connect() as connection:
            return {
                row.epoch: row.day for row in connection.execute(select(DestroyedRow.epoch, DestroyedRow.day))
            }

    def is_destroyed(self, epoch: str | None) -> bool:
        """True for an epoch that was destroyed at this desk."""
        return epoch is not None and epoch in self.destroyed()
