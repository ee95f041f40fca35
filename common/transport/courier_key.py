"""A courier's key: it signs requests to the collection, and the bundles carried to the desk.

It is made on the courier's own machine. Its card, with the public half alone, goes to whoever signs the registry.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from common import canonical
from common.durable import write_new


@dataclass(frozen=True)
class NewCourier:
    """What is enrolled in the registry. `key_id`: 16 hex digits of the public key's SHA-256."""

    key_id: str
    public_key: bytes


@dataclass(frozen=True)
class CourierCard:
    """A courier's public key (32 bytes), and the unit it is for."""

    unit: str
    key_id: str
    public_key: bytes

    def document(self) -> bytes:
        """The card as it travels: a canonical JSON object."""
        public_key = canonical.encode(self.public_key)
        return canonical.dump(
            {"card": "courier", "unit": self.unit, "key_id": self.key_id, "public_key": public_key}
        )


def new_courier(key_file: Path) -> NewCourier:
    """Make a courier's key and write its private half to a new file (PEM, 0600). Raises FileExistsError."""
    key = Ed25519PrivateKey.generate()
    write_new(key_file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = key.public_key().public_bytes_raw()
    return NewCourier(key_id_of(public), public)


def key_id_of(public_key: bytes) -> str:
    """The id under which a courier's public key (32 bytes) is enrolled."""
    return hashlib.sha256(public_key).hexdigest()[:16]
