"""Who holds a conversation now: the header's holder, and whoever was given it since, by handovers.

A pure function of what lies in the slots. Its rules, each with its reason:

- A handover counts when its holder at that point of the chain signed it, for this conversation. Nobody can give away
  what another holds.
- It counts only from a unit that is enrolled: what is suspended may be in wrong hands.
- Where it leads to one that is not, or that the registry does not know, nobody holds the conversation. It does not fall
  back to who gave it away: the reporter may have gone on because that one was left behind, and is asked instead.
- One of before the header's day is done with: that header was written knowing it, or by the reporter's own choice
  against it.
- Nobody gets a conversation back by a chain in which it gave it away: a chain has an end, and an old holder cannot
  have it handed back by another whose key it has.
- Of two handovers by one holder, the one that was posted on the earlier day counts. The collection notes that day, so
  no old holder can contradict afterwards what it once said. Within one day, of which nothing is known in finer steps,
  the lower identity counts, then the lower name of the next holder: the same at each visit, whatever the slots.
- Of an old holder those answers stand that its handover names, by their digests. Whatever else it signed is passed
  over, so that it may keep its keys and try.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from common.registry import Registry, UnknownUnit
from common.reply import Handover, Reply
from common.units import Unit


@dataclass(frozen=True)
class Item:
    """What was read in a slot: genuine, by the key of the unit that it names. `posted`: the server's own day."""

    slot: int
    posted: date
    said: Reply | Handover = field(repr=False)
    digest: str = ""  # of an answer


@dataclass(frozen=True)
class Held:
    """Who holds a conversation, who did before, in order, and which answers may be shown.

    `holder`: None where a handover names one that the registry does not know.
    """

    holder: Unit | None
    before: tuple[Unit, ...]
    answers: tuple[Item, ...] = field(repr=False)

    @property
    def by(self) -> Unit | None:
        """Who holds it, if anything may be sealed to them; otherwise nobody does."""
        return self.holder if self.holder is not None and self.holder.is_enrolled else None


def follow(registry: Registry, first: Unit, since: date, items: Sequence[Item]) -> Held:
    """Follow the handovers from the header's holder, `first`. `since`: the header's day."""
    holder, before, standing = first, list[Unit](), set[tuple[str, str]]()
    held: Unit | None = first
    while held is not None and (handover := _next(holder, before, since, items)) is not None:
        standing |= {(holder.id, digest) for digest in handover.standing}
        before.append(holder)
        held = _known(registry, handover.next)
        holder = held or holder
    answering = held.id if held is not None and held.is_enrolled else None
    shown = tuple(
        item
        for item in items
        if isinstance(item.said, Reply)
        and (item.said.unit == answering or (item.said.unit, item.digest) in standing)
    )
    return Held(held, tuple(before), shown)


def _known(registry: Registry, unit_id: str) -> Unit | None:
    try:
        return registry.unit(unit_id)
    except UnknownUnit:
        return None


def _next(holder: Unit, before: Sequence[Unit], since: date, items: Sequence[Item]) -> Handover | None:
    """The handover of this holder that counts."""
    if not holder.is_enrolled:
        return None
    passed = {unit.id for unit in before} | {holder.id}
    usable = [
        (item.posted, item.said.identity, item.said.next, item.said)
        for item in items
        if isinstance(item.said, Handover)
        and item.said.unit == holder.id
        and item.said.next not in passed
        and item.posted >= since
    ]
    return min(usable, key=lambda one: one[:3])[3] if usable else None
