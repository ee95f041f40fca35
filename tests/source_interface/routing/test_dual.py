"""A message that is sealed twice: two envelopes, each for one recipient, and neither shows that there is another."""

import subprocess
from dataclasses import replace
from datetime import timedelta

import pytest

from common import signing
from common.contexts import Context
from common.conversation.mailbox import MESSAGE_SLOTS
from common.days import today
from common.gpg.opening import Opener, OpeningFailed
from common.registry import registry as registries
from common.store.outbox import Outbox
from journalist_interface.desk.opening.hand_sealed import open_by_hand
from keys.private_key import read_private_key
from keys.unit.unit_keys import GNUPG_HOME

pytestmark = pytest.mark.slow

BODY = "test-overseer"


@pytest.fixture
def app(new_app, unit_keys, other_unit_keys, overseer_keys):
    overseen = replace(unit_keys.unit, second_seal=BODY)
    return new_app(units=[overseen, other_unit_keys.unit, overseer_keys.unit])


@pytest.fixture
def reporter(reporter):
    """One who is shown both."""
    reporter.begin_for, begin = f"test-unit {BODY}", reporter.begin
    reporter.begin = lambda: begin(holders=reporter.begin_for)
    return reporter


@pytest.fixture
def copies(house, waiting):
    """The envelopes of the unit and of the overseer."""
    return lambda: [waiting(unit) for unit in ("test-unit", BODY)]


def test_each_opens_its_own_copy_and_not_the_other(reporter, copies, house, opened, unit_keys, overseer_keys):
    reporter.report("It happened at the yard.", [("a.bin", b"x" * 300_000)])
    [[of_unit], [of_body]] = copies()
    assert of_unit != of_body
    first, second = house.store.blobs._path(of_unit), house.store.blobs._path(of_body)
    assert first.read_bytes()[:2000] != second.read_bytes()[:2000]
    for sealed, keys, other in ((first, unit_keys, overseer_keys), (second, overseer_keys, unit_keys)):
        report, files = opened(sealed, keys)
        assert (report.text, report.unit) == ("It happened at the yard.", "test-unit")
        assert [len(content) for content in files.values()] == [300_000]
        with pytest.raises(OpeningFailed):
            opened(sealed, other)


def test_neither_sees_the_others_copy_nor_what_became_of_it(reporter, copies, house, settle):
    reporter.report()
    [[of_unit], [of_body]] = copies()
    settle()
    outbox = Outbox(house.config.outbox, house.config.blobs)
    assert [outbox.open(BODY, of_unit), outbox.open("test-unit", of_body)] == [None, None]
    outbox.close()
    later = today() + timedelta(days=30)
    house.store.note_held(BODY, [of_unit], today())  # not its own: nothing happens
    house.store.sweep(later, alone=False)
    assert copies() == [[of_unit], [of_body]]
    house.store.note_held("test-unit", [of_unit], today())
    house.store.sweep(later, alone=False)
    assert copies() == [[], [of_body]]


def test_what_is_added_goes_to_both_in_every_visit(reporter, reporter_at, app, copies):
    words = reporter.report()
    reporter.get("/conversation")
    assert reporter.write("More.").status == 303
    later = reporter_at(app)
    later.come_back(words)
    later.choose()
    assert later.write("And more.").status == 303
    assert [len(found) for found in copies()] == [3, 3]
    assert later.get("/conversation").text.count("The copy for the oversight body") == 3


def test_it_is_not_sealed_to_one_alone_when_the_other_has_gone(
    reporter, copies, put_registry, unit_keys, other_unit_keys
):
    reporter.report()
    reporter.get("/conversation")
    form = reporter.message("More.")
    put_registry(unit_keys.unit, other_unit_keys.unit)
    assert reporter.deliver(*form).status == 409
    assert [len(found) for found in copies()] == [1, 1]
    reporter.choose()
    assert reporter.write("More.").status == 303
    assert [len(found) for found in copies()] == [2, 1]


@pytest.mark.parametrize("place", [0, 1])
def test_a_recipient_that_gpg_refuses_leaves_neither_copy(
    place, reporter, copies, house, registry, charity_keys, unit_keys, overseer_keys, arrived, root_key
):
    reporter.start()
    units = [replace(unit_keys.unit, second_seal=BODY), overseer_keys.unit]
    units[place] = replace(units[place], certificate="no certificate", fingerprint="F" * 40)
    draft = replace(registry, version=2, units=(*units, charity_keys.unit))
    signed = signing.sign(registries.to_body(draft), Context.REGISTRY, read_private_key(root_key.file))
    house.config.registry.write_bytes(signed)  # which the ceremony would not have signed
    answer = reporter.write("It happened at the yard.")
    assert answer.status == 503
    assert answer.typed == "It happened at the yard."
    assert arrived(house.config) == []
    assert copies() == [[], []]


def test_withdrawing_takes_both(reporter, copies, arrived, house):
    reporter.report()
    reporter.post("/noted")
    reporter.get("/conversation")
    asked = reporter.post("/withdraw")
    assert "in both copies" in asked.page.words
    reporter.post("/withdraw")
    assert "is withdrawn, and deleted here" in reporter.get("/conversation").text
    assert copies() == [[], []]
    assert arrived(house.config) == []


@pytest.mark.parametrize("held", [0, 1])
def test_or_the_one_that_nobody_says_they_have(held, reporter, copies, hold, settle):
    reporter.report()
    reporter.post("/noted")
    hold(("test-unit", BODY)[held])
    page = reporter.get("/conversation")
    assert page.text.count("they say that they have it") == page.text.count("nobody has said yet") == 1
    asked = reporter.post("/withdraw").page.words
    names = ["the first copy", "the copy for the oversight body"]
    stays, goes = names[held], names[1 - held]
    assert f"nobody had said that they have {goes} when you asked" in asked
    assert f"Whoever has {stays} has said so, and it stays where it is." in asked
    assert f"{goes.capitalize()} is deleted from the server within hours" in asked
    reporter.post("/withdraw")
    page = reporter.get("/conversation")
    assert "One copy of the message is withdrawn" in page.page.words
    assert "/withdraw" not in reporter.forms
    settle()
    assert [len(found) for found in copies()] == [1 - one for one in ((0, 1), (1, 0))[held]]


def test_a_form_sent_twice_is_one_message(reporter, copies):
    reporter.start()
    form = reporter.message()
    cookie = reporter.cookie
    assert reporter.deliver(*form).goes_to == "/sent"
    reporter.cookie = cookie
    again = reporter.deliver(*form)
    assert again.status == 200
    assert "had arrived already" in again.page.words
    assert [len(found) for found in copies()] == [1, 1]


def test_no_slot_of_a_second_copy_can_be_asked_for(reporter, copies):
    reporter.start()
    assert reporter.write("x", slot=str(MESSAGE_SLOTS)).status == 400
    assert copies() == [[], []]


def test_what_is_sealed_by_hand_for_both_opens_for_both(reporter, unit_keys, overseer_keys, tmp_path):
    """As the page "Seal it yourself" says it: one -F for each."""
    assert "one <code>-F</code> before each" in reporter.get("/certificate/test-unit").text
    arguments = []
    for keys in (unit_keys, overseer_keys):
        file = tmp_path / f"{keys.unit.id}.asc"
        file.write_text(keys.unit.certificate)
        arguments += ["-F", file]
    command = [
        "gpg",
        "--homedir",
        tmp_path,
        "-ae",
        "--compress-algo",
        "none",
        *arguments,
        "--trust-model",
        "always",
    ]
    sealed = subprocess.run(
        [*command, "--batch", "-o", "-"], input=b"It happened.", capture_output=True, check=True
    ).stdout
    for keys in (unit_keys, overseer_keys):
        assert open_by_hand(Opener(keys.folder / GNUPG_HOME), sealed).text == "It happened."
