"""Who holds a conversation: a state machine over what its holders signed.

A pure function of the reporter's own header, of what lies in the slots and is signed for this conversation, and of the
registry. From the header's holder on, one step is taken for each handover that counts. At each point it is asked
whether who holds it is there, and what that one said at this link; `TABLE` gives the state, or None to go on with the
next holder. No day is needed for that: a link says at which point a holder held the conversation.

    state      whose answers are shown              who gets the next message
    held       the holder's                         the holder, and its second seal
    vacant     none but those that stand            nobody: the reporter is asked
    contested  the holder's, and each one's that    nobody: the reporter is asked
    doubtful     it may have given it to
    unknown    every enrolled unit's                nobody: the reporter is asked

With all of them, answers of earlier holders stand that a handover on the way names.

What follows from it, each checked by machine (`tests/source_interface/conversation/holding/test_machine.py`):

- What the present holder signed is shown.
- No unit but the one that holds it, or that the reporter's header names, changes who holds it. A copy, a courier or a
  former holder, from before the header, changes nothing: what they sign is after another link.
- Between two headers, a holder that gave it away can say so again with another name. Then nobody holds it until the
  reporter has chosen, and everybody's answers are shown meanwhile: that silences nobody and sends nothing to anybody.
- What no key of the unit signed, present or former, is nothing.
- Nobody gets a conversation back by a chain in which it gave it away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from common.conversation.header import MOST_MARKS, Header
from common.conversation.links import MOST_HANDOVERS, links
from common.conversation.reply import Handover, Reply
from common.days import today
from common.registry.registry import Registry, UnknownUnit
from common.registry.units import Unit, UnitKind
from common.report.routing import kept_from_units


class State(StrEnum):
    """Whether somebody holds the conversation, and if not, why."""

    HELD = "held"
    VACANT = "vacant"  # who has it can receive nothing
    CONTESTED = "contested"  # who had it gave it to more than one
    DOUBTFUL = "doubtful"  # a key that its holder has no more gave it away
    UNKNOWN = "unknown"  # there is no header


class Holder(StrEnum):
    """Whether a unit can hold a conversation."""

    ENROLLED = "enrolled"
    MISSING = "missing"  # suspended, not enrolled yet, or not in the registry: its keys may be in wrong hands


class Word(StrEnum):
    """What a holder said at its link, of giving the conversation away."""

    NOTHING = "nothing"
    ONE = "one"  # to one unit, however often
    SEVERAL = "several"  # to more than one
    FORMER = "former"  # nothing with its key of today, but something with a former one


TABLE: Mapping[tuple[Holder, Word], State | None] = MappingProxyType(
    {
        (Holder.ENROLLED, Word.NOTHING): State.HELD,
        (Holder.ENROLLED, Word.ONE): None,
        (Holder.ENROLLED, Word.SEVERAL): State.CONTESTED,
        (Holder.ENROLLED, Word.FORMER): State.DOUBTFUL,
        (Holder.MISSING, Word.NOTHING): State.VACANT,
        (Holder.MISSING, Word.ONE): State.VACANT,
        (Holder.MISSING, Word.SEVERAL): State.VACANT,
        (Holder.MISSING, Word.FORMER): State.VACANT,
    }
)


@dataclass(frozen=True)
class Item:
    """What was read in a slot: signed for this conversation by the unit that it names.

    `digest`: of an answer, what a handover calls it; of a handover, what a header calls it. `by_former_key`: the unit
    has another key today; of answers there are none such.
    """

    slot: int
    said: Reply | Handover = field(repr=False)
    digest: str = ""
    by_former_key: bool = False


@dataclass(frozen=True)
class Holding:
    """Who holds a conversation, and what follows from that: the one value by which pages say it and messages go.

    `header`: the reporter's; None where there is none. `holders`: ids, from the header's first on; the last one has it,
    or would have it. `named`: ids of those that the last one may have given it to. `shown`: the answers that may be
    shown. `told`: the handovers of this way. `recipients`: all that a message goes to, the second seal with them; none
    where the reporter has to choose first. `despite`: whoever was given it serves a force that the reporter wanted kept
    from it.
    """

    state: State
    header: Header | None = None
    holders: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    shown: tuple[Item, ...] = field(default=(), repr=False)
    told: tuple[tuple[Item, Handover], ...] = field(default=(), repr=False)
    recipients: tuple[Unit, ...] = ()
    despite: bool = False

    @property
    def holder(self) -> str | None:
        """The id of who gets the next message; None where nobody does."""
        return self.holders[-1] if self.state is State.HELD else None

    @property
    def before(self) -> tuple[str, ...]:
        """The ids of those who passed it on, in order."""
        return self.holders[:-1]

    @property
    def marks(self) -> tuple[str, ...]:
        """What a header calls the handovers of this way."""
        return tuple(sorted({item.digest for item, _ in self.told}))[:MOST_MARKS]

    @property
    def copies(self) -> tuple[str, ...]:
        """The ids of those that got a copy as it was passed on."""
        return tuple(sorted({said.copy_to for _, said in self.told if said.copy_to}))

    @property
    def rewritten(self) -> bool:
        """Some of it was passed on in other words."""
        return any(said.rewritten for _, said in self.told)

    @property
    def has_moved(self) -> bool:
        """Somebody passed it on, or may have."""
        return bool(self.before or self.named)

    @property
    def is_lost(self) -> bool:
        """Somebody was to have it, and nothing goes to anybody before the reporter has chosen."""
        return self.header is not None and not self.recipients

    @property
    def is_seen(self) -> bool:
        """Somebody has used it before, as anybody can see: it need not look like a codename that was never used.

        A message alone does not show that: whoever only tries a codename may have written it.
        """
        return bool(self.shown or self.before or self.is_lost)

    @property
    def despite_involved(self) -> bool:
        """Whoever was given it is a unit, where units are or might be involved."""
        if not (self.header and self.header.destination.involved and self.before and self.recipients):
            return False
        return self.recipients[0].kind is UnitKind.UNIT

    @property
    def without_copy(self) -> bool:
        """Whoever was given it has a second seal that gets nothing of what is written."""
        if not self.before or len(self.recipients) != 1:
            return False
        [holder] = self.recipients
        return holder.second_seal not in (None, holder.id)


def follow(registry: Registry, header: Header | None, items: Sequence[Item]) -> Holding:
    """Who holds the conversation now."""
    if header is None:
        enrolled = {unit.id for unit in registry.units if unit.is_enrolled}
        return Holding(State.UNKNOWN, shown=_answers(items, enrolled, frozenset()))
    state, holders, named = _walk(registry, items, header.first_link, header.holders)
    told = _told(items, header, holders)
    showing = {State.HELD: {holders[-1]}, State.VACANT: set[str]()}.get(state, {holders[-1], *named})
    standing = frozenset(
        (said.unit, digest)
        for item, said in told
        if not item.by_former_key and _holder(registry, said.unit) is Holder.ENROLLED
        for digest in said.standing
    )
    barred = kept_from_units(registry, today(), [header.destination.kept_from])
    recipients = _recipients(registry, header, holders, barred) if state is State.HELD else ()
    return Holding(
        state,
        header,
        holders,
        named if state in (State.CONTESTED, State.DOUBTFUL) else (),
        _answers(items, {one for one in showing if _holder(registry, one) is Holder.ENROLLED}, standing),
        tuple(told),
        recipients,
        despite=bool(recipients) and len(holders) > 1 and holders[-1] in barred,
    )


def _walk(
    registry: Registry, items: Sequence[Item], first_link: str, holders: tuple[str, ...]
) -> tuple[State, tuple[str, ...], tuple[str, ...]]:
    """From the last of the holders on: the state at the end, all holders, and whom the last one named."""
    word, named = _word(items, holders, links(first_link, holders)[-1])
    state = TABLE[_holder(registry, holders[-1]), word]
    if state is None:
        return _walk(registry, items, first_link, holders + named)
    return state, holders, named


def _recipients(
    registry: Registry, header: Header, holders: tuple[str, ...], barred: frozenset[str]
) -> tuple[Unit, ...]:
    """All that a message goes to.

    The second seal that the header names is the first holder's: it was chosen with it, so without the one there is
    nobody. Who was given it has their own, or none at present, and the page says which. Who gave it away, of whom the
    page says that nothing more goes to them, gets no copy either.
    """
    holder = registry.unit(holders[-1])
    if len(holders) == 1:
        if not header.destination.second:
            return (holder,)
        second = _enrolled(registry, header.destination.second)
        return (holder, second) if second else ()
    second = _enrolled(registry, holder.second_seal) if holder.second_seal not in (None, holder.id) else None
    if second is None or second.id in barred or second.id in holders[:-1]:
        return (holder,)
    return (holder, second)


def _enrolled(registry: Registry, unit_id: str | None) -> Unit | None:
    unit = known(registry, unit_id) if unit_id else None
    return unit if unit is not None and unit.is_enrolled else None


def known(registry: Registry, unit_id: str) -> Unit | None:
    """The unit of this id, whatever its status."""
    try:
        return registry.unit(unit_id)
    except UnknownUnit:
        return None


def _holder(registry: Registry, unit_id: str) -> Holder:
    return Holder.ENROLLED if _enrolled(registry, unit_id) else Holder.MISSING


def _word(items: Sequence[Item], holders: Sequence[str], link: str) -> tuple[Word, tuple[str, ...]]:
    """What the last of the holders said at its link, and to whom it gave the conversation by that."""
    if len(holders) > MOST_HANDOVERS:
        return Word.NOTHING, ()
    handovers = [
        (item.said.next, item.by_former_key)
        for item in items
        if isinstance(item.said, Handover)
        and item.said.unit == holders[-1]
        and link in item.said.after
        and item.said.next not in holders
    ]
    now = tuple(sorted({to for to, by_former_key in handovers if not by_former_key}))
    if now:
        return (Word.ONE if len(now) == 1 else Word.SEVERAL), now
    former = tuple(sorted({to for to, _ in handovers}))
    return (Word.FORMER if former else Word.NOTHING), former


def _told(items: Sequence[Item], header: Header, holders: Sequence[str]) -> list[tuple[Item, Handover]]:
    """The handovers of this way. Of the steps that the header knows, only those count that it names: who gave the
    conversation away cannot say afterwards what else stood, nor how it went.
    """
    way = {
        (by, to): (link, step < len(header.holders) - 1)
        for step, (by, link, to) in enumerate(
            zip(holders, links(header.first_link, holders), holders[1:], strict=False)
        )
    }
    found = []
    for item in items:
        if isinstance(item.said, Handover) and (item.said.unit, item.said.next) in way:
            link, is_known = way[item.said.unit, item.said.next]
            if link in item.said.after and (not is_known or item.digest in header.marks):
                found.append((item, item.said))
    return found


def _answers(
    items: Sequence[Item], showing: set[str], standing: frozenset[tuple[str, str]]
) -> tuple[Item, ...]:
    return tuple(
        item
        for item in items
        if isinstance(item.said, Reply)
        and (item.said.unit in showing or (item.said.unit, item.digest) in standing)
    )
