"""Who it is about decides who opens it: a conflict goes past the unit, and what has two seals lies on two desks."""

from tests.journeys.steps import begin, come_back, say_who, send

OF_A_CHIEF = "It is about the one who would read it at the unit."
OF_A_SERGEANT = "Somebody was paid at the yard, and the unit should look."


def test_a_conflict_goes_past_the_unit_and_two_seals_to_two_desks(firefox, whole_candour):
    candour = whole_candour
    firefox.go(candour.source + "/start")
    firefox.press("Start a report")
    say_who(firefox, "Northmarch", "No", other="Southmarch")
    assert "One unit serves all the forces that you chose." in firefox.words
    assert "A second copy is locked for Demo Oversight Body" in firefox.words
    firefox.press("Change my answers")
    assert firefox.find("#force").get_property("value") == "demo-north"
    assert firefox.find("#other").get_property("value") == "demo-south"
    say_who(firefox, "Northmarch", "Yes", other="Southmarch")
    assert firefox.texts(".holders li") == ["Demo Oversight Body"]
    assert "So it goes past them" in firefox.words
    firefox.press("Start the report")
    assert "/report" in firefox.address
    assert "demo-" not in firefox.address
    send(firefox, OF_A_CHIEF)
    begin(firefox, candour.source, "Southmarch")
    twice = send(firefox, OF_A_SERGEANT)

    said = candour.round()
    assert "For demo-shared:\n1 envelope" in said
    assert "For demo-overseer:\n2 envelopes" in said
    assert (
        said.count("No new envelope is listed") >= 1
    )  # for the first unit; of the charity's desk nothing is said

    with (
        candour.desk_of("--unit", "demo-shared") as link,
        candour.desk_of("--unit", "demo-overseer") as overseers,
    ):
        firefox.go(link)
        assert len(firefox.all("ol.list h2 a")) == 1
        firefox.find("ol.list h2 a").click()
        assert firefox.text(".message .words") == OF_A_SERGEANT
        firefox.go(overseers)
        seen = []
        for number in range(2):
            firefox.go(overseers.partition("/enter/")[0])
            firefox.all("ol.list h2 a")[number].click()
            seen.append(firefox.text(".message .words"))
            if seen[-1] == OF_A_SERGEANT:
                assert (
                    "A copy of what went to Northmarch and Southmarch Anti-Corruption Unit" in firefox.words
                )
        assert set(seen) == {OF_A_CHIEF, OF_A_SERGEANT}
        firefox.go(link.partition("/enter/")[0])
        assert len(firefox.all("ol.list h2 a")) == 1, "a second desk must not close the first in one browser"

    candour.round()  # each desk says by it what it holds
    come_back(firefox, candour.source, twice)
    assert "The first copy: they say that they have it." in firefox.words
    assert "The copy for the oversight body: they say that they have it." in firefox.words


def test_nobody_is_named_by_mistake_when_a_question_is_left_out(firefox, candour):
    firefox.go(candour.source + "/routing")
    firefox.press("Go on")
    assert "Choose a force from the list" in firefox.words
    firefox.find(".problem a").click()
    assert firefox.address.endswith("#force")
    say_who(firefox, "I do not know")
    assert firefox.texts(".holders li") == ["Demo Charity’s Desk"]


def test_a_force_is_found_by_typing_with_the_keyboard_alone(firefox, candour):
    firefox.go(candour.source + "/routing")
    firefox.type("[name=force_typed]", "northmrch\ue007")  # and Enter
    firefox.wait_for(lambda: firefox.has(".found"))
    assert "Like “northmrch”:" in firefox.words
    assert firefox.address.endswith("/routing")
    [first, *_] = firefox.all("[name=force]")
    first.click()
    next(label for label in firefox.all("fieldset label") if label.text == "No").click()
    firefox.press("Go on")
    assert firefox.texts(".holders li")[0] == "Northmarch and Southmarch Anti-Corruption Unit"
    firefox.press("Change my answers")
    assert firefox.find("#force").get_property("value") == "demo-north"
