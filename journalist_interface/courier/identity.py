"""Who a courier is: a key that the registry enrols for one unit. It signs requests and bundles, and opens nothing."""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from http_message_signatures import HTTPMessageSigner, MappingKeyResolver, algorithms

from journalist_interface.courier.errors import BadCourierKey

TAG = "candour-courier"
_COVERED = ("@method", "@authority", "@path")


@dataclass(frozen=True)
class Identity:
    """A courier's key and the id it is enrolled under."""

    key_id: str
    key: Ed25519PrivateKey = field(repr=False)

    @property
    def public(self) -> bytes:
        """The public key: 32 bytes."""
        return self.key.public_key().public_bytes_raw()

    def sign(
        self, request: requests.PreparedRequest, start_mark: str, created: datetime | None = None
    ) -> None:
        """Sign a request (RFC 9421), its body by Content-Digest; `start_mark`: what its nonce begins with."""
        signer = HTTPMessageSigner(
            signature_algorithm=algorithms.ED25519,
            key_resolver=MappingKeyResolver(public_keys={}, private_keys={self.key_id: self.key}),
        )
        body = request.body if isinstance(request.body, bytes) and request.body else None
        signer.sign(
            request,
            key_id=self.key_id,
            created=created or datetime.now(UTC),
            nonce=start_mark + secrets.token_hex(16),
            label="candour",
            tag=TAG,
            covered_component_ids=(*_COVERED, *(["@query"] if "?" in str(request.url) else [])),
            body=body,
        )


def read_identity(file: Path, key_id: str) -> Identity:
    """The identity whose private key is in a PEM file. Raises BadCourierKey."""
    try:
        key = load_pem_private_key(file.read_bytes(), None)
    except OSError as error:
        raise BadCourierKey(
            f"The courier's key {file} cannot be read. Check `key` in courier.toml."
        ) from error
    except (ValueError, TypeError) as error:
        raise BadCourierKey(
            f"{file} is no private key, or has a passphrase. Check `key` in courier.toml."
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BadCourierKey(f"{file} is not an Ed25519 key. Check `key` in courier.toml.")
    return Identity(key_id, key)
