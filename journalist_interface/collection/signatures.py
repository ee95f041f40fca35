"""Whose request this is: HTTP Message Signatures (RFC 9421) with Ed25519, by a key that the registry enrols.

The signature covers the method, the authority, the path, the query where there is one, and by its Content-Digest
(RFC 9530) the body where there is one. An unknown key and a signature that does not hold get one response; only a
signature that holds is told that its time or its nonce is wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from flask import Request
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    algorithms,
)
from werkzeug.exceptions import RequestEntityTooLarge

from common.registry.registry import Registry, UnknownUnit
from common.transport import post
from journalist_interface.collection.errors import Refused
from journalist_interface.collection.freshness import Freshness

TAG = "candour-courier"
_ALWAYS = ("@method", "@authority", "@path")

UNSIGNED = "This request is not signed. Sign it with the courier's key, as RFC 9421 says."
DOES_NOT_HOLD = "The signature does not hold. Check the courier's key and its key id against the registry."


def verify(request: Request, registry: Registry, freshness: Freshness, most: int = post.MOST_BYTES) -> str:
    """The id of the unit whose courier signed this request, now and for the first time. Raises Refused.

    `most`: bytes that its body may have.
    """
    if "Signature" not in request.headers or "Signature-Input" not in request.headers:
        raise Refused(401, UNSIGNED)
    body = request.get_data(cache=True)  # cut off at MAX_CONTENT_LENGTH where its length is not given before
    if len(body) > most:
        raise RequestEntityTooLarge
    message = _message(request)
    required = [*_ALWAYS]
    if "?" in message.url:
        required.append("@query")
    if body:
        required.append("content-digest")
    verifier = _Verifier(signature_algorithm=algorithms.ED25519, key_resolver=_CourierKeys(registry))
    try:
        results = verifier.verify(
            message, max_age=None, expect_tag=TAG, require_components=required, body=body
        )
        if len(results) != 1:
            raise Refused(401, DOES_NOT_HOLD)
        signed = results[0].parameters
        key_id, nonce, created = str(signed["keyid"]), str(signed["nonce"]), int(signed["created"])
        expires = int(signed["expires"]) if "expires" in signed else None
        unit, _ = registry.courier(key_id)
    except (HTTPMessageSignaturesException, UnknownUnit, KeyError) as error:
        raise Refused(401, DOES_NOT_HOLD) from error
    freshness.admit(key_id, nonce, created, expires)
    return unit.id


@dataclass(frozen=True)
class _Message:
    """A request as the verifier takes it."""

    method: str
    url: str
    headers: Mapping[str, str]


def _message(request: Request) -> _Message:
    """The request as it came over the wire, its path not decoded. Raises Refused."""
    target = str(request.environ.get("RAW_URI", ""))
    if not target.startswith("/"):
        raise Refused(401, DOES_NOT_HOLD)
    headers = dict(request.headers.items())
    return _Message(request.method, f"http://{headers.get('Host', '')}{target}", headers)


class _Verifier(HTTPMessageVerifier):
    """The library's verifier, without its look at the clock: Freshness does that, once the signature holds."""

    def validate_created_and_expires(self, sig_input: object, max_age: object = None) -> None:
        """See Freshness.admit; a signature without `created` or `nonce` is refused in `verify`."""


class _CourierKeys(HTTPSignatureKeyResolver):
    """The keys that a registry enrols."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def resolve_public_key(self, key_id: str) -> Ed25519PublicKey | None:
        try:
            _, public = self._registry.courier(key_id)
        except UnknownUnit:
            return None
        return Ed25519PublicKey.from_public_bytes(public)
