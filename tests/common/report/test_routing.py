"""Routing: every rule and their order, and what holds whatever the answers are."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.registry.forces import Force, Name, Nation, Oversight
from common.registry.registry import Registry, check_content
from common.registry.units import Service, Status, Unit, UnitKind
from common.report.routing import RULES, Circumstances, Involved, Reason, route

DAY = date(2027, 4, 30)
NEXT = DAY + timedelta(days=1)


def force(force_id, *bodies, ended=None, successor=None):
    oversight = tuple(body if isinstance(body, Oversight) else Oversight(body) for body in bodies)
    names = (Name(f"The {force_id} Police"),)
    return Force(
        force_id, names, Nation.ENGLAND, "Region", oversight=oversight, ended=ended, successor=successor
    )


def unit(unit_id, *serves, kind=UnitKind.UNIT, status=Status.ENROLLED, **more):
    services = tuple(item if isinstance(item, Service) else Service(item) for item in serves)
    number = len(unit_id) * 1000 + sum(unit_id.encode())
    keys = (f"certificate of {unit_id}", f"{number:040X}", number.to_bytes(32, "big"))
    return Unit(unit_id, unit_id.title(), kind, status, services, *keys, {}, **more)


def overseer(unit_id, *serves, **more):
    return unit(unit_id, *serves, kind=UnitKind.OVERSEER, **more)


REGISTRY = Registry(
    version=1,
    issued=DAY,
    expires=DAY + timedelta(days=365),
    forces=(
        force("alder", "second-body", "body"),
        force("ash", "body"),
        force("beech", "body"),
        force("cedar", "body", "second-body"),
        force("elm", "sleeping-body"),
        force("fir", Oversight("body", "in Scotland")),
        force("gorse", "body"),
        force("hazel", "body", ended=DAY, successor="ivy"),
        force("ivy", "body"),
        force("juniper", "body"),
        force("larch", "second-body"),
        force("maple", "body"),
        force("nobody", "body"),
    ),
    units=(
        unit("ash-unit", "ash", conflict_route="watch", second_seal="watch"),
        unit("twin-unit", "alder", "beech", "cedar"),
        unit("elm-unit", "elm"),
        unit("fir-unit", "fir", conflict_route="sleeping-body"),
        unit("gorse-unit", "gorse", status=Status.SUSPENDED, conflict_route="watch"),
        unit("hazel-unit", "hazel"),
        unit("ivy-unit", "ivy"),
        unit("juniper-old", Service("juniper", until=DAY), second_seal="larch-watch"),
        unit("juniper-new", Service("juniper", since=NEXT), second_seal="sleeping-body"),
        unit("maple-unit", "maple", status=Status.NOT_YET),
        overseer("watch"),
        overseer("body"),
        overseer("second-body"),
        overseer("sleeping-body", status=Status.NOT_YET),
        overseer("larch-watch", "larch", conflict_route="body"),
        unit("charity", kind=UnitKind.DESK, second_seal="larch-watch"),
    ),
)

CHIEF = (Involved.CHIEF_OFFICER,)
KNOWN = Reason.ITS_UNIT
ALSO, NOT_ALSO = Reason.ALSO_OVERSEER, Reason.NOT_ALSO_OVERSEER
SECOND = "larch-watch"  # to whom the charity's desk also seals

# forces named, what else was answered -> the unit, the second seal, the reasons
TABLE = [
    # A known force with an enrolled unit; the registry's second seal
    ("ash", {}, "ash-unit", "watch", (KNOWN, ALSO)),
    ("beech", {}, "twin-unit", None, (KNOWN,)),
    ("larch", {}, "larch-watch", None, (KNOWN,)),
    # One unit for several forces
    ("beech cedar", {}, "twin-unit", None, (KNOWN, Reason.SAME_UNIT)),
    # Unknown, moved, several units: the charity's desk, and in this order
    ("", {}, "charity", SECOND, (Reason.FORCE_NOT_KNOWN, ALSO)),
    ("atlantis", {}, "charity", SECOND, (Reason.FORCE_NOT_KNOWN, ALSO)),
    ("ash atlantis", {"moved": True}, "charity", SECOND, (Reason.FORCE_NOT_KNOWN, ALSO)),
    ("ash", {"moved": True}, "charity", SECOND, (Reason.MOVED, ALSO)),
    ("ash beech", {"moved": True}, "charity", SECOND, (Reason.MOVED, ALSO)),
    ("ash beech", {}, "charity", SECOND, (Reason.SEVERAL_UNITS, ALSO)),
    ("ash nobody", {}, "charity", SECOND, (Reason.SEVERAL_UNITS, ALSO)),
    # Not enrolled, suspended, nobody there
    ("gorse", {}, "charity", SECOND, (Reason.SUSPENDED, ALSO)),
    ("maple", {}, "charity", SECOND, (Reason.NOT_ENROLLED, ALSO)),
    ("nobody", {}, "charity", SECOND, (Reason.NOT_ENROLLED, ALSO)),
    # A conflict: the unit's conflict route, else the oversight body, else the desk
    ("ash", {"involved": CHIEF}, "watch", None, (Reason.CONFLICT_ROUTE,)),
    ("gorse", {"involved": CHIEF}, "watch", None, (Reason.CONFLICT_ROUTE,)),
    ("beech", {"involved": CHIEF}, "body", None, (Reason.OVERSIGHT_BODY,)),
    ("beech cedar", {"involved": CHIEF}, "body", None, (Reason.OVERSIGHT_BODY,)),
    ("alder", {"involved": CHIEF}, "second-body", None, (Reason.OVERSIGHT_BODY,)),
    ("alder beech", {"involved": CHIEF}, "body", None, (Reason.OVERSIGHT_BODY,)),  # the one of both
    ("maple", {"involved": CHIEF}, "body", None, (Reason.OVERSIGHT_BODY,)),
    ("nobody", {"involved": CHIEF}, "body", None, (Reason.OVERSIGHT_BODY,)),
    ("elm", {"involved": CHIEF}, "charity", SECOND, (Reason.CONFLICT_WITHOUT_OVERSEER, ALSO)),
    ("fir", {"involved": CHIEF}, "charity", SECOND, (Reason.CONFLICT_WITHOUT_OVERSEER, ALSO)),
    ("larch", {"involved": CHIEF}, "body", None, (Reason.CONFLICT_ROUTE,)),
    # A conflict where it is not known whose: nobody who serves any force gets the second seal
    ("", {"involved": CHIEF}, "charity", None, (Reason.FORCE_NOT_KNOWN, NOT_ALSO)),
    ("ash", {"involved": CHIEF, "moved": True}, "charity", None, (Reason.MOVED, NOT_ALSO)),
    ("ash larch", {"involved": CHIEF}, "charity", None, (Reason.SEVERAL_UNITS, NOT_ALSO)),
    ("ash beech", {"involved": CHIEF}, "charity", SECOND, (Reason.SEVERAL_UNITS, ALSO)),
    # Kept from a force: from the whole unit, wherever it would be
    ("beech", {"keep_from": "cedar"}, "charity", SECOND, (Reason.KEPT_FROM_UNIT, ALSO)),
    ("gorse", {"keep_from": "gorse"}, "charity", SECOND, (Reason.KEPT_FROM_UNIT, ALSO)),
    ("ash", {"keep_from": "beech"}, "ash-unit", "watch", (KNOWN, ALSO)),
    ("ash", {"keep_from": "atlantis"}, "ash-unit", "watch", (KNOWN, ALSO)),
    ("larch", {"keep_from": "larch"}, "charity", None, (Reason.KEPT_FROM_UNIT, NOT_ALSO)),
    ("", {"keep_from": "larch"}, "charity", None, (Reason.FORCE_NOT_KNOWN, NOT_ALSO)),
    ("juniper", {"keep_from": "larch"}, "juniper-old", None, (KNOWN, NOT_ALSO)),
    ("beech", {"keep_from": "cedar", "involved": CHIEF}, "body", None, (Reason.OVERSIGHT_BODY,)),
]


def answers(forces, involved=(), keep_from="", *, moved=False):
    return Circumstances(frozenset(forces.split()), moved, frozenset(involved), frozenset(keep_from.split()))


def found(asked, day=DAY, registry=REGISTRY):
    way = route(asked, day, registry)
    return way.unit.id, way.second and way.second.id, way.reasons


def test_the_registry_of_the_table_is_sound():
    check_content(REGISTRY)


@pytest.mark.parametrize(("forces", "said", "unit_id", "second", "reasons"), TABLE)
def test_each_line_of_the_table(forces, said, unit_id, second, reasons):
    assert found(answers(forces, **said)) == (unit_id, second, reasons)


def test_the_table_has_every_rule_and_every_note():
    said = {reason for *_, reasons in TABLE for reason in reasons}
    assert {rule.because for rule in RULES} <= said
    assert set(Reason) - said == {Reason.SUCCESSOR}  # which the next test has


def test_a_merged_force_goes_by_its_successor_from_the_day_after():
    assert found(answers("hazel")) == ("hazel-unit", None, (KNOWN,))
    assert found(answers("hazel"), NEXT) == ("ivy-unit", None, (KNOWN, Reason.SUCCESSOR))
    assert found(answers("hazel ivy"), NEXT) == ("ivy-unit", None, (KNOWN, Reason.SUCCESSOR))
    assert found(answers("hazel ivy"))[0] == "charity"


@pytest.mark.parametrize("named", ["hazel", "ivy"])
def test_who_keeps_it_from_a_merged_force_keeps_it_from_both(named):
    for asked in ("hazel", "ivy"):
        for day in (DAY - timedelta(days=400), DAY, NEXT):
            assert found(answers(asked, keep_from=named), day)[0] == "charity"


def test_a_unit_is_the_unit_of_a_force_on_its_days_alone():
    assert found(answers("juniper"))[0] == "juniper-old"
    assert found(answers("juniper"), NEXT)[0] == "juniper-new"


def test_it_is_kept_from_who_will_serve_the_force_and_no_longer_from_who_did():
    will = replace(REGISTRY, units=(*REGISTRY.units[1:], unit("ash-unit", "ash", Service("juniper", NEXT))))
    will = replace(will, units=tuple(one for one in will.units if one.id != "juniper-new"))
    assert found(answers("ash", keep_from="juniper"), DAY, will)[0] == "charity"
    did = replace(will, units=(*will.units[:-1], unit("ash-unit", "ash", Service("juniper", None, DAY))))
    did = replace(did, units=tuple(one for one in did.units if one.id != "juniper-old"))
    assert found(answers("ash", keep_from="juniper"), DAY, did)[0] == "charity"
    assert found(answers("ash", keep_from="juniper"), NEXT, did)[0] == "ash-unit"


@pytest.mark.parametrize("involved", list(Involved))
def test_whoever_of_the_three_is_involved_it_is_a_conflict(involved):
    assert found(answers("ash", [involved])) == ("watch", None, (Reason.CONFLICT_ROUTE,))


def test_an_overseer_that_is_the_subject_or_kept_from_it_is_passed_over():
    units = tuple(one for one in REGISTRY.units if one.id not in ("ash-unit", "larch-watch"))
    changed = replace(
        REGISTRY,
        units=(
            *units,
            unit("ash-unit", "ash", conflict_route="larch-watch"),
            overseer("larch-watch", "larch", Service("ash", since=NEXT)),
        ),
    )
    # It will serve ash from tomorrow on, so a conflict in ash is its own.
    assert found(answers("ash", CHIEF), DAY, changed)[0] == "body"
    before = replace(changed, units=(*changed.units[:-1], overseer("larch-watch", "larch")))
    assert found(answers("ash", CHIEF), DAY, before)[0] == "larch-watch"
    assert found(answers("ash", CHIEF, "larch"), DAY, before)[0] == "body"


# Two units and an overseer that will serve from the next day on what others serve until then.
CHANGING = replace(
    REGISTRY,
    units=(
        *(
            one
            for one in REGISTRY.units
            if one.id not in ("elm-unit", "fir-unit", "larch-watch", "juniper-new", "ivy-unit")
        ),
        unit("elm-unit", "elm", Service("juniper", since=NEXT), second_seal="larch-watch"),
        unit("fir-unit", Service("fir", until=DAY), conflict_route="larch-watch"),
        unit("ivy-unit", "ivy", conflict_route="larch-watch", second_seal="larch-watch"),
        overseer("larch-watch", "larch", Service("fir", since=NEXT)),
    ),
)


def broken_by(way, asked, day, registry):
    """Which promises to who answered so a route would break, by whom, and by what they serve or will serve."""
    broken = set()
    for one in way.units:
        seal = "second" if one is way.second else "first"
        for service in one.serves:
            if service.until is not None and service.until < day:
                continue
            when = "serves" if service.holds_on(day) else "will serve"
            for promise, named in (
                ("kept from", asked.keep_from),
                ("subject", asked.forces if asked.involved else ()),
            ):
                if service.force in named:
                    broken.add((seal, promise, when))
                elif any(lineage(registry, service.force) & lineage(registry, force) for force in named):
                    broken.add((seal, promise, "merged"))
            if asked.involved and (asked.moved or not asked.forces or "atlantis" in asked.forces):
                broken.add((seal, "subject", "may be any"))
    return broken


def lineage(registry, force_id):
    return {force_id} if force_id == "atlantis" else {one.id for one in registry.lineage(force_id)}


def check_promises(way, asked, day, registry):
    assert broken_by(way, asked, day, registry) == set()
    assert len({one.id for one in way.units}) == len(way.units)
    assert all(one.status is Status.ENROLLED for one in way.units)
    if way.second is not None:
        assert way.second.id == way.unit.second_seal
        assert way.second.kind is UnitKind.OVERSEER


NAMES = [*(one.id for one in REGISTRY.forces), "atlantis"]
EACH = [frozenset(), *(frozenset({name}) for name in NAMES)]
PAIRS = [frozenset(pair.split()) for pair in ("beech cedar", "alder beech", "hazel ivy", "ash beech")]
# Each promise, where who answered nothing else would have gone to just whom it excludes.
PUT_TO_THE_TEST = {
    *product(("first", "second"), ("kept from",), ("serves", "will serve")),
    ("first", "kept from", "merged"),
    *product(("first",), ("subject",), ("serves", "merged")),
    *product(("second",), ("subject",), ("may be any",)),
}


@pytest.mark.parametrize("registry", [REGISTRY, CHANGING])
def test_the_registries_of_the_promises_are_sound(registry):
    check_content(registry)


def test_whatever_is_answered_there_is_a_route_that_keeps_the_promises():
    """Each force, some pairs, each that it is kept from: all of them, on both sides of a day on which much changes."""
    put_to_the_test = set()
    for registry, day, forces in product((REGISTRY, CHANGING), (DAY, NEXT), EACH + PAIRS):
        for moved, involved, kept in product((False, True), ((), CHIEF), EACH):
            asked = Circumstances(forces, moved, frozenset(involved), kept)
            check_promises(route(asked, day, registry), asked, day, registry)
            if not moved:
                put_to_the_test |= broken_by(
                    route(Circumstances(forces), day, registry), asked, day, registry
                )
    assert put_to_the_test >= PUT_TO_THE_TEST


FORCE_IDS = st.frozensets(st.sampled_from(NAMES), max_size=4)
ANSWERS = st.builds(
    Circumstances, FORCE_IDS, st.booleans(), st.frozensets(st.sampled_from(Involved)), FORCE_IDS
)
DAYS = st.dates(DAY - timedelta(days=3), DAY + timedelta(days=3))
STATUSES = st.lists(st.sampled_from(Status), min_size=len(REGISTRY.units), max_size=len(REGISTRY.units))


@given(ANSWERS, DAYS, STATUSES, st.randoms())
def test_whoever_is_enrolled_the_promises_hold_and_the_order_of_the_units_changes_nothing(
    asked, day, statuses, random
):
    units = [
        one if one.kind is UnitKind.DESK else replace(one, status=status)
        for one, status in zip(REGISTRY.units, statuses, strict=True)
    ]
    registry = replace(REGISTRY, units=tuple(units))
    way = route(asked, day, registry)
    check_promises(way, asked, day, registry)
    random.shuffle(units)
    again = route(asked, day, replace(registry, units=tuple(units)))
    assert again == way == route(asked, day, registry)
