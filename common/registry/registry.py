"""The registry of a country: its forces, and whom their reports may be sealed to, in one signed list.

It is signed offline by the registry's root key (Ed25519); the servers and the desk refuse one that is unsigned,
altered, expired, or not sound (`common/registry/soundness.py`).
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from common import canonical, signing
from common.canonical import NotCanonical
from common.contexts import Context
from common.registry import forces, soundness, units
from common.registry.forces import Force
from common.registry.units import Unit, UnitKind
from common.transport import settled_hours
from common.version import VERSION, NotAVersion, numbers

MOST_VERSION = 2**31 - 1
_NO_REGISTRY = "it is not a registry, or it is damaged"


class RegistryRefused(Exception):
    """The registry is not valid. Get the current one from whoever signs it, and put it in place whole."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The registry is refused: {reason}.")


class SignatureRefused(RegistryRefused):
    """The registry is altered, or signed by a root that is not trusted here."""


class UnknownUnit(LookupError):
    """The registry has no unit of this name, or none that may be sealed to."""


class UnknownForce(LookupError):
    """The registry has no force of this name."""


@dataclass(frozen=True)
class Registry:
    """One version of the list. `expires` is the last day on which it holds.

    `settle_every_hours`: how many hours lie between two settled hours (see common/transport/settled_hours.py).
    `signed_with`: the version of Candour that signed it. It decides nothing: it says why an older one cannot read it.
    """

    version: int
    issued: date
    expires: date
    forces: tuple[Force, ...]
    units: tuple[Unit, ...]
    settle_every_hours: int = settled_hours.DEFAULT_EVERY_HOURS
    signed_with: str = VERSION

    def unit(self, unit_id: str) -> Unit:
        """The unit of this id, whatever its status. Raises UnknownUnit."""
        for unit in self.units:
            if unit.id == unit_id:
                return unit
        raise UnknownUnit(unit_id)

    def recipient(self, unit_id: str) -> Unit:
        """The enrolled unit, desk or overseer of this id. Raises UnknownUnit."""
        unit = self.unit(unit_id)
        if not unit.is_enrolled:
            raise UnknownUnit(unit_id)
        return unit

    def enrolled_units(self) -> tuple[Unit, ...]:
        """The anti-corruption units that may be sealed to, in the registry's order."""
        return tuple(unit for unit in self.units if unit.is_enrolled and unit.kind is UnitKind.UNIT)

    @property
    def desk(self) -> Unit:
        """The charity's own desk, where goes what has no other way. A sound registry has one."""
        for unit in self.units:
            if unit.kind is UnitKind.DESK:
                return unit
        raise UnknownUnit("the charity's desk")

    def courier(self, key_id: str) -> tuple[Unit, bytes]:
        """The enrolled unit a courier key is for, and the public key. Raises UnknownUnit."""
        for unit in self.units:
            if unit.is_enrolled and key_id in unit.couriers:
                return unit, unit.couriers[key_id]
        raise UnknownUnit(key_id)

    def force(self, force_id: str) -> Force:
        """The force of this id. Raises UnknownForce."""
        for force in self.forces:
            if force.id == force_id:
                return force
        raise UnknownForce(force_id)

    def lineage(self, force_id: str) -> tuple[Force, ...]:
        """A force, what it went into, and so on to the last. Raises UnknownForce for the first alone."""
        by_id = {force.id: force for force in self.forces}
        line = [self.force(force_id)]
        while (successor := by_id.get(line[-1].successor or "")) is not None and successor not in line:
            line.append(successor)
        return tuple(line)

    def force_on(self, force_id: str, day: date) -> Force:
        """What stands on a day for a force: itself, or what it went into by then. Raises UnknownForce."""
        line = self.lineage(force_id)
        return next((force for force in line if force.exists_on(day)), line[-1])

    def serving(self, force_id: str, day: date) -> tuple[Unit, ...]:
        """All who serve a force on a day, of whatever status: at most one of them is enrolled, and it comes first."""
        found = [unit for unit in self.units if unit.serves_on(force_id, day)]
        return tuple(sorted(found, key=lambda unit: (not unit.is_enrolled, unit.id)))

    def served_by(self, unit: Unit, day: date) -> tuple[Force, ...]:
        """The forces a unit serves on a day."""
        return tuple(self.force(service.force) for service in unit.serves if service.holds_on(day))


def verify(untrusted: bytes, root_public_key: bytes, today: date, grace_days: int = 0) -> Registry:
    """The registry in a file, when its signature, its dates and its content hold. Raises RegistryRefused.

    `grace_days`: for how many days after its last one it may still be used.
    """
    registry = verify_signature(untrusted, root_public_key)
    check_date(registry, today, grace_days)
    return registry


def verify_signature(untrusted: bytes, root_public_key: bytes) -> Registry:
    """The registry in a file, whether or not it has expired. Raises RegistryRefused."""
    try:
        body = signing.verify(untrusted, Context.REGISTRY, root_public_key)
    except signing.BadSignature as error:
        raise SignatureRefused("its signature does not hold") from error
    except (NotCanonical, ValueError) as error:
        raise RegistryRefused(_NO_REGISTRY) from error
    try:
        registry = read(body)
    except (NotCanonical, ValueError) as error:
        raise RegistryRefused(_why_not_read(body)) from error
    check_content(registry)
    return registry


def _why_not_read(body: dict[str, Any]) -> str:
    """Of a body that the root signed: a later Candour may say what this one does not know."""
    with suppress(NotCanonical, NotAVersion):
        signed_with = canonical.text(body, "signed_with")
        if numbers(signed_with) > numbers(VERSION):
            return f"Candour {signed_with} signed it, and {VERSION} here cannot read it, so install that one"
    return _NO_REGISTRY


def check_content(registry: Registry) -> None:
    """Raises RegistryRefused when the registry contradicts itself, with where."""
    if registry.expires < registry.issued:
        raise RegistryRefused("it would end before it was issued")
    if registry.settle_every_hours not in settled_hours.EVERY_HOURS:
        raise RegistryRefused(f"{registry.settle_every_hours} hours between two settled hours divide no day")
    try:
        soundness.check(registry.forces, registry.units)
    except soundness.Unsound as error:
        raise RegistryRefused(str(error)) from error


def check_date(registry: Registry, today: date, grace_days: int = 0) -> None:
    """Raises RegistryRefused after the registry's last day, and the days of grace."""
    if today - registry.expires > timedelta(days=grace_days):
        raise RegistryRefused(f"it expired on {registry.expires}")


def to_body(registry: Registry) -> dict[str, Any]:
    """What is signed."""
    return {
        "version": registry.version,
        "issued": registry.issued.isoformat(),
        "expires": registry.expires.isoformat(),
        "settle_every_hours": registry.settle_every_hours,
        "signed_with": registry.signed_with,
        "forces": [forces.to_body(force) for force in registry.forces],
        "units": [units.to_body(unit) for unit in registry.units],
    }


def read(body: dict[str, Any]) -> Registry:
    """The registry of a body, by its shape alone. Raises NotCanonical, or ValueError.

    What this program would not write is refused, so that nothing in a newer registry goes unheeded.
    """
    registry = Registry(
        version=canonical.whole(body, "version"),
        issued=canonical.day(body, "issued"),
        expires=canonical.day(body, "expires"),
        forces=tuple(forces.read(force) for force in canonical.listed(body, "forces")),
        units=tuple(units.read(unit) for unit in canonical.listed(body, "units")),
        settle_every_hours=canonical.whole(body, "settle_every_hours"),
        signed_with=canonical.text(body, "signed_with"),
    )
    numbers(registry.signed_with)
    if registry.version > MOST_VERSION:
        raise NotCanonical("its version is higher than there can be")
    if to_body(registry) != body:
        raise NotCanonical("it says something that this program does not know")
    return registry
