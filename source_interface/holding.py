"""Who holds a conversation now: the header's holder, and whoever was given it since, by handovers.

A pure function of what lies in the slots. Its rules, each with its reason:

- A handover counts when its holder at that point of the chain signed it, for this conversation. Nobody can give away
  what another holds.
- It counts only from and to units that are enrolled. Any other leaves the conversation where it is: what is suspended
  may be in wrong hands, and what is unknown reads nothing.
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
    """Who holds a conversation, who did before, in order, and which answers may be shown."""

    holder: Unit
    before: tuple[Unit, ...]
    answers: tuple[Item, ...] = field(repr=False)


def follow(registry: Registry, first: Unit, items: Sequence[Item]) -> Held:
    """Follow the handovers from the header's holder, `first`."""
    holder, before, standing = first, list[Unit](), set[tuple[str, str]]()
    while (found := _next(registry, holder, before, items)) is not None:
        handover, following = found
        standing |= {(holder.id, digest) for digest in handover.standing}
        before.append(holder)
        holder = following
    shown = tuple(
        item
        for item in items
        if isinstance(item.said, Reply)
        and (item.said.unit == holder.id or (item.said.unit, item.digest) in standing)
    )
    return Held(holder, tuple(before), shown if holder.is_enrolled else ())


def _next(
    registry: Registry, holder: Unit, before: Sequence[Unit], items: Sequence[Item]
) -> tuple[Handover, Unit] | None:
    passed = {unit.id for unit in before} | {holder.id}
    usable = [
        (item.posted, item.said.identity, item.said.next, item.said)
        for item in items
        if isinstance(item.said, Handover) and item.said.unit == holder.id and item.said.next not in passed
    ]
    for *_, handover in sorted(usable, key=lambda one: one[:3]) if holder.is_enrolled else ():
        try:
            return handover, registry.recipient(handover.next)
        except UnknownUnit:
            continue
    return None
