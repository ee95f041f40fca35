"""Who it is about is asked before anything is written, and who will open it is said in words, with why."""

from dataclasses import replace

import pytest

from common.registry.forces import Oversight
from common.registry.units import Status, UnitKind
from common.report.report import SEVERAL
from common.report.routing import Reason, Route
from source_interface.routing import explanations

pytestmark = pytest.mark.slow

TEST, OTHER, DESK, BODY = "test-unit", "other-unit", "test-charity", "test-overseer"
NAMES = {
    TEST: "Test Anti-Corruption Unit",
    OTHER: "Other Anti-Corruption Unit",
    DESK: "Test Charity Desk",
    BODY: "Test Oversight Body",
}


@pytest.fixture
def app(new_app, unit_keys, other_unit_keys, overseer_keys):
    """Two units, of which one is overseen."""
    seen = replace(unit_keys.unit, conflict_route=BODY, second_seal=BODY)
    return new_app(units=[seen, other_unit_keys.unit, overseer_keys.unit])


# What is answered -> who opens it, and words of the sentence that says why
TABLE = {
    "its unit": ({"force": "other-force", "involved": "no"}, [OTHER], "deals with corruption in the force"),
    "two seals": ({"force": "test-force", "involved": "no"}, [TEST, BODY], "A second copy is locked for"),
    "conflict": ({"force": "test-force", "involved": "yes"}, [BODY], "body that their unit names"),
    "not sure is yes": ({"force": "test-force", "involved": "not-sure"}, [BODY], "might be, about those"),
    "conflict, no overseer": ({"force": "other-force", "involved": "yes"}, [DESK], "No oversight body"),
    "not known": ({"force": "not-known", "involved": "no"}, [DESK], "did not choose a force"),
    "not known, and another": (
        {"force": "not-known", "other": "other-force", "involved": "no"},
        [DESK],
        "did not choose a force",
    ),
    "several": ({"force": "test-force", "other": "other-force", "involved": "no"}, [DESK], "different units"),
    "one force twice": ({"force": "other-force", "other": "other-force", "involved": "no"}, [OTHER], "deals"),
    "more than two": ({"force": "test-force", "other": "more", "involved": "no"}, [DESK], "more forces"),
    "moved": ({"force": "other-force", "moved": "1", "involved": "no"}, [DESK], "They moved or left"),
    "kept from": (
        {"force": "other-force", "involved": "no", "keep_from": "other-force"},
        [DESK],
        "must not see it",
    ),
    "kept from several": (
        {"force": "other-force", "involved": "no", "keep_from": "more"},
        [DESK],
        "must not",
    ),
    "kept from another": (
        {"force": "other-force", "involved": "no", "keep_from": "test-force"},
        [OTHER],
        "deals with corruption",
    ),
    "conflict, kept from all": (
        {"force": "test-force", "involved": "yes", "keep_from": "more"},
        [BODY],
        "body that their unit names",
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_the_answers_lead_to_whom_the_page_names_and_the_report_is_for_them(
    case, reporter, house, arrived, opened, unit_keys, other_unit_keys, charity_keys, overseer_keys, waiting
):
    given, recipients, why = TABLE[case]
    reporter.get("/routing")
    shown = reporter.post("/routing", given)
    assert shown.status == 200
    assert why in shown.page.words
    named = [name for name in NAMES.values() if f"<li>{name}</li>" in shown.text]
    assert named == [NAMES[one] for one in NAMES if one in recipients]
    assert reporter.post("/routing", {"do": "begin"}).goes_to == "/report"
    assert all(NAMES[one] in reporter.get("/report").page.words for one in recipients)
    assert reporter.write("It happened at the yard.").goes_to == "/sent"
    found = {one: waiting(one) for one in NAMES}
    assert {one for one in NAMES if found[one]} == set(recipients)
    keys = {TEST: unit_keys, OTHER: other_unit_keys, DESK: charity_keys, BODY: overseer_keys}
    for one in recipients:
        [envelope] = found[one]
        report, _ = opened(house.store.blobs._path(envelope), keys[one])
        assert (report.text, report.unit) == ("It happened at the yard.", recipients[0])
        assert report.kept_from == {"more": SEVERAL}.get(
            given.get("keep_from", ""), given.get("keep_from", "")
        )
        assert report.involved == (given["involved"] != "no")


WRONG = {
    "nothing": ({}, ["force", "involved"]),
    "no force": ({"involved": "no"}, ["force"]),
    "no word on who is involved": ({"force": "test-force"}, ["involved"]),
    "a force that there is not": ({"force": "atlantis", "involved": "no"}, ["force"]),
    "another that there is not": ({"force": "test-force", "other": "atlantis", "involved": "no"}, ["other"]),
    "a kept one that there is not": (
        {"force": "test-force", "keep_from": "../x", "involved": "no"},
        ["keep_from"],
    ),
    "another answer": ({"force": "test-force", "involved": "maybe"}, ["involved"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_missing_is_named_and_nothing_given_is_lost(case, reporter):
    given, wrong = WRONG[case]
    reporter.get("/routing")
    page = reporter.post("/routing", given | {"moved": "1"})
    assert page.status == 422
    assert "<title>Problem: " in page.text
    ids = {attributes.get("id") for _, attributes in page.page.tags}
    links = [a["href"] for tag, a in page.page.tags if tag == "a" and a["href"].startswith("#")]
    assert links == ["#main", *(f"#{one}" for one in wrong)]
    assert set(wrong) | {f"{one}-error" for one in wrong} <= ids
    nothing = {name: "?" for name in wrong if name in ("other", "keep_from")}
    right = {name: value for name, value in given.items() if name not in wrong}
    assert chosen(page) == right | nothing | {"moved": "1"}
    assert "atlantis" not in page.text


def chosen(page):
    """What stands chosen in the form."""
    found, name = {}, ""
    for tag, attributes in page.page.tags:
        if tag == "select":
            name = attributes["name"]
        elif tag == "option" and "selected" in attributes:
            found[name] = attributes["value"]
        elif tag == "input" and "checked" in attributes:
            found[attributes["name"]] = attributes["value"]
    return {name: value for name, value in found.items() if value}


@pytest.mark.parametrize("case", TABLE)
def test_answers_can_be_changed_and_stand_there_as_they_were_given(case, reporter):
    given, _, _ = TABLE[case]
    reporter.get("/routing")
    reporter.post("/routing", given)
    page = reporter.post("/routing", {"do": "change"})
    assert page.status == 200
    assert chosen(page) == given
    assert 'class="problem"' not in page.text


def test_the_answers_are_in_no_address_no_cookie_and_no_row(reporter, house, caplog):
    reporter.get("/routing")
    reporter.post("/routing", {"force": "other-force", "involved": "yes", "keep_from": "test-force"})
    begun = reporter.post("/routing", {"do": "begin"})
    assert begun.goes_to == "/report"
    session = reporter.get("/report")
    assert "other-force" not in session.text
    assert reporter.write("It happened at the yard.").goes_to == "/sent"
    for file in house.config.blobs.parent.rglob("*"):
        if file.is_file() and file.name != "registry.json":
            assert b"other-force" not in file.read_bytes(), file
    assert "other-force" not in caplog.text


def test_what_must_not_see_it_is_said_with_every_message_and_on_the_page(
    reporter, house, opened, other_unit_keys, waiting
):
    reporter.get("/routing")
    shown = reporter.post("/routing", {"force": "other-force", "involved": "no", "keep_from": "test-force"})
    assert "You asked that Test Police must not see it" in shown.page.words
    reporter.post("/routing", {"do": "begin"})
    reporter.get("/report")
    assert reporter.write("It happened at the yard.").goes_to == "/sent"
    words = reporter.codename()
    reporter.post("/noted")
    reporter.come_back(words)
    reporter.choose(OTHER)  # without saying it again
    assert reporter.write("More.").status == 303
    reports = [opened(house.store.blobs._path(one), other_unit_keys)[0] for one in waiting(OTHER)]
    assert {(report.first, report.kept_from) for report in reports} == {
        (True, "test-force"),
        (False, "test-force"),
    }


@pytest.mark.parametrize("answer", ["yes", "not-sure", "no"])
def test_whether_the_unit_is_involved_is_in_the_seal_of_every_message_and_the_page_says_so(
    answer, reporter, house, opened, charity_keys, waiting
):
    reporter.get("/routing")
    asked = reporter.post("/routing", {"force": "not-known", "involved": answer})
    said = "is not about" if answer == "no" else "is, or might be, about"
    assert f"Who opens your report sees what you write, and your answer that it {said}" in asked.page.words
    reporter.post("/routing", {"do": "begin"})
    reporter.get("/report")
    assert reporter.write("It happened at the yard.").goes_to == "/sent"
    words = reporter.codename()
    reporter.post("/noted")
    reporter.come_back(words)
    reporter.choose(force="not-known")
    assert reporter.write("More.").status == 303
    reports = [opened(house.store.blobs._path(one), charity_keys)[0] for one in waiting(DESK)]
    assert [report.involved for report in reports] == [answer != "no"] * 2
    for file in house.config.blobs.parent.rglob("*"):
        assert not file.is_file() or b"involved" not in file.read_bytes(), file


def test_and_with_a_report_that_was_withdrawn_and_is_sent_again(
    reporter, house, opened, other_unit_keys, waiting
):
    reporter.get("/routing")
    reporter.post("/routing", {"force": "other-force", "involved": "no", "keep_from": "test-force"})
    reporter.post("/routing", {"do": "begin"})
    reporter.get("/report")
    reporter.write("With a slip.")
    reporter.codename()
    reporter.post("/noted")
    reporter.get("/conversation")
    reporter.post("/withdraw")
    assert reporter.post("/withdraw", {"confirm": "1"}).status == 303
    reporter.get("/conversation")
    reporter.choose(OTHER)  # without saying again what it is kept from
    assert reporter.write("Put right.").status == 303
    [one] = waiting(OTHER)
    assert opened(house.store.blobs._path(one), other_unit_keys)[0].kept_from == "test-force"


def test_a_unit_is_said_to_serve_who_must_not_see_it_or_that_it_might_where_no_force_was_named(reporter):
    reporter.get("/routing")
    shown = reporter.post("/routing", {"force": "other-force", "involved": "no", "keep_from": "more"})
    said = "The unit that would open it serves, or might serve, a force that must not see it."
    assert said in shown.page.words


def test_every_reason_has_its_sentence(unit_keys, overseer_keys):
    for reason in Reason:
        second = overseer_keys.unit if reason is Reason.ALSO_OVERSEER else None
        told = explanations.in_sentences(Route(unit_keys.unit, second, (reason,)))
        assert told
        assert all(sentence.endswith(".") and "{" not in sentence for sentence in told)
    for kind in UnitKind:
        assert explanations.in_sentences(Route(replace(unit_keys.unit, kind=kind), None, (Reason.ITS_UNIT,)))[
            1
        ]


@pytest.fixture
def alone(new_app, unit_keys, overseer_keys, reporter_at, registry):
    """A reporter where there is one force, and its unit."""
    unit = replace(unit_keys.unit, conflict_route=BODY)
    return reporter_at(new_app(units=[unit, overseer_keys.unit], forces=registry.forces[:1]))


def test_where_there_is_one_force_only_the_conflict_is_asked(alone):
    alone.get("/")
    page = alone.get("/start")
    assert NAMES[TEST] in page.page.words
    assert "<select" not in page.text
    assert alone.post("/routing", {"involved": "no"}).goes_to == "/report"


@pytest.mark.parametrize("said", ["yes", "not-sure"])
def test_and_whoever_says_yes_is_told_who_gets_it_instead(alone, said):
    alone.get("/start")
    page = alone.post("/routing", {"involved": said})
    assert page.status == 200
    assert f"<li>{NAMES[BODY]}</li>" in page.text
    assert f"<li>{NAMES[TEST]}</li>" not in page.text
    assert "has changed" not in page.text
    assert alone.post("/routing", {"do": "begin"}).goes_to == "/report"


def test_and_whoever_says_nothing_is_asked_again(alone):
    alone.get("/start")
    page = alone.post("/routing")
    assert page.status == 422
    assert "<select" not in page.text
    assert alone.post("/routing", {"involved": "no"}).goes_to == "/report"


def test_one_force_without_a_unit_is_asked_about_like_any(new_app, unit_keys, reporter_at, registry):
    reporter = reporter_at(
        new_app(units=[replace(unit_keys.unit, status=Status.SUSPENDED)], forces=registry.forces[:1])
    )
    assert NAMES[TEST] not in reporter.get("/start").page.words
    assert "<select" in reporter.get("/routing").text
    shown = reporter.post("/routing", {"force": "test-force", "involved": "no"})
    assert "keys might not be safe" in shown.page.words


def test_an_oversight_body_of_the_force_takes_what_no_conflict_route_does(
    new_app, unit_keys, overseer_keys, reporter_at, registry
):
    app = new_app(
        units=[unit_keys.unit, overseer_keys.unit],
        forces=[replace(registry.forces[0], oversight=(Oversight(BODY),))],
    )
    reporter = reporter_at(app)
    reporter.get("/start")
    shown = reporter.post("/routing", {"involved": "yes"})
    assert "body that oversees the force" in shown.page.words
    assert f"<li>{NAMES[BODY]}</li>" in shown.text


def test_whoever_a_report_may_go_to_can_be_sealed_to_by_hand(reporter):
    page = reporter.get("/certificate")
    for unit_id, name in NAMES.items():
        assert f'<a href="/certificate/{unit_id}">{name}</a>' in page.text
        assert f"<h1>{name}</h1>" in reporter.get(f"/certificate/{unit_id}").text
        assert reporter.get(f"/certificate/{unit_id}.asc").status == 200
