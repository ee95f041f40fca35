"""What only a codename can write: who holds the conversation, and what was deleted."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import canonical
from common.canonical import NotCanonical
from common.conversation import mailbox, reply
from common.conversation.destination import Destination
from common.conversation.header import (
    MOST_MARKS,
    Deleted,
    Header,
    compose_deleted,
    compose_header,
    read_header,
)
from common.conversation.header import read_deleted as read_loaded
from common.conversation.links import MOST_HANDOVERS
from common.days import today
from common.names import LONGEST_ID
from common.report.padding import REPLY_PLAINTEXT_BYTES
from common.signing import BadSignature

PLAIN = Header("f" * 64, Destination("test-unit"))
BOTH = Header("e" * 64, Destination("b", "s", involved=True), 7, ("a",))
LONGEST = Header(
    first_link="f" * 64,
    destination=Destination(
        "u" * LONGEST_ID, "s" * LONGEST_ID, "k" * LONGEST_ID, involved=False
    ),  # the longer word
    sequence=2**40 + mailbox.MESSAGE_SLOTS,
    before=("h" * LONGEST_ID,) * MOST_HANDOVERS,
    marks=("e" * reply.MARK_DIGITS,) * MOST_MARKS,
)


def read_deleted(untrusted, key):
    return read_loaded(canonical.load(untrusted), key)


GONE = Deleted("test-unit", 3, "a" * 64)


@pytest.mark.parametrize("header", [PLAIN, BOTH, LONGEST])
def test_a_header_is_read_back_and_the_longest_there_can_be_has_the_same_size(party, header):
    plain = compose_header(header, party.secrets.header_key)
    assert len(plain) == REPLY_PLAINTEXT_BYTES
    opened = party.key.open(mailbox.seal(plain, party.public))
    assert read_header(opened, party.secrets.header_key) == header


def test_what_is_left_of_a_deleted_answer_is_read_back(party):
    plain = compose_deleted(GONE, party.secrets.header_key)
    assert len(plain) == REPLY_PLAINTEXT_BYTES
    assert read_deleted(plain, party.secrets.header_key) == GONE


def test_under_any_other_key_both_are_refused(party, other_party):
    secrets = party.secrets
    for key in (
        other_party.secrets.header_key,
        secrets.mailbox_key,
        secrets.receipt_key,
        secrets.header_tag_key,
    ):
        with pytest.raises(BadSignature):
            read_header(compose_header(PLAIN, secrets.header_key), key)
        with pytest.raises(BadSignature):
            read_deleted(compose_deleted(GONE, secrets.header_key), key)


@given(at=st.integers(0, 400), bit=st.integers(0, 7))
def test_a_changed_one_is_refused(party, at, bit):
    key = party.secrets.header_key
    for plain, read in (
        (compose_header(PLAIN, key), read_header),
        (compose_deleted(GONE, key), read_deleted),
    ):
        changed = bytearray(plain)
        changed[at % len(plain.rstrip())] ^= 1 << bit
        with pytest.raises((BadSignature, NotCanonical)):
            read(bytes(changed), key)


def test_none_of_what_lies_in_a_mailbox_passes_for_another(party, signer):
    key = party.secrets.header_key
    answer = reply.compose(reply.new_reply("test-unit", today(), 1, "Words."), party.identity, signer)
    for plain in (answer, compose_deleted(GONE, key)):
        with pytest.raises((BadSignature, NotCanonical)):
            read_header(plain, key)
    for plain in (answer, compose_header(PLAIN, key)):
        with pytest.raises((BadSignature, NotCanonical)):
            read_deleted(plain, key)
        if plain is not answer:
            with pytest.raises((BadSignature, NotCanonical)):
                reply.read(plain, party.identity, signer.public_key().public_bytes_raw())


def test_a_header_with_too_many_holders_is_none(party):
    key, before = party.secrets.header_key, ("u",) * (MOST_HANDOVERS + 1)
    with pytest.raises(NotCanonical):
        read_header(compose_header(replace(PLAIN, before=before), key), key)


@pytest.mark.parametrize(
    "untrusted",
    [
        b"",
        b" " * 8192,
        b"junk",
        b'{"body":{"unit":"\\ud800"},"mac":""}',
        b'{"body":{"unit":"u"},"mac":"AAAA"}',
        b'{"body":' * 1000 + b"}" * 1000,
    ],
    ids=range(6),
)
def test_whatever_else_could_lie_there_is_refused(party, untrusted):
    for read in (read_header, read_deleted):
        with pytest.raises((BadSignature, NotCanonical)):
            read(untrusted, party.secrets.header_key)
    with pytest.raises((BadSignature, NotCanonical)):
        reply.read(untrusted, party.identity, bytes(32))
