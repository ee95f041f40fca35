"""Whom the reporter wanted kept from a conversation: said with its messages, and minded before it is passed on.

A force by its name; or all units, where those who would see it, or who are above them, are or might be involved.

It may be said with any of them: a first one can have been withdrawn, and one who chooses again may name another force.
So all that are here are looked at, and what each says counts.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date

from common.registry import Registry, UnknownForce
from common.report import SEVERAL
from journalist_interface.desk.opening import CannotOpen, open_envelope
from journalist_interface.desk.workplace import Desk


@dataclass(frozen=True)
class Said:
    """The forces that must not see it, by id or SEVERAL; and whether the unit or people above it may be involved."""

    forces: frozenset[str]
    involved: bool


def of_conversation(desk: Desk, identity: str) -> Said:
    """As its messages say it. What does not open is not passed on either."""
    said, involved = set(), False
    for message in desk.cabinet.envelopes.of_conversation(identity):
        with suppress(CannotOpen):
            _, opened, _ = open_envelope(desk, message.id, message.size)
            said.add(opened.report.kept_from)
            involved = involved or opened.report.involved
    return Said(frozenset(said - {""}), involved)


def as_one(said: Iterable[str]) -> str:
    """The same as one report can say it: of several forces it can only say that they are several."""
    named = set(said) - {""}
    return SEVERAL if len(named) > 1 else next(iter(named), "")


def in_words(said: Iterable[str], registry: Registry | None, day: date) -> str:
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
