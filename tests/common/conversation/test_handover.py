"""A handover: whose it is, for which conversation, and which answers stand, whatever its signer does afterwards."""

from dataclasses import replace
from datetime import date

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common import canonical, signing
from common.canonical import NotCanonical
from common.contexts import Context
from common.conversation import reply
from common.conversation.mailbox import AnswerTooLong
from common.conversation.reply import Handover
from common.report.padding import REPLY_PLAINTEXT_BYTES
from common.signing import BadSignature

DAY = date(2026, 11, 24)


def handover(**changed):
    return replace(
        Handover("0" * 32, "test-unit", "other-unit", DAY, ("f" * 64,), frozenset({"ab" * 32})), **changed
    )


def public(key):
    return key.public_key().public_bytes_raw()


def test_a_handover_has_the_size_of_an_answer_and_comes_back_whole(party, signer):
    plain = reply.compose_handover(handover(), party.identity, signer)
    assert len(plain) == REPLY_PLAINTEXT_BYTES
    assert reply.claimed_unit(canonical.load(plain)) == "test-unit"
    assert reply.read(plain, party.identity, public(signer)) == handover()


def test_as_many_answers_can_stand_as_a_mailbox_can_hold(party, signer):
    most = frozenset(f"{number:064x}" for number in range(85))  # three candidate slots each, of 255
    assert reply.read(
        reply.compose_handover(handover(standing=most), party.identity, signer),
        party.identity,
        public(signer),
    ) == handover(standing=most)
    with pytest.raises(AnswerTooLong):
        reply.compose_handover(
            handover(standing=frozenset(f"{n:064x}" for n in range(200))), party.identity, signer
        )


@pytest.mark.parametrize("changed", [{"copy_to": "other-body"}, {"rewritten": True}, {"after": ("e" * 64,)}])
def test_who_got_a_copy_and_whether_it_was_rewritten_is_signed_with_the_rest(party, signer, changed):
    plain = reply.compose_handover(handover(**changed), party.identity, signer)
    assert len(plain) == REPLY_PLAINTEXT_BYTES
    assert reply.read(plain, party.identity, public(signer)) == handover(**changed)
    signed = canonical.load(plain)
    for key in changed:
        del signed["body"][key]
    with pytest.raises((BadSignature, NotCanonical)):
        reply.read(canonical.dump(signed), party.identity, public(signer))
    for wrong in ({"copy_to": 3}, {"rewritten": "yes"}, {"after": None}, {"after": ["x"]}):
        body = reply._handover_body(handover(), party.identity) | wrong
        with pytest.raises(NotCanonical):
            reply.read(signing.sign(body, Context.HANDOVER, signer), party.identity, public(signer))


def test_neither_passes_for_the_other(party, signer):
    answer = reply.compose(reply.new_reply("test-unit", DAY, 1, "Words."), party.identity, signer)
    assert isinstance(reply.read(answer, party.identity, public(signer)), reply.Reply)
    signed = canonical.load(reply.compose_handover(handover(), party.identity, signer))
    del signed["body"]["next"]
    with pytest.raises((BadSignature, NotCanonical)):
        reply.read(canonical.dump(signed), party.identity, public(signer))
    signed = canonical.load(answer)
    signed["body"] |= {"next": "other-unit", "standing": []}
    with pytest.raises((BadSignature, NotCanonical)):
        reply.read(canonical.dump(signed), party.identity, public(signer))


def test_another_key_or_another_mailbox_is_refused(party, signer):
    plain = reply.compose_handover(handover(), party.identity, signer)
    with pytest.raises(BadSignature):
        reply.read(plain, party.identity, public(Ed25519PrivateKey.generate()))
    with pytest.raises(BadSignature):
        reply.read(plain, "0" * 32, public(signer))


def test_what_is_no_digest_does_not_stand(party, signer):
    with pytest.raises(NotCanonical):
        reply.read(
            reply.compose_handover(handover(standing=frozenset({"x"})), party.identity, signer),
            party.identity,
            public(signer),
        )


def test_the_digest_of_an_answer_is_that_of_all_that_is_signed(party):
    answer = reply.new_reply("test-unit", DAY, 1, "Words.")
    digests = {
        reply.digest(one, party.identity)
        for one in (
            answer,
            replace(answer, text="Other words."),
            replace(answer, day=date(2026, 11, 25)),
            replace(answer, identity="1" * 32),
            replace(answer, number=2),
        )
    }
    assert len(digests) == 5
    assert reply.digest(answer, "0" * 32) not in digests
