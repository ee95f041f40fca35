"""Rows of answers: sealed and waiting, leaving with an export, exported; delivered or returned, as couriers say.

An answer is `leaving` from just before its bundle is finished on the stick. It may then be on the stick, so it
can no longer be taken back; the next export takes it along again, and its reporter is shown the same answer once.
One that is returned found no place in the mailbox: it is sealed again, to other places, and leaves once more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import count

from sqlalchemy import Connection, Engine, Select, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from journalist_interface.desk.rows.models import (
    DELIVERED,
    EXPORTED,
    LEAVING,
    RETURNED,
    TAKEN_BACK,
    WAITING,
    AnswerRow,
    ConversationRow,
    ForwardRow,
)
from journalist_interface.desk.rows.turn import new_turn


class TakenBack(Exception):
    """An answer was taken back while it was being exported, so nothing was put on the stick. Export again."""


@dataclass(frozen=True)
class Answer:
    """An answer as its row has it; its words are in its sealed file."""

    id: str
    conversation: str
    day: date
    state: str
    exported: date | None
    number: int  # among all answers of this unit in the conversation, from 1


class HandedOver(Exception):
    """This conversation was passed on. Its reporter is shown only the answers of who has it now."""


class Answers:
    """The answers of a cabinet."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def used_slots(self, conversation: str) -> frozenset[int]:
        """The reply slots that answers of this desk may have taken in a conversation."""
        query = select(AnswerRow.slots).where(AnswerRow.conversation == conversation)
        with self._engine.connect() as connection:
            rows = connection.execute(query).scalars().all()
        return frozenset(int(slot) for row in rows for slot in row.split(","))

    def next_number(self, conversation: str) -> int:
        """The lowest number that no answer in this conversation has: one that was taken back is given again."""
        query = select(AnswerRow.number).where(AnswerRow.conversation == conversation)
        with self._engine.connect() as connection:
            taken = set(connection.execute(query).scalars())
        return next(number for number in count(1) if number not in taken)

    def add(self, answer: Answer, slots: Sequence[int], post: str, epoch: str | None = None) -> bool:
        """Keep a sealed answer. False when one of this id is here already: the same form, sent twice.

        `post`: the id of its signed post. Raises HandedOver.
        """
        try:
            with self._engine.begin() as connection:
                turn = new_turn(connection)
                if connection.execute(handed_over(answer.conversation)).first() is not None:
                    raise HandedOver
                connection.execute(
                    insert(AnswerRow).values(
                        id=answer.id,
                        conversation=answer.conversation,
                        day=answer.day,
                        number=answer.number,
                        turn=turn,
                        slots=",".join(map(str, slots)),
                        post=post,
                        epoch=epoch,
                    )
                )
                keep_in_step(connection, answer.conversation)
        except IntegrityError:
            return False
        return True

    def get(self, answer_id: str) -> Answer | None:
        """The answer of this id."""
        with self._engine.connect() as connection:
            row = connection.execute(_SELECT.where(AnswerRow.id == answer_id)).one_or_none()
        return None if row is None else Answer(*row)

    def of_conversation(self, conversation: str) -> list[str]:
        """The ids of all answers in a conversation."""
        query = select(AnswerRow.id).where(AnswerRow.conversation == conversation)
        with self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def to_export(self, most: int) -> list[Answer]:
        """Those that wait, and those that an export which was cut short may or may not have taken."""
        with self._engine.connect() as connection:
            found = [
                Answer(*row)
                for state in (LEAVING, WAITING)
                for row in connection.execute(
                    _SELECT.where(AnswerRow.state == state).order_by(AnswerRow.turn, AnswerRow.id).limit(most)
                )
            ]
        return found[:most]

    def count_to_export(self) -> int:
        """How many would leave with an export."""
        query = select(func.count()).where(AnswerRow.state.in_((WAITING, LEAVING)))
        with self._engine.connect() as connection:
            return connection.execute(query).scalar_one()

    def leave(self, ids: Sequence[str]) -> None:
        """Say that these are about to be on the stick. Raises TakenBack when one of them no longer waits."""
        with self._engine.begin() as connection:
            new_turn(connection)
            changed = connection.execute(
                update(AnswerRow)
                .where(AnswerRow.id.in_(ids), AnswerRow.state.in_((WAITING, LEAVING)))
                .values(state=LEAVING)
            )
            if changed.rowcount != len(ids):
                raise TakenBack

    def mark_exported(self, ids: Sequence[str], today: date) -> None:
        """Say that these are on the stick."""
        with self._engine.begin() as connection:
            new_turn(connection)
            connection.execute(
                update(AnswerRow).where(AnswerRow.id.in_(ids)).values(state=EXPORTED, exported=today)
            )

    def export_again(self, answer_id: str) -> bool:
        """Let an exported answer leave once more with the next export; it still cannot be taken back."""
        with self._engine.begin() as connection:
            new_turn(connection)
            changed = connection.execute(
                update(AnswerRow)
                .where(AnswerRow.id == answer_id, AnswerRow.state.in_((EXPORTED, DELIVERED)))
                .values(state=LEAVING)
            )
        return changed.rowcount == 1

    def seal_again(self, answer_id: str, slots: Sequence[int], post: str, epoch: str) -> bool:
        """Let a returned answer leave, sealed anew. Slots that it had count as taken. False when it is not returned."""
        with self._engine.begin() as connection:
            new_turn(connection)
            more = "," + ",".join(map(str, slots))
            changed = connection.execute(
                update(AnswerRow)
                .where(AnswerRow.id == answer_id, AnswerRow.state == RETURNED)
                .values(state=LEAVING, slots=AnswerRow.slots + more, post=post, epoch=epoch)
            )
        return changed.rowcount == 1

    def take_back(self, answer_id: str) -> bool:
        """Forget an answer that has not left. False when it may have."""
        with self._engine.begin() as connection:
            new_turn(connection)
            conversation = connection.execute(
                delete(AnswerRow)
                .where(AnswerRow.id == answer_id, AnswerRow.state == WAITING)
                .returning(AnswerRow.conversation)
            ).scalar()
            if conversation is not None:
                keep_in_step(connection, conversation)
        return conversation is not None


_SELECT = select(
    *(AnswerRow.id, AnswerRow.conversation, AnswerRow.day),
    *(AnswerRow.state, AnswerRow.exported, AnswerRow.number),
)


def handed_over(conversation: str) -> Select[str]:
    """Finds a row where a conversation was passed on."""
    return select(ForwardRow.id).where(
        ForwardRow.conversation == conversation, ForwardRow.state != TAKEN_BACK
    )


def keep_in_step(connection: Connection, conversation: str) -> None:
    """Bring a conversation's row in step with its answers."""
    last = select(func.coalesce(func.max(AnswerRow.turn), 0)).where(AnswerRow.conversation == conversation)
    last_answer = connection.execute(last).scalar_one()
    connection.execute(
        update(ConversationRow)
        .where(ConversationRow.identity == conversation)
        .values(
            last_answer=last_answer,
            unanswered=(ConversationRow.last_message > last_answer) & (ConversationRow.ours == 1),
        )
    )
