"""Who a report goes to: a pure function of the circumstances, the day, and the registry.

Promises: there is always a route; it ends with who is enrolled; it never ends, by the second seal neither, with who
serves a force that the reporter kept it from; in a conflict never with its subject. `RULES` is the whole of it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from common.registry.registry import Registry, UnknownForce, UnknownUnit
from common.registry.units import Status, Unit
from common.report.report import SEVERAL


class Involved(StrEnum):
    """Whom a report is also about, in the force that it is about."""

    UNIT = "unit"
    PROFESSIONAL_STANDARDS = "professional-standards"
    CHIEF_OFFICER = "chief-officer"


class Reason(StrEnum):
    """Why a report goes where it goes; a page turns each into plain words."""

    # The rule that decided
    FORCE_NOT_KNOWN = "force-not-known"
    MOVED = "moved"
    SEVERAL_UNITS = "several-units"
    CONFLICT_ROUTE = "conflict-route"
    OVERSIGHT_BODY = "oversight-body"
    CONFLICT_WITHOUT_OVERSEER = "conflict-without-overseer"
    KEPT_FROM_UNIT = "kept-from-unit"
    SUSPENDED = "suspended"
    NOT_ENROLLED = "not-enrolled"
    ITS_UNIT = "its-unit"
    # What is to be said besides
    SUCCESSOR = "successor"  # a force that was named is part of another now
    SAME_UNIT = "same-unit"  # several forces were named, and one unit serves them all
    ALSO_OVERSEER = "also-overseer"  # there is a second seal
    NOT_ALSO_OVERSEER = "not-also-overseer"  # there would be one, but not in this case


@dataclass(frozen=True)
class Circumstances:
    """What the reporter said. No force: "I do not know". `moved`: they moved between forces, or there are more.

    `keep_from`: forces that must not see it.
    """

    forces: frozenset[str] = frozenset()
    moved: bool = False
    involved: frozenset[Involved] = frozenset()
    keep_from: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Route:
    """Who will be able to open the report, and why: first the rule that decided, then what else is to be said."""

    unit: Unit
    second: Unit | None
    reasons: tuple[Reason, ...]

    @property
    def units(self) -> tuple[Unit, ...]:
        """All who will be able to open it."""
        return (self.unit,) if self.second is None else (self.unit, self.second)


class _Case:
    """The circumstances, seen by the registry of a day: what the rules ask, and where they send."""

    def __init__(self, circumstances: Circumstances, day: date, registry: Registry) -> None:
        self._circumstances = circumstances
        self._day = day
        self._registry = registry
        self._standing = {named: self._stands_for(named) for named in circumstances.forces}
        self._forces = sorted({force for force in self._standing.values() if force is not None})
        serving = [registry.serving(force, day) for force in self._forces]
        self._unit_ids = {found[0].id if found else None for found in serving}
        self._kept_from = self._serving_one_of(circumstances.keep_from)
        self._subjects = self._subjects_of_a_conflict() if circumstances.involved else frozenset()

    # What the rules ask

    def force_is_not_known(self) -> bool:
        """None was named, or one that the registry does not have."""
        return not self._circumstances.forces or None in self._standing.values()

    def they_moved(self) -> bool:
        """Or there are more forces than were named."""
        return self._circumstances.moved

    def units_are_several(self) -> bool:
        """The forces named do not have one unit."""
        return len(self._unit_ids) > 1

    def in_conflict_with_overseer(self) -> bool:
        """It is about the unit or those above it, and the unit's conflict route is open."""
        return self.in_conflict() and self.conflict_overseer() is not None

    def in_conflict_with_body(self) -> bool:
        """It is about the unit or those above it, and an oversight body of the force is enrolled."""
        return self.in_conflict() and self.oversight_body() is not None

    def in_conflict(self) -> bool:
        """It is about the unit or those above it."""
        return bool(self._circumstances.involved)

    def is_kept_from_unit(self) -> bool:
        """The unit serves a force that must not see it."""
        unit = self._unit()
        return unit is not None and unit.id in self._kept_from

    def unit_is_suspended(self) -> bool:
        """Its keys may be in wrong hands."""
        unit = self._unit()
        return unit is not None and unit.status is Status.SUSPENDED

    def unit_is_not_enrolled(self) -> bool:
        """The force has no unit that could be sealed to."""
        return self.its_unit() is None

    def in_any_case(self) -> bool:
        """For the last rule."""
        return True

    # Where they send

    def desk(self) -> Unit:
        """The charity's own desk."""
        return self._registry.desk

    def its_unit(self) -> Unit | None:
        """The one unit of the forces named."""
        unit = self._unit()
        return self.eligible(unit.id) if unit else None

    def conflict_overseer(self) -> Unit | None:
        """Whom the unit's conflict route names."""
        unit = self._unit()
        return self.eligible(unit.conflict_route) if unit else None

    def oversight_body(self) -> Unit | None:
        """The first body that oversees all the forces named, wherever in them it happened."""
        bodies = [
            [by.body for by in self._registry.force(force).oversight if not by.where]
            for force in self._forces
        ]
        of_all = [body for body in bodies[0] if all(body in others for others in bodies)]
        return next((unit for body in of_all if (unit := self.eligible(body))), None)

    # What both rest on

    def eligible(self, unit_id: str | None) -> Unit | None:
        """The unit, if it may open this report: enrolled, not its subject, and not kept from it."""
        if unit_id is None or unit_id in self._kept_from | self._subjects:
            return None
        try:
            return self._registry.recipient(unit_id)
        except UnknownUnit:
            return None

    def notes(self, because: Reason, second: Unit | None, named_second: str | None) -> tuple[Reason, ...]:
        """What is to be said besides the rule that decided."""
        told = {
            Reason.SUCCESSOR: any(now not in (None, named) for named, now in self._standing.items()),
            Reason.SAME_UNIT: because is Reason.ITS_UNIT and len(self._forces) > 1,
            Reason.ALSO_OVERSEER: second is not None,
            Reason.NOT_ALSO_OVERSEER: second is None and named_second is not None,
        }
        return tuple(reason for reason, holds in told.items() if holds)

    def _unit(self) -> Unit | None:
        """The one unit of the forces named, whatever its status; there are not several."""
        [unit_id] = self._unit_ids
        return None if unit_id is None else self._registry.unit(unit_id)

    def _stands_for(self, force_id: str) -> str | None:
        """What stands today for a force that was named; None where the registry does not know it."""
        try:
            return self._registry.force_on(force_id, self._day).id
        except UnknownForce:
            return None

    def _subjects_of_a_conflict(self) -> frozenset[str]:
        """While it is not known which force it is about, it may be about any unit that serves one."""
        if self.force_is_not_known() or self.they_moved():
            return frozenset(unit.id for unit in self._registry.units if unit.serves)
        return self._serving_one_of(self._circumstances.forces)

    def _serving_one_of(self, force_ids: Iterable[str]) -> frozenset[str]:
        return serving_one_of(self._registry, self._day, force_ids)


@dataclass(frozen=True)
class Rule:
    """Because of this, when that holds, the report goes there."""

    because: Reason
    when: Callable[[_Case], bool]
    goes_to: Callable[[_Case], Unit | None]


# The first rule that holds decides. From the fourth on, the forces named have one unit, or none.
RULES = (
    Rule(Reason.FORCE_NOT_KNOWN, _Case.force_is_not_known, _Case.desk),
    Rule(Reason.MOVED, _Case.they_moved, _Case.desk),
    Rule(Reason.SEVERAL_UNITS, _Case.units_are_several, _Case.desk),
    Rule(Reason.CONFLICT_ROUTE, _Case.in_conflict_with_overseer, _Case.conflict_overseer),
    Rule(Reason.OVERSIGHT_BODY, _Case.in_conflict_with_body, _Case.oversight_body),
    Rule(Reason.CONFLICT_WITHOUT_OVERSEER, _Case.in_conflict, _Case.desk),
    Rule(Reason.KEPT_FROM_UNIT, _Case.is_kept_from_unit, _Case.desk),
    Rule(Reason.SUSPENDED, _Case.unit_is_suspended, _Case.desk),
    Rule(Reason.NOT_ENROLLED, _Case.unit_is_not_enrolled, _Case.desk),
    Rule(Reason.ITS_UNIT, _Case.in_any_case, _Case.its_unit),
)


def route(circumstances: Circumstances, day: date, registry: Registry) -> Route:
    """Who a report goes to. The registry is a sound one; the circumstances may be any."""
    case = _Case(circumstances, day, registry)
    rule = next(rule for rule in RULES if rule.when(case))
    unit = rule.goes_to(case) or registry.desk
    second = case.eligible(unit.second_seal)
    notes = case.notes(rule.because, second, unit.second_seal)
    return Route(unit, second, (rule.because, *notes))


def serving_one_of(registry: Registry, day: date, force_ids: Iterable[str]) -> frozenset[str]:
    """Who serves one of these forces today or later, by id; what a force goes into counts as that force."""
    avoided = {force for force_id in force_ids for force in _lineage(registry, force_id)}
    return frozenset(
        unit.id
        for unit in registry.units
        for service in unit.serves
        if (service.until is None or day <= service.until)
        and not avoided.isdisjoint(_lineage(registry, service.force))
    )


def kept_from_units(registry: Registry, day: date, kept_from: Iterable[str]) -> frozenset[str]:
    """Who must not see it, by id, as reports say it: who serves such a force, or any where one was not named."""
    named = {force for force in kept_from if force}
    if SEVERAL in named:
        named = {force.id for force in registry.forces}
    return serving_one_of(registry, day, named)


def _lineage(registry: Registry, force_id: str) -> set[str]:
    try:
        return {force.id for force in registry.lineage(force_id)}
    except UnknownForce:
        return {force_id}
