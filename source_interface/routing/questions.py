"""What is asked before anything is sealed: the fields of the form, what is wrong with them, and the answers in them.

Nothing of it is kept: it travels in the form from page to page. What is remembered at the end, in the cookie, is who
gets the report; and until that is sent, what goes into the seal with it: the force that must not see it, and whether
those who would are involved, so that who opens it does not pass it on to them. "Not sure" counts as "yes": a report
that goes past the unit for nothing can still be passed on to it, and one that its subject has read cannot be called
back.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date

from common.conversation.destination import Destination
from common.registry.forces import Force, Nation, grouped
from common.registry.registry import Registry, UnknownForce
from common.registry.units import UnitKind
from common.report.report import SEVERAL
from common.report.routing import Answers, Involved, Route

NOT_KNOWN = "not-known"
MORE = "more"
UNSAID = "?"  # what a list sends in which something has to be chosen, be it "no"
_UNSAID = "Choose one of these, or say that there is none."
_LEFT = "The force that you chose is not in the list any more. Choose again."
LISTS = ("force", "other", "keep_from")  # the questions that are answered by a force
FIELDS = (*LISTS, "moved", "involved")
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
    """The form as it was filled in. `wrong`: by field, what has to be put right before there are answers.

    `unsaid`: the lists in which something was looked for or chosen that is not chosen now. Nothing stands chosen in
    them when they are shown again, so that going on does not pass for a "no".
    """

    given: Mapping[str, str] = field(default_factory=dict, repr=False)
    wrong: Mapping[str, str] = field(default_factory=dict)
    unsaid: frozenset[str] = frozenset()

    def once_more(self) -> "Questions":
        """To be changed: what is only not answered yet is not held against anybody, what has left the list is said."""
        return replace(self, wrong={name: said for name, said in self.wrong.items() if said == _LEFT})


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
    for name in LISTS[1:]:
        said = untrusted_fields.get(name, UNSAID if f"{name}_found" in untrusted_fields else "")
        if said and name not in given:
            wrong[name] = _UNSAID if said == UNSAID else _LEFT
    return Questions(given, wrong, frozenset(wrong) & frozenset(LISTS))


def of_before(kept_from: str, registry: Registry, day: date) -> Questions:
    """The questions for a conversation whose first message said already which force must not see it."""
    with suppress(UnknownForce):
        kept_from = MORE if kept_from == SEVERAL else registry.force_on(kept_from, day).id
    return read({"keep_from": kept_from}, registry, day).once_more()


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


def destination(questions: Questions, way: Route) -> Destination:
    """Where a message goes by answers that are right, and what is said in its seal of who must not see it."""
    named = questions.given.get("keep_from", "")
    return Destination(
        way.unit.id,
        way.second.id if way.second else "",
        SEVERAL if named == MORE else named,
        involved=bool(_INVOLVED[questions.given["involved"]]),
    )


def kept_from_in_words(questions: Questions, registry: Registry, day: date) -> str:
    """The force that must not see it, as a page says it; "" where there is none."""
    named = questions.given.get("keep_from", "")
    return "more than one force" if named == MORE else force_names(registry, day).get(named, "")


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
