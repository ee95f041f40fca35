"""The difference of two registries in words: what matters is plain, and nothing is left out."""

from dataclasses import fields, replace
from datetime import date, timedelta
from typing import Any

import pytest

from common.registry.forces import Force, ForceKind, Name, Nation, Oversight
from common.registry.registry import Registry
from common.registry.units import FormerKey, Service, Status, Unit, UnitKind
from keys.registry.changes import changes
from keys.registry.signature import UnfitRegistry
from keys.unit.identity_key import IdentityCard, with_identity, without_former

TODAY = date(2027, 1, 4)
MAY = date(2027, 5, 1)
EVE = MAY - timedelta(days=1)


def force(force_id):
    return Force(force_id, (Name(f"{force_id.title()} Police"),), Nation.ENGLAND, "Region")


def unit(unit_id, kind, *serves):
    number = sum(unit_id.encode())
    keys = (f"certificate of {unit_id}", f"{number:040X}", number.to_bytes(32, "big"))
    return Unit(
        unit_id, f"The {unit_id.title()} Unit", kind, Status.ENROLLED, serves, *keys, {"c": b"c" * 32}
    )


OLD = Registry(
    0,
    date.min,
    date(2027, 7, 4),
    (force("kent"), force("essex")),
    (
        unit("east", UnitKind.UNIT, Service("kent"), Service("essex")),
        unit("south", UnitKind.UNIT),
        unit("charity", UnitKind.DESK),
        unit("watch", UnitKind.OVERSEER),
    ),
)
EAST, SOUTH = OLD.units[:2]


def said(old, new):
    return list(changes(old, new, TODAY))


def with_units(*changed):
    by_id = {one.id: one for one in changed}
    return replace(OLD, units=tuple(by_id.get(one.id, one) for one in OLD.units))


@pytest.mark.parametrize(("hours", "said_as"), [(12, "every 12 hours"), (1, "every hour")])
def test_other_settled_hours_are_said(hours, said_as):
    [sentence] = said(OLD, replace(OLD, settle_every_hours=hours))
    assert sentence.startswith(
        f"What arrives is listed for the units {said_as}, no longer every 6 hours; what is"
    )


def test_no_change_of_the_registry_itself_goes_unsaid():
    apart = {"version", "issued", "signed_with"}  # what signing gives it
    known = {"expires", "forces", "units", "settle_every_hours"}
    assert {field.name for field in fields(Registry)} == apart | known


def test_nothing_is_said_of_what_is_the_same():
    assert said(OLD, OLD) == []
    assert said(OLD, replace(OLD, version=7, issued=TODAY)) == []


def test_a_force_that_changes_hands_on_a_day():
    new = with_units(
        replace(EAST, serves=(Service("kent", until=EVE), Service("essex"))),
        replace(SOUTH, serves=(Service("kent", since=MAY),)),
    )
    assert said(OLD, new) == [
        "Kent Police will go to The South Unit from 1 May 2027.",
        "The East Unit is named for kent until 30 April 2027; before: without a last day.",
        "The South Unit is named for kent from 1 May 2027.",
    ]
    back = said(new, OLD)
    assert "Kent Police will no longer go to The South Unit from 1 May 2027, as was said." in back
    assert "The East Unit is named for kent; before: until 30 April 2027." in back
    assert "The South Unit is no longer named for kent from 1 May 2027." in back


def test_a_unit_that_is_suspended_sends_its_forces_to_the_charity():
    assert said(OLD, with_units(replace(EAST, status=Status.SUSPENDED))) == [
        "Kent Police goes to the charity’s desk, no longer to The East Unit.",
        "Essex Police goes to the charity’s desk, no longer to The East Unit.",
        "The status of The East Unit changes from enrolled to suspended.",
    ]


@pytest.fixture
def named():
    """The overseer is named by one unit, which serves all forces, and not by two others."""
    east = replace(EAST, conflict_route="watch", second_seal="watch")
    return replace(OLD, units=(east, unit("west", UnitKind.UNIT), *OLD.units[1:]))


def of_status(registry, unit_id, status):
    units = (replace(one, status=status) if one.id == unit_id else one for one in registry.units)
    return replace(registry, units=tuple(units))


def test_who_is_left_without_overseer_is_said(named):
    suspended = of_status(named, "watch", Status.SUSPENDED)
    told = said(named, suspended)
    assert told == [
        "Without conflict route: The East Unit. The overseer that is named for it is not enrolled.",
        "Without an overseer who could open a report about them: The East Unit. It goes to the charity’s desk.",
        "Without second seal: The East Unit. The overseer that is named for it is not enrolled.",
        "The status of The Watch Unit changes from enrolled to suspended.",
    ]
    assert said(suspended, replace(suspended, expires=MAY)) == [
        "The last day is 1 May 2027, no longer 4 July 2027."  # what was so before is not news
    ]


def test_an_overseer_who_is_enrolled_again_is_said_to_open_what_it_opens(named):
    suspended = of_status(named, "watch", Status.SUSPENDED)
    assert said(suspended, named) == [
        "Now with conflict route: The East Unit. A report about it goes to The Watch Unit.",
        "Now with an overseer who could open a report about them: The East Unit. The charity’s desk no longer gets it.",
        "Now with second seal: The East Unit. Every report to it is also sealed to The Watch Unit, who can open it.",
        "The status of The Watch Unit changes from suspended to enrolled.",
    ]
    assert said(named, replace(named, expires=MAY)) == ["The last day is 1 May 2027, no longer 4 July 2027."]
    gone = said(of_status(named, "east", Status.SUSPENDED), of_status(suspended, "east", Status.NOT_YET))
    assert not any("Now with" in sentence for sentence in gone)


def test_a_unit_that_is_enrolled_again_is_said_to_get_its_forces_and_to_share_them(named):
    told = said(of_status(named, "east", Status.SUSPENDED), named)
    assert told == [
        "Kent Police goes to The East Unit, no longer to the charity’s desk.",
        "Essex Police goes to The East Unit, no longer to the charity’s desk.",
        "Now with conflict route: The East Unit. A report about it goes to The Watch Unit.",
        "Now with second seal: The East Unit. Every report to it is also sealed to The Watch Unit, who can open it.",
        "The status of The East Unit changes from suspended to enrolled.",
    ]


def test_an_oversight_body_stands_in_for_a_conflict_route():
    watched = replace(OLD, forces=tuple(replace(one, oversight=(Oversight("watch"),)) for one in OLD.forces))
    closed = replace(
        watched,
        units=tuple(replace(one, status=Status.NOT_YET) if one.id == "watch" else one for one in OLD.units),
    )
    assert not [sentence for sentence in said(OLD, watched) if "Without" in sentence]
    assert (
        "Without an overseer who could open a report about them: The East Unit. It goes to the charity’s desk."
        in (said(watched, closed))
    )


def test_a_force_that_is_merged_goes_where_its_successor_goes():
    kent, essex = OLD.forces
    merged = replace(OLD, forces=(replace(kent, ended=EVE, successor="essex"), essex))
    new = replace(
        merged,
        units=(
            replace(EAST, serves=(Service("kent"),)),
            replace(SOUTH, serves=(Service("essex"),)),
            *OLD.units[2:],
        ),
    )
    told = said(OLD, new)
    assert "Essex Police goes to The South Unit, no longer to The East Unit." in told
    assert "Kent Police will go to The South Unit from 1 May 2027." in told
    assert (
        "Kent Police (kent) ends on 30 April 2027 and becomes part of essex; before: has no last day." in told
    )


def test_a_certificate_is_named_by_its_digits():
    [sentence] = said(OLD, with_units(replace(EAST, certificate="new", fingerprint="AB" * 20)))
    assert sentence.startswith("The certificate of The East Unit changes from 0000 0000")
    assert sentence.endswith(" to ABAB ABAB ABAB ABAB ABAB ABAB ABAB ABAB ABAB ABAB.")
    [sentence] = said(OLD, with_units(replace(EAST, certificate="new")))
    assert "has other dates or subkeys, and is the same" in sentence


def test_a_key_that_becomes_a_former_one_and_one_that_is_struck_off_are_named():
    holders, others = {"deputy": b"d" * 32, "other": b"o" * 32}, {"deputy": b"e" * 32, "third": b"t" * 32}
    had = replace(EAST, identity_certificate="a", identity_fingerprint="A" * 40, identity_holders=holders)
    after = with_identity(had, IdentityCard("east", "b", "B" * 40, others))
    told = said(with_units(had), with_units(after))
    digits = " ".join(["AAAA"] * 10)
    assert f"The East Unit keeps a former identity key, for what was sealed to it: {digits}." in told
    assert any(one.startswith("other no longer holds the identity key of The East Unit") for one in told)
    assert len(told) == 1 + 1 + 4  # the key, the former one, and who holds the present one
    other = replace(after, former_identities=(FormerKey("A" * 40, {**holders, "other": b"x" * 32}),))
    told = said(with_units(after), with_units(other))
    assert [one.split(":")[0] for one in told] == [
        f"other no longer holds the former identity key {digits} of The East Unit",
        f"other holds the former identity key {digits} of The East Unit, with others",
    ]
    [gone] = said(with_units(after), with_units(without_former(after, digits)))
    assert gone.startswith(
        "A former identity key of The East Unit is struck off; what was sealed to it stays shut"
    )
    with pytest.raises(UnfitRegistry, match="no such former identity key"):
        without_former(after, "B" * 40)


def test_a_new_unit_is_named_with_all_that_it_has():
    new = replace(OLD, units=(*OLD.units, replace(unit("west", UnitKind.UNIT), second_seal="watch")))
    told = said(OLD, new)
    assert told[0].startswith("Now with second seal: The West Unit.")
    assert told[1] == "The West Unit (west) is new: anti-corruption-unit, enrolled."
    for what in ("certificate", "key that signs answers", "second seal", "languages"):
        assert any(sentence.startswith(f"The {what} of The West Unit") for sentence in told)
    assert any("courier c of The West Unit is enrolled" in sentence for sentence in told)
    assert said(new, OLD) == ["The West Unit (west) is no longer named."]


UNIT_CHANGES: dict[str, Any] = {
    "name": "Other",
    "kind": UnitKind.OVERSEER,
    "status": Status.NOT_YET,
    "serves": (Service("kent", until=TODAY - timedelta(days=9)),),
    "certificate": "other",
    "fingerprint": "C" * 40,
    "reply_key": b"o" * 32,
    "couriers": {"c": b"o" * 32},
    "identity_certificate": "other",
    "identity_fingerprint": "C" * 40,
    "identity_holders": {"deputy": b"o" * 32},
    "former_reply_keys": (b"r" * 32,),
    "former_identities": (FormerKey("C" * 40, {"deputy": b"o" * 32, "other": b"p" * 32}),),
    "conflict_route": "watch",
    "second_seal": "watch",
    "languages": ("en", "cy"),
}
FORCE_CHANGES: dict[str, Any] = {
    "names": (Name("Other"),),
    "nation": Nation.WALES,
    "region": "Other",
    "kind": ForceKind.SPECIAL,
    "oversight": (Oversight("watch", "in Wales"),),
    "check": True,
    "ended": TODAY - timedelta(days=400),
    "successor": "essex",
}


def test_every_field_of_a_unit_and_of_a_force_is_covered_below():
    assert {field.name for field in fields(Unit)} == {"id", *UNIT_CHANGES}
    assert {field.name for field in fields(Force)} == {"id", *FORCE_CHANGES}


@pytest.mark.parametrize("field", UNIT_CHANGES)
def test_no_change_of_a_unit_goes_unsaid(field):
    """Of a unit that serves nobody today, so that no sentence about a force stands in for it."""
    told = said(OLD, with_units(replace(SOUTH, **{field: UNIT_CHANGES[field]})))
    assert told
    assert all(sentence.endswith(".") for sentence in told)


@pytest.mark.parametrize("field", FORCE_CHANGES)
def test_no_change_of_a_force_goes_unsaid(field):
    kent, essex = OLD.forces
    assert said(OLD, replace(OLD, forces=(replace(kent, **{field: FORCE_CHANGES[field]}), essex)))


def test_neither_a_new_day_nor_another_order_nor_a_lost_force_goes_unsaid():
    assert said(OLD, replace(OLD, expires=MAY)) == ["The last day is 1 May 2027, no longer 4 July 2027."]
    assert said(OLD, replace(OLD, units=OLD.units[::-1])) == ["The units stand in another order."]
    assert said(OLD, replace(OLD, forces=OLD.forces[::-1])) == ["The forces stand in another order."]
    assert said(OLD, with_units(replace(EAST, serves=EAST.serves[::-1])))
    lost = said(OLD, replace(OLD, forces=OLD.forces[1:]))
    assert lost == ["The force Kent Police (kent) is no longer named. Its reports go to the charity’s desk."]
    assert "The force Kent Police (kent) is new." in said(replace(OLD, forces=OLD.forces[1:]), OLD)


@pytest.mark.parametrize("successor", ["nowhere", "kent", "essex"])
def test_an_unfinished_draft_can_be_compared_too(successor):
    kent, essex = OLD.forces
    odd = (replace(kent, ended=EVE, successor=successor), replace(essex, ended=EVE, successor="kent"))
    told = said(OLD, replace(OLD, forces=odd, units=OLD.units[:1]))
    assert any("becomes part of" in sentence for sentence in told)
