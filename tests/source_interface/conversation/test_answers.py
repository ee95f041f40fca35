"""Which answers a reporter is shown: those the holder of the conversation signed for it, once each, and inert."""

import os
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from common.conversation import mailbox, reply
from common.conversation.derivation import conversation_secrets
from common.conversation.destination import Destination
from common.conversation.header import Deleted, Header, compose_deleted, compose_header
from common.conversation.links import new_link
from common.days import today
from common.registry.units import Status
from common.report.padding import REPLY_CIPHERTEXT_BYTES
from common.secret import Secret
from keys.registry.signature import sign_registry
from source_interface.conversation.contents import OPENED_AT_LEAST

pytestmark = pytest.mark.slow

SAID = "Thank you. We have read it."


@pytest.fixture
def words(reporter):
    return reporter.report()


@pytest.fixture
def shown(reporter):
    """The answers on the conversation's page, which must look well whatever lies in the slots."""

    def look():
        page = reporter.get("/conversation")
        assert page.status == 200
        assert page.text.count("<article") == page.text.count('name="answer"')
        return page.text.split("<article")[1:]

    return look


@pytest.fixture
def put(secrets_of, put_row):
    """Puts bytes into a reply slot, whatever lies there."""
    return lambda words, slot, ciphertext: put_row(
        mailbox.tags(secrets_of(words).mailbox_key)[slot], ciphertext
    )


def test_a_genuine_answer_is_shown_under_the_holders_name_with_its_day(words, answer, shown):
    answer(words, SAID)
    [one] = shown()
    assert SAID in one
    assert "Test Anti-Corruption Unit" in one
    assert f"{today().day} {today():%B %Y}" in one


def test_answers_stand_newest_first(words, answer, shown):
    for days, slot in ((3, 9), (0, 200), (1, 30)):
        answer(words, f"from {days} days ago", slot=slot, day=today() - timedelta(days=days))
    assert [days for one in shown() for days in (0, 1, 3) if f"from {days} days ago" in one] == [0, 1, 3]


def test_an_answer_signed_by_another_unit_is_not_shown(words, answer, other_unit_keys, shown):
    answer(words, "Trust us.", by=other_unit_keys, unit="other-unit", slot=3)
    answer(words, "We are them.", by=other_unit_keys, unit="test-unit", slot=4)
    answer(words, SAID, slot=5)
    [one] = shown()
    assert SAID in one


def test_an_altered_answer_is_not_shown(words, answer, house, secrets_of, put, shown):
    slot = answer(words, SAID)
    keys = secrets_of(words)
    tag = mailbox.tags(keys.mailbox_key)[slot]
    genuine = house.store.mailbox([], [tag]).replies[tag]
    public = mailbox.ReplyKey(keys.reply_seed).public()
    opened = mailbox.ReplyKey(keys.reply_seed).open(genuine)
    put(
        words, slot, mailbox.seal(opened.replace(b"Thank you", b"Curse you"), public)
    )  # sealed well, signed no more
    assert shown() == []
    for place in (0, 1100, len(genuine) // 2, len(genuine) - 1):
        put(words, slot, genuine[:place] + bytes([genuine[place] ^ 1]) + genuine[place + 1 :])
        assert shown() == []
    put(words, slot, genuine)
    assert len(shown()) == 1


JUNK = [b"", b"\0", os.urandom(REPLY_CIPHERTEXT_BYTES), bytes(REPLY_CIPHERTEXT_BYTES), os.urandom(20_000)]
NO_ANSWERS = [
    b"",
    b"[]",
    b"{}",
    b'{"body":[]}',
    b'{"body":{"unit":7}}',
    b'{"body":{"unit":"test-unit"}}',
    b"[" * 8000,
    b"\xff",
]


def test_junk_in_a_slot_is_passed_over(words, answer, put, shown):
    for junk in JUNK:
        put(words, 99, junk)
        assert shown() == []
    answer(words, SAID)
    assert len(shown()) == 1


def test_what_opens_but_is_no_answer_is_passed_over(words, secrets_of, put, shown):
    public = mailbox.ReplyKey(secrets_of(words).reply_seed).public()
    for plain in NO_ANSWERS:
        put(words, 5, mailbox.seal(plain.ljust(8192), public))
        assert shown() == []


def test_an_answer_replayed_from_another_conversation_is_not_shown(app, words, answer, reporter_at, shown):
    elsewhere = reporter_at(app)
    others = elsewhere.report()
    answer(others, SAID)
    answer(words, SAID, mailbox_of=others)  # the holder's own signature, but for the other mailbox
    assert shown() == []
    assert SAID in elsewhere.get("/conversation").text


def test_what_a_unit_puts_into_a_slot_is_no_header_and_no_mark_of_deletion(
    words, answer, house, secrets_of, conversation_of, put, unit_keys, other_unit_keys, shown
):
    """It knows the slots and the public key, so that anything at all may lie there; but no key of a header."""
    answer(words, "Trust us.", by=other_unit_keys, unit="other-unit")
    answer(words, SAID, slot=8)
    stolen = conversation_secrets(Secret(os.urandom(32))).header_key
    lying = house.store.reply(mailbox.tags(secrets_of(words).mailbox_key)[8])
    plain = mailbox.ReplyKey(secrets_of(words).reply_seed).open(lying)
    identity = conversation_of(words).identity
    said = reply.read(plain, identity, unit_keys.unit.reply_key)
    assert isinstance(said, reply.Reply)
    digest = reply.digest(said, identity)
    public = conversation_of(words).reply_public_key
    forged = compose_header(Header(new_link(), Destination("other-unit"), 99), stolen)
    genuine_but_elsewhere = compose_header(
        Header(new_link(), Destination("other-unit"), 99), secrets_of(words).header_key
    )
    mark = compose_deleted(Deleted("test-unit", 1, digest), stolen)
    for slot, plain in enumerate((forged, genuine_but_elsewhere, mark)):
        put(words, slot, mailbox.seal(plain, public))
    [one] = shown()
    assert SAID in one


def test_no_slot_that_a_unit_knows_is_a_headers(words, secrets_of):
    found = secrets_of(words)
    known = {*mailbox.tags(found.mailbox_key)}
    assert not known & {*mailbox.tags(found.header_tag_key, mailbox.MESSAGE_SLOTS)}


def test_a_holder_that_left_the_registry_is_not_shown(
    words, answer, house, root_key, registry, unit_keys, other_unit_keys, charity_keys, shown
):
    answer(words, SAID)
    for units in (
        [other_unit_keys.unit],
        [replace(unit_keys.unit, reply_key=other_unit_keys.unit.reply_key)],
    ):
        draft = replace(registry, version=2, units=(*units, charity_keys.unit))
        house.config.registry.write_bytes(sign_registry(draft, root_key.file))
        assert shown() == []


def test_of_a_suspended_holder_no_answer_is_shown_and_nothing_more_is_sealed_to_it(
    words, reporter, answer, house, root_key, registry, shown
):
    """Its keys may be in wrong hands. Nor does what is added go to another unit without being asked."""
    answer(words, SAID)
    assert len(shown()) == 1
    first, *rest = registry.units
    form = reporter.get("/conversation") and reporter.message("More.")
    draft = replace(registry, version=2, units=(replace(first, status=Status.SUSPENDED), *rest))
    house.config.registry.write_bytes(sign_registry(draft, root_key.file))
    assert shown() == []
    before = len(list(house.config.blobs.rglob("*")))
    refused = reporter.deliver(*form)
    assert refused.status == 409
    assert "Nobody is chosen who could open this" in refused.text
    assert len(list(house.config.blobs.rglob("*"))) == before


def test_an_answer_that_came_twice_is_shown_once_and_deleted_at_once(
    words, reporter, answer, conversation_of, signer, unit_keys, shown
):
    public = conversation_of(words).reply_public_key
    said = reply.new_reply("test-unit", today(), 1, SAID)
    written = reply.compose(said, conversation_of(words).identity, signer(unit_keys))
    one_ciphertext = mailbox.seal(written, public)
    answer(words, sealed=one_ciphertext, slot=11)
    answer(words, sealed=one_ciphertext, slot=12)  # two couriers at one moment
    answer(words, sealed=mailbox.seal(written, public), slot=13)  # sealed anew
    assert len(shown()) == 1
    reporter.post("/answer/delete")
    assert shown() == []
    answer(words, sealed=mailbox.seal(written, public), slot=14)
    assert shown() == [], "a deleted answer came back from another slot"


def test_html_in_an_answer_is_inert(words, answer, reporter):
    hostile = '</div><script>alert(1)</script><img src=x onerror=alert(1)><a href="http://evil.example">x</a>{{ 7*7 }}'
    answer(words, hostile)
    page = reporter.get("/conversation")
    assert not {"script", "img"} & {tag for tag, _ in page.page.tags}
    assert hostile in page.page.words
    assert "evil.example" not in str([attributes for _, attributes in page.page.tags])


def test_an_answer_in_any_script_is_shown_as_written(words, answer, reporter):
    text = "ευχαριστώ 谢谢 🕊 \u202eright to left\u202c\nsecond line"
    answer(words, text)
    assert text in reporter.get("/conversation").page.words


def test_a_mailbox_may_be_full_and_all_of_it_is_shown_page_by_page(words, answer, reporter):
    slots = range(1, mailbox.SLOTS, 17)
    for number, slot in enumerate(slots, 1):
        answer(words, f"No. {number}. " + "x" * 7000, slot=slot, number=number)
    page, seen = reporter.get("/conversation"), []
    while True:
        seen += [int(one) for one in re.findall(r"No\. (\d+)\. x", page.text)]
        older = re.search(r'href="([^"]*)">Older answers', page.text)
        if not older:
            break
        page = reporter.get(older[1])
    assert seen == list(range(len(slots), 0, -1))


def test_answers_follow_the_newest_header_only(words, answer, header_to, other_unit_keys, reporter, shown):
    """After a header that the server itself made for the other unit, only that unit's answers count."""
    answer(words, SAID)
    answer(words, "From the other.", by=other_unit_keys, unit="other-unit", slot=8)
    header_to(words, Header(new_link(), Destination("other-unit")))
    [one] = shown()
    assert "From the other." in one
    assert "Other Anti-Corruption Unit" in reporter.get("/conversation").text


MISSING = "missing between those that are here"


def test_answers_that_never_arrived_are_missed_and_deleted_ones_are_not(words, answer, reporter):
    answer(words, "The first.", slot=1, number=1)
    assert MISSING not in reporter.get("/conversation").page.words
    answer(words, "The fourth.", slot=4, number=4)
    assert f"2 answers of Test Anti-Corruption Unit are {MISSING}" in reporter.get("/conversation").page.words
    answer(words, "The second.", slot=2, number=2)
    page = reporter.get("/conversation")
    assert f"One answer of Test Anti-Corruption Unit is {MISSING}" in page.page.words
    for left in ("missing", "still missing"):
        reporter.get("/conversation")
        [slot] = re.findall(r'name="answer" value="(2|1)"', reporter.last.text)[:1]
        reporter.post("/answer/delete", {"answer": slot})
        assert (
            f"One answer of Test Anti-Corruption Unit is {MISSING}" in reporter.get("/conversation").text
        ), left


def test_the_lines_of_an_answer_stay_lines_without_a_style_sheet(answer, words, shown):
    answer(words, "One <b>line</b>.\nAnother & more.")
    [article] = shown()
    assert "One &lt;b&gt;line&lt;/b&gt;.\n<br>Another &amp; more." in article


def test_what_is_left_of_a_deleted_answer_costs_a_visit_what_an_answer_costs(
    words, answer, reporter, reporter_at, app, monkeypatch
):
    """And as long as little lies there, what a codename costs that was never used."""
    for number in (3, 4, 5):
        answer(words, f"Answer {number}.", slot=number, number=number - 2)
    opened = []
    real = mailbox.ReplyKey.open

    def counted(key, ciphertext):
        opened.append(ciphertext)
        return real(key, ciphertext)

    monkeypatch.setattr(mailbox.ReplyKey, "open", counted)
    reporter.get("/conversation")
    assert len(opened) == OPENED_AT_LEAST
    for _ in range(3):
        assert reporter.post("/answer/delete").status == 303
        reporter.get("/conversation")
    opened.clear()
    page = reporter_at(app).come_back(words)
    assert len(opened) == OPENED_AT_LEAST
    assert "no answer here" in page.text


def test_an_answer_of_another_year_or_of_a_day_to_come_is_none(words, answer, shown):
    """The mark of a deleted answer lies there for a year: so none comes back when it is gone."""
    for number, days in enumerate((366, -3, 365, -2), 1):
        answer(words, f"of {days} days", slot=number, number=number, day=today() - timedelta(days=days))
    assert sorted(re.findall(r"of (-?\d+) days", "".join(shown()))) == ["-2", "365"]


@pytest.mark.parametrize("number", [0, 257, 10**300])
def test_an_answer_without_a_sensible_number_is_none(words, answer, shown, number):
    answer(words, SAID, number=number)
    assert shown() == []
