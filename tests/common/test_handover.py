"""A handover: whose it is, for which conversation, and which answers stand, whatever its signer does afterwards."""

from dataclasses import replace
from datetime import date

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common import canonical, reply, signing
from common.canonical import NotCanonical
from common.padding import REPLY_PLAINTEXT_BYTES
from common.reply import AnswerTooLong, Handover
from common.signing import BadSignature

DAY = date(2026, 11, 24)


def handover(**changed):
    return replace(Handover("0" * 32, "test-unit", "other-unit", DAY, frozenset({"ab" * 32})), **changed)


def public(key):
    return key.public_key().public_bytes_raw()


def test_a_handover_has_the_size_of_an_answer_and_comes_back_whole(party, signer):
    plain = reply.compose_handover(handover(), party.public, signer)
    assert len(plain) == REPLY_PLAINTEXT_BYTES
    assert reply.claimed_unit(plain) == "test-unit"
    assert reply.read_any(plain, party.public, public(signer)) == handover()


def test_as_many_answers_can_stand_as_a_mailbox_can_hold(party, signer):
    most = frozenset(f"{number:064x}" for number in range(85))  # three candidate slots each, of 255
    assert reply.read_any(
        reply.compose_handover(handover(standing=most), party.public, signer), party.public, public(signer)
    ) == handover(standing=most)
    with pytest.raises(AnswerTooLong):
        reply.compose_handover(
            handover(standing=frozenset(f"{n:064x}" for n in range(200))), party.public, signer
        )


@pytest.mark.parametrize("changed", [{"copy_to": "other-body"}, {"rewritten": True}])
def test_who_got_a_copy_and_whether_it_was_rewritten_is_signed_with_the_rest(party, signer, changed):
    plain = reply.compose_handover(handover(**changed), party.public, signer)
    assert len(plain) == REPLY_PLAINTEXT_BYTES
    assert reply.read_any(plain, party.public, public(signer)) == handover(**changed)
    assert reply.mark(handover(**changed), party.public) != reply.mark(handover(), party.public)
    signed = canonical.load(plain)
    for key in changed:
        del signed["body"][key]
    with pytest.raises(BadSignature):
        reply.read_any(canonical.dump(signed), party.public, public(signer))
    for wrong in ({"copy_to": 3}, {"rewritten": "yes"}):
        body = reply._handover_body(handover(), party.public) | wrong
        with pytest.raises(NotCanonical):
            reply.read_any(signing.sign(body, reply._HANDOVER, signer), party.public, public(signer))


def test_neither_passes_for_the_other(party, signer):
    answer = reply.compose(reply.new_reply("test-unit", DAY, "Words."), party.public, signer)
    assert isinstance(reply.read_any(answer, party.public, public(signer)), reply.Reply)
    with pytest.raises(BadSignature):
        reply.read(reply.compose_handover(handover(), party.public, signer), party.public, public(signer))
    signed = canonical.load(answer)
    signed["body"] |= {"next": "other-unit", "standing": []}
    with pytest.raises(BadSignature):
        reply.read_any(canonical.dump(signed), party.public, public(signer))


def test_another_key_or_another_mailbox_is_refused(party, signer):
    plain = reply.compose_handover(handover(), party.public, signer)
    with pytest.raises(BadSignature):
        reply.read_any(plain, party.public, public(Ed25519PrivateKey.generate()))
    with pytest.raises(BadSignature):
        reply.read_any(plain, bytes(len(party.public)), public(signer))


def test_what_is_no_digest_does_not_stand(party, signer):
    with pytest.raises(NotCanonical):
        reply.read_any(
            reply.compose_handover(handover(standing=frozenset({"x"})), party.public, signer),
            party.public,
            public(signer),
        )


def test_the_digest_of_an_answer_is_that_of_all_that_is_signed(party):
    answer = reply.new_reply("test-unit", DAY, "Words.")
    digests = {
        reply.digest(one, party.public)
        for one in (
            answer,
            replace(answer, text="Other words."),
            replace(answer, day=date(2026, 11, 25)),
            replace(answer, identity="1" * 32),
        )
    }
    assert len(digests) == 4
    assert reply.digest(answer, bytes(len(party.public))) not in digests
