"""Forces: what they are called on a day, and how a list of them is laid out."""

from datetime import date, timedelta

from common.registry.forces import Force, Name, Nation, grouped

DAY = date(2027, 5, 1)
EVE = DAY - timedelta(days=1)
WEST = Force("west", (Name("Western Constabulary", EVE), Name("West & Isles Police")), Nation.ENGLAND, "B")
EAST = Force("east", (Name("East Police"),), Nation.ENGLAND, "A", ended=EVE, successor="west")
ALPHA = Force("alpha", (Name("Alpha Police"),), Nation.ENGLAND, "B")
NORTH = Force("north", (Name("North Police"),), Nation.UK, "A")
VALLEY = Force("valley", (Name("Valley Police"),), Nation.WALES, "Wales")
ALL = (NORTH, WEST, EAST, ALPHA, VALLEY)


def test_a_force_has_the_name_of_the_day():
    assert WEST.name_on(EVE) == "Western Constabulary"
    assert WEST.name_on(DAY) == "West & Isles Police"
    assert EAST.name_on(DAY + timedelta(days=999)) == "East Police"


def test_a_list_goes_by_nation_region_and_name_and_leaves_out_what_is_no_more():
    assert list(grouped(ALL, EVE)) == [Nation.ENGLAND, Nation.WALES, Nation.UK]
    assert grouped(ALL, EVE)[Nation.ENGLAND] == {"A": (EAST,), "B": (ALPHA, WEST)}
    assert grouped(ALL, DAY)[Nation.ENGLAND] == {"B": (ALPHA, WEST)}
