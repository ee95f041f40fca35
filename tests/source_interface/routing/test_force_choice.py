"""A force is found by typing, without JavaScript: nothing else is lost, and what was typed is kept nowhere."""

from dataclasses import replace
from datetime import timedelta

import pytest

from common.days import today
from common.report.padding import PAGE_BYTES
from keys.registry.country import read_country
from source_interface.routing.questions import LISTS

pytestmark = pytest.mark.slow

YESTERDAY = today() - timedelta(days=1)


def radios(page, name):
    """The choices for a question: (value, whether it is chosen)."""
    return {
        attributes["value"]: "checked" in attributes
        for tag, attributes in page.page.tags
        if tag == "input" and attributes.get("type") == "radio" and attributes.get("name") == name
    }


def selected(page):
    found, name = {}, ""
    for tag, attributes in page.page.tags:
        if tag == "select":
            name = attributes["name"]
        elif tag == "option" and "selected" in attributes:
            found[name] = attributes["value"]
    return {name: value for name, value in found.items() if value}


@pytest.fixture
def country(reporter, put_registry, unit_keys):
    """A reporter at the questions, where there is every force, and Surrey has become part of Sussex."""
    forces = tuple(
        replace(force, oversight=(), ended=YESTERDAY, successor="sussex")
        if force.id == "surrey"
        else replace(force, oversight=())
        for force in read_country().forces
    )
    put_registry(replace(unit_keys.unit, serves=()), forces=forces)
    reporter.get("/routing")
    return reporter


def test_what_is_typed_is_offered_and_what_was_chosen_stays(country):
    given = {"other": "essex", "keep_from": "kent", "moved": "1", "involved": "yes"}
    page = country.post("/routing", given | {"force_typed": "the Met"})
    assert page.status == 200
    assert radios(page, "force") == {"metropolitan": False, "not-known": False}
    assert selected(page) == {"other": "essex", "keep_from": "kent"}
    assert radios(page, "involved") == {"no": False, "yes": True, "not-sure": False}
    assert any(a.get("id") == "moved" and "checked" in a for _, a in page.page.tags)
    assert "Problem" not in page.text
    shown = country.post("/routing", given | {"force": "metropolitan"})
    assert "Who will be able to open it" in shown.page.words


@pytest.mark.parametrize(
    ("typed", "value", "words"),
    [
        ("GMP", "greater-manchester", "Greater Manchester Police"),
        ("greater manchster", "greater-manchester", "Greater Manchester Police"),
        ("royal ulster", "psni", "Police Service of Northern Ireland, before: Royal Ulster Constabulary"),
        ("surrey", "sussex", "Sussex Police, of which Surrey Police is part now"),
    ],
)
def test_initials_former_names_and_slips_lead_to_the_force_of_today(country, typed, value, words):
    page = country.post("/routing", {"force_typed": typed})
    assert list(radios(page, "force")) == [value, "not-known"]
    assert words in page.page.words


@pytest.mark.parametrize("name", LISTS)
def test_each_of_the_three_questions_can_be_typed(country, name):
    offered = {"not-known"} if name == "force" else {"", "more"}
    page = country.post("/routing", {f"{name}_typed": "dorset", name: "essex"})
    assert set(radios(page, name)) == {"dorset", "essex"} | offered
    assert not any(radios(page, name).values()), (
        "nothing stands chosen after a search, not even what was before"
    )


@pytest.mark.parametrize("name", LISTS)
def test_going_on_after_a_search_without_a_choice_is_refused_and_the_choices_are_shown_again(country, name):
    given = {"force": "kent", "involved": "no"}
    given.pop(name, None)
    country.post("/routing", given | {f"{name}_typed": "dorset"})
    for _ in range(2):
        page = country.post("/routing", given)
        assert page.status == 422
        assert "dorset" in radios(page, name)
        assert not any(radios(page, name).values())
        assert any(a.get("href") == f"#{name}" for _, a in page.page.tags)
        assert any(a.get("id") == name for _, a in page.page.tags)
    assert country.post("/routing", given | {name: "dorset"}).status == 200


def test_a_force_that_was_looked_for_is_kept_out_only_when_chosen_and_the_page_says_which(country):
    given = {"force": "kent", "involved": "no"}
    country.post("/routing", given | {"keep_from_typed": "essex"})
    shown = country.post("/routing", given | {"keep_from": "essex"})
    assert "You asked that Essex Police must not see it" in shown.page.words
    country.get("/routing")
    country.post("/routing", given | {"keep_from_typed": "essex"})
    shown = country.post("/routing", given | {"keep_from": ""})
    assert "nobody is kept from it" in shown.page.words
    country.get("/routing")
    assert (
        "more than one force must not" in country.post("/routing", given | {"keep_from": "more"}).page.words
    )


@pytest.mark.parametrize("do", [{"other_typed": "essex"}, {"do": "change"}, {}])
def test_a_force_that_has_left_the_list_does_not_vanish_without_a_word(country, do):
    given = {"force": "kent", "involved": "no"}
    page = country.post("/routing", given | {"keep_from": "surrey"} | do)
    assert "is not in the list any more" in page.text
    assert selected(page)["keep_from"] == "?"
    page = country.post("/routing", given | {"keep_from": "?"})
    assert page.status == 422
    assert country.post("/routing", given | {"keep_from": "", "other": ""}).status == 200


def test_nor_does_a_search_without_a_choice_when_something_else_is_looked_for(country):
    country.post("/routing", {"keep_from_typed": "dorset"})
    for do in ({"other_typed": "essex"}, {"do": "change", "keep_from": "?"}):
        page = country.post("/routing", do)
        assert "Problem" not in page.text
        assert selected(page)["keep_from"] == "?"


def test_when_nothing_is_like_it_that_is_said_and_not_knowing_is_at_hand(country):
    page = country.post("/routing", {"force_typed": "<b>Atlantis</b>", "involved": "no"})
    assert page.status == 200
    assert "No force in the list is like “<b>Atlantis</b>”" in page.page.words
    assert "<b>" not in page.text
    assert list(radios(page, "force")) == ["not-known"]
    whole = country.post("/routing", {"do": "change", "involved": "no"})
    assert 'name="force"' in whole.text
    assert '<select id="force"' in whole.text


def test_one_who_types_and_goes_on_is_shown_what_is_like_it_first(country):
    given = {"force": "kent", "involved": "no"}
    page = country.post("/routing", given | {"force_typed": "essex"})
    assert radios(page, "force") == {"essex": False, "kent": False, "not-known": False}


def test_many_are_shown_in_part_and_that_is_said(country):
    page = country.post("/routing", {"force_typed": "e"})
    assert len(radios(page, "force")) == 11
    assert "type more of its name" in page.page.words


def test_pages_of_a_search_have_the_size_of_all_others(country):
    for typed in ("the Met", "e", "x" * 70_000, "&" * 79, ""):
        fields = (
            {f"{name}_typed": typed for name in LISTS}
            if len(typed) < 100
            else {"force_typed": typed[:50_000]}
        )
        page = country.post("/routing", fields)
        head = sum(len(f"{name}: {value}\r\n") for name, value in page.headers.items())
        reason = {200: "OK", 422: "UNPROCESSABLE ENTITY"}[page.status]
        assert len(f"HTTP/1.1 {page.status} {reason}\r\n") + head + 2 + len(page.body) == PAGE_BYTES, typed
        assert "location" not in page.headers
        country.get("/routing")


def test_what_was_typed_is_in_no_address_no_log_no_row_and_on_no_later_page(country, house, caplog):
    caplog.set_level(0)
    country.post("/routing", {"force_typed": "greater manchster"})
    later = country.post("/routing", {"force": "greater-manchester", "involved": "no"})
    assert "manchster" not in later.text
    assert country.post("/routing", {"do": "begin"}).goes_to == "/report"
    country.get("/report")
    assert country.write("It happened at the yard.").goes_to == "/sent"
    assert "manchster" not in caplog.text
    for file in house.config.blobs.parent.rglob("*"):
        assert not file.is_file() or b"manchster" not in file.read_bytes()


def test_a_search_is_sent_by_post_alone(country):
    page = country.get("/routing?force_typed=kent")
    assert radios(page, "force") == {}
    assert "kent" not in page.page.words.replace("Kent Police", "").lower()
    assert all(attributes.get("method") == "post" for tag, attributes in page.page.tags if tag == "form")
