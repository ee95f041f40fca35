"""How to reach a reporter, in confidence: sealed to other people than the reviewers, and given back when refused."""

from dataclasses import replace
from io import BytesIO

import pytest

from common import signing
from common.contexts import Context
from common.conversation import codename
from common.gpg.keyring import end_agent
from common.gpg.opening import Opener, OpeningFailed
from common.registry import registry as registries
from common.registry.holders import GNUPG_HOME, HOLDERS, open_box, together
from common.report import contact
from common.report.contact import LONGEST
from keys.private_key import read_private_key
from tests.source_interface.conftest import encode_multipart

pytestmark = pytest.mark.slow

REACH = "Ask for Robin at the allotments.\n☎ <b>07700 900123</b>"
BODY = "test-overseer"
CLOSED = "cannot be taken in confidence at present"


@pytest.fixture
def app(new_app, identity_keys, other_unit_keys):
    """The test unit has identity holders, the other one has none."""
    return new_app(units=[identity_keys.unit, other_unit_keys.unit], max_files=2)


@pytest.fixture
def reach(identity_keys):
    """Opens contact details as two holders do."""
    names = list(identity_keys.passphrases)[:2]
    boxes = [
        open_box(
            (identity_keys.folder / HOLDERS / f"{name}.json").read_bytes(),
            name,
            identity_keys.passphrases[name],
        )
        for name in names
    ]

    def look(sealed):

        content = bytearray()
        Opener(identity_keys.folder / GNUPG_HOME).open(
            BytesIO(sealed), content.extend, passphrase=together(*boxes)
        )
        return contact.read(bytes(content))

    yield look
    end_agent(identity_keys.folder / GNUPG_HOME)


@pytest.fixture
def kept(house, arrived, opened):
    """The reports that arrived."""
    return lambda: [opened(sealed)[0] for sealed in arrived(house.config)]


def given_back(answer):
    areas = answer.page.textareas
    return (areas.get("contact") or areas.get("yours-contact") or "").replace("\r\n", "\n")


def test_they_are_sealed_apart_and_the_reviewers_cannot_open_them(
    reporter, kept, reach, unit_keys, identity_keys
):
    reporter.start()
    assert (
        reporter.write("It happened at the yard.", [("a.jpg", b"x" * 90_000)], contact=REACH).goes_to
        == "/sent"
    )
    [report] = kept()
    assert report.contact.unit == "test-unit"
    assert report.contact.key == identity_keys.unit.identity_fingerprint
    details = reach(report.contact.sealed)
    assert (details.text, details.conversation) == (REACH, report.conversation.identity)
    assert REACH not in report.text

    with pytest.raises(OpeningFailed):
        Opener(unit_keys.folder / GNUPG_HOME).open(BytesIO(report.contact.sealed), lambda _: None)


def test_an_empty_field_leaves_nothing_and_the_size_is_the_same(
    reporter, reporter_at, app, house, arrived, kept
):
    sizes = set()
    for typed in ("", "  \n", REACH, "🕊" * LONGEST):
        another = reporter_at(app)
        another.start()
        assert another.write(contact=typed).goes_to == "/sent"
        sizes |= {file.stat().st_size for file in arrived(house.config)}
    assert len(sizes) == 1
    assert [report.contact is None for report in kept()].count(True) == 2


def test_the_field_is_there_only_where_somebody_holds_the_key(reporter):
    page = reporter.start()
    assert 'name="contact"' in page.text
    words = " ".join(page.page.words.split())
    for honest in (
        "you can leave this empty",
        "Two people together can",
        "Test Anti-Corruption Unit",
        "no court will order it",
        "passes through this server",
    ):
        assert honest in words
    assert (
        page.text.index('name="text"') < page.text.index('name="contact"') < page.text.index('name="files"')
    )
    reporter.get("/routing")
    reporter.begin("other-unit")
    assert 'name="contact"' not in reporter.get("/report").text


def test_whatever_goes_wrong_they_come_back(reporter, house, arrived):
    reporter.start()
    cases: tuple[tuple[str, int, str, dict[str, str]], ...] = (
        ("", 422, "Write a few words", {}),
        ("Only three of us knew.", 200, "Might this point to you?", {}),
        ("x" * 200_001, 413, "characters fit", {}),
        ("Words.", 400, "send it again", {"slot": "999"}),
    )
    for text, status, says, changed in cases:
        answer = reporter.deliver(*reporter.message(text, contact=REACH, **changed))
        assert (answer.status, given_back(answer), answer.typed) == (status, REACH, text)
        assert says in answer.page.words
    many = [(f"{n}.txt", b"x") for n in range(3)]
    assert given_back(reporter.write("Words.", many, contact=REACH)) == REACH
    for typed in ("x" * (LONGEST + 1), "🕊" * (LONGEST + 1)):
        answer = reporter.write("Words.", contact=typed)
        assert (answer.status, given_back(answer), answer.typed) == (413, typed, "Words.")
        assert f"at most {LONGEST} characters fit" in answer.page.words
    stale = reporter.write("Words.", contact=REACH, csrf="x")
    assert (given_back(stale), stale.typed) == (REACH, "Words.")
    assert arrived(house.config) == []
    reporter.start()
    form = reporter.message("Words.", contact=REACH)
    reporter.cookie = ""
    ended = reporter.deliver(*form)
    assert (given_back(ended), ended.typed) == (REACH, "Words.")


def test_details_that_are_far_too_long_come_back_as_the_text_would(reporter, house, arrived):
    reporter.start()
    for typed in ("A" * 20_000, "🕊" * 100_000):
        answer = reporter.write("Words.", contact=typed)
        assert (answer.status, given_back(answer), answer.typed) == (413, typed, "Words.")
    form = {
        name: value for name, value in reporter.forms["/report"].items() if name not in ("text", "contact")
    }
    fields = [*form.items(), ("text", "Words."), ("contact", "A" * 900_000)]  # in the order of the page
    answer = reporter.deliver("/report", encode_multipart(fields))
    assert (answer.status, answer.typed) == (413, "Words.")
    assert "Only its beginning is below" in answer.page.words
    assert len(given_back(answer)) == 4 * 200_000
    fields = [
        *form.items(),
        ("text", "B" * 700_000),
        ("contact", "A" * 900_000),
    ]  # no more memory than for one
    answer = reporter.deliver("/report", encode_multipart(fields))
    assert len(answer.typed + given_back(answer)) == 4 * (200_000 + LONGEST)
    assert arrived(house.config) == []
    assert reporter.write("🕊" * 200_000, contact="🕊" * LONGEST).status == 303


def test_details_that_come_after_the_first_file_are_not_dropped_unsaid(reporter, house, arrived):
    reporter.start()
    form = {
        name: value for name, value in reporter.forms["/report"].items() if name not in ("text", "contact")
    }
    fields = [*form.items(), ("text", "Words."), ("files", "a.txt", b"abc")]
    for also in ([], [("files", "b.txt", b"def")]):
        answer = reporter.deliver("/report", encode_multipart([*fields, ("contact", REACH), *also]))
        assert (answer.status, given_back(answer), answer.typed) == (400, REACH, "Words.")
    assert arrived(house.config) == []
    assert reporter.write("Words.", contact=REACH).status == 303


def test_a_form_sent_twice_gives_them_back_and_they_can_be_sent_again(reporter, kept):
    reporter.start()
    form, cookie = reporter.message(contact=REACH), reporter.cookie
    reporter.deliver(*form)
    reporter.cookie = cookie
    again = reporter.deliver(*form)
    assert "had arrived already" in again.page.words
    assert given_back(again) == REACH
    assert reporter.write("More.", contact=REACH).status == 303
    assert [report.contact is not None for report in kept()] == [True, True]


def test_they_can_be_given_later_and_only_where_something_can_be_seen_of_a_conversation(
    reporter, reporter_at, app, kept
):
    unused = reporter_at(app)
    assert 'name="contact"' not in unused.come_back(codename.generate().words).text
    words = reporter.report()
    assert 'name="contact"' not in reporter.come_back(words).text
    page = reporter.choose()
    assert "Test Anti-Corruption Unit has named them for this" in " ".join(page.page.words.split())
    assert reporter.write("More.", contact=REACH).status == 303
    assert sorted(report.contact is None for report in kept()) == [False, True]


def test_a_codename_whose_report_was_withdrawn_looks_as_if_it_had_never_been_used(reporter):
    reporter.report()
    reporter.post("/noted")
    reporter.get("/conversation")
    for _ in ("asked", "said again"):
        reporter.post("/withdraw")
    page = reporter.get("/conversation")
    reporter.get("/conversation")
    assert "You sent a message" not in page.page.words
    assert 'name="contact"' not in page.text


def test_a_unit_without_holders_gets_none_and_the_reporter_is_told(
    reporter, put_registry, unit_keys, other_unit_keys, house, arrived
):
    reporter.start()
    put_registry(unit_keys.unit, other_unit_keys.unit)
    answer = reporter.write("Words.", [("a", b"x")], contact=REACH)
    assert (answer.status, given_back(answer), answer.typed) == (409, REACH, "Words.")
    assert CLOSED in answer.page.words
    assert arrived(house.config) == []
    assert reporter.write("Words.", contact="").status == 303


def test_an_identity_certificate_that_gpg_refuses_leaves_no_report(
    reporter, house, registry, charity_keys, identity_keys, other_unit_keys, arrived, root_key
):
    reporter.start()
    broken = replace(identity_keys.unit, identity_certificate="no certificate")
    draft = replace(registry, version=2, units=(broken, other_unit_keys.unit, charity_keys.unit))
    signed = signing.sign(registries.to_body(draft), Context.REGISTRY, read_private_key(root_key.file))
    house.config.registry.write_bytes(signed)
    answer = reporter.write("Words.", contact=REACH)
    assert (answer.status, given_back(answer)) == (409, REACH)
    assert CLOSED in answer.page.words
    assert arrived(house.config) == []
    assert reporter.write("Words.", contact="").status == 303


def test_the_overseers_copy_has_them_as_they_are(
    new_app, reporter_at, identity_keys, other_unit_keys, overseer_keys, opened, reach, waiting
):
    overseen = replace(identity_keys.unit, second_seal=BODY)
    app = new_app(units=[overseen, other_unit_keys.unit, overseer_keys.unit])
    reporter, store = reporter_at(app), app.extensions["candour"].store
    reporter.get("/routing")
    reporter.begin(holders=f"test-unit {BODY}")
    reporter.get("/report")
    assert reporter.write(contact=REACH).goes_to == "/sent"
    [copy] = waiting(BODY, store)
    report, _ = opened(store.blobs._path(copy), overseer_keys)
    assert report.contact.unit == "test-unit"
    assert reach(report.contact.sealed).text == REACH


def test_no_file_of_the_server_holds_them(reporter, house, arrived):
    reporter.start()
    reporter.write("", contact=REACH)
    reporter.write("Only three of us knew.", contact=REACH)
    assert reporter.write("Only three of us knew.", contact=REACH).goes_to == "/sent"
    assert len(arrived(house.config)) == 1
    for file in house.config.registry.parent.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert not any(form.encode() in content for form in ("allotments", "07700 900123")), file
