"""A registry that contradicts itself is refused, whoever signed it."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from common.registry.forces import Force, Name, Nation, Oversight
from common.registry.soundness import Unsound, check, findings
from common.registry.units import FormerKey, Service, Status, Unit, UnitKind

DAY = date(2027, 5, 1)
BEFORE = DAY - timedelta(days=1)
NORTH = Force(
    "north", (Name("Old North", BEFORE), Name("North")), Nation.ENGLAND, "N", oversight=(Oversight("body"),)
)
SOUTH = Force("south", (Name("South"),), Nation.WALES, "S", ended=DAY, successor="north")


def unit(unit_id, kind, number, *serves):
    services = tuple(Service(force) for force in serves)
    return Unit(
        unit_id, "A Name", kind, Status.ENROLLED, services, "certificate", f"{number:040X}", bytes([number]) * 32,
        {f"c{number}": bytes([number]) * 32},
    )  # fmt: skip


FORMER = {"third": b"T" * 32, "fourth": b"O" * 32}
ONE = replace(
    unit("one", UnitKind.UNIT, 1, "north"),
    identity_certificate="identity",
    identity_fingerprint="A" * 40,
    identity_holders={"first": b"F" * 32, "second": b"S" * 32},
    conflict_route="body",
    second_seal="body",
    languages=("en", "cy"),
)
TWO = unit("two", UnitKind.UNIT, 2, "south")
DESK = unit("desk", UnitKind.DESK, 3)
BODY = unit("body", UnitKind.OVERSEER, 4)


def wrong(*, forces=(NORTH, SOUTH), units=(ONE, TWO, DESK, BODY)):
    return list(findings(forces, units))


def test_what_fits_together_is_sound():
    assert wrong() == []
    check((NORTH, SOUTH), (ONE, TWO, DESK, BODY))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"id": "Not Short"}, "no proper short name"),
        ({"id": "two"}, "names no unit, or one twice"),
        ({"name": "two\nlines"}, "no proper name"),
        ({"certificate": ""}, "is enrolled and lacks keys"),
        ({"reply_key": b""}, "is enrolled and lacks keys"),
        ({"fingerprint": "0" * 39}, "do not belong together"),
        ({"fingerprint": "0" * 39 + "f"}, "do not belong together"),
        ({"certificate": "ünicode"}, "do not belong together"),
        ({"identity_fingerprint": ""}, "do not belong together"),
        ({"identity_certificate": ""}, "do not belong together"),
        ({"identity_fingerprint": ONE.fingerprint}, "is not apart from its certificate"),
        ({"identity_holders": {}}, "needs two holders or more"),
        ({"identity_holders": {"first": b"F" * 32}}, "needs two holders or more"),
        ({"identity_holders": {f"h{n}": bytes([n]) * 32 for n in range(9, 26)}}, "needs two holders or more"),
        (
            {"identity_holders": {"first": b"F" * 32, "second": b"F" * 32}},
            "an identity holder belongs to two",
        ),
        ({"identity_holders": {"first": b"F" * 32, "No Name": b"S" * 32}}, "has no proper short name"),
        ({"identity_certificate": "", "identity_fingerprint": ""}, "and they need it"),
        (
            {"former_identities": (FormerKey("A" * 39, FORMER),)},
            "a former identity key of the unit one needs",
        ),
        ({"former_identities": (FormerKey("B" * 40, {}),)}, "a former identity key of the unit one needs"),
        ({"former_identities": (FormerKey("A" * 40, FORMER),)}, "a certificate belongs to two"),
        (
            {"former_identities": (FormerKey("B" * 40, FORMER), FormerKey("B" * 40, FORMER))},
            "named twice",
        ),
        (
            {"former_identities": (FormerKey("B" * 40, {**FORMER, "first": b"F" * 32}),)},
            "an identity holder belongs to two",
        ),
        (
            {"former_identities": (FormerKey("B" * 40, {**FORMER, "No": b"N" * 32}),)},
            "has no proper short name",
        ),
        ({"languages": ()}, "not codes"),
        ({"languages": ("English",)}, "not codes"),
        ({"couriers": {"A B": bytes(32)}}, "no proper key id"),
        ({"couriers": TWO.couriers}, "a courier belongs to two"),
        ({"couriers": {"other": TWO.couriers["c2"]}}, "a courier belongs to two"),
        ({"couriers": {"c2": bytes(32)}}, "a courier belongs to two"),
        ({"fingerprint": TWO.fingerprint}, "a certificate belongs to two"),
        ({"identity_fingerprint": TWO.fingerprint}, "a certificate belongs to two"),
        ({"reply_key": TWO.reply_key}, "a key that signs answers belongs to two"),
        ({"serves": (Service("north", DAY, BEFORE),)}, "until before it begins"),
        ({"serves": (Service("north"), Service("north"))}, "serves one force twice"),
        ({"serves": (Service("atlantis"),)}, "a force that is not named"),
        ({"serves": (Service("north"), Service("south", DAY))}, "enrolled for the force south on one day"),
        ({"conflict_route": "two"}, "must be other units, and overseers"),
        ({"conflict_route": "nobody"}, "must be other units, and overseers"),
        ({"second_seal": "desk"}, "must be other units, and overseers"),
        ({"kind": UnitKind.DESK}, "one charity's desk"),
    ],
)
def test_a_unit_that_does_not_fit_is_named(changed, said):
    assert any(said in finding for finding in wrong(units=(replace(ONE, **changed), TWO, DESK, BODY)))
    with pytest.raises(Unsound):
        check((NORTH, SOUTH), (replace(ONE, **changed), TWO, DESK, BODY))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"id": "north"}, "names no force, or one twice"),
        ({"id": "South"}, "no proper short name"),
        ({"names": ()}, "no proper name"),
        ({"names": (Name(" South"),)}, "no proper name"),
        ({"names": (Name("South", DAY),)}, "do not follow each other"),
        ({"names": (Name("Old"), Name("South"))}, "do not follow each other"),
        ({"names": (Name("A", DAY), Name("B", DAY), Name("C"))}, "do not follow each other"),
        ({"region": ""}, "no proper region"),
        ({"oversight": (Oversight("body", "in\nWales"),)}, "no proper region"),
        ({"oversight": (Oversight("one"),)}, "must be overseers"),
        ({"ended": None}, "has a successor, but no last day"),
        ({"successor": "atlantis"}, "lead nowhere"),
        ({"successor": "south"}, "lead nowhere"),
    ],
)
def test_a_force_that_does_not_fit_is_named(changed, said):
    assert any(said in finding for finding in wrong(forces=(NORTH, replace(SOUTH, **changed))))


def test_forces_that_succeed_each_other_in_a_circle_are_refused():
    circle = replace(NORTH, ended=DAY, successor="south")
    assert sum("lead nowhere" in finding for finding in wrong(forces=(circle, SOUTH))) == 2


def test_there_is_one_charitys_desk_and_it_is_enrolled_and_serves_nobody():
    assert any("one charity's desk" in finding for finding in wrong(units=(ONE, TWO, BODY)))
    for status in (Status.SUSPENDED, Status.NOT_YET):
        units = (ONE, TWO, replace(DESK, status=status), BODY)
        assert any("one charity's desk" in finding for finding in wrong(units=units))
    for changed in ({"serves": (Service("north", until=BEFORE),)}, {"conflict_route": "body"}):
        units = (ONE, TWO, replace(DESK, **changed), BODY)
        assert any("serves no force" in finding for finding in wrong(units=units))


def test_one_unit_may_follow_another_and_those_not_enrolled_do_not_count():
    until, since = Service("north", until=BEFORE), Service("north", since=DAY)
    assert wrong(units=(replace(ONE, serves=(until,)), replace(TWO, serves=(since,)), DESK, BODY)) == []
    overlap = (replace(ONE, serves=(replace(until, until=DAY),)), replace(TWO, serves=(since,)), DESK, BODY)
    assert any("on one day" in finding for finding in wrong(units=overlap))
    suspended = (overlap[0], replace(overlap[1], status=Status.SUSPENDED), DESK, BODY)
    assert wrong(units=suspended) == []


def test_nobody_oversees_or_seals_along_for_itself():
    for changed in ({"second_seal": "body"}, {"conflict_route": "body"}):
        units = (ONE, TWO, DESK, replace(BODY, **changed))
        assert any("must be other units" in finding for finding in wrong(units=units))
