"""A draft of the registry: a JSON file to be read, edited and compared line by line, which nothing trusts.

It has the registry's content without version, day, program and signature, and each certificate line by line. It may be
unfinished: what does not fit together is refused when it is signed.
"""

import json
import os
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from common import canonical
from common.canonical import NotCanonical
from common.days import today
from common.durable import write_whole
from common.phrases import listed
from common.registry import registry
from common.registry.force_search import nearest
from common.registry.forces import Force
from common.registry.registry import Registry
from common.registry.units import Service, Status, Unit, UnitKind
from common.transport.courier_key import CourierCard
from common.version import VERSION
from keys.cards import UnitCard
from keys.registry.country import read_country, without_keys

_BY_LINE = ("certificate", "identity_certificate")


class BadDraft(Exception):
    """The draft cannot be used, or not changed like this. Mend what the message names."""


@dataclass(frozen=True)
class Draft:
    """What the next registry is to say."""

    content: Registry  # of version 0, no day, and the program that would sign it

    @classmethod
    def of_the_country(cls, expires: date) -> "Draft":
        """All forces and the overseers that they name; no unit yet."""
        country = read_country()
        return cls(Registry(0, date.min, expires, country.forces, country.overseers))

    def to_sign(self, version: int, issued: date) -> Registry:
        """The registry that it becomes."""
        return replace(self.content, version=version, issued=issued)

    def unit(self, unit_id: str) -> Unit:
        """A unit of the draft. Raises BadDraft."""
        try:
            return self.content.unit(unit_id)
        except registry.UnknownUnit as error:
            raise BadDraft(f"The draft has no unit {unit_id}. Add its card first.") from error

    def force(self, force_id: str) -> Force:
        """A force of the draft. Raises BadDraft, with the nearest ones."""
        try:
            return self.content.force(force_id)
        except registry.UnknownForce as error:
            near = listed(nearest(self.content.forces, force_id), "or")
            raise BadDraft(
                f"The draft has no force {force_id}. Name one that it has, such as {near}."
            ) from error

    def overseer(self, unit_id: str) -> str:
        """The id of an overseer of the draft. Raises BadDraft."""
        overseers = [unit.id for unit in self.content.units if unit.kind is UnitKind.OVERSEER]
        if unit_id not in overseers:
            raise BadDraft(f"The draft has no overseer {unit_id}. It has: {', '.join(overseers) or 'none'}.")
        return unit_id

    def with_force(self, changed: Force) -> "Draft":
        """With a force in place of the one of its id, or at the end."""
        forces = [changed if force.id == changed.id else force for force in self.content.forces]
        if changed not in forces:
            forces.append(changed)
        return Draft(replace(self.content, forces=tuple(forces)))

    def with_unit(self, changed: Unit) -> "Draft":
        """With a unit in place of the one of its id, or at the end."""
        units = [changed if unit.id == changed.id else unit for unit in self.content.units]
        if changed not in units:
            units.append(changed)
        return Draft(replace(self.content, units=tuple(units)))

    def with_card(self, card: UnitCard | CourierCard, kind: UnitKind) -> "Draft":
        """With a card's keys: of a new unit of that kind, not enrolled yet, or in place of a unit's older ones."""
        if isinstance(card, CourierCard):
            unit = self.unit(card.unit)
            return self.with_unit(replace(unit, couriers={**unit.couriers, card.key_id: card.public_key}))
        known = {unit.id: unit for unit in self.content.units}
        unit = known.get(card.id) or without_keys(card.id, card.name, kind)
        if unit.kind is not kind:
            raise BadDraft(
                f"The unit {card.id} is in the draft as another kind ({unit.kind}). Say so with --kind."
            )
        return self.with_unit(
            replace(
                unit,
                name=card.name,
                certificate=card.certificate,
                fingerprint=card.fingerprint,
                reply_key=card.reply_key,
                former_reply_keys=_former_reply_keys(unit, card.reply_key),
            )
        )

    def settled_every(self, hours: int) -> "Draft":
        """With another number of hours between two settled hours."""
        return Draft(replace(self.content, settle_every_hours=hours))

    def with_expiry(self, expires: date) -> "Draft":
        """With another last day."""
        return Draft(replace(self.content, expires=expires))


def _former_reply_keys(unit: Unit, now: bytes) -> tuple[bytes, ...]:
    """The keys that signed a unit's answers before this one."""
    had = dict.fromkeys([*unit.former_reply_keys, unit.reply_key])
    return tuple(key for key in had if key not in (b"", now))


def serving(unit: Unit, force_id: str, since: date | None, until: date | None) -> Unit:
    """The unit, serving a force between two days. A day that is not given stays as it was."""
    before = next((service for service in unit.serves if service.force == force_id), Service(force_id))
    service = Service(force_id, since or before.since, until or before.until)
    others = tuple(other for other in unit.serves if other.force != force_id)
    return replace(unit, serves=(*others, service))


def no_longer_serving(unit: Unit, force_id: str, until: date) -> Unit:
    """The unit, serving a force until the end of a day and no longer. What was until then stays written; what has not
    begun, and would not by then, never will. Raises BadDraft, also where it ends earlier already.
    """
    service = next((service for service in unit.serves if service.force == force_id), None)
    if service is None:
        has = ", ".join(service.force for service in unit.serves) or "none"
        raise BadDraft(f"The unit {unit.id} does not serve {force_id}. It serves: {has}.")
    if service.until is not None and service.until < until:
        raise BadDraft(
            f"The unit {unit.id} serves {force_id} until {service.until} already, and not until {until}. Nothing was "
            f"changed: to prolong it, say --serves {force_id} --until {until}."
        )
    if service.since is None or service.since <= until:
        return serving(unit, force_id, None, until)
    if service.since <= today():
        raise BadDraft(f"The unit {unit.id} has served {force_id} since {service.since}. Name a later day.")
    return replace(unit, serves=tuple(other for other in unit.serves if other is not service))


def with_status(unit: Unit, status: Status) -> Unit:
    """The unit with another status. Raises BadDraft where it is to be enrolled and lacks keys."""
    if status is Status.ENROLLED and not unit.has_keys:
        raise BadDraft(f"The unit {unit.id} has no keys yet. Add its card first.")
    return replace(unit, status=status)


def without_courier(unit: Unit, key_id: str) -> Unit:
    """The unit without a courier's key. Raises BadDraft where it has none of that id."""
    if key_id not in unit.couriers:
        has = ", ".join(sorted(unit.couriers)) or "none"
        raise BadDraft(f"The unit {unit.id} has no courier {key_id}. It has: {has}.")
    return replace(unit, couriers={other: key for other, key in unit.couriers.items() if other != key_id})


def write_draft(file: Path, draft: Draft, *, new: bool = False) -> None:
    """Write a draft whole. Raises FileExistsError where it is to be a new file and is there."""
    if new and file.exists():
        raise FileExistsError(None, "exists", os.fspath(file))
    body = registry.to_body(draft.content)
    del body["version"], body["issued"], body["signed_with"]
    for unit in body["units"]:
        for key in _BY_LINE:
            unit[key] = unit[key].splitlines()
    write_whole(file, (json.dumps(body, indent=1, ensure_ascii=False) + "\n").encode())


def read_draft(file: Path) -> Draft:
    """The draft in a file. Raises BadDraft."""
    try:
        return _parse(canonical.load(file.read_bytes()))
    except (NotCanonical, ValueError, TypeError) as error:
        raise BadDraft(
            f"{file} is no draft of a registry, or a slip was made in it ({error}). Mend it, or take the last good one."
        ) from error


def read_any(file: Path) -> Draft:
    """A draft, or what a signed registry says: its signature is not looked at. Raises BadDraft."""
    try:
        document = canonical.load(file.read_bytes())
        if "signature" not in document:
            return _parse(document)
        signed = registry.read(canonical.inner(document, "body"))
        return Draft(replace(signed, version=0, issued=date.min, signed_with=VERSION))
    except (NotCanonical, ValueError, TypeError) as error:
        raise BadDraft(f"{file} is neither a draft nor a registry ({error}). Name another.") from error


def _parse(body: dict[str, Any]) -> Draft:
    for unit in map(canonical.as_object, canonical.listed(body, "units")):
        for key in _BY_LINE:
            unit[key] = "".join(f"{line}\n" for line in canonical.listed(unit, key))
    return Draft(
        registry.read({**body, "version": 0, "issued": date.min.isoformat(), "signed_with": VERSION})
    )
