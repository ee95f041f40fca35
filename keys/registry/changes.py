"""What changes between two registries, in words: to be read out before the second is signed.

Promises: whatever differs is named. Where reports of a force will go comes first, because that matters most.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from operator import attrgetter

from common import phrases
from common.registry import gaps
from common.registry.forces import Force
from common.registry.registry import Registry
from common.registry.units import Service, Unit

_DESK = "the charity’s desk"


def changes(old: Registry, new: Registry, today: date) -> Iterator[str]:
    """A sentence for each difference. Both may be unfinished; of past days nothing is said but what is written."""
    if old.expires != new.expires:
        yield f"The last day is {phrases.day(new.expires)}, no longer {phrases.day(old.expires)}."
    if old.settle_every_hours != new.settle_every_hours:
        yield (
            f"What arrives is listed for the units {_every(new)}, no longer {_every(old)}; what is withdrawn "
            "disappears at the same hours."
        )
    yield from _ways(old, new, today)
    yield from gaps.of_units(new, today, old)
    yield from gaps.no_longer(new, today, old)
    yield from _of_forces(old, new)
    yield from _of_units(old, new)


def _every(registry: Registry) -> str:
    hours = registry.settle_every_hours
    return "every hour" if hours == 1 else f"every {hours} hours"


def _ways(old: Registry, new: Registry, today: date) -> Iterator[str]:
    """To whom the reports of each force go, from today on."""
    for force in new.forces:
        before = _way(old, force.id, today) if _has(old.forces, force.id) else []
        after = _way(new, force.id, today)
        name = force.name_on(today)
        for since, unit in after:
            if since == today and before[:1] != [(since, unit)]:
                instead = f", no longer to {_named(old, before[0][1])}" if before else ""
                yield f"{name} goes to {_named(new, unit)}{instead}."
            elif since > today and (since, unit) not in before:
                yield f"{name} will go to {_named(new, unit)} from {phrases.day(since)}."
        for since, unit in before:
            if since > today and since not in [day for day, _ in after]:
                yield f"{name} will no longer go to {_named(old, unit)} from {phrases.day(since)}, as was said."


def _way(registry: Registry, force_id: str, today: date) -> list[tuple[date, str | None]]:
    """From which day on which unit has the reports of a force; None: the charity's desk."""
    line = registry.lineage(force_id)
    days = {today}
    for force in line:
        days |= {force.ended + timedelta(days=1)} if force.ended else set()
        for service in (one for unit in registry.units for one in unit.serves if one.force == force.id):
            days |= {service.since} if service.since else set()
            days |= {service.until + timedelta(days=1)} if service.until else set()
    way: list[tuple[date, str | None]] = []
    for day in sorted(day for day in days if day >= today):
        serving = registry.serving(registry.force_on(force_id, day).id, day)
        unit = serving[0].id if serving and serving[0].is_enrolled else None
        if not way or way[-1][1] != unit:
            way.append((day, unit))
    return way


def _named(registry: Registry, unit_id: str | None) -> str:
    return _DESK if unit_id is None else registry.unit(unit_id).name


def _of_forces(old: Registry, new: Registry) -> Iterator[str]:
    before = {force.id: force for force in old.forces}
    after = {force.id: force for force in new.forces}
    for force_id, force in after.items():
        if force_id not in before:
            yield f"The force {_full(force)} is new."
        else:
            yield from _of_a_force(before[force_id], force)
    for force_id in before.keys() - after.keys():
        yield f"The force {_full(before[force_id])} is no longer named. Its reports go to {_DESK}."
    if before == after and old.forces != new.forces:
        yield "The forces stand in another order."


def _full(force: Force) -> str:
    return f"{force.names[-1].name if force.names else '(no name)'} ({force.id})"


def _of_a_force(old: Force, new: Force) -> Iterator[str]:
    if old.names != new.names:
        yield f"The names of the force {new.id} change from {_names(old)} to {_names(new)}."
    if (old.ended, old.successor) != (new.ended, new.successor):
        yield f"{_full(new)} {_ending(new)}; before: {_ending(old)}."
    for what, value in (
        ("nation", attrgetter("nation")),
        ("region", attrgetter("region")),
        ("kind", attrgetter("kind")),
        ("oversight", _oversight),
        ("mark “check”", attrgetter("check")),
    ):
        if value(old) != value(new):
            yield f"The {what} of {_full(new)} changes from {value(old)} to {value(new)}."


def _names(force: Force) -> str:
    return ", ".join(
        f"“{name.name}”" + (f" until {phrases.day(name.until)}" if name.until else "") for name in force.names
    )


def _ending(force: Force) -> str:
    if force.ended is None:
        return "has no last day" if force.successor is None else f"becomes part of {force.successor}"
    into = f" and becomes part of {force.successor}" if force.successor else ""
    return f"ends on {phrases.day(force.ended)}{into}"


def _oversight(force: Force) -> str:
    return ", ".join(f"{by.body} {by.where}".strip() for by in force.oversight) or "nobody"


def _of_units(old: Registry, new: Registry) -> Iterator[str]:
    before = {unit.id: unit for unit in old.units}
    after = {unit.id: unit for unit in new.units}
    for unit_id, unit in after.items():
        if unit_id not in before:
            yield f"{unit.name} ({unit.id}) is new: {unit.kind}, {unit.status}."
        yield from _of_a_unit(before.get(unit_id, _blank(unit)), unit)
    for unit_id in before.keys() - after.keys():
        yield f"{before[unit_id].name} ({unit_id}) is no longer named."
    if before == after and old.units != new.units:
        yield "The units stand in another order."


def _blank(unit: Unit) -> Unit:
    """What a new unit is compared with: all that it has is then named."""
    return Unit(unit.id, unit.name, unit.kind, unit.status, (), "", "", b"", {}, languages=())


def _of_a_unit(old: Unit, new: Unit) -> Iterator[str]:
    for what, value in (
        ("name", attrgetter("name")),
        ("kind", attrgetter("kind")),
        ("status", attrgetter("status")),
        ("certificate", attrgetter("fingerprint")),
        ("key that signs answers", attrgetter("reply_key")),
        ("identity key", attrgetter("identity_fingerprint")),
        ("conflict route", attrgetter("conflict_route")),
        ("second seal", attrgetter("second_seal")),
        ("languages", attrgetter("languages")),
    ):
        before, after = value(old), value(new)
        if before != after:
            verb = "change" if what == "languages" else "changes"
            yield f"The {what} of {new.name} {verb} from {_written(before)} to {_written(after)}."
    for what, armoured, fingerprint in (
        ("certificate", attrgetter("certificate"), attrgetter("fingerprint")),
        ("identity key", attrgetter("identity_certificate"), attrgetter("identity_fingerprint")),
    ):
        if armoured(old) != armoured(new) and fingerprint(old) == fingerprint(new):
            yield f"The {what} of {new.name} has other dates or subkeys, and is the same: {_digits(fingerprint(new))}."
    yield from _of_former_reply_keys(old, new)
    yield from _of_couriers(old, new)
    yield from _of_holders(old, new)
    yield from _of_services(old.serves, new.serves, new.name)


def _of_former_reply_keys(old: Unit, new: Unit) -> Iterator[str]:
    for key in new.former_reply_keys:
        if key not in old.former_reply_keys:
            yield f"A handover signed by a former key of {new.name} is doubtful: {_digits(key.hex())}."
    for key in old.former_reply_keys:
        if key not in new.former_reply_keys:
            yield f"A handover signed by a former key of {new.name} is nothing any more: {_digits(key.hex())}."
    if (
        set(old.former_reply_keys) == set(new.former_reply_keys)
        and old.former_reply_keys != new.former_reply_keys
    ):
        yield f"The former keys of {new.name} that signed answers stand in another order."


def _of_couriers(old: Unit, new: Unit) -> Iterator[str]:
    for key_id in sorted(old.couriers.keys() | new.couriers.keys()):
        before, after = old.couriers.get(key_id), new.couriers.get(key_id)
        if before is not None and before != after:
            yield f"The courier {key_id} of {new.name} is struck off: {_digits(before.hex())}."
        if after is not None and before != after:
            yield f"The courier {key_id} of {new.name} is enrolled: {_digits(after.hex())}."


def _of_holders(old: Unit, new: Unit) -> Iterator[str]:
    yield from _of_a_key(f"the identity key of {new.name}", old.identity_holders, new.identity_holders)
    had = {key.fingerprint: key.holders for key in old.former_identities}
    has = {key.fingerprint: key.holders for key in new.former_identities}
    for fingerprint in sorted(had.keys() | has.keys()):
        digits = _digits(fingerprint)
        if fingerprint not in had:
            yield f"{new.name} keeps a former identity key, for what was sealed to it: {digits}."
        if fingerprint not in has:
            yield f"A former identity key of {new.name} is struck off; what was sealed to it stays shut: {digits}."
            continue
        # Of a key that was the present one, its holders are known already.
        before = had.get(fingerprint, old.holders_of(fingerprint))
        yield from _of_a_key(f"the former identity key {digits} of {new.name}", before, has[fingerprint])
    if had == has and old.former_identities != new.former_identities:
        yield f"The former identity keys of {new.name} stand in another order."


def _of_a_key(key: str, old: Mapping[str, bytes], new: Mapping[str, bytes]) -> Iterator[str]:
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before is not None and before != after:
            yield f"{name} no longer holds {key}: {_digits(before.hex())}."
        if after is not None and before != after:
            yield f"{name} holds {key}, with others: {_digits(after.hex())}."


def _of_services(old: Sequence[Service], new: Sequence[Service], name: str) -> Iterator[str]:
    gone = [service for service in old if service not in new]
    come = [service for service in new if service not in old]
    for service in gone:
        if not any(other.force == service.force for other in come):
            yield f"{name} is no longer named for {_span(service)}."
    for service in come:
        before = phrases.listed([_days(other) for other in gone if other.force == service.force])
        yield f"{name} is named for {_span(service)}{f'; before: {before}' if before else ''}."
    if old != new and sorted(map(_span, old)) == sorted(map(_span, new)):
        yield f"The forces of {name} stand in another order."


def _span(service: Service) -> str:
    return f"{service.force} {_days(service)}" if service.since or service.until else service.force


def _days(service: Service) -> str:
    since = f"from {phrases.day(service.since)}" if service.since else ""
    until = f"until {phrases.day(service.until)}" if service.until else ""
    return f"{since} {until}".strip() or "without a last day"


def _written(value: object) -> str:
    if isinstance(value, bytes):
        return _digits(value.hex())
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    text = str(value or "none")
    return _digits(text) if re.fullmatch("[0-9A-F]{40}", text) else text


def _digits(digits: str) -> str:
    return phrases.grouped(digits.upper()) or "none"


def _has(forces: Sequence[Force], force_id: str) -> bool:
    return any(force.id == force_id for force in forces)
