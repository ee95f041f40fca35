"""Contact details in confidence, over the real parts: from the reporter to two holders, and into the case's trail."""

import json
import re
from dataclasses import replace

import pytest
from click.testing import CliRunner

from common.conversation.links import Conversation
from common.days import today
from common.envelope_id import new_id
from common.gpg.keyring import end_agent
from common.registry.holders import GNUPG_HOME, HOLDERS, open_box
from common.report import disclosure
from common.report.contact import SealedContact
from common.report.report import Report
from common.report.trail import Why
from common.secret import Secret
from journalist_interface.desk.__main__ import main as desk_command
from journalist_interface.desk.app import create_app as create_desk
from journalist_interface.desk.opening.inspection import open_envelope
from journalist_interface.desk.passing_on.handover import Choice
from journalist_interface.desk.stick.disclosures import was_handed_on
from journalist_interface.identity.app import create_app as create_identity
from keys.registry.signature import sign_registry
from keys.unit.identity_key import new_identity, with_identity
from tests.journalist_interface.desk.conftest import PORT, Browser
from tests.journalist_interface.identity.conftest import PORT as THEIRS
from tests.journalist_interface.identity.conftest import Holders, set_up, words
from tests.journalist_interface.test_passing_on import WORDS, round_, signer

pytestmark = pytest.mark.slow

__all__ = ["round_", "signer"]

REACH = "Robin at the Kestrel-in-the-rafters allotments"


@pytest.fixture
def server_config(server_config, identity_keys, registry, root_key):
    """Its test unit has identity holders."""
    signed = sign_registry(replace(registry, units=(identity_keys.unit, *registry.units[1:])), root_key.file)

    def make():
        config = server_config()
        config.registry.write_bytes(signed)
        return config

    return make


@pytest.fixture
def unit(round_):
    """The unit, once its desk has a report with contact details."""
    reporter = round_.reporter
    reporter.start()
    assert reporter.write(WORDS, contact=REACH).goes_to == "/sent"
    unit = round_.place("test-unit")
    unit.fetch()
    return unit


def reviewers(place):
    return Browser(create_desk(place.folder / "desk" / "desk.toml", PORT)).enter()


@pytest.fixture
def holders(round_, unit, identity_keys, root_key, tmp_path):
    registry = round_.server.registry.read_bytes()
    settings = set_up(tmp_path / "held", identity_keys, registry, root_key.public, unit.stick)
    yield Holders(create_identity(settings, THEIRS))
    end_agent(identity_keys.folder / GNUPG_HOME)


def asked(browser, place, why="danger"):
    """Write a request to the stick: the page that says so."""
    path = f"/conversations/{place.conversation()}"
    form = browser.get(path).text.split('/contact/ask"')[1]
    [row] = place.desk().cabinet.envelopes.of_conversation(place.conversation())
    [request_id] = re.findall(r'name="request" value="([0-9a-f]{32})"', form)
    fields = {"request": request_id, "why": why}
    answer = browser.post(f"/messages/{row.id}/contact/ask", fields)
    assert answer.status_code == 303, answer.text
    return browser.get(path)


def test_the_whole_round(unit, holders, identity_keys, everything_in):
    browser, path = reviewers(unit), f"/conversations/{unit.conversation()}"
    page = words(browser.get(path))
    assert "This desk cannot open them." in page
    assert "identity holders of Test Anti-Corruption Unit" in page
    assert "Others had these in their hands." not in page
    assert "No answer has been imported yet" in words(asked(browser, unit))
    assert "Another unit handed these on" not in words(holders.get(holders.only()))

    given = list(identity_keys.passphrases.items())
    refused = holders.refuse(given[2], "not-shown")
    assert "Nothing was opened" in words(refused)
    assert REACH in holders.open(given[0], given[1]).text

    done = words(browser.post("/import"))
    assert done.count("what the identity holders decided") == 2
    page = words(browser.get(path))
    assert "Refused on" in page
    assert "by cy. The reason that was given was not shown." in page
    assert "Opened on" in page
    assert "by ada and ben. Somebody may be in danger." in page
    handled = page[page.index("Record of handling") :]
    for what in ("asked", "disclosed", "declined"):
        assert f" {what}, SHA-256" in handled
    assert "what the identity holders decided" not in words(browser.post("/import"))  # once is enough

    assert REACH not in browser.get(path).text
    for folder in (unit.folder / "desk", unit.stick, holders.app.extensions["candour"].settings.folder):
        assert REACH.encode() not in everything_in(folder)
        assert b"Kestrel-in" not in everything_in(folder)


@pytest.fixture
def everything_in():
    def look(folder):
        return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())

    return look


def test_entries_that_were_altered_or_answer_something_else_are_refused(unit, holders, identity_keys, round_):
    browser, path = reviewers(unit), f"/conversations/{unit.conversation()}"
    asked(browser, unit)
    given = list(identity_keys.passphrases.items())
    holders.open(given[0], given[1])
    [file] = disclosure.found(unit.stick, "entry")
    whole = file.read_bytes()
    alone = json.loads(whole)
    alone["signed"].pop("ben")
    body = json.loads(whole)["signed"]["ada"]
    for altered, says in (
        (whole.replace(body.encode()[:40], body.encode()[40:80]), "It is refused"),
        (json.dumps(alone).encode(), "did not sign the same"),
        (b"junk", "damaged, or no entry"),
        (whole[:-5], "damaged, or no entry"),
    ):
        file.write_bytes(altered)
        assert says in words(browser.post("/import"))
        assert "Opened on" not in words(browser.get(path))
    entry = disclosure.read_entry(whole, identity_keys.unit, identity_keys.unit.identity_fingerprint)
    boxes = {name: (identity_keys.folder / HOLDERS / f"{name}.json").read_bytes() for name in entry.by}
    keys = {name: open_box(box, name, identity_keys.passphrases[name]).key for name, box in boxes.items()}
    file.write_bytes(disclosure.sign_entry(replace(entry, digest="d" * 64), keys))
    assert "answers another request than the one that this desk made" in words(browser.post("/import"))
    assert "Opened on" not in words(browser.get(path))
    file.write_bytes(whole)
    browser.post("/import")
    assert "Opened on" in words(browser.get(path))

    desk = str(unit.folder / "desk" / "desk.toml")
    file.write_bytes(b"junk")
    said = CliRunner().invoke(desk_command, ["--config", desk, "import"])
    assert (said.exit_code, "no entry" in said.stderr) == (2, True)
    file.write_bytes(whole)

    other = round_.place("other-unit")
    other.stick.joinpath(file.name).write_bytes(whole)
    refused = words(reviewers(other).post("/import"))
    assert "answers no request of this desk" in refused


def test_a_request_is_one_however_often_it_is_written_and_needs_a_stick(unit):
    browser, path = reviewers(unit), f"/conversations/{unit.conversation()}"
    asked(browser, unit)
    assert len(disclosure.found(unit.stick, "request")) == 1
    [again] = re.findall(r'action="(/contact-requests/[0-9a-f]{32}/again)"', browser.get(path).text)
    assert browser.post(again).status_code == 303
    first, second = disclosure.found(unit.stick, "request")
    assert first.read_bytes() == second.read_bytes()
    unit.stick.rename(unit.stick.with_name("pulled"))
    assert "The stick is not there" in words(browser.post(again))
    [row] = unit.desk().cabinet.envelopes.of_conversation(unit.conversation())
    answer = browser.post(f"/messages/{row.id}/contact/ask", {"request": "a" * 32, "why": "law"})
    assert answer.status_code == 409
    assert len(unit.desk().cabinet.contacts.of(row.id)) == 1
    assert (
        browser.post(f"/messages/{row.id}/contact/ask", {"request": "b" * 32, "why": "x"}).status_code == 400
    )


@pytest.mark.parametrize(
    ("envelope_id", "changed", "handed_on"),
    [
        ("a" * 31 + "1", {}, False),
        pytest.param(new_id(forwarded=True), {}, True, id="a forwarded id"),
        ("a" * 31 + "1", {"unit": "other-unit"}, True),
        ("a" * 31 + "1", {"trail": (b"{}",)}, True),
    ],
)
def test_details_that_others_could_have_put_there_are_known_by_their_way(envelope_id, changed, handed_on):
    conversation = Conversation(Secret(bytes(32)), bytes(1216))
    contact = SealedContact("test-unit", "A" * 40, b"sealed")
    report = Report("Words.", "test-unit", today(), True, conversation, "f" * 64, 0, contact=contact)
    assert was_handed_on(envelope_id, replace(report, **changed)) == handed_on


def test_two_openings_on_one_day_are_two_entries(unit, holders, identity_keys):
    browser, path = reviewers(unit), f"/conversations/{unit.conversation()}"
    asked(browser, unit)
    given = list(identity_keys.passphrases.items())
    for _ in range(2):
        assert REACH in holders.open(given[0], given[1]).text
    assert words(holders.get(holders.only())).count("by ada and ben") == 2
    assert words(browser.post("/import")).count("what the identity holders decided") == 2
    assert words(browser.get(path)).count("by ada and ben") == 2


def change_holders(identity_keys, registry, root_key, folder, version, **changed):
    """As step 10 of the ceremony has it: a signed registry in which others hold its identity key, and the unit."""
    card = new_identity(folder, "test-unit", {name: f"the other one of {name}" for name in ("ada", "dee")})
    end_agent(folder / GNUPG_HOME)
    unit = replace(with_identity(identity_keys.unit, card), **changed)
    units = (unit, *registry.units[1:])
    return sign_registry(replace(registry, version=version, units=units), root_key.file), unit


def test_when_holders_change_what_was_sealed_before_is_opened_by_those_of_then(
    unit, holders, identity_keys, round_, registry, root_key, short_folder
):
    browser, path = reviewers(unit), f"/conversations/{unit.conversation()}"
    signed, changed = change_holders(identity_keys, registry, root_key, short_folder(), 2)
    round_.server.registry.write_bytes(signed)
    holders.app.extensions["candour"].settings.registry.write_bytes(signed)
    asked(browser, unit)
    given = list(identity_keys.passphrases.items())
    assert REACH in holders.open(given[0], given[1]).text
    assert "by ada and ben" not in words(browser.get(path))
    browser.post("/import")
    assert "by ada and ben" in words(browser.get(path))

    [file] = disclosure.found(unit.stick, "entry")
    with pytest.raises(disclosure.DisclosureRefused, match="for that key"):
        disclosure.read_entry(file.read_bytes(), changed, changed.identity_fingerprint)
    reporter = round_.reporter
    reporter.get("/sent")
    reporter.post("/noted")
    reporter.get("/conversation")
    assert reporter.write("More.", contact=REACH).status == 303
    unit.fetch()
    rows = unit.desk().cabinet.envelopes.of_conversation(unit.conversation())
    contacts = [open_envelope(unit.desk(), row.id, row.size)[1].report.contact for row in rows]
    assert {contact.key for contact in contacts if contact} == {
        identity_keys.unit.identity_fingerprint,
        changed.identity_fingerprint,
    }


def test_a_former_key_that_is_struck_off_is_neither_asked_for_nor_opened(
    unit, holders, identity_keys, round_, registry, root_key, short_folder
):
    browser = reviewers(unit)
    asked(browser, unit)
    signed, _ = change_holders(identity_keys, registry, root_key, short_folder(), 2, former_identities=())
    round_.server.registry.write_bytes(signed)
    holders.app.extensions["candour"].settings.registry.write_bytes(signed)
    assert "names no holders of the key" in words(browser.get(f"/conversations/{unit.conversation()}"))
    assert "names no holders of the key" in words(holders.get("/"))
    assert "passphrase" not in holders.get(holders.only()).text


def test_a_report_that_is_passed_on_takes_them_along_as_they_are_and_a_rewritten_one_does_not(
    unit, holders, identity_keys, round_, tmp_path
):
    unit.pass_on(Choice("other-unit", Why.OTHER_FORCE))
    unit.send()
    other = round_.place("other-unit")
    other.fetch()
    browser = reviewers(other)
    assert "identity holders of Test Anti-Corruption Unit" in words(
        browser.get(f"/conversations/{other.conversation()}")
    )
    assert "Others had these in their hands." in words(browser.get(f"/conversations/{other.conversation()}"))
    asked(browser, other, "law")
    [request] = disclosure.found(other.stick, "request")
    request.rename(unit.stick / request.name)  # by hand, to the holders
    given = list(identity_keys.passphrases.items())
    assert "Another unit handed these on" in words(holders.get(holders.only()))
    assert "Other Anti-Corruption Unit" in words(holders.get("/"))
    assert REACH in holders.open(given[1], given[2], why="law").text
    [entry] = disclosure.found(unit.stick, "entry")
    entry.rename(other.stick / entry.name)
    browser.post("/import")
    assert "by ben and cy. A court or the law requires it." in words(
        browser.get(f"/conversations/{other.conversation()}")
    )

    other.pass_on(Choice("test-charity", Why.CONFLICT, "Something was paid, we hear."))
    other.send()
    charity = round_.place("test-charity")
    charity.fetch()
    assert "in confidence" not in words(reviewers(charity).get(f"/conversations/{charity.conversation()}"))
