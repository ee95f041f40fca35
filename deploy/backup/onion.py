"""The address of an onion service, from its public key. Source: tor's rend-spec-v3, "Encoding onion addresses"."""

import base64
import hashlib

_HEAD = b"== ed25519v1-public: type0 ==\0\0\0"
_VERSION = b"\x03"
_KEY_BYTES = 32


def address_of(key_file: bytes) -> str:
    """The address for the content of hs_ed25519_public_key. Raises ValueError."""
    head, key = key_file[: len(_HEAD)], key_file[len(_HEAD) :]
    if head != _HEAD or len(key) != _KEY_BYTES:
        raise ValueError("not tor's public key of an onion service")
    checksum = hashlib.sha3_256(b".onion checksum" + key + _VERSION).digest()[:2]
    return base64.b32encode(key + checksum + _VERSION).decode("ascii").lower() + ".onion"
