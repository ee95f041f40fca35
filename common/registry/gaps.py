"""What a registry leaves open, though it is sound: who has no overseer, and which forces have no unit.

Nothing of it keeps a report from going somewhere (`common/report/routing.py`): it goes to the charity's desk, or is
sealed to one where two were meant. It must be known before the registry is signed, and while it holds.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from operator import attrgetter

from common import phrases
from common.registry.forces import Force
from common.registry.registry import Registry, UnknownForce
from common.registry.units import Unit, UnitKind

_Named = Callable[[Unit], str | None]  # which overseer a unit names
_NO_ROUTE = "Without conflict route: {}. The overseer that is named for it is not enrolled."
_NO_OVERSEER = "Without an overseer who could open a report about them: {}. It goes to the charity’s desk."
_NO_SECOND_SEAL = "Without second seal: {}. The overseer that is named for it is not enrolled."
_ROUTE = "Now with conflict route: {}. A report about it goes to {}."
_OVERSEER = (
    "Now with an overseer who could open a report about them: {}. The charity’s desk no longer gets it."
)
_SECOND_SEAL = "Now with second seal: {}. Every report to it is also sealed to {}, who can open it."


def of_units(registry: Registry, today: date, old: Registry | None = None) -> Iterator[str]:
    """A sentence for each kind of gap, with the enrolled units that have it: since `old` alone, where that is given."""
    before = {} if old is None else _lacking(old, today)
    for lack, units in _lacking(registry, today).items():
        known = {unit.id for unit in before.get(lack, ())}
        if fresh := [unit.name for unit in units if unit.id not in known]:
            yield lack.format(phrases.listed(fresh))


def no_longer(registry: Registry, today: date, old: Registry) -> Iterator[str]:
    """The other way round: a sentence for each kind of gap that `old` has and this has not, with who opens it now."""
    yield from _readers(_ROUTE, attrgetter("conflict_route"), registry, old)
    known = {unit.id for unit in _lacking(old, today)[_NO_OVERSEER]}
    now = {unit.id for unit in _lacking(registry, today)[_NO_OVERSEER]}
    if filled := [unit.name for unit in _watched(registry) if unit.id in known - now]:
        yield _OVERSEER.format(phrases.listed(filled))
    yield from _readers(_SECOND_SEAL, attrgetter("second_seal"), registry, old)


def _readers(said: str, named: _Named, registry: Registry, old: Registry) -> Iterator[str]:
    """For each enrolled overseer the units that it is named for now, and was not, or could not open it."""
    before = {unit.id: named(unit) for unit in _watched(old) if not _is_closed(old, named(unit))}
    for overseer in registry.units:
        units = [unit for unit in _watched(registry) if overseer.is_enrolled and named(unit) == overseer.id]
        if fresh := [unit.name for unit in units if before.get(unit.id) != overseer.id]:
            yield said.format(phrases.listed(fresh), overseer.name)


def forces_without_unit(registry: Registry, today: date) -> tuple[Force, ...]:
    """The forces of today whose reports no unit of theirs can open."""
    return tuple(
        force
        for force in registry.forces
        if force.exists_on(today) and not any(unit.is_enrolled for unit in registry.serving(force.id, today))
    )


def _lacking(registry: Registry, today: date) -> dict[str, list[Unit]]:
    units = _watched(registry)
    return {
        _NO_ROUTE: [unit for unit in units if _is_closed(registry, unit.conflict_route)],
        _NO_OVERSEER: [unit for unit in units if _has_no_overseer(registry, unit, today)],
        _NO_SECOND_SEAL: [unit for unit in units if _is_closed(registry, unit.second_seal)],
    }


def _watched(registry: Registry) -> list[Unit]:
    return [unit for unit in registry.units if unit.is_enrolled and unit.kind is not UnitKind.DESK]


def _is_closed(registry: Registry, overseer: str | None) -> bool:
    return overseer is not None and not _can_open(registry, [overseer])


def _has_no_overseer(registry: Registry, unit: Unit, today: date) -> bool:
    """For one of its forces at least."""
    if _can_open(registry, [unit.conflict_route]):
        return False
    return any(
        not _can_open(registry, _bodies(registry, service.force))
        for service in unit.serves
        if service.holds_on(today)
    )


def _bodies(registry: Registry, force_id: str) -> Sequence[str]:
    try:
        return [by.body for by in registry.force(force_id).oversight if not by.where]
    except UnknownForce:  # in a draft
        return []


def _can_open(registry: Registry, overseers: Sequence[str | None]) -> bool:
    return any(unit.is_enrolled and unit.id in overseers for unit in registry.units)
