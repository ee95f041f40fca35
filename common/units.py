"""Whom a report may be sealed to: anti-corruption units, the charity's own desk, overseers, and their public keys."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from common import canonical, signing


class UnitKind(StrEnum):
    """What stands behind a set of keys."""

    UNIT = "anti-corruption-unit"
    DESK = "charity-desk"
    OVERSEER = "overseer"


class Status(StrEnum):
    """Only what is enrolled is sealed to. Keys that may be in wrong hands are suspended, not taken out."""

    ENROLLED = "enrolled"
    NOT_YET = "not-yet"
    SUSPENDED = "suspended"


@dataclass(frozen=True)
class Service:
    """A force that a unit serves, from the first day to the last; None: since ever, and until further notice."""

    force: str
    since: date | None = None
    until: date | None = None

    def holds_on(self, day: date) -> bool:
        """True on its first day, on its last, and between."""
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)


@dataclass(frozen=True)
class Unit:
    """One who opens reports. While it is not enrolled it may lack keys: then they are empty.

    The identity key is held by other people than those who review reports: any two of `identity_holders` open what is
    sealed to it (common/holders.py), and sign what they did. `conflict_route` and `second_seal` are
    ids of overseers: who gets a report about this unit, and to whom every report to it is also sealed.
    """

    id: str
    name: str
    kind: UnitKind
    status: Status
    serves: tuple[Service, ...]
    certificate: str  # OpenPGP, ASCII armoured
    fingerprint: str  # of the certificate: 40 hex digits
    reply_key: bytes  # Ed25519, 32 bytes: signs answers
    couriers: Mapping[str, bytes]  # key id -> Ed25519 public key, 32 bytes
    identity_certificate: str = ""  # OpenPGP, ASCII armoured
    identity_fingerprint: str = ""
    identity_holders: Mapping[str, bytes] = field(
        default_factory=dict
    )  # short name -> Ed25519 public key, 32 bytes
    conflict_route: str | None = None
    second_seal: str | None = None
    languages: tuple[str, ...] = ("en",)

    @property
    def is_enrolled(self) -> bool:
        """Whether anything may be sealed to it."""
        return self.status is Status.ENROLLED

    @property
    def takes_contacts(self) -> bool:
        """Whether contact details can be given to it in confidence."""
        return bool(self.identity_certificate)

    @property
    def has_keys(self) -> bool:
        """Whether something can be sealed to it, and its answers be known."""
        return bool(self.certificate and self.fingerprint and self.reply_key)

    def serves_on(self, force_id: str, day: date) -> bool:
        """Whether it is the unit of a force on a day."""
        return any(service.force == force_id and service.holds_on(day) for service in self.serves)


def to_body(unit: Unit) -> dict[str, Any]:
    """The unit as the registry writes it."""
    return {
        "id": unit.id,
        "name": unit.name,
        "kind": unit.kind.value,
        "status": unit.status.value,
        "serves": [
            {
                "force": service.force,
                "from": canonical.day_text(service.since),
                "until": canonical.day_text(service.until),
            }
            for service in unit.serves
        ],
        "certificate": unit.certificate,
        "fingerprint": unit.fingerprint,
        "reply_key": canonical.encode(unit.reply_key),
        "couriers": {key_id: canonical.encode(key) for key_id, key in unit.couriers.items()},
        "identity_certificate": unit.identity_certificate,
        "identity_fingerprint": unit.identity_fingerprint,
        "identity_holders": {name: canonical.encode(key) for name, key in unit.identity_holders.items()},
        "conflict_route": unit.conflict_route,
        "second_seal": unit.second_seal,
        "languages": list(unit.languages),
    }


def read(untrusted: Any) -> Unit:
    """A unit out of a registry. Raises NotCanonical, or ValueError for a kind or status that is none."""
    body = canonical.as_object(untrusted)
    couriers = canonical.inner(body, "couriers")
    holders = canonical.inner(body, "identity_holders") if "identity_holders" in body else {}
    reply_key = canonical.octets(body, "reply_key")
    if len(reply_key) not in (0, signing.PUBLIC_KEY_BYTES):
        raise canonical.NotCanonical("reply_key is of the wrong length")
    return Unit(
        id=canonical.text(body, "id"),
        name=canonical.text(body, "name"),
        kind=UnitKind(canonical.text(body, "kind")),
        status=Status(canonical.text(body, "status")),
        serves=tuple(_read_service(canonical.as_object(item)) for item in canonical.listed(body, "serves")),
        certificate=canonical.text(body, "certificate"),
        fingerprint=canonical.text(body, "fingerprint"),
        reply_key=reply_key,
        couriers={key: canonical.octets(couriers, key, signing.PUBLIC_KEY_BYTES) for key in couriers},
        identity_certificate=canonical.text(body, "identity_certificate"),
        identity_fingerprint=canonical.text(body, "identity_fingerprint"),
        identity_holders={
            name: canonical.octets(holders, name, signing.PUBLIC_KEY_BYTES) for name in holders
        },
        conflict_route=canonical.optional_text(body, "conflict_route"),
        second_seal=canonical.optional_text(body, "second_seal"),
        languages=tuple(str(language) for language in canonical.listed(body, "languages")),
    )


def _read_service(body: dict[str, Any]) -> Service:
    return Service(
        canonical.text(body, "force"),
        canonical.optional_day(body, "from"),
        canonical.optional_day(body, "until"),
    )
