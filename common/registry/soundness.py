"""Whether forces and units fit together: what a signature cannot tell of a registry.

Everything is refused that could send a report astray: a name twice, a reference to nothing, two units for one force
on one day, no charity's desk, or more than one. Each check yields what it finds, in words.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import combinations, pairwise

from common.names import is_one_line, is_short_name
from common.registry.forces import Force
from common.registry.holders import MOST_HOLDERS, NEEDED
from common.registry.units import Service, Unit, UnitKind

_FINGERPRINT = re.compile(r"[0-9A-F]{40}")
_LANGUAGE = re.compile(r"[a-z]{2,3}")


class Unsound(ValueError):
    """Forces and units do not fit together. The message says where, and can be read within a sentence."""


def check(forces: Sequence[Force], units: Sequence[Unit]) -> None:
    """Raises Unsound with the first thing that is wrong."""
    for wrong in findings(forces, units):
        raise Unsound(wrong)


def findings(forces: Sequence[Force], units: Sequence[Unit]) -> Iterator[str]:
    """Everything that is wrong."""
    yield from _named_once(forces, units)
    for force in forces:
        yield from _of_a_force(force)
    yield from _succession(forces)
    for unit in units:
        yield from _of_a_unit(unit)
    yield from _desk(units)
    yield from _references(forces, units)
    yield from _keys_of_one_unit_each(units)
    yield from _one_unit_a_force(units)


def _named_once(forces: Sequence[Force], units: Sequence[Unit]) -> Iterator[str]:
    if not units:
        yield "it names no unit, or one twice"
    for what, ids in (("force", [force.id for force in forces]), ("unit", [unit.id for unit in units])):
        if len(set(ids)) != len(ids):
            yield f"it names no {what}, or one twice"
        yield from (f"a {what} has no proper short name" for one in ids if not is_short_name(one))


def _of_a_force(force: Force) -> Iterator[str]:
    if not force.names or not all(is_one_line(name.name) for name in force.names):
        yield f"the force {force.id} has no proper name"
    if not is_one_line(force.region) or not all(is_one_line(by.where or "-") for by in force.oversight):
        yield f"the force {force.id} has no proper region, or oversight somewhere that has no proper name"
    ends = [name.until for name in force.names]
    if any(end is None for end in ends[:-1]) or ends[-1:] != [None] or not _rise(ends[:-1]):
        yield f"the names of the force {force.id} do not follow each other in time"
    if force.ended is None and force.successor is not None:
        yield f"the force {force.id} has a successor, but no last day"


def _rise(days: Sequence[date | None]) -> bool:
    known = [day for day in days if day is not None]
    return all(before < after for before, after in pairwise(known))


def _succession(forces: Sequence[Force]) -> Iterator[str]:
    successors = {force.id: force.successor for force in forces}
    for force_id in successors:
        seen: set[str] = set()
        at: str | None = force_id
        while at is not None and at in successors and at not in seen:
            seen.add(at)
            at = successors[at]
        if at is not None:
            yield f"the successors of the force {force_id} lead nowhere"


def _of_a_unit(unit: Unit) -> Iterator[str]:
    if not is_one_line(unit.name):
        yield f"the unit {unit.id} has no proper name"
    if unit.is_enrolled and not unit.has_keys:
        yield f"the unit {unit.id} is enrolled and lacks keys"
    for certificate, fingerprint in (
        (unit.certificate, unit.fingerprint),
        (unit.identity_certificate, unit.identity_fingerprint),
    ):
        named = _FINGERPRINT.fullmatch(fingerprint) if certificate else not fingerprint
        if not named or not certificate.isascii():
            yield f"a certificate of the unit {unit.id} and its fingerprint do not belong together"
    if unit.fingerprint and unit.fingerprint == unit.identity_fingerprint:
        yield f"the identity key of the unit {unit.id} is not apart from its certificate"
    yield from _holders(unit)
    if not unit.languages or not all(_LANGUAGE.fullmatch(language) for language in unit.languages):
        yield f"the languages of the unit {unit.id} are not codes such as en"
    if not all(is_short_name(key_id) for key_id in unit.couriers):
        yield f"a courier of the unit {unit.id} has no proper key id"
    if any(_ends_before_it_begins(service) for service in unit.serves):
        yield f"the unit {unit.id} would serve a force until before it begins"
    served = [service.force for service in unit.serves]
    if len(set(served)) != len(served):
        yield f"the unit {unit.id} serves one force twice"


def _holders(unit: Unit) -> Iterator[str]:
    enough = range(NEEDED, MOST_HOLDERS + 1)
    if len(unit.identity_holders) not in (enough if unit.takes_contacts else (0,)):
        yield f"the identity key of the unit {unit.id} needs two holders or more, and they need it"
    for former in unit.former_identities:
        if len(former.holders) not in enough or not _FINGERPRINT.fullmatch(former.fingerprint):
            yield f"a former identity key of the unit {unit.id} needs its fingerprint, and two holders or more"
    if not all(is_short_name(name) for names in _holders_of(unit) for name in names):
        yield f"an identity holder of the unit {unit.id} has no proper short name"


def _holders_of(unit: Unit) -> list[Mapping[str, bytes]]:
    """The holders of its identity key, and of each former one."""
    return [unit.identity_holders, *(former.holders for former in unit.former_identities)]


def _ends_before_it_begins(service: Service) -> bool:
    return service.since is not None and service.until is not None and service.until < service.since


def _desk(units: Sequence[Unit]) -> Iterator[str]:
    desks = [unit for unit in units if unit.kind is UnitKind.DESK]
    if len(desks) != 1 or not desks[0].is_enrolled:
        yield "it must name one charity's desk, and that must be enrolled"
    if any(desk.serves or desk.conflict_route for desk in desks):
        yield "the charity's desk serves no force, and has no conflict route"


def _references(forces: Sequence[Force], units: Sequence[Unit]) -> Iterator[str]:
    known = {force.id for force in forces}
    overseers = {unit.id for unit in units if unit.kind is UnitKind.OVERSEER}
    for unit in units:
        if not {service.force for service in unit.serves} <= known:
            yield f"the unit {unit.id} serves a force that is not named"
        named = {named for named in (unit.conflict_route, unit.second_seal) if named is not None}
        if not named <= overseers - {unit.id}:
            yield f"the conflict route and the second seal of the unit {unit.id} must be other units, and overseers"
    for force in forces:
        if not {by.body for by in force.oversight} <= overseers:
            yield f"the oversight bodies of the force {force.id} must be overseers"


def _keys_of_one_unit_each(units: Sequence[Unit]) -> Iterator[str]:
    """What one has, no other has; otherwise who is kept from a report might still open it."""
    key_ids = [key_id for unit in units for key_id in unit.couriers]
    keys = [key for unit in units for key in unit.couriers.values()]
    certificates = [
        fingerprint
        for unit in units
        for fingerprint in (
            unit.fingerprint,
            unit.identity_fingerprint,
            *(former.fingerprint for former in unit.former_identities),
        )
        if fingerprint
    ]
    reply_keys = [key for unit in units for key in (unit.reply_key, *unit.former_reply_keys) if key]
    holders = [key for unit in units for holders in _holders_of(unit) for key in holders.values()]
    for what, values in (
        ("courier", key_ids),
        ("courier", keys),
        ("certificate", certificates),
        ("key that signs answers", reply_keys),
        ("key of an identity holder", holders),
    ):
        if len(set(values)) != len(values):
            yield f"a {what} belongs to two, or is named twice"


def _one_unit_a_force(units: Sequence[Unit]) -> Iterator[str]:
    serving = [(unit, service) for unit in units if unit.is_enrolled for service in unit.serves]
    for (one, first), (other, second) in combinations(serving, 2):
        if first.force == second.force and _overlap(first, second):
            yield f"{one.id} and {other.id} are enrolled for the force {first.force} on one day"


def _overlap(first: Service, second: Service) -> bool:
    begins = max(first.since or date.min, second.since or date.min)
    ends = min(first.until or date.max, second.until or date.max)
    return begins <= ends
