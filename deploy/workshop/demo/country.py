"""The demo's country: its forces, and who opens reports about them."""

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from deploy.data_folder import (
    CHARITY_ID,
    CHARITY_NAME,
    FORCE_ID,
    FORCE_NAME,
    OVERSEER_ID,
    OVERSEER_NAME,
    SHARED_ID,
    SHARED_NAME,
    UNIT_ID,
    UNIT_NAME,
)

if TYPE_CHECKING:
    from common.registry.registry import Registry
    from common.registry.units import Unit

REGISTRY_DAYS = 365
MONTHS = 13  # of each unit's keys: as long as the registry holds


def units() -> "tuple[Unit, ...]":
    """Who is in the demo, without keys: enough to see each way that a report can go."""
    from common.registry.units import Service, Status, Unit, UnitKind

    def unit(unit_id: str, name: str, kind: UnitKind, *forces: str) -> Unit:
        serves = tuple(map(Service, forces))
        return Unit(unit_id, name, kind, Status.ENROLLED, serves, "", "", b"", {})

    first = unit(UNIT_ID, UNIT_NAME, UnitKind.UNIT, FORCE_ID)
    shared = unit(SHARED_ID, SHARED_NAME, UnitKind.UNIT, "demo-north", "demo-south")
    return (
        replace(first, conflict_route=OVERSEER_ID),
        replace(shared, conflict_route=OVERSEER_ID, second_seal=OVERSEER_ID),
        unit(CHARITY_ID, CHARITY_NAME, UnitKind.DESK),
        unit(OVERSEER_ID, OVERSEER_NAME, UnitKind.OVERSEER),
    )


def registry(units: "tuple[Unit, ...]") -> "Registry":
    """The registry of these units, which have keys."""
    from common.days import today
    from common.registry.forces import Force, Name, Nation, Oversight
    from common.registry.registry import Registry

    by = (Oversight(OVERSEER_ID),)
    return Registry(
        version=1,
        issued=today(),
        expires=today() + timedelta(days=REGISTRY_DAYS),
        forces=(
            Force(FORCE_ID, (Name(FORCE_NAME),), Nation.ENGLAND, "Nowhere", oversight=by),
            Force("demo-north", (Name("Northmarch Police"),), Nation.ENGLAND, "The Marches", oversight=by),
            Force("demo-south", (Name("Southmarch Police"),), Nation.WALES, "Wales", oversight=by),
            Force("demo-far", (Name("Farshore Police"),), Nation.SCOTLAND, "Scotland"),  # has no unit
        ),
        units=units,
    )
