"""What people type finds the force that they mean, and nothing that they cannot mean."""

from datetime import date

import pytest

from common.registry.force_search import LONGEST, nearest, search
from common.registry.forces import Force, Name, Nation
from keys.registry.country import read_country

WEST = Force(
    "west",
    (Name("Western Constabulary", date(2020, 4, 30)), Name("West & Isles Police")),
    Nation.ENGLAND,
    "Middle",
)
EAST = Force(
    "east", (Name("East Police"),), Nation.ENGLAND, "Middle", ended=date(2027, 4, 30), successor="west"
)
ALL = (WEST, EAST)
COUNTRY = read_country().forces


def found(typed, forces=COUNTRY):
    return [force.id for force in search(forces, typed)]


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("the Met", "metropolitan"),
        ("MET POLICE!", "metropolitan"),
        ("GMP", "greater-manchester"),
        ("g. m. p.", "greater-manchester"),
        ("greater manchster", "greater-manchester"),
        ("avon & sumerset", "avon-and-somerset"),
        ("Devon and Cornwall", "devon-and-cornwall"),
        ("Dyfed Powys", "dyfed-powys"),
        ("police scotland", "police-scotland"),
        ("royal ulster", "psni"),
        ("R.U.C.", "psni"),
        ("isle of wight", "hampshire"),
        ("Northern Irland", "psni"),
        ("notts", None),
        ("Kemt", "kent"),
        ("kent polis", "kent"),
        ("polcie scotland", "police-scotland"),
        ("the", None),
        ("", None),
        ("...", None),
        ("xyzzy", None),
        ("\x00\u202e", None),
    ],
)
def test_the_force_that_is_meant_comes_first(typed, first):
    assert found(typed)[:1] == ([first] if first else [])


def test_a_word_that_fits_nearly_all_finds_them_and_not_nothing():
    assert len(found("police")) > 20
    assert "cheshire" in found("Constabulary")


def test_initials_of_two_forces_and_a_region_find_all_of_them():
    assert found("WMP") == ["west-midlands", "west-mercia"] or found("WMP") == [
        "west-mercia",
        "west-midlands",
    ]
    assert found("London") == ["city-of-london", "metropolitan"]


def test_former_names_and_forces_that_are_no_more_are_found():
    assert search(ALL, "western") == (WEST,)
    assert search(ALL, "isles WEST") == (WEST,)
    assert search(ALL, "west and isles") == (WEST,)
    assert search(ALL, "east") == (EAST,)
    assert search(ALL, "western isles") == ()  # words of two names


def test_every_force_is_found_by_each_of_its_names_and_its_id():
    for force in COUNTRY:
        for typed in (force.id, *(name.name for name in force.names)):
            assert force.id in found(typed), typed


def test_a_long_text_costs_no_more_than_a_short_one():
    assert found("kent " + "x" * LONGEST) == []
    assert found("kent" + " " * 10**6) == ["kent"]


def test_the_nearest_are_named_for_a_slip():
    assert nearest(COUNTRY, "wets-mercia")[0] == "west-mercia"
    assert nearest(COUNTRY, "dorsett")[0] == "dorset"
    assert len(nearest(COUNTRY, "xyzzy")) == 4
    assert nearest((), "kent") == ()
