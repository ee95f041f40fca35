"""Rows of conversations, and what stands in each, page by page.

Cost is flat in what there is: every query walks an index from a cursor and stops after one page; none sorts,
counts all or skips over rows.
"""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Engine, literal, select, tuple_

from common.envelope_id import FORWARDED_PREFIX
from journalist_interface.desk.rows.models import AnswerRow, ConversationRow, EnvelopeRow

PAGE = 25
_MESSAGES_PAGE = 20
_AN_ANSWER = 2  # stands where a message has 0 (first) or 1 (later)


@dataclass(frozen=True)
class Conversation:
    """A conversation, summed up."""

    identity: str
    first_day: date
    last_day: date
    messages: int
    files: int
    unanswered: bool
    ours: bool  # False: all of it is a copy, for oversight


@dataclass(frozen=True, order=True)
class Place:
    """Where something stands in a conversation: by day, then by turn; `kind` 0 first message, 1 later, 2 answer."""

    day: date
    turn: int
    kind: int
    id: str

    @property
    def is_answer(self) -> bool:
        """True for an answer of the unit."""
        return self.kind == _AN_ANSWER


class Conversations:
    """The conversations of a cabinet."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def page(self, before: tuple[date, str] | None = None, *, unanswered: bool = False) -> list[Conversation]:
        """Up to PAGE + 1 conversations, newest day first; `before`: last day and identity of the last one seen."""
        query = _SELECT
        if unanswered:
            query = query.where(ConversationRow.unanswered == literal(1))
        if before is not None:
            query = query.where(tuple_(ConversationRow.last_day, ConversationRow.identity) < tuple_(*before))
        query = query.order_by(ConversationRow.last_day.desc(), ConversationRow.identity.desc()).limit(
            PAGE + 1
        )
        with self._engine.connect() as connection:
            return [Conversation(*row) for row in connection.execute(query)]

    def get(self, identity: str) -> Conversation | None:
        """The conversation of this identity."""
        with self._engine.connect() as connection:
            row = connection.execute(_SELECT.where(ConversationRow.identity == identity)).one_or_none()
        return None if row is None else Conversation(*row)

    def places(self, identity: str, before: Place | None = None) -> tuple[list[Place], bool]:
        """The newest messages and answers before a place, oldest of them first; and whether there are older."""
        messages = select(EnvelopeRow.day, EnvelopeRow.turn, EnvelopeRow.later, EnvelopeRow.id).where(
            EnvelopeRow.conversation == identity
        )
        answers = select(AnswerRow.day, AnswerRow.turn, literal(_AN_ANSWER), AnswerRow.id).where(
            AnswerRow.conversation == identity
        )
        if before is not None:
            messages = messages.where(
                tuple_(EnvelopeRow.day, EnvelopeRow.turn, EnvelopeRow.later, EnvelopeRow.id)
                < tuple_(before.day, before.turn, before.kind, before.id)
            )
            # No turn is both a message's and an answer's, so that day and turn are enough.
            answers = answers.where(tuple_(AnswerRow.day, AnswerRow.turn) < tuple_(before.day, before.turn))
        messages = messages.order_by(
            EnvelopeRow.day.desc(), EnvelopeRow.turn.desc(), EnvelopeRow.later.desc(), EnvelopeRow.id.desc()
        ).limit(_MESSAGES_PAGE + 1)
        answers = answers.order_by(AnswerRow.day.desc(), AnswerRow.turn.desc(), AnswerRow.id.desc()).limit(
            _MESSAGES_PAGE + 1
        )
        with self._engine.connect() as connection:
            found = [Place(*row) for row in connection.execute(messages)]
            found += [Place(*row) for row in connection.execute(answers)]
        found.sort(reverse=True)
        return found[:_MESSAGES_PAGE][::-1], len(found) > _MESSAGES_PAGE

    def first_message(self, identity: str) -> str | None:
        """The envelope that began a conversation, or the oldest here; the reporter's own before what was passed on."""
        query = (
            select(EnvelopeRow.id)
            .where(EnvelopeRow.conversation == identity)
            .order_by(
                EnvelopeRow.id.startswith(FORWARDED_PREFIX),
                *(EnvelopeRow.day, EnvelopeRow.turn, EnvelopeRow.later, EnvelopeRow.id),
            )
            .limit(1)
        )
        with self._engine.connect() as connection:
            return connection.execute(query).scalar()


_SELECT = select(
    ConversationRow.identity,
    ConversationRow.first_day,
    ConversationRow.last_day,
    ConversationRow.messages,
    ConversationRow.files,
    ConversationRow.unanswered,
    ConversationRow.ours == 1,
)
