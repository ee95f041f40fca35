"""Answers and headers: by whom they say, for whom they are, and of one size."""

import hashlib
import hmac
from dataclasses import replace
from datetime import date

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from common import canonical, mailbox, reply, signing
from common.canonical import NotCanonical
from common.names import LONGEST_ID
from common.padding import REPLY_PLAINTEXT_BYTES
from common.reply import MOST_HANDOVERS, AnswerTooLong, Handover, Header, Reply
from common.signing import BadSignature

DAY = date(2026, 11, 24)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


def public(key):
    return key.public_key().public_bytes_raw()


def answer(text="Thank you."):
    return reply.new_reply("test-unit", DAY, text)


@given(text=texts)
def test_any_text_goes_all_the_way(party, signer, text):
    sent = answer(text)
    sealed = mailbox.seal(reply.compose(sent, party.public, signer), party.public)
    opened = party.key.open(sealed)
    assert reply.claimed_unit(opened) == "test-unit"
    assert reply.read(opened, party.public, public(signer)) == sent


def longest(party, signer):
    empty = reply.compose(answer(""), party.public, signer)
    return REPLY_PLAINTEXT_BYTES - len(empty.rstrip(b" "))


@pytest.mark.parametrize("char", ["a", "é", "€", "\U0001f47b", '"', "\n", "\0"])
def test_the_longest_text_fits_exactly_and_one_more_does_not(party, signer, char):
    cost = len(canonical.dump({"t": char})) - len(canonical.dump({"t": ""}))
    fits = longest(party, signer) // cost
    text = "a" * (longest(party, signer) - fits * cost) + char * fits
    plaintext = reply.compose(answer(text), party.public, signer)
    assert len(plaintext) == REPLY_PLAINTEXT_BYTES
    assert not plaintext.endswith(b" ")
    assert reply.read(plaintext, party.public, public(signer)).text == text
    with pytest.raises(AnswerTooLong, match="too long by about 1 ") as refusal:
        reply.compose(answer(text + "a"), party.public, signer)
    assert refusal.value.over == 1


def test_every_answer_and_header_has_one_size(party, signer):
    sizes = {len(reply.compose(answer("x" * n), party.public, signer)) for n in (0, 1, 1000)}
    sizes.add(len(reply.compose_header(Header("test-unit", DAY), party.secrets.header_key)))
    assert sizes == {8192}


def test_an_answer_of_another_unit_is_refused(party, signer):
    forged = reply.compose(answer(), party.public, Ed25519PrivateKey.generate())
    with pytest.raises(BadSignature):
        reply.read(forged, party.public, public(signer))


def test_an_answer_carried_into_another_conversation_is_refused(party, other_party, signer):
    opened = party.key.open(mailbox.seal(reply.compose(answer(), party.public, signer), party.public))
    moved = other_party.key.open(mailbox.seal(opened, other_party.public))
    with pytest.raises(BadSignature):
        reply.read(moved, other_party.public, public(signer))


@given(at=st.integers(0, 400), bit=st.integers(0, 7))
def test_a_changed_answer_is_refused(party, signer, at, bit):
    plaintext = bytearray(reply.compose(Reply("0" * 32, "test-unit", DAY, "Yes"), party.public, signer))
    plaintext[at % len(bytes(plaintext).rstrip())] ^= 1 << bit
    with pytest.raises((BadSignature, NotCanonical)):
        reply.read(bytes(plaintext), party.public, public(signer))


def test_a_signed_answer_of_the_wrong_shape_is_refused(party, signer):
    good = canonical.inner(canonical.load(reply.compose(answer(), party.public, signer)), "body")
    for key, wrong in (("day", "yesterday"), ("day", 3), ("text", None), ("id", 1), ("unit", [])):
        signed = signing.sign({**good, key: wrong}, reply._REPLY, signer)
        with pytest.raises(NotCanonical):
            reply.read(signed, party.public, public(signer))


def test_two_answers_of_one_text_are_told_apart():
    assert answer().identity != answer().identity


def marks(count):
    handovers = (Handover(f"{number:032x}", "a", "b", DAY, frozenset()) for number in range(count))
    return frozenset(reply.mark(one, b"public key") for one in handovers)


LONGEST = Header(
    unit="u" * LONGEST_ID,
    day=DAY,
    second="s" * LONGEST_ID,
    kept_from="k" * LONGEST_ID,
    before=("b" * LONGEST_ID,) * MOST_HANDOVERS,
    followed=marks(MOST_HANDOVERS),
    settled=marks(mailbox.SLOTS - 1) - marks(MOST_HANDOVERS),
    involved=False,  # the longer word of the two
)


@pytest.mark.parametrize(
    "header", [Header("test-unit", DAY), Header("test-unit", DAY, involved=True), LONGEST]
)
def test_a_header_is_read_back_and_the_longest_there_can_be_has_the_same_size(party, header):
    assert len(LONGEST.followed | LONGEST.settled) == mailbox.SLOTS - 1
    sealed = mailbox.seal(reply.compose_header(header, party.secrets.header_key), party.public)
    assert reply.read_header(party.key.open(sealed), party.secrets.header_key) == header


def test_a_header_of_before_there_were_handovers_says_nothing_of_them(party):
    key = party.secrets.header_key
    body = {"day": DAY.isoformat(), "second": None, "unit": "test-unit"}
    mac = hmac.digest(key.reveal(), b"candour/1 header\n" + canonical.dump(body), hashlib.sha256)
    assert reply.read_header(canonical.dump({"body": body, "mac": canonical.encode(mac)}), key) == Header(
        "test-unit", DAY
    )


def test_a_claimed_handover_is_read_for_its_own_mailbox_alone_and_has_one_mark(party, other_party, signer):
    said = Handover("5" * 32, "test-unit", "other-unit", DAY, frozenset({"a" * 64}))
    plain = reply.compose_handover(said, party.public, Ed25519PrivateKey.generate())
    assert reply.claimed_handover(plain, party.public) == said
    with pytest.raises(BadSignature):
        reply.claimed_handover(plain, other_party.public)
    with pytest.raises(NotCanonical):
        reply.claimed_handover(reply.compose(answer(), party.public, signer), party.public)
    marks = {
        reply.mark(one, key)
        for one in (said, replace(said, next="x"), replace(said, standing=frozenset()))
        for key in (party.public, other_party.public)
    }
    assert len(marks) == 6
    genuine = reply.compose_handover(said, party.public, signer)
    assert reply.read_any(genuine, party.public, public(signer)) == said


def test_a_header_under_any_other_key_is_refused(party, other_party):
    header = reply.compose_header(Header("other-unit", DAY), party.secrets.header_key)
    for key in (other_party.secrets.header_key, party.secrets.mailbox_key, party.secrets.receipt_key):
        with pytest.raises(BadSignature):
            reply.read_header(header, key)


@given(at=st.integers(0, 200), bit=st.integers(0, 7))
def test_a_changed_header_is_refused(party, at, bit):
    header = bytearray(reply.compose_header(Header("test-unit", DAY), party.secrets.header_key))
    header[at % len(bytes(header).rstrip())] ^= 1 << bit
    with pytest.raises((BadSignature, NotCanonical)):
        reply.read_header(bytes(header), party.secrets.header_key)


def test_an_answer_is_no_header_and_a_header_no_answer(party, signer):
    with pytest.raises((BadSignature, NotCanonical)):
        reply.read_header(reply.compose(answer(), party.public, signer), party.secrets.header_key)
    with pytest.raises((BadSignature, NotCanonical)):
        reply.read(
            reply.compose_header(Header("test-unit", DAY), party.secrets.header_key),
            party.public,
            public(signer),
        )


@pytest.mark.parametrize(
    "untrusted",
    [
        b"",
        b" " * 8192,
        b"junk",
        b'{"body":{"day":"2026-11-24","unit":"\\ud800"},"mac":""}',
        b'{"body":{"day":"2026-11-24","unit":"u"},"mac":"AAAA"}',
        b'{"body":' * 1000 + b"}" * 1000,
    ],
    ids=range(6),
)
def test_what_a_unit_could_put_into_the_headers_slot_is_refused(party, untrusted):
    """A unit knows the slot's tag and the public key, so that anything at all may lie there."""
    with pytest.raises((BadSignature, NotCanonical)):
        reply.read_header(untrusted, party.secrets.header_key)
    with pytest.raises((BadSignature, NotCanonical)):
        reply.read(untrusted, party.public, bytes(32))


def test_an_answers_text_does_not_print():
    assert "Thank" not in repr(answer())
