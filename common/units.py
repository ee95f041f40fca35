"""Forces, the units that look into them, and the signed registry that names both.

The registry is the one list of whom a report may be sealed to. It is signed offline by the registry's root key
(Ed25519); the servers and the desk refuse one that is unsigned, altered or expired.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from common import canonical, signing
from common.canonical import NotCanonical

CONTEXT = "candour/1 registry"
LONGEST_ID = 64  # ASCII characters of a unit's short name: it has to fit into a reporter's cookie
_SHORT_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")


def is_short_name(untrusted: str) -> bool:
    """True for up to 64 small letters, digits and hyphens, such as `west-mercia`."""
    return _SHORT_NAME.fullmatch(untrusted) is not None


class RegistryRefused(Exception):
    """The registry is not valid. Get the current one from whoever signs it, and put it in place whole."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The registry is refused: {reason}.")


class UnknownUnit(LookupError):
    """The registry has no unit of this name."""


@dataclass(frozen=True)
class Force:
    """A police force. `id` is the short name of the field, such as `west-mercia`."""

    id: str
    name: str


@dataclass(frozen=True)
class Unit:
    """An anti-corruption unit: whom it serves, and its public keys."""

    id: str
    name: str
    forces: tuple[Force, ...]
    certificate: str  # OpenPGP, ASCII armoured
    fingerprint: str  # of the certificate: 40 hex digits
    reply_key: bytes  # Ed25519, 32 bytes: signs answers
    couriers: Mapping[str, bytes]  # key id -> Ed25519 public key, 32 bytes


@dataclass(frozen=True)
class Registry:
    """One version of the list. `expires` is the last day on which it holds."""

    version: int
    issued: date
    expires: date
    units: tuple[Unit, ...]

    def unit(self, unit_id: str) -> Unit:
        """The unit of this id. Raises UnknownUnit."""
        for unit in self.units:
            if unit.id == unit_id:
                return unit
        raise UnknownUnit(unit_id)

    def courier(self, key_id: str) -> tuple[Unit, bytes]:
        """The unit a courier key is enrolled for, and the public key. Raises UnknownUnit."""
        for unit in self.units:
            if key_id in unit.couriers:
                return unit, unit.couriers[key_id]
        raise UnknownUnit(key_id)


def verify(untrusted: bytes, root_public_key: bytes, today: date) -> Registry:
    """The registry in a file, when its signature and its dates hold. Raises RegistryRefused."""
    try:
        body = signing.verify(untrusted, CONTEXT, root_public_key)
        registry = _read(body)
    except signing.BadSignature as error:
        raise RegistryRefused("its signature does not hold") from error
    except (NotCanonical, ValueError) as error:
        raise RegistryRefused("it is not a registry, or it is damaged") from error
    if today > registry.expires:
        raise RegistryRefused(f"it expired on {registry.expires}")
    ids = [unit.id for unit in registry.units]
    couriers = [key_id for unit in registry.units for key_id in unit.couriers]
    if not ids or len(set(ids)) != len(ids) or len(set(couriers)) != len(couriers):
        raise RegistryRefused("it names no unit, or one twice")
    if not all(unit_id.isascii() and len(unit_id) <= LONGEST_ID for unit_id in ids):
        raise RegistryRefused(f"a unit's short name is not ASCII, or longer than {LONGEST_ID} characters")
    return registry


def to_body(registry: Registry) -> dict[str, Any]:
    """What is signed."""
    return {
        "version": registry.version,
        "issued": registry.issued.isoformat(),
        "expires": registry.expires.isoformat(),
        "units": [
            {
                "id": unit.id,
                "name": unit.name,
                "forces": [{"id": force.id, "name": force.name} for force in unit.forces],
                "certificate": unit.certificate,
                "fingerprint": unit.fingerprint,
                "reply_key": canonical.encode(unit.reply_key),
                "couriers": {key_id: canonical.encode(key) for key_id, key in unit.couriers.items()},
            }
            for unit in registry.units
        ],
    }


def _read(body: dict[str, Any]) -> Registry:
    return Registry(
        version=canonical.whole(body, "version"),
        issued=date.fromisoformat(canonical.text(body, "issued")),
        expires=date.fromisoformat(canonical.text(body, "expires")),
        units=tuple(_read_unit(_as_object(unit)) for unit in canonical.listed(body, "units")),
    )


def _read_unit(unit: dict[str, Any]) -> Unit:
    couriers = canonical.inner(unit, "couriers")
    return Unit(
        id=canonical.text(unit, "id"),
        name=canonical.text(unit, "name"),
        forces=tuple(
            Force(canonical.text(_as_object(force), "id"), canonical.text(_as_object(force), "name"))
            for force in canonical.listed(unit, "forces")
        ),
        certificate=canonical.text(unit, "certificate"),
        fingerprint=canonical.text(unit, "fingerprint"),
        reply_key=canonical.octets(unit, "reply_key", signing.PUBLIC_KEY_BYTES),
        couriers={key: canonical.octets(couriers, key, signing.PUBLIC_KEY_BYTES) for key in couriers},
    )


def _as_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise NotCanonical("not an object")
    return value
