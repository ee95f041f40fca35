"""What a desk signs for the servers: read back as it was, or refused."""

from datetime import date

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.canonical import NotCanonical
from common.report.padding import REPLY_CIPHERTEXT_BYTES
from common.signing import BadSignature
from common.transport import post

DAY = date(2026, 11, 28)
KEY = Ed25519PrivateKey.generate()
PUBLIC = KEY.public_key().public_bytes_raw()
TAGS = tuple(bytes([n]) * 16 for n in range(3))
HELD = {f"{n:032x}": f"{n:064x}" for n in range(post.MOST_RECEIPTS)}


def reply(tags=TAGS, ciphertext=bytes(REPLY_CIPHERTEXT_BYTES)):
    return post.sign_reply("demo", DAY, tags, ciphertext, KEY)


def test_a_reply_is_read_back_as_it_was_signed():
    assert post.read(reply(), PUBLIC) == post.ReplyPost("demo", DAY, TAGS, bytes(REPLY_CIPHERTEXT_BYTES))


def test_as_many_receipts_as_a_post_may_have_fit_and_are_read_back():
    signed = post.sign_receipts("demo", DAY, HELD, KEY)
    assert len(signed) <= post.MOST_BYTES
    assert post.read(signed, PUBLIC) == post.ReceiptsPost("demo", DAY, HELD)


@pytest.mark.parametrize("held", [{}, HELD | {"f" * 32: "0" * 64}])
def test_no_receipts_and_too_many_are_not_signed(held):
    with pytest.raises(ValueError):
        post.sign_receipts("demo", DAY, held, KEY)


@pytest.mark.parametrize(
    "document",
    [
        reply(tags=TAGS[:2]),
        reply(tags=(TAGS[0], *TAGS[:2])),
        reply(ciphertext=bytes(REPLY_CIPHERTEXT_BYTES - 1)),
        post.sign_receipts("demo", DAY, {"../../etc/passwd": "0" * 64}, KEY),
        post.sign_receipts("demo", DAY, {"0" * 32: "0" * 63}, KEY),
        b"[" * post.MOST_BYTES,
        b"x" * (post.MOST_BYTES + 1),
    ],
)
def test_what_no_desk_would_sign_is_refused(document):
    with pytest.raises(NotCanonical):
        post.read(document, PUBLIC)


def test_what_another_signed_or_changed_is_refused():
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    with pytest.raises(BadSignature):
        post.read(reply(), other)
    with pytest.raises(BadSignature):
        post.read(reply().replace(b'"demo"', b'"dome"'), PUBLIC)
