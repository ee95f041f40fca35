"""Ed25519 signatures (RFC 8032) over canonical documents, each with a context.

The context is signed along, so that a signature made for one purpose never passes for another.
"""

from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from common import canonical
from common.contexts import Context

PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64


class BadSignature(Exception):
    """The signature does not hold: this was altered, or signed by someone else."""


def sign(body: dict[str, Any], context: Context, key: Ed25519PrivateKey) -> bytes:
    """A signed document: canonical JSON with `body` and `signature`."""
    signature = key.sign(_message(body, context))
    return canonical.dump({"body": body, "signature": canonical.encode(signature)})


def read_unverified(untrusted: bytes) -> dict[str, Any]:
    """The body, signature not looked at: only to learn whose key to verify with. Raises NotCanonical."""
    return canonical.inner(canonical.load(untrusted), "body")


def verify(untrusted: bytes, context: Context, public_key: bytes) -> dict[str, Any]:
    """The body of a signed document. Raises BadSignature, or NotCanonical where it is no such document."""
    return verify_document(canonical.load(untrusted), context, public_key)


def verify_document(document: dict[str, Any], context: Context, public_key: bytes) -> dict[str, Any]:
    """The same of a document that was loaded already."""
    body = canonical.inner(document, "body")
    signature = canonical.octets(document, "signature", SIGNATURE_BYTES)
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, _message(body, context))
    except (InvalidSignature, ValueError) as error:
        raise BadSignature from error
    return body


def _message(body: dict[str, Any], context: Context) -> bytes:
    return context.line + canonical.dump(body)
