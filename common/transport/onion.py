"""Onion addresses, and the keys that let a client read where a private onion is introduced.

Without such a key a client cannot decrypt the onion's descriptor, so it cannot even begin to call. The pair is made
by the client; the public half goes to the onion's host, the private half never leaves the client.
Source: Tor's rend-spec-v3, "Encoding onion addresses" and "Client authorization"; tor(1), "CLIENT AUTHORIZATION".
"""

import base64
import binascii
import hashlib
from pathlib import Path

KEY_BYTES = 32
_VERSION = b"\x03"
_PUBLIC = "descriptor:x25519:"


class NotAnOnion(ValueError):
    """This is no address of an onion. Copy all of it: 56 letters and digits, then .onion."""

    def __init__(self) -> None:
        super().__init__(str(self.__doc__))


class NotAClientKey(ValueError):
    """This is no line for an onion's client: `descriptor:x25519:` and 52 letters and digits. Copy all of it."""

    def __init__(self) -> None:
        super().__init__(str(self.__doc__))


def onion_address(untrusted: str) -> str:
    """The address `….onion` in small letters, its checksum checked. Raises NotAnOnion."""
    name = untrusted.strip().lower().removesuffix(".onion")
    try:
        octets = base64.b32decode(name.upper())
    except (binascii.Error, ValueError) as error:
        raise NotAnOnion from error
    key, checksum, version = octets[:32], octets[32:34], octets[34:]
    if version != _VERSION or hashlib.sha3_256(b".onion checksum" + key + version).digest()[:2] != checksum:
        raise NotAnOnion
    return f"{name}.onion"


def public_line(public_key: bytes) -> str:
    """The line for the onion's host, whose tor reads it in authorized_clients/NAME.auth. 32 bytes."""
    return _PUBLIC + _base32(public_key)


def read_public_line(untrusted: str) -> bytes:
    """The public key (32 bytes) in a line for the onion's host. Raises NotAClientKey."""
    if not untrusted.startswith(_PUBLIC):
        raise NotAClientKey
    return _key(untrusted.removeprefix(_PUBLIC))


def private_line(address: str, private_key: bytes) -> str:
    """The line for the client's own tor, which reads it in ClientOnionAuthDir/NAME.auth_private. A secret."""
    return f"{address.removesuffix('.onion')}:{_PUBLIC}{_base32(private_key)}"


def read_private_line(untrusted: str) -> tuple[str, bytes]:
    """The onion's address and the private key (32 bytes). Raises NotAClientKey, NotAnOnion."""
    name, _, rest = untrusted.strip().partition(":")
    return onion_address(name), read_public_line(rest)


def public_of(private_key: bytes) -> bytes:
    """The public half of an X25519 private key. Both 32 bytes."""
    # Here, because deploy/install reads this module by a Python that has no packages.
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    return X25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()


def quoted(path: Path) -> str:
    """A path as a torrc takes it, whatever characters it has."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _base32(key: bytes) -> str:
    return base64.b32encode(key).decode("ascii").rstrip("=")


def _key(untrusted: str) -> bytes:
    try:
        key = base64.b32decode(untrusted + "====")
    except (binascii.Error, ValueError) as error:
        raise NotAClientKey from error
    if len(key) != KEY_BYTES or _base32(key) != untrusted:
        raise NotAClientKey
    return key
