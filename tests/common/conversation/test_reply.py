"""Answers: by whom they say, for whom they are, and of one size."""

from datetime import date

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from common import canonical, signing
from common.canonical import NotCanonical
from common.contexts import Context
from common.conversation import mailbox, reply
from common.conversation.destination import Destination
from common.conversation.header import Deleted, Header, compose_deleted, compose_header
from common.conversation.mailbox import AnswerTooLong
from common.conversation.reply import Reply
from common.report.padding import REPLY_PLAINTEXT_BYTES
from common.signing import BadSignature

DAY = date(2026, 11, 24)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


def public(key):
    return key.public_key().public_bytes_raw()


def answer(text="Thank you."):
    return reply.new_reply("test-unit", DAY, 1, text)


@given(text=texts)
def test_any_text_goes_all_the_way(party, signer, text):
    sent = answer(text)
    sealed = mailbox.seal(reply.compose(sent, party.identity, signer), party.public)
    opened = party.key.open(sealed)
    assert reply.claimed_unit(canonical.load(opened)) == "test-unit"
    assert reply.read(opened, party.identity, public(signer)) == sent


def longest(party, signer):
    empty = reply.compose(answer(""), party.identity, signer)
    return REPLY_PLAINTEXT_BYTES - len(empty.rstrip(b" "))


@pytest.mark.parametrize("char", ["a", "é", "€", "\U0001f47b", '"', "\n", "\0"])
def test_the_longest_text_fits_exactly_and_one_more_does_not(party, signer, char):
    cost = len(canonical.dump({"t": char})) - len(canonical.dump({"t": ""}))
    fits = longest(party, signer) // cost
    text = "a" * (longest(party, signer) - fits * cost) + char * fits
    plaintext = reply.compose(answer(text), party.identity, signer)
    assert len(plaintext) == REPLY_PLAINTEXT_BYTES
    assert not plaintext.endswith(b" ")
    opened = reply.read(plaintext, party.identity, public(signer))
    assert isinstance(opened, Reply)
    assert opened.text == text
    with pytest.raises(AnswerTooLong, match="too long by about 1 ") as refusal:
        reply.compose(answer(text + "a"), party.identity, signer)
    assert refusal.value.over == 1


def test_every_answer_handover_header_and_what_is_left_of_one_has_one_size(party, signer):
    sizes = {len(reply.compose(answer("x" * n), party.identity, signer)) for n in (0, 1, 1000)}
    handover = reply.Handover("0" * 32, "test-unit", "other-unit", DAY, ("f" * 64,), frozenset())
    sizes.add(len(reply.compose_handover(handover, party.identity, signer)))
    sizes.add(len(compose_header(Header("f" * 64, Destination("test-unit")), party.secrets.header_key)))
    sizes.add(len(compose_deleted(Deleted("test-unit", 1, "f" * 64), party.secrets.header_key)))
    assert sizes == {8192}


def test_an_answer_of_another_unit_is_refused(party, signer):
    forged = reply.compose(answer(), party.identity, Ed25519PrivateKey.generate())
    with pytest.raises(BadSignature):
        reply.read(forged, party.identity, public(signer))


def test_an_answer_carried_into_another_conversation_is_refused(party, other_party, signer):
    opened = party.key.open(mailbox.seal(reply.compose(answer(), party.identity, signer), party.public))
    moved = other_party.key.open(mailbox.seal(opened, other_party.public))
    with pytest.raises(BadSignature):
        reply.read(moved, other_party.identity, public(signer))


@given(at=st.integers(0, 400), bit=st.integers(0, 7))
def test_a_changed_answer_is_refused(party, signer, at, bit):
    plaintext = bytearray(reply.compose(Reply("0" * 32, "test-unit", DAY, 1, "Yes"), party.identity, signer))
    plaintext[at % len(bytes(plaintext).rstrip())] ^= 1 << bit
    with pytest.raises((BadSignature, NotCanonical)):
        reply.read(bytes(plaintext), party.identity, public(signer))


def test_a_signed_answer_of_the_wrong_shape_is_refused(party, signer):
    good = canonical.inner(canonical.load(reply.compose(answer(), party.identity, signer)), "body")
    for key, wrong in (
        ("day", "yesterday"),
        ("day", 3),
        ("text", None),
        ("id", 1),
        ("unit", []),
        ("number", -1),
        ("number", "1"),
    ):
        signed = signing.sign({**good, key: wrong}, Context.REPLY, signer)
        with pytest.raises(NotCanonical):
            reply.read(signed, party.identity, public(signer))


def test_two_answers_of_one_text_are_told_apart():
    assert answer().identity != answer().identity


def test_an_answers_text_does_not_print():
    assert "Thank" not in repr(answer())


def test_signed_again_by_the_same_key_it_is_the_same_and_by_another_it_holds_by_that(party, signer):
    handover = reply.Handover("0" * 32, "test-unit", "other-unit", DAY, ("f" * 64,), frozenset())
    other = Ed25519PrivateKey.generate()
    for composed, said in (
        (reply.compose(sent := answer(), party.identity, signer), sent),
        (reply.compose_handover(handover, party.identity, signer), handover),
    ):
        assert reply.sign_again(composed, signer) == composed
        assert reply.read(reply.sign_again(composed, other), party.identity, public(other)) == said
