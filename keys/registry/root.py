"""The registry's root key: whoever has it decides whom reports are sealed to. It lives offline."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keys.private_key import write_private_key


def new_root(key_file: Path, passphrase: str | None = None) -> bytes:
    """Make the root key, write its private half to a new file (0600), return the public one: 32 bytes."""
    key = Ed25519PrivateKey.generate()
    write_private_key(key_file, key, passphrase)
    return key.public_key().public_bytes_raw()
