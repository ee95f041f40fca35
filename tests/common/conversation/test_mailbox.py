"""The mailbox: tags that nobody can link, and items that only their codename opens."""

import hashlib
import hmac
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.conversation.mailbox import NotForThisMailbox, ReplyKey, draw_candidates, seal, tags
from common.secret import Secret

PLAIN = bytes(range(256)) * 32


def test_all_tags_of_two_conversations_are_different(party, other_party):
    found = [
        tag
        for one in (party, other_party)
        for key in (one.secrets.receipt_key, one.secrets.mailbox_key, one.secrets.header_tag_key)
        for tag in tags(key)
    ]
    assert len(set(found)) == len(found) == 6 * 256
    assert {len(tag) for tag in found} == {16}


def test_the_tags_are_what_rfc_5869_expands_the_key_to(party):
    key, info = party.secrets.mailbox_key.reveal(), b"candour/1 tags"
    blocks, block = [], b""
    for number in range(1, 129):
        block = hmac.new(key, block + info + bytes([number]), hashlib.sha256).digest()
        blocks += [block[:16], block[16:]]
    assert tags(party.secrets.mailbox_key) == blocks


def test_the_first_of_them_are_the_same_however_many_are_asked_for(party):
    assert tags(party.secrets.header_tag_key, 128) == tags(party.secrets.header_tag_key)[:128]


@given(st.frozensets(st.integers(0, 255), max_size=253))
def test_candidates_are_three_free_slots(used):
    drawn = draw_candidates(Secret(bytes(32)), used)
    assert len(set(drawn)) == 3
    assert not set(drawn) & used
    assert all(0 <= slot < 256 for slot in drawn)


def test_every_slot_is_drawn_sooner_or_later():
    drawn = {slot for _ in range(2000) for slot in draw_candidates(Secret(bytes(32)))}
    assert drawn == set(range(256))


def test_a_full_mailbox_says_so():
    with pytest.raises(ValueError, match="no reply slots left"):
        draw_candidates(Secret(bytes(32)), frozenset(range(254)))


def test_the_key_follows_from_the_seed_and_nothing_else(party, other_party):
    assert ReplyKey(party.secrets.reply_seed).public() == party.public
    assert party.public != other_party.public
    assert len(party.public) == 1216
    for length in (0, 95, 97):
        with pytest.raises(ValueError, match="96 bytes"):
            ReplyKey(Secret(bytes(length)))


def test_what_is_sealed_opens_and_has_one_size(party):
    sealed = seal(PLAIN, party.public)
    assert len(sealed) == 9328
    assert party.key.open(sealed) == PLAIN


def test_the_same_item_sealed_twice_looks_different(party):
    assert seal(PLAIN, party.public)[:64] != seal(PLAIN, party.public)[:64]


@pytest.mark.parametrize("length", [0, 8191, 8193])
def test_an_item_of_another_size_is_not_sealed(party, length):
    with pytest.raises(ValueError, match="8192"):
        seal(bytes(length), party.public)


@pytest.mark.parametrize("key", [b"", bytes(1215), bytes(1217), b"\xff" * 1216, bytes(1216)], ids=range(5))
def test_a_key_that_is_none_is_refused(key):
    with pytest.raises(ValueError):
        seal(PLAIN, key)


def test_another_conversation_does_not_open_it(party, other_party):
    with pytest.raises(NotForThisMailbox):
        other_party.key.open(seal(PLAIN, party.public))


@given(at=st.integers(0, 9328 * 8 - 1))
def test_a_flipped_bit_anywhere_does_not_open(party, at):
    sealed = bytearray(seal(PLAIN, party.public))
    sealed[at // 8] ^= 1 << at % 8
    with pytest.raises(NotForThisMailbox):
        party.key.open(bytes(sealed))


@pytest.mark.parametrize("change", [lambda c: c[:-1], lambda c: c + b"x", lambda c: c[:1120], lambda c: b""])
def test_a_cut_or_longer_item_does_not_open(party, change):
    with pytest.raises(NotForThisMailbox):
        party.key.open(change(seal(PLAIN, party.public)))


def test_random_bytes_do_not_open(party):
    drawn = random.Random(5)  # noqa: S311  # the same draw every time
    for junk in (bytes(9328), b"\xff" * 9328, *(drawn.randbytes(9328) for _ in range(50))):
        with pytest.raises(NotForThisMailbox):
            party.key.open(junk)


def test_keys_print_as_nothing(party):
    seed = party.secrets.reply_seed.reveal()
    assert seed.hex()[:16] not in repr(party.key) + str(vars(party.key))
    assert repr(seed[:8])[2:-1] not in repr(party)
