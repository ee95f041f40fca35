"""A courier's key: it signs requests to the collection, and the bundles carried to the desk."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keys.private import write_private_key


@dataclass(frozen=True)
class NewCourier:
    """What is enrolled in the registry. `key_id`: 16 hex digits of the public key's SHA-256."""

    key_id: str
    public_key: bytes


def new_courier(key_file: Path) -> NewCourier:
    """Make a courier's key and write its private half to a new file (0600)."""
    key = Ed25519PrivateKey.generate()
    write_private_key(key_file, key)
    public = key.public_key().public_bytes_raw()
    return NewCourier(hashlib.sha256(public).hexdigest()[:16], public)
