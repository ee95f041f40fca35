"""What the doctor says of a sound registry that leaves someone without overseer, or a force without its unit."""

from dataclasses import replace

from common.days import today
from common.registry.registry import Registry
from common.registry.units import Status, Unit, UnitKind
from deploy.doctor.finding import State
from deploy.doctor.server import check_gaps


def found(registry: Registry) -> list[tuple[State, str]]:
    return [(finding.state, finding.text) for finding in check_gaps(registry, today())]


def with_overseer(registry: Registry, status: Status) -> tuple[Registry, Unit]:
    first, *rest = registry.units
    watch = Unit("watch", "Watch", UnitKind.OVERSEER, status, (), "c", "0" * 40, bytes(32), {})
    first = replace(first, conflict_route="watch", second_seal="watch")
    units = (first, *(replace(unit, conflict_route="watch") if unit.serves else unit for unit in rest), watch)
    return replace(registry, units=units), first


def test_an_overseer_who_is_suspended_is_told_with_all_whom_that_leaves_without(registry):
    watched, first = with_overseer(registry, Status.ENROLLED)
    assert all(state is State.GOOD for state, _ in found(watched))
    left, first = with_overseer(registry, Status.SUSPENDED)
    told = [text for state, text in found(left) if state is State.WARNING]
    assert [text.split(":")[0] for text in told] == [
        "Without conflict route",
        "Without an overseer who could open a report about them",
        "Without second seal",
    ]
    assert all(first.name in text for text in told)


def test_a_force_whose_unit_is_suspended_is_a_warning_and_one_that_never_had_one_is_none(registry):
    watched, first = with_overseer(registry, Status.ENROLLED)
    units = tuple(
        replace(unit, status=Status.SUSPENDED) if unit.id == first.id else unit for unit in watched.units
    )
    names = [force.name_on(today()) for force in watched.served_by(first, today())]
    assert found(replace(watched, units=units)) == [
        (State.WARNING, f"{name} goes to the charity’s desk: {first.name} is suspended") for name in names
    ]
    alone = replace(
        watched, forces=watched.forces[:1], units=tuple(replace(unit, serves=()) for unit in watched.units)
    )
    assert found(alone) == [(State.GOOD, "1 force without a unit of its own goes to the charity’s desk")]
    unserved = tuple(replace(unit, serves=()) for unit in watched.units)
    assert found(replace(watched, units=unserved)) == [
        (
            State.GOOD,
            f"{len(watched.forces)} forces without a unit of their own go to the charity’s desk",
        )
    ]
