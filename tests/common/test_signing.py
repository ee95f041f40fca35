"""Signatures over canonical documents: for one purpose, by one key, of every byte."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from common import canonical, signing
from common.canonical import NotCanonical
from common.contexts import Context
from common.signing import BadSignature

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()
BODY = {"unit": "test-unit", "version": 3, "text": "Grüße"}


def test_what_is_signed_is_read_back():
    assert signing.verify(signing.sign(BODY, Context.POST, KEY), Context.POST, PUBLIC) == BODY


def test_the_signature_is_ed25519_over_context_and_body():
    document = canonical.load(signing.sign(BODY, Context.POST, KEY))
    signature = canonical.octets(document, "signature", 64)
    KEY.public_key().verify(signature, b"candour/1 post\n" + canonical.dump(BODY))


@pytest.mark.parametrize("context", [context for context in Context if context is not Context.POST])
def test_a_signature_for_one_purpose_does_not_pass_for_another(context):
    with pytest.raises(BadSignature):
        signing.verify(signing.sign(BODY, Context.POST, KEY), context, PUBLIC)


@pytest.mark.parametrize("public", [bytes(32), b"x" * 32, b"", PUBLIC[:31], PUBLIC + b"x", b"\xff" * 32])
def test_another_key_or_none_is_refused(public):
    with pytest.raises(BadSignature):
        signing.verify(signing.sign(BODY, Context.POST, KEY), Context.POST, public)


@given(data=st.data())
def test_a_changed_byte_anywhere_is_refused_or_changes_nothing(data):
    signed = bytearray(signing.sign(BODY, Context.POST, KEY))
    at = data.draw(st.integers(0, len(signed) - 1))
    signed[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte != signed[at]))
    with pytest.raises((BadSignature, NotCanonical)):
        signing.verify(bytes(signed), Context.POST, PUBLIC)


@pytest.mark.parametrize(
    "untrusted",
    [
        b"{}",
        b'{"body":{}}',
        b'{"body":[],"signature":""}',
        b'{"body":{},"signature":"AAAA"}',
        b'{"body":{},"signature":1}',
    ],
)
def test_what_is_no_signed_document_is_said_to_be_none(untrusted):
    with pytest.raises(NotCanonical):
        signing.verify(untrusted, Context.POST, PUBLIC)


def test_the_body_can_be_looked_at_before_to_learn_whose_key_to_take():
    assert signing.read_unverified(signing.sign(BODY, Context.POST, KEY)) == BODY
    with pytest.raises(NotCanonical):
        signing.read_unverified(b"junk")
