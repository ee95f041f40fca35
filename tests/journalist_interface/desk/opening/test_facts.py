"""What the desk knows of a conversation, and minds before it is passed on: by whose word, and against whom."""

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.conversation.links import MOST_HANDOVERS
from common.days import today
from common.envelope_id import forwarded_id
from common.gpg.opening import Opener
from common.registry.registry import Registry
from common.registry.units import Status, Unit, UnitKind
from common.report import archive
from common.report.report import INVOLVED, SEVERAL, Report
from common.report.trail import Step, Why
from common.report.trail import sign as sign_step
from common.secret import Secret
from journalist_interface.desk.answers import composition
from journalist_interface.desk.opening import facts
from journalist_interface.desk.passing_on import handover
from journalist_interface.desk.passing_on.handover import Choice, KeptFrom
from journalist_interface.desk.stick.bundle_export import export_waiting
from journalist_interface.desk.stick.bundle_import import import_all
from keys.private_key import parse_private_key
from keys.unit.unit_keys import GNUPG_HOME, REPLY_KEY
from tests.journalist_interface.desk.conftest import UNIT
from tests.journalist_interface.desk.passing_on.test_handover import OTHER, at_the_other, exported

pytestmark = pytest.mark.slow

ASKED = "The reporter asked that other-unit Constabulary must not see this, nor any unit that serves it."


def brought(world, *kept_from, involved=False):
    """A conversation of messages that say this each."""
    reporter = world.reporter()
    world.bundle(
        *(
            world.seal(reporter, "Words.", first=not number, kept_from=said, involved=involved)
            for number, said in enumerate(kept_from)
        )
    )
    import_all(world.desk())
    return f"/conversations/{reporter.identity}"


@pytest.mark.parametrize(
    ("kept_from", "said"),
    [
        ("other-unit-force", ASKED),
        (SEVERAL, "more than one force must not"),
        ("gone-force", "that gone-force must"),
    ],
)
def test_it_stands_with_the_message_and_where_it_is_passed_on(world, browser, kept_from, said):
    path = brought(world, kept_from)
    assert said in browser.get(path).text
    page = browser.get(f"{path}/forward").text
    assert said in page
    assert page.count("kept from it</span>") == (kept_from != "gone-force")  # never the charity's desk


def test_where_nothing_was_asked_nothing_is_said(world, browser):
    path = brought(world, "")
    for page in (browser.get(path).text, browser.get(f"{path}/forward").text):
        assert "must not see" not in page
        assert "kept from it" not in page


@pytest.mark.parametrize("version", ["original", "rewritten"])
def test_it_goes_to_who_must_not_see_it_only_by_a_word_of_its_own_and_still_says_so(world, browser, version):
    path = brought(world, "other-unit-force")
    form = browser.fields(browser.get(f"{path}/forward").text)
    chosen = form | {"receiver": OTHER, "why": "other-force", "version": version, "text": "Other words."}
    answer = browser.post(f"{path}/forward", chosen)
    assert answer.status_code == 200
    assert (
        "That unit serves a force that the reporter wanted kept from it. Nothing was sealed." in answer.text
    )
    assert "Other words." in answer.text
    assert export_waiting(world.desk()).forwards == 0
    assert browser.post(f"{path}/forward", chosen | {"despite": "1"}).status_code == 303
    assert export_waiting(world.desk()).forwards == 1
    [(_, _, [file])] = exported(world)
    report, _, _ = at_the_other(world, file)
    assert report.kept_from == "other-unit-force"


@pytest.mark.parametrize("rewritten", [None, "Other words."])
def test_what_a_later_message_asks_counts_and_without_a_word_nothing_is_sealed(world, browser, rewritten):
    path = brought(world, "", "other-unit-force")
    assert ASKED in browser.get(f"{path}/forward").text
    identity = path.rpartition("/")[2]
    choice = Choice(OTHER, Why.OTHER_FORCE, rewritten)
    with pytest.raises(KeptFrom):
        handover.forward(world.desk(), identity, "1" * 32, choice)
    assert export_waiting(world.desk()).forwards == 0
    assert handover.forward(world.desk(), identity, "1" * 32, replace(choice, despite=True))
    export_waiting(world.desk())
    [(_, _, files)] = exported(world)
    said = {at_the_other(world, file)[0].kept_from for file in files}
    assert said == ({"other-unit-force"} if rewritten else {"", "other-unit-force"})


def test_several_that_were_asked_for_are_all_minded_and_carried_on_as_several(world, browser):
    path = brought(world, "gone-force", "other-unit-force")
    page = browser.get(f"{path}/forward").text
    assert ASKED in page
    assert "that gone-force must" in page
    choice = Choice(OTHER, Why.OTHER_FORCE, "Other words.", despite=True)
    handover.forward(world.desk(), path.rpartition("/")[2], "1" * 32, choice)
    export_waiting(world.desk())
    [(_, _, [file])] = exported(world)
    assert at_the_other(world, file)[0].kept_from == SEVERAL


def test_that_the_unit_may_be_involved_stands_with_the_message_and_where_it_is_passed_on(world, browser):
    path = brought(world, "", involved=True)
    assert INVOLVED in browser.get(path).text
    page = browser.get(f"{path}/forward").text
    assert INVOLVED in page
    assert page.count("may be involved</span>") == 1  # the other unit, never the charity's desk
    assert "kept from it" not in page
    path = brought(world, "")
    assert INVOLVED not in browser.get(path).text + browser.get(f"{path}/forward").text


@pytest.mark.parametrize("version", ["original", "rewritten"])
def test_where_units_may_be_involved_it_goes_to_one_only_by_a_word_of_its_own_and_still_says_so(
    world, browser, version
):
    path = brought(world, "", involved=True)
    form = browser.fields(browser.get(f"{path}/forward").text)
    chosen = form | {"receiver": OTHER, "why": "other-force", "version": version, "text": "Other words."}
    answer = browser.post(f"{path}/forward", chosen)
    assert answer.status_code == 200
    assert "units are or might be involved: choose an oversight body. Nothing was sealed." in answer.text
    assert export_waiting(world.desk()).forwards == 0
    assert browser.post(f"{path}/forward", chosen | {"despite": "1"}).status_code == 303
    export_waiting(world.desk())
    [(_, _, [file])] = exported(world)
    assert at_the_other(world, file)[0].involved


def test_a_second_seal_that_serves_such_a_force_gets_no_copy():
    def unit(unit_id, second=None):
        return Unit(
            unit_id, unit_id, UnitKind.UNIT, Status.ENROLLED, (), "c", "f", b"", {}, second_seal=second
        )

    here, there, body = unit("here"), unit("there", "body"), unit("body")
    registry = Registry(1, today(), today(), (), (here, there, body))
    assert handover.second_seal(registry, here, there, frozenset()) == (body,)
    assert handover.second_seal(registry, here, there, frozenset({"body"})) == ()


def test_to_anybody_else_it_goes_as_ever(world, browser):
    path = brought(world, "other-unit-force", involved=True)
    form = browser.fields(browser.get(f"{path}/forward").text)
    chosen = form | {"receiver": "charity", "why": "other-force", "version": "original"}
    assert browser.post(f"{path}/forward", chosen).status_code == 303


def test_a_forged_passing_on_changes_neither_keys_nor_link_nor_who_may_have_it(world):
    """A former holder, or whoever has a copy, knows the conversation and posts what it likes into it."""
    reporter, desk = world.reporter(), world.desk()
    registry, unit = desk.settings.load_registry()
    world.bundle(
        world.seal(reporter, "The first.", link="1" * 64, sequence=0),
        world.seal(reporter, "Later.", first=False, link="2" * 64, sequence=5, day=today()),
    )
    import_all(desk)
    before = facts.of_conversation(desk, registry, reporter.identity)
    assert before == facts.Facts(("2" * 64,), frozenset(), False, frozenset())
    step = Step(
        OTHER,
        unit.id,
        today(),
        Why.OTHER_FORCE,
        False,
        reporter.identity,
        ("3" * 64,),
        ("0" * 64,),
        tuple(range(200)),
    )
    unsigned = sign_step(step, Ed25519PrivateKey.generate())
    early = today() - timedelta(days=90)
    forged = Report(
        *("Forged.", UNIT, early, True, reporter.conversation, "4" * 64, 99),
        trail=(unsigned,),
        kept_from="other-unit-force",
        involved=True,
    )
    elsewhere = replace(
        forged, conversation=replace(reporter.conversation, mailbox_key=Secret(bytes(32))), trail=()
    )
    assert elsewhere.conversation.identity != reporter.identity
    world.bundle(*(forwarded(world, report) for report in (forged, elsewhere)))
    import_all(desk)
    assert len(desk.cabinet.envelopes.of_conversation(reporter.identity)) == 3
    assert facts.of_conversation(desk, registry, reporter.identity) == before
    first = composition.first_report(desk, reporter.identity)
    assert first.text == "The first.", "whatever day another says"
    assert composition.used_slots(desk, registry, first) == frozenset()


@pytest.mark.parametrize("rewritten", [None, "Other words."])
def test_steps_that_nobody_signed_bar_no_passing_on_and_go_no_further(world, rewritten):
    reporter, desk = world.reporter(), world.desk()
    step = Step(OTHER, UNIT, today(), Why.OTHER_FORCE, False, reporter.identity, ("3" * 64,), ("0" * 64,), ())
    unsigned = sign_step(step, Ed25519PrivateKey.generate())
    early = today() - timedelta(days=90)
    forged = Report(
        *("Forged.", UNIT, early, True, reporter.conversation, "4" * 64, 99),
        trail=(unsigned,) * MOST_HANDOVERS,
    )
    world.bundle(forwarded(world, forged), world.seal(reporter, "The first."))
    import_all(desk)
    assert handover.forward(desk, reporter.identity, "1" * 32, Choice(OTHER, Why.OTHER_FORCE, rewritten))
    export_waiting(desk)
    [(_, _, files)] = exported(world)
    assert {len(at_the_other(world, file)[0].trail) for file in files} == {1}


def test_of_what_units_sealed_anew_each_link_is_handed_on_and_none_bars_another(world):
    reporter, desk = world.reporter(), world.desk()
    registry, _ = desk.settings.load_registry()
    pem, folder = bytearray(), world.house.folder / "other"
    Opener(folder / GNUPG_HOME).open(folder / REPLY_KEY, pem.extend, ask=True)
    key = parse_private_key(bytes(pem))

    def passed_on(day, link):
        step = Step(OTHER, UNIT, today(), Why.OTHER_FORCE, False, reporter.identity, (link,), ("0" * 64,), ())
        report = Report(
            *(f"Of {day}.", OTHER, day, True, reporter.conversation, "4" * 64, 0),
            trail=(sign_step(step, key),),
        )
        world.bundle(forwarded(world, report))
        import_all(desk)

    passed_on(today(), "1" * 64)
    passed_on(today() - timedelta(days=90), "2" * 64)
    assert facts.of_conversation(desk, registry, reporter.identity).links == ("1" * 64, "2" * 64)


def forwarded(world, report):
    """An envelope as another unit passes it on."""
    sealed = world.seal_bytes(archive.write([], lambda: report))
    return sealed.rename(sealed.with_name(forwarded_id(hashlib.sha256(sealed.read_bytes()).hexdigest())))
