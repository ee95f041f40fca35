"""Who holds a conversation now: the header's holder, and whoever was given it since, by handovers.

A pure function of the header and of what lies in the slots. Its rules, each with its reason:

- A handover counts when its holder at that point of the chain signed it, for this conversation. Nobody can give away
  what another holds.
- It counts only from a unit that is enrolled: what is suspended may be in wrong hands.
- Where it leads to one that is not, or that the registry does not know, nobody holds the conversation. It does not fall
  back to who gave it away: the reporter may have gone on because that one was left behind, and is asked instead.
- One that the header names is done with: the header was written knowing it, with the first message after it or by the
  reporter's own choice against it. No day is needed for that.
- Nobody gets a conversation back by a chain in which it gave it away: a chain has an end, and an old holder cannot
  have it handed back by another whose key it has.
- Of two handovers by one holder, the one that was posted on the earlier day counts. The collection notes that day, so
  no old holder can contradict afterwards what it once said. Within one day, of which nothing is known in finer steps,
  the lower identity counts, then the lower name of the next holder: the same at each visit, whatever the slots.
- One that claims to be the holder's, and is not signed by the key that it has today, leaves the conversation with
  nobody, unless a genuine one is of an earlier day. The holder may have said so before its key was stolen and made
  anew, and falling back would send to who gave it away. The other way to err was weighed: whoever knows the
  conversation's public key, that is who held it or had a copy, can post such a claim, and so have the reporter asked
  who shall have it. That is a nuisance and tells them nothing; a courier, who knows no such key, cannot even do that.
- What a chain's holder signed of how it passed it on is told, also by a later handover along the same way: what was
  written later went on by that, perhaps with a copy for one who had none before.
- Of an old holder those answers stand that its handover names, by their digests. Whatever else it signed is passed
  over, so that it may keep its keys and try.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from typing import NamedTuple

from common.registry import Registry, UnknownUnit
from common.reply import MOST_HANDOVERS, Handover, Header, Reply
from common.units import Unit


@dataclass(frozen=True)
class Item:
    """What was read in a slot. `posted`: the server's own day. `mark`: of a handover; `digest`: of an answer.

    `genuine`: signed by the key that the unit it names has today. Of answers there are no others.
    """

    slot: int
    posted: date
    said: Reply | Handover = field(repr=False)
    mark: str = ""
    digest: str = ""
    genuine: bool = True


@dataclass(frozen=True)
class Held:
    """Who holds a conversation, who did before, in order, and which answers may be shown.

    `holder`: None where a handover names one that the registry does not know, or where it is not known what was said:
    then `in_doubt` is whose word it would have been. `before`: ids. `followed`: the marks of the chain's handovers.
    `copies`: ids of those that got a copy as it was passed on; `rewritten`: some of it went in other words.
    """

    holder: Unit | None
    before: tuple[str, ...]
    answers: tuple[Item, ...] = field(repr=False)
    followed: frozenset[str] = frozenset()
    in_doubt: Unit | None = None
    copies: tuple[str, ...] = ()
    rewritten: bool = False

    @property
    def by(self) -> Unit | None:
        """Who holds it, if anything may be sealed to them; otherwise nobody does."""
        return self.holder if self.holder is not None and self.holder.is_enrolled else None


def follow(registry: Registry, header: Header, items: Sequence[Item]) -> Held:
    """Follow the handovers from the header's holder."""
    before, followed = list(header.before), set(header.followed)
    new = [item for item in items if item.mark not in header.followed | header.settled]
    last, in_doubt = header.unit, None
    holder = known(registry, last)
    while holder is not None and (step := _next(holder, before, new)) is not None:
        if not step.genuine or len(before) >= MOST_HANDOVERS:
            holder, in_doubt = None, holder
            break
        before.append(holder.id)
        followed.add(step.mark)
        last = step.next
        holder = known(registry, last)
    shown = _shown(registry, holder, followed, items)
    said = _said_of(items, set(pairwise((*before, last))))
    return Held(
        *(holder, tuple(before), shown, frozenset(followed), in_doubt),
        copies=tuple(sorted({one.copy_to for one in said if one.copy_to})),
        rewritten=any(one.rewritten for one in said),
    )


def known(registry: Registry, unit_id: str) -> Unit | None:
    """The unit of this id, whatever its status."""
    try:
        return registry.unit(unit_id)
    except UnknownUnit:
        return None


class _Step(NamedTuple):
    """Where a handover leads. Of several the least counts, so one that is not genuine before others of its day."""

    posted: date
    genuine: bool
    identity: str
    next: str
    mark: str


def _next(holder: Unit, before: Sequence[str], new: Sequence[Item]) -> _Step | None:
    """The handover of this holder that counts."""
    if not holder.is_enrolled:
        return None
    steps = [
        _Step(item.posted, item.genuine, item.said.identity, item.said.next, item.mark)
        for item in new
        if isinstance(item.said, Handover)
        and item.said.unit == holder.id
        and item.said.next not in (*before, holder.id)
    ]
    return min(steps, default=None)


def _said_of(items: Sequence[Item], steps: set[tuple[str, str]]) -> list[Handover]:
    """What those who passed it on signed of these steps of the chain: by whom, to whom."""
    return [
        item.said
        for item in items
        if isinstance(item.said, Handover) and item.genuine and (item.said.unit, item.said.next) in steps
    ]


def _shown(
    registry: Registry, holder: Unit | None, followed: set[str], items: Sequence[Item]
) -> tuple[Item, ...]:
    """The answers of the holder, and those of others that stand by a handover of one that is enrolled still."""
    standing = {
        (item.said.unit, digest)
        for item in items
        if isinstance(item.said, Handover)
        and item.genuine
        and item.mark in followed
        and _is_enrolled(known(registry, item.said.unit))
        for digest in item.said.standing
    }
    answering = holder.id if holder is not None and holder.is_enrolled else None
    return tuple(
        item
        for item in items
        if isinstance(item.said, Reply)
        and (item.said.unit == answering or (item.said.unit, item.digest) in standing)
    )


def _is_enrolled(unit: Unit | None) -> bool:
    return unit is not None and unit.is_enrolled
