"""Rows of conversations passed on to other units: waiting, leaving, exported, delivered, returned, taken back.

States as those of answers: from just before its bundle is finished on the stick a passing on cannot be taken back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Engine, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from journalist_interface.desk.rows.answers import TakenBack, keep_in_step
from journalist_interface.desk.rows.envelopes import record
from journalist_interface.desk.rows.models import (
    DELIVERED,
    EXPORTED,
    LEAVING,
    RETURNED,
    TAKEN_BACK,
    WAITING,
    AnswerRow,
    ConversationRow,
    ForwardedRow,
    ForwardRow,
)
from journalist_interface.desk.rows.turn import new_turn

FORWARDED, REWRITTEN = "forwarded", "rewritten"  # what a record of handling may say


class Changed(Exception):
    """An answer was sealed in this conversation meanwhile, so it was not passed on. Look at it, and do it again."""


@dataclass(frozen=True)
class Forward:
    """A passing on as its row has it. `post`: the id of its handover's signed post."""

    id: str
    conversation: str
    receiver: str
    why: str
    rewritten: bool
    day: date
    state: str
    exported: date | None
    post: str


@dataclass(frozen=True)
class Forwarded:
    """An envelope made for another unit, out of `original`: size in bytes, SHA-256 of the sealed file in hex."""

    id: str
    original: str
    size: int
    sha256: str


class Forwards:
    """The passings on of a cabinet."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(
        self,
        forward: Forward,
        slots: Sequence[int],
        envelopes: Sequence[Forwarded],
        originals: Sequence[str],
        standing: Sequence[str],
        epoch: str,
    ) -> bool:
        """Keep a passing on, all of it, and record it. False when one of this id is here already.

        `originals`: the envelopes that it says anything of; `standing`: the answers that its handover names;
        `epoch`: the key that opens its document. Raises Changed when there is another answer by now.
        """
        try:
            with self._engine.begin() as connection:
                turn = new_turn(connection)
                answers = select(AnswerRow.id).where(AnswerRow.conversation == forward.conversation)
                if set(connection.execute(answers).scalars()) != set(standing):
                    raise Changed
                values = vars(forward) | {"turn": turn, "slots": ",".join(map(str, slots)), "epoch": epoch}
                connection.execute(insert(ForwardRow).values(values))
                connection.execute(
                    insert(ForwardedRow), [vars(one) | {"forward": forward.id} for one in envelopes]
                )
                what = REWRITTEN if forward.rewritten else FORWARDED
                digests = {
                    one.original: one.sha256 for one in reversed(envelopes)
                }  # the next holder's stands first
                first = envelopes[0].sha256
                record(connection, forward.day, [(what, one, digests.get(one, first)) for one in originals])
                connection.execute(
                    update(ConversationRow)
                    .where(ConversationRow.identity == forward.conversation)
                    .values(last_answer=turn, unanswered=False)
                )
        except IntegrityError:
            return False
        return True

    def get(self, forward_id: str) -> Forward | None:
        """The passing on of this id."""
        with self._engine.connect() as connection:
            row = connection.execute(_SELECT.where(ForwardRow.id == forward_id)).one_or_none()
        return None if row is None else Forward(*row)

    def of(self, conversation: str) -> list[Forward]:
        """All of a conversation, those that were taken back included, oldest first."""
        query = _SELECT.where(ForwardRow.conversation == conversation).order_by(ForwardRow.turn)
        with self._engine.connect() as connection:
            return [Forward(*row) for row in connection.execute(query)]

    def standing(self, conversation: str) -> list[Forward]:
        """Those of a conversation that were not taken back, oldest first."""
        return [forward for forward in self.of(conversation) if forward.state != TAKEN_BACK]

    def used_slots(self, conversation: str) -> frozenset[int]:
        """The reply slots that handovers of this desk may have taken in a conversation."""
        query = select(ForwardRow.slots).where(ForwardRow.conversation == conversation)
        with self._engine.connect() as connection:
            return frozenset(
                int(slot) for row in connection.execute(query).scalars() for slot in row.split(",")
            )

    def sent(self, conversation: str, receiver: str) -> frozenset[str]:
        """The envelopes of a conversation that were passed on to a unit as they came."""
        query = (
            select(ForwardedRow.original)
            .join(ForwardRow, ForwardRow.id == ForwardedRow.forward)
            .where(
                ForwardRow.conversation == conversation,
                ForwardRow.receiver == receiver,
                ForwardRow.state != TAKEN_BACK,
                ~ForwardRow.rewritten,
            )
        )
        with self._engine.connect() as connection:
            return frozenset(connection.execute(query).scalars())

    def envelopes(self, forward_id: str) -> list[Forwarded]:
        """The envelopes of a passing on, by id."""
        query = (
            select(ForwardedRow.id, ForwardedRow.original, ForwardedRow.size, ForwardedRow.sha256)
            .where(ForwardedRow.forward == forward_id)
            .order_by(ForwardedRow.id)
        )
        with self._engine.connect() as connection:
            return [Forwarded(*row) for row in connection.execute(query)]

    def files(self) -> frozenset[str]:
        """The names of all sealed files that belong to one that was not taken back."""
        kept = select(ForwardRow.id).where(ForwardRow.state != TAKEN_BACK)
        with self._engine.connect() as connection:
            forwards = connection.execute(kept).scalars().all()
            found = connection.execute(select(ForwardedRow.id).where(ForwardedRow.forward.in_(kept)))
            return frozenset([*forwards, *found.scalars()])

    def to_export(self) -> list[Forward]:
        """Those that wait, and those that an export which was cut short may or may not have taken."""
        query = _SELECT.where(ForwardRow.state.in_((WAITING, LEAVING))).order_by(ForwardRow.turn)
        with self._engine.connect() as connection:
            return [Forward(*row) for row in connection.execute(query)]

    def count_to_export(self) -> int:
        """How many would leave with an export."""
        query = select(func.count()).where(ForwardRow.state.in_((WAITING, LEAVING)))
        with self._engine.connect() as connection:
            return connection.execute(query).scalar_one()

    def leave(self, forward_id: str) -> None:
        """Say that it is about to be on the stick. Raises TakenBack when it no longer waits."""
        if not self._move(forward_id, (WAITING, LEAVING), LEAVING):
            raise TakenBack

    def mark_exported(self, forward_id: str, day: date) -> None:
        """Say that it is on the stick."""
        self._move(forward_id, (LEAVING,), EXPORTED, day)

    def export_again(self, forward_id: str) -> bool:
        """Let it leave once more with the next export; it still cannot be taken back."""
        return self._move(forward_id, (EXPORTED, DELIVERED), LEAVING)

    def seal_again(self, forward_id: str, slots: Sequence[int], post: str, epoch: str) -> bool:
        """Let a returned one leave, its handover sealed anew. False when it is not returned."""
        with self._engine.begin() as connection:
            new_turn(connection)
            more = "," + ",".join(map(str, slots))
            changed = connection.execute(
                update(ForwardRow)
                .where(ForwardRow.id == forward_id, ForwardRow.state == RETURNED)
                .values(state=LEAVING, slots=ForwardRow.slots + more, post=post, epoch=epoch)
            )
        return changed.rowcount == 1

    def take_back(self, forward_id: str, day: date) -> bool:
        """Undo one that has not left; its row stays. False when it may have left."""
        with self._engine.begin() as connection:
            new_turn(connection)
            conversation = connection.execute(
                update(ForwardRow)
                .where(ForwardRow.id == forward_id, ForwardRow.state == WAITING)
                .values(state=TAKEN_BACK)
                .returning(ForwardRow.conversation)
            ).scalar()
            if conversation is not None:
                found = select(ForwardedRow.original, ForwardedRow.sha256).where(
                    ForwardedRow.forward == forward_id
                )
                lines = [(TAKEN_BACK, row.original, row.sha256) for row in connection.execute(found)]
                record(connection, day, lines)
                keep_in_step(connection, conversation)
        return conversation is not None

    def _move(
        self, forward_id: str, before: tuple[str, ...], after: str, exported: date | None = None
    ) -> bool:
        values = {"state": after} | ({"exported": exported} if exported else {})
        with self._engine.begin() as connection:
            new_turn(connection)
            changed = connection.execute(
                update(ForwardRow)
                .where(ForwardRow.id == forward_id, ForwardRow.state.in_(before))
                .values(values)
            )
        return changed.rowcount == 1


_SELECT = select(
    ForwardRow.id,
    ForwardRow.conversation,
    ForwardRow.receiver,
    ForwardRow.why,
    ForwardRow.rewritten,
    ForwardRow.day,
    ForwardRow.state,
    ForwardRow.exported,
    ForwardRow.post,
)
