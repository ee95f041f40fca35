"""What is asked before anything is sealed: the fields of the form, what is wrong with them, and the answers in them.

Nothing of it is kept: it travels in the form from page to page. What is remembered at the end, in the cookie, is who
gets the report; and until that is sent, the force that must not see it, which goes into the seal with it. "Not sure"
counts as "yes": a report that goes past the unit for nothing can still be passed on to it, and one that its subject has
read cannot be called back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from common.forces import Force, Nation, grouped
from common.registry import Registry
from common.report import SEVERAL
from common.routing import Answers, Involved
from common.units import UnitKind

NOT_KNOWN = "not-known"
MORE = "more"
FIELDS = ("force", "other", "moved", "involved", "keep_from")
_NATIONS = {
    Nation.ENGLAND: "England",
    Nation.WALES: "Wales",
    Nation.SCOTLAND: "Scotland",
    Nation.NORTHERN_IRELAND: "Northern Ireland",
    Nation.UK: "Across the UK",
}
_INVOLVED = {"yes": frozenset(Involved), "not-sure": frozenset(Involved), "no": frozenset[Involved]()}


@dataclass(frozen=True)
class Questions:
    """The form as it was filled in. `wrong`: by field, what has to be put right before there are answers."""

    given: Mapping[str, str] = field(default_factory=dict, repr=False)
    wrong: Mapping[str, str] = field(default_factory=dict)


def read(untrusted_fields: Mapping[str, str], registry: Registry, day: date) -> Questions:
    """The form, with only what a page of ours can have put into it."""
    there = {force.id for force in registry.forces if force.exists_on(day)}
    may_be = {
        "force": there | {NOT_KNOWN},
        "other": there | {MORE},
        "moved": {"1"},
        "involved": set(_INVOLVED),
        "keep_from": there | {MORE},
    }
    given = {name: untrusted_fields.get(name, "") for name in FIELDS}
    given = {name: value for name, value in given.items() if value in may_be[name]}
    wrong = {}
    if "force" not in given:
        wrong["force"] = "Choose a force from the list, or “I do not know”."
    if "involved" not in given:
        wrong["involved"] = "Say yes, no, or that you are not sure."
    for name in ("other", "keep_from"):  # a force that has left the list since the page was made
        if untrusted_fields.get(name) and name not in given:
            wrong[name] = "The list has changed. Choose again."
    return Questions(given, wrong)


def answers(questions: Questions, registry: Registry) -> Answers:
    """The answers in a form with which nothing is wrong."""
    given = questions.given
    named = {given[name] for name in ("force", "other") if given.get(name, MORE) != MORE}
    kept_from = given.get("keep_from")
    every = (force.id for force in registry.forces)
    return Answers(
        forces=frozenset() if NOT_KNOWN in named else frozenset(named),
        moved="moved" in given or given.get("other") == MORE,
        involved=_INVOLVED[given["involved"]],
        keep_from=frozenset(every if kept_from == MORE else [kept_from] if kept_from else []),
    )


def kept_from(questions: Questions) -> str:
    """The force that must not see it, as a report says it; "" where there is none."""
    named = questions.given.get("keep_from", "")
    return SEVERAL if named == MORE else named


def force_list(registry: Registry, day: date) -> dict[str, tuple[tuple[str, str], ...]]:
    """The forces of a day for a list: by nation and region, (id, name) each."""
    listed: dict[str, tuple[tuple[str, str], ...]] = {}
    for nation, regions in grouped(registry.forces, day).items():
        for region, forces in regions.items():
            heading = f"{_NATIONS[nation]}: {region}" if len(regions) > 1 else _NATIONS[nation]
            listed[heading] = tuple((force.id, force.name_on(day)) for force in forces)
    return listed


def force_names(registry: Registry, day: date) -> dict[str, str]:
    """What the forces of a day are called."""
    return {force.id: force.name_on(day) for force in registry.forces if force.exists_on(day)}


def only_force(registry: Registry, day: date) -> Force | None:
    """The one force there is, where there is one and its unit can receive reports: then nobody is asked which."""
    there = [force for force in registry.forces if force.exists_on(day)]
    if len(there) != 1:
        return None
    [unit] = registry.serving(there[0].id, day)[:1] or [registry.desk]
    return there[0] if unit.is_enrolled and unit.kind is UnitKind.UNIT else None
