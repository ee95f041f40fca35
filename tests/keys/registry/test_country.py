"""The forces of the country: all of them, once each, and fit for a registry."""

from dataclasses import replace

from common.days import today
from common.registry import soundness
from common.registry.force_search import search
from common.registry.forces import ForceKind, Nation
from common.registry.units import Status, UnitKind
from keys.registry.country import read_country, without_keys

ENGLAND_AND_WALES = [
    "avon-and-somerset",
    "bedfordshire",
    "cambridgeshire",
    "cheshire",
    "city-of-london",
    "cleveland",
    "cumbria",
    "derbyshire",
    "devon-and-cornwall",
    "dorset",
    "durham",
    "dyfed-powys",
    "essex",
    "gloucestershire",
    "greater-manchester",
    "gwent",
    "hampshire",
    "hertfordshire",
    "humberside",
    "kent",
    "lancashire",
    "leicestershire",
    "lincolnshire",
    "merseyside",
    "metropolitan",
    "norfolk",
    "north-wales",
    "north-yorkshire",
    "northamptonshire",
    "northumbria",
    "nottinghamshire",
    "south-wales",
    "south-yorkshire",
    "staffordshire",
    "suffolk",
    "surrey",
    "sussex",
    "thames-valley",
    "warwickshire",
    "west-mercia",
    "west-midlands",
    "west-yorkshire",
    "wiltshire",
]
OTHERS = {"police-scotland", "psni", "btp", "mdp", "cnc", "nca"}


def test_there_are_all_forces_once_each():
    ids = [force.id for force in read_country().forces]
    assert len(ENGLAND_AND_WALES) == 43
    assert sorted(ids) == sorted({*ENGLAND_AND_WALES, *OTHERS})


def test_each_stands_in_its_nation_and_under_its_kind():
    forces = read_country().forces
    by_nation = {nation: {force.id for force in forces if force.nation is nation} for nation in Nation}
    assert by_nation[Nation.WALES] == {"dyfed-powys", "gwent", "north-wales", "south-wales"}
    assert by_nation[Nation.SCOTLAND] == {"police-scotland"}
    assert by_nation[Nation.NORTHERN_IRELAND] == {"psni"}
    assert by_nation[Nation.UK] == {"btp", "mdp", "cnc", "nca"}
    assert len(by_nation[Nation.ENGLAND]) == 39
    special = {force.id for force in forces if force.kind is ForceKind.SPECIAL}
    assert special == by_nation[Nation.UK]
    assert [force.id for force in forces if force.check] == ["nca"]


def test_each_has_its_oversight():
    scotland, ireland = ("pirc", "in Scotland"), ("poni", "in Northern Ireland")
    elsewhere = {
        "police-scotland": [("pirc", "")],
        "psni": [("poni", "")],
        "btp": [("iopc", ""), scotland],
        "mdp": [("iopc", ""), scotland, ireland],
        "cnc": [("iopc", ""), scotland],
        "nca": [("iopc", ""), scotland, ireland],
    }
    for force in read_country().forces:
        found = [(by.body, by.where) for by in force.oversight]
        assert found == elsewhere.get(force.id, [("iopc", "")])


def test_forces_and_overseers_fit_together_once_there_is_a_desk():
    country = read_country()
    assert {unit.id for unit in country.overseers} == {"iopc", "pirc", "poni"}
    assert all(unit.status is Status.NOT_YET for unit in country.overseers)
    desk = replace(
        without_keys("desk", "Desk", UnitKind.DESK),
        status=Status.ENROLLED,
        certificate="c",
        fingerprint="0" * 40,
        reply_key=bytes(32),
    )
    assert list(soundness.findings(country.forces, (*country.overseers, desk))) == []


def test_a_former_name_leads_to_the_force_of_today():
    forces = read_country().forces
    for typed, found in (("royal ulster", "psni"), ("hampshire constabulary", "hampshire")):
        assert [force.id for force in search(forces, typed)] == [found]
        assert typed not in forces[[force.id for force in forces].index(found)].name_on(today()).lower()
