"""A reply on its way: what the collection takes from a courier that may be anyone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import canonical, outgoing
from common.canonical import NotCanonical
from common.outgoing import OutgoingReply
from common.padding import REPLY_CIPHERTEXT_BYTES

TAGS = (b"a" * 16, b"b" * 16, b"c" * 16)
CIPHERTEXT = bytes(REPLY_CIPHERTEXT_BYTES)
GOOD = OutgoingReply(TAGS, CIPHERTEXT)


def written(**changed):
    return canonical.dump({**canonical.load(outgoing.dump(GOOD)), **changed})


def test_a_reply_is_read_back_and_keeps_its_order():
    assert outgoing.load(outgoing.dump(GOOD)) == GOOD
    assert outgoing.load(outgoing.dump(OutgoingReply(TAGS[::-1], CIPHERTEXT))).candidates == TAGS[::-1]
    assert len(outgoing.dump(GOOD)) < outgoing.MOST_BYTES


@pytest.mark.parametrize(
    "candidates",
    [
        [],
        [canonical.encode(tag) for tag in TAGS[:2]],
        [canonical.encode(tag) for tag in (*TAGS, b"d" * 16)],
        [canonical.encode(tag) for tag in (TAGS[0], TAGS[1], TAGS[1])],
        [canonical.encode(tag) for tag in (b"a" * 15, *TAGS[1:])],
        [1, 2, 3],
        ["é", "b", "c"],
        "abc",
        None,
    ],
    ids=range(9),
)
def test_candidates_that_are_not_three_different_tags_are_refused(candidates):
    with pytest.raises(NotCanonical):
        outgoing.load(written(candidates=candidates))


@pytest.mark.parametrize("length", [0, REPLY_CIPHERTEXT_BYTES - 1, REPLY_CIPHERTEXT_BYTES + 1])
def test_a_ciphertext_of_another_size_is_refused(length):
    with pytest.raises(NotCanonical):
        outgoing.load(written(ciphertext=canonical.encode(bytes(length))))


def test_what_is_too_large_is_refused_unread():
    with pytest.raises(NotCanonical, match="too large"):
        outgoing.load(outgoing.dump(GOOD) + b" " * outgoing.MOST_BYTES)


@given(st.binary(max_size=200))
def test_junk_is_refused(junk):
    with pytest.raises(NotCanonical):
        outgoing.load(junk)


def test_a_reply_prints_as_nothing():
    assert repr(GOOD) == "OutgoingReply()"
