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
class FormerKey:
    """An identity key that nothing is sealed to any more, by its fingerprint: its holders still open what was."""

    fingerprint: str  # 40 hex digits
    holders: Mapping[str, bytes]  # short name -> Ed25519 public key, 32 bytes


@dataclass(frozen=True)
class Unit:
    """One who opens reports. While it is not enrolled it may lack keys: then they are empty.

    The identity key is held by other people than those who review reports: any two of `identity_holders` open what is
    sealed to it (common/registry/holders.py), and sign what they did. Those of `former_identities` do so for what was
    sealed to theirs, which the holders of today cannot open. `former_reply_keys` sign nothing any more: a handover that
    one of them signed is doubtful, where one that no key of the unit signed is nothing. `conflict_route` and
    `second_seal` are ids of overseers: who gets a report about this unit, and to whom every report to it is also
    sealed.
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
    former_identities: tuple[FormerKey, ...] = ()
    former_reply_keys: tuple[bytes, ...] = ()  # Ed25519, 32 bytes each
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

    def holders_of(self, fingerprint: str) -> Mapping[str, bytes]:
        """Who holds an identity key of this unit, the present one or a former; nobody for any other key."""
        known = {former.fingerprint: former.holders for former in self.former_identities}
        return {**known, self.identity_fingerprint: self.identity_holders}.get(fingerprint, {})

    @property
    def has_keys(self) -> bool:
        """Whether something can be sealed to it, and its answers be known."""
        return bool(self.certificate and self.fingerprint and self.reply_key)

    def serves_on(self, force_id: str, day: date) -> bool:
        """Whether it is the unit of a force on a day."""
        return any(service.force == force_id and service.holds_on(day) for service in self.serves)


def to_body(unit: Unit) -> dict[str, Any]:
    """The unit as the registry writes it."""
    former = [
        {"fingerprint": key.fingerprint, "holders": _written(key.holders)} for key in unit.former_identities
    ]
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
        "couriers": _written(unit.couriers),
        "identity_certificate": unit.identity_certificate,
        "identity_fingerprint": unit.identity_fingerprint,
        "identity_holders": _written(unit.identity_holders),
        **({"former_identities": former} if former else {}),
        **(
            {"former_reply_keys": [canonical.encode(key) for key in unit.former_reply_keys]}
            if unit.former_reply_keys
            else {}
        ),
        "conflict_route": unit.conflict_route,
        "second_seal": unit.second_seal,
        "languages": list(unit.languages),
    }


def read(untrusted: Any) -> Unit:
    """A unit out of a registry. Raises NotCanonical, or ValueError for a kind or status that is none."""
    body = canonical.as_object(untrusted)
    former = canonical.listed(body, "former_identities") if "former_identities" in body else []
    former_keys = canonical.listed(body, "former_reply_keys") if "former_reply_keys" in body else []
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
        couriers=_keys(body, "couriers"),
        identity_certificate=canonical.text(body, "identity_certificate"),
        identity_fingerprint=canonical.text(body, "identity_fingerprint"),
        identity_holders=_keys(body, "identity_holders"),
        former_identities=tuple(_read_former(canonical.as_object(item)) for item in former),
        former_reply_keys=tuple(canonical.decode(str(key), signing.PUBLIC_KEY_BYTES) for key in former_keys),
        conflict_route=canonical.optional_text(body, "conflict_route"),
        second_seal=canonical.optional_text(body, "second_seal"),
        languages=tuple(str(language) for language in canonical.listed(body, "languages")),
    )


def _written(keys: Mapping[str, bytes]) -> dict[str, str]:
    return {name: canonical.encode(key) for name, key in keys.items()}


def _keys(body: dict[str, Any], named: str) -> dict[str, bytes]:
    keys = canonical.inner(body, named)
    return {name: canonical.octets(keys, name, signing.PUBLIC_KEY_BYTES) for name in keys}


def _read_former(body: dict[str, Any]) -> FormerKey:
    return FormerKey(canonical.text(body, "fingerprint"), _keys(body, "holders"))


def _read_service(body: dict[str, Any]) -> Service:
    return Service(
        canonical.text(body, "force"),
        canonical.optional_day(body, "from"),
        canonical.optional_day(body, "until"),
    )
