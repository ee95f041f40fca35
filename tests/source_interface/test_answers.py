"""Which answers a reporter is shown: those the holder of the conversation signed for it, once each, and inert."""

import os
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete

from common import mailbox, reply
from common.days import today
from common.derivation import conversation_secrets
from common.padding import REPLY_CIPHERTEXT_BYTES
from common.secret import Secret
from common.store.kept import NoFreeSlot
from common.store.models import ReplyRow
from common.units import Status
from keys.registry import sign_registry

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
def put(house, secrets_of):
    """Puts bytes into a reply slot, whatever lies there."""

    def place(words, slot, ciphertext):
        tag = mailbox.tags(secrets_of(words).mailbox_key)[slot]
        with house.store.engine.begin() as connection:
            connection.execute(delete(ReplyRow).where(ReplyRow.tag == tag))
        house.store.post_reply([tag], ciphertext, today())

    return place


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


def test_a_header_forged_in_slot_0_makes_nobody_the_holder(
    words, answer, secrets_of, put, other_unit_keys, shown
):
    answer(words, "Trust us.", by=other_unit_keys, unit="other-unit")
    public = mailbox.ReplyKey(secrets_of(words).reply_seed).public()
    stolen = conversation_secrets(Secret(os.urandom(32))).header_key
    forged = reply.compose_header(reply.Header("other-unit", today()), stolen)
    for header in (mailbox.seal(forged, public), os.urandom(REPLY_CIPHERTEXT_BYTES)):
        put(words, mailbox.HEADER_SLOT, header)
        assert shown() == []


def test_a_posted_reply_cannot_take_the_place_of_the_header(words, answer, house, secrets_of, shown):
    tags = mailbox.tags(secrets_of(words).mailbox_key)
    before = house.store.mailbox([], tags).replies[tags[0]]
    with pytest.raises(NoFreeSlot):
        house.store.post_reply([tags[0]], os.urandom(REPLY_CIPHERTEXT_BYTES), today())
    assert house.store.mailbox([], tags).replies[tags[0]] == before


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
    draft = replace(registry, version=2, units=(replace(first, status=Status.SUSPENDED), *rest))
    house.config.registry.write_bytes(sign_registry(draft, root_key.file))
    assert shown() == []
    before = len(list(house.config.blobs.rglob("*")))
    refused = reporter.write("More.")
    assert refused.status == 409
    assert "can receive nothing at present" in refused.text
    assert len(list(house.config.blobs.rglob("*"))) == before


def test_an_answer_that_came_twice_is_shown_once_and_deleted_at_once(
    words, reporter, house, answer, secrets_of, signer, unit_keys, shown
):
    public = mailbox.ReplyKey(secrets_of(words).reply_seed).public()
    written = reply.compose(reply.new_reply("test-unit", today(), SAID), public, signer(unit_keys))
    one_ciphertext = mailbox.seal(written, public)
    answer(words, sealed=one_ciphertext, slot=11)
    answer(words, sealed=one_ciphertext, slot=12)  # two couriers at one moment
    answer(words, sealed=mailbox.seal(written, public), slot=13)  # sealed anew
    assert len(shown()) == 1
    reporter.post("/answer/delete")
    assert shown() == []


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


def test_the_longest_answer_fits_and_a_mailbox_may_be_full(words, answer, shown):
    for slot in range(1, mailbox.SLOTS, 17):
        answer(words, f"{slot} " + "x" * 7000, slot=slot)
    assert len(shown()) == len(range(1, mailbox.SLOTS, 17))


def test_answers_follow_the_newest_header_only(
    words, answer, put, secrets_of, other_unit_keys, reporter, shown
):
    """After a header that the server itself made for the other unit, only that unit's answers count."""
    keys = secrets_of(words)
    public = mailbox.ReplyKey(keys.reply_seed).public()
    answer(words, SAID)
    answer(words, "From the other.", by=other_unit_keys, unit="other-unit", slot=8)
    header = reply.compose_header(reply.Header("other-unit", today()), keys.header_key)
    put(words, mailbox.HEADER_SLOT, mailbox.seal(header, public))
    [one] = shown()
    assert "From the other." in one
    assert "Other Anti-Corruption Unit" in reporter.get("/conversation").text


def test_the_lines_of_an_answer_stay_lines_without_a_style_sheet(answer, words, shown):
    answer(words, "One <b>line</b>.\nAnother & more.")
    [article] = shown()
    assert "One &lt;b&gt;line&lt;/b&gt;.\n<br>Another &amp; more." in article


def test_a_deleted_answer_costs_a_visit_no_opening(words, answer, reporter, reporter_at, app, monkeypatch):
    """Otherwise the time of a page would tell a codename under which answers were deleted from an unused one."""
    for slot in (3, 4, 5):
        answer(words, f"Answer {slot}.", slot=slot)
    opened = []
    real = mailbox.ReplyKey.open

    def counted(key, ciphertext):
        opened.append(ciphertext)
        return real(key, ciphertext)

    monkeypatch.setattr(mailbox.ReplyKey, "open", counted)
    reporter.get("/conversation")
    assert len(opened) == 4
    for _ in range(3):
        assert reporter.post("/answer/delete").status == 303
        reporter.get("/conversation")
    opened.clear()
    page = reporter_at(app).come_back(words)
    assert len(opened) == 1  # the header
    assert "no answer here" in page.text
