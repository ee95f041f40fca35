"""The forces and overseers of the country, as data: `forces.toml`, from which the first draft of a registry is made."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from common.registry.forces import Force, ForceKind, Name, Nation, Oversight
from common.registry.units import Status, Unit, UnitKind


@dataclass(frozen=True)
class Country:
    """All forces, and the overseers that they name: without keys, until their cards are there."""

    forces: tuple[Force, ...]
    overseers: tuple[Unit, ...]


def read_country() -> Country:
    """The country in `forces.toml`."""
    table = tomllib.loads(files("keys").joinpath("forces.toml").read_text("utf-8"))
    return Country(
        forces=tuple(_force(row) for row in table["force"]),
        overseers=tuple(without_keys(row["id"], row["name"], UnitKind.OVERSEER) for row in table["overseer"]),
    )


def without_keys(unit_id: str, name: str, kind: UnitKind) -> Unit:
    """A unit that is not enrolled yet, and has no keys."""
    return Unit(unit_id, name, kind, Status.NOT_YET, (), "", "", b"", {})


def _force(row: Mapping[str, Any]) -> Force:
    return Force(
        id=row["id"],
        names=tuple(Name(name["name"], name.get("until")) for name in row["names"]),
        nation=Nation(row["nation"]),
        region=row["region"],
        kind=ForceKind(row.get("kind", ForceKind.TERRITORIAL)),
        oversight=tuple(Oversight(by["body"], by.get("where", "")) for by in row["oversight"]),
        check=row.get("check", False),
        ended=row.get("ended"),
        successor=row.get("successor"),
    )
