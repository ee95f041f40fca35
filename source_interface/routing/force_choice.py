"""Finding a force by typing, without JavaScript: the form brings what was typed, and gets the page back with choices.

What was typed comes in the body of the form alone. It is shown on the page that comes back, and kept nowhere.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from common.registry.force_search import LONGEST, search
from common.registry.forces import Force
from common.registry.registry import Registry
from source_interface.routing.questions import LISTS

_MOST = 10  # choices on a page


@dataclass(frozen=True)
class Found:
    """What is like the text that was typed: (id, words) each, and whether there is more."""

    typed: str = field(repr=False)
    choices: tuple[tuple[str, str], ...]
    more: bool


def find(untrusted_fields: Mapping[str, str], registry: Registry, day: date) -> dict[str, Found]:
    """For each question in whose field something was typed, the forces that may be meant."""
    typed = {name: untrusted_fields.get(f"{name}_typed", "")[:LONGEST].strip() for name in LISTS}
    return {name: _found(text, registry, day) for name, text in typed.items() if text}


def find_again(
    untrusted_fields: Mapping[str, str], unsaid: Iterable[str], registry: Registry, day: date
) -> dict[str, Found]:
    """The same choices once more, for questions in which none of them was chosen."""
    typed = {name: untrusted_fields.get(f"{name}_found", "")[:LONGEST] for name in unsaid}
    return {name: _found(text, registry, day) for name, text in typed.items() if text}


def _found(typed: str, registry: Registry, day: date) -> Found:
    choices: dict[str, str] = {}
    for force in search(registry.forces, typed):
        today = registry.force_on(force.id, day)  # a force that is no more stands for what it went into
        if today.exists_on(day):
            choices.setdefault(today.id, _words(force, today, day))
    return Found(typed, tuple(choices.items())[:_MOST], len(choices) > _MOST)


def _words(force: Force, today: Force, day: date) -> str:
    if force is not today:
        return f"{today.name_on(day)}, of which {force.name_on(day)} is part now"
    current = today.name_on(day)
    former = [name.name for name in today.names if name.until is not None and name.until < day]
    return f"{current}, before: {', '.join(former)}" if former else current
