"""Facts of a conversation: what this desk has to mind before it answers or passes anything on.

What the reporter sealed counts before what a unit sealed anew: once there is a message that came straight from the
source interface, nothing that another unit passed on decides anything. Of a trail counts what is signed.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date

from common.envelope_id import is_forwarded_id
from common.registry.registry import Registry, UnknownForce
from common.report import trail
from common.report.report import SEVERAL, Report
from common.report.trail import Step
from journalist_interface.desk.opening.inspection import CannotOpen, open_envelope
from journalist_interface.desk.services import Desk, NotHere

MOST_LINKS = 16  # of those that a unit may have; each costs a handover 67 bytes


@dataclass(frozen=True)
class Facts:
    """Of one conversation. `links`: 64 hex digits each, the link at which this unit has it, or those that it may have.

    `forces`: those that must not see it, by id or SEVERAL. `involved`: units, or people above them, are or might be.
    `gave_it_away`: ids of those who had it and passed it on: they get nothing more of it, no copy either.
    """

    links: tuple[str, ...]
    forces: frozenset[str]
    involved: bool
    gave_it_away: frozenset[str]


def of_conversation(desk: Desk, registry: Registry, identity: str) -> Facts:
    """As its messages say it. What does not open is not passed on either. Raises NotHere where none opens."""
    own: list[Report] = []
    sealed_anew: list[Report] = []
    in_the_order_of_import = sorted(
        desk.cabinet.envelopes.of_conversation(identity), key=lambda message: message.turn
    )
    for message in in_the_order_of_import:  # a day is whatever its sender wrote
        with suppress(CannotOpen):
            _, opened, _ = open_envelope(desk, message.id, message.size)
            (sealed_anew if is_forwarded_id(message.id) else own).append(opened.report)
    steps = [step for report in sealed_anew for step in trail.proven(report.trail, identity, registry)]
    counting = own or sealed_anew
    if not counting:
        raise NotHere("no message of this conversation opens")
    return Facts(
        links=_links(own, sealed_anew, steps, desk.settings.unit),
        forces=frozenset(report.kept_from for report in counting) - {""},
        involved=any(report.involved for report in counting),
        gave_it_away=frozenset(step.by for step in steps) - {desk.settings.unit},
    )


def _links(own: list[Report], sealed_anew: list[Report], steps: list[Step], unit_id: str) -> tuple[str, ...]:
    """As the reporter's newest message says; else as those signed it who say that they passed it on to this unit.

    Whoever has a copy can say so as well. A handover names them all: one at a link that is none is nothing, and does
    not keep the other from counting. Those that came first stand first.
    """
    if own:
        return (max(own, key=lambda report: report.sequence).link,)
    given = [link for step in steps if step.to == unit_id for link in step.links]
    return tuple(dict.fromkeys(given or [sealed_anew[0].link]))[:MOST_LINKS]


def as_one(said: Iterable[str]) -> str:
    """The same as one report can say it: of several forces it can only say that they are several."""
    named = set(said) - {""}
    return SEVERAL if len(named) > 1 else next(iter(named), "")


def kept_from_in_words(said: Iterable[str], registry: Registry | None, day: date) -> str:
    """What the reporter asked; "" where they asked for nothing. Without a registry a force is named by its id."""
    return " ".join(_in_words(force, registry, day) for force in sorted(said) if force)


def _in_words(force: str, registry: Registry | None, day: date) -> str:
    if force == SEVERAL:
        return (
            "The reporter said that more than one force must not see this, and did not say which. Ask them before you "
            "pass it on."
        )
    name = force
    if registry is not None:
        with suppress(UnknownForce):
            name = registry.force(force).name_on(day)
    return f"The reporter asked that {name} must not see this, nor any unit that serves it."
