"""Ed25519 private keys as files: PEM (PKCS #8, RFC 5958), readable by their owner alone."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from common.durable import write_new


class NoSuchKey(Exception):
    """The private key cannot be read. Check the file and its passphrase."""


def write_private_key(file: Path, key: Ed25519PrivateKey, passphrase: str | None = None) -> None:
    """Write a private key to a new file, mode 0600. Raises FileExistsError: a key is never overwritten."""
    protection: KeySerializationEncryption = NoEncryption()
    if passphrase:
        protection = BestAvailableEncryption(passphrase.encode())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)
    write_new(file, pem)


def read_private_key(file: Path, passphrase: str | None = None) -> Ed25519PrivateKey:
    """The private key in a file. Raises NoSuchKey."""
    try:
        return parse_private_key(file.read_bytes(), passphrase)
    except OSError as error:
        raise NoSuchKey(f"{file} cannot be read") from error


def parse_private_key(pem: bytes, passphrase: str | None = None) -> Ed25519PrivateKey:
    """The private key in PEM bytes. Raises NoSuchKey."""
    try:
        key = load_pem_private_key(pem, passphrase.encode() if passphrase else None)
    except (ValueError, TypeError) as error:
        raise NoSuchKey("this is no private key, or its passphrase is another") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise NoSuchKey("this is not an Ed25519 key")
    return key


def pem(key: Ed25519PrivateKey) -> bytes:
    """The key as PEM without protection of its own: only to be sealed at once."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
