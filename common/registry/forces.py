"""Police forces: their names over time, where they stand in a list, and who oversees them.

A force never leaves the registry. One that was merged into another ends on a day and names its successor, so that
what is reported of it still finds a way.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from common import canonical


class Nation(StrEnum):
    """In the order of a list. A force that works in several nations stands under the whole."""

    ENGLAND = "england"
    WALES = "wales"
    SCOTLAND = "scotland"
    NORTHERN_IRELAND = "northern-ireland"
    UK = "uk"


class ForceKind(StrEnum):
    """A territorial force polices an area; a special one railways, bases, plants, or serious crime."""

    TERRITORIAL = "territorial"
    SPECIAL = "special"


@dataclass(frozen=True)
class Name:
    """What a force was called until the end of a day; None: to this day."""

    name: str
    until: date | None = None


@dataclass(frozen=True)
class Oversight:
    """An oversight body of a force, by the id of an overseer in the registry. `where`: "" for everywhere else than
    what the force's other bodies name, or words such as "in Scotland".
    """

    body: str
    where: str = ""


@dataclass(frozen=True)
class Force:
    """A police force. `id` is the short name of the field, such as `west-mercia`, and never changes.

    `names` are in the order of time. `ended` is the last day of a force that is no more. `check` says that it is no
    police force in law, and that the operator must look at how it is dealt with before going live.
    """

    id: str
    names: tuple[Name, ...]
    nation: Nation
    region: str
    kind: ForceKind = ForceKind.TERRITORIAL
    oversight: tuple[Oversight, ...] = ()
    check: bool = False
    ended: date | None = None
    successor: str | None = None

    def name_on(self, day: date) -> str:
        """What it is called on a day; of a force that is no more, its last name."""
        current = (name.name for name in self.names if name.until is None or day <= name.until)
        return next(current, self.names[-1].name)

    def exists_on(self, day: date) -> bool:
        """False after its last day."""
        return self.ended is None or day <= self.ended


def grouped(forces: Iterable[Force], day: date) -> dict[Nation, dict[str, tuple[Force, ...]]]:
    """The forces of a day as a list shows them: by nation, then region, then name."""
    there = sorted((force for force in forces if force.exists_on(day)), key=lambda force: force.name_on(day))
    listed: dict[Nation, dict[str, tuple[Force, ...]]] = {}
    for nation in Nation:
        of_nation = [force for force in there if force.nation is nation]
        for region in sorted({force.region for force in of_nation}):
            listed.setdefault(nation, {})[region] = tuple(
                force for force in of_nation if force.region == region
            )
    return listed


def to_body(force: Force) -> dict[str, Any]:
    """The force as the registry writes it."""
    return {
        "id": force.id,
        "names": [{"name": name.name, "until": canonical.day_text(name.until)} for name in force.names],
        "nation": force.nation.value,
        "region": force.region,
        "kind": force.kind.value,
        "oversight": [{"body": by.body, "where": by.where} for by in force.oversight],
        "check": force.check,
        "ended": canonical.day_text(force.ended),
        "successor": force.successor,
    }


def read(untrusted: Any) -> Force:
    """A force out of a registry. Raises NotCanonical, or ValueError for a day or kind that is none."""
    body = canonical.as_object(untrusted)
    return Force(
        id=canonical.text(body, "id"),
        names=tuple(_read_name(canonical.as_object(name)) for name in canonical.listed(body, "names")),
        nation=Nation(canonical.text(body, "nation")),
        region=canonical.text(body, "region"),
        kind=ForceKind(canonical.text(body, "kind")),
        oversight=tuple(
            Oversight(canonical.text(by, "body"), canonical.text(by, "where"))
            for by in map(canonical.as_object, canonical.listed(body, "oversight"))
        ),
        check=canonical.truth(body, "check"),
        ended=canonical.optional_day(body, "ended"),
        successor=canonical.optional_text(body, "successor"),
    )


def _read_name(body: dict[str, Any]) -> Name:
    return Name(canonical.text(body, "name"), canonical.optional_day(body, "until"))
