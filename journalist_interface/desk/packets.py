"""A look at the outside of an OpenPGP message that anybody may have written, before gpg is given it.

gpg tries each session key with each key it has, and asks the person at the desk for each passphrase that a message
wants. So a message is opened only when it is sealed to keys, and to no more than a few dozen. Nothing is decrypted
here; RFC 9580, sections 4.2 (packet headers), 6.2 (armour) and 10.3 (what a message is).
"""

import base64
import binascii

MOST_KEYS = 32
_BEGIN, _END = b"-----BEGIN PGP MESSAGE-----", b"-----END"
_FOR_A_KEY, _FOR_A_PASSPHRASE = 1, 3
_SEALED_DATA = frozenset({9, 18, 20})
_SAYS_NOTHING = frozenset({10, 21})  # marker and padding


class NotOpenedHere(Exception):
    """This is not given to gpg. The message says why, and what to do."""


def without_armour(untrusted: bytes) -> bytes:
    """The packets of a message, armoured or not. Raises NotOpenedHere."""
    _, begun, rest = untrusted.partition(_BEGIN)
    if not begun:
        return untrusted
    lines = [line.strip() for line in rest.partition(_END)[0].splitlines()]
    body = b"".join(line for line in lines if b":" not in line and not _is_checksum(line))
    try:
        return base64.b64decode(body)
    except binascii.Error as error:
        raise NotOpenedHere("It is damaged, or was cut short. Ask for it again.") from error


def check(untrusted: bytes) -> None:
    """Raises NotOpenedHere unless the packets are a message sealed to a few keys, and to no passphrase."""
    at = keys = 0
    try:
        while True:
            tag, begin, end = _header(untrusted, at)
            if tag in _SEALED_DATA and keys:
                return
            if tag == _FOR_A_PASSPHRASE:
                raise NotOpenedHere(
                    "It is sealed with a passphrase and not to your unit’s certificate. Copy it, and open it with "
                    "gpg, if you know who gave you the passphrase."
                )
            if tag not in _SAYS_NOTHING | {_FOR_A_KEY} or end is None or end <= begin:
                raise NotOpenedHere("It is not a sealed message.")
            keys += tag == _FOR_A_KEY
            if keys > MOST_KEYS:
                raise NotOpenedHere(
                    f"It is sealed to more than {MOST_KEYS} keys, and trying them all would keep the desk busy. "
                    "Copy it, and open it with gpg."
                )
            at = end
    except IndexError:
        raise NotOpenedHere("It is not a sealed message, or was cut short.") from None


def _is_checksum(line: bytes) -> bool:
    return len(line) == len("=abcd") and line.startswith(b"=")


def _header(packets: bytes, at: int) -> tuple[int, int, int | None]:
    """The packet that begins at `at`: its tag, and where its content begins and ends (None: it does not say)."""
    first = packets[at]
    if not first & 0x80:
        raise IndexError
    if not first & 0x40:
        octets = (1, 2, 4, 0)[first & 3]
        begin = at + 1 + octets
        tag = first >> 2 & 0x0F
        return tag, begin, begin + int.from_bytes(packets[at + 1 : begin]) if octets else None
    tag, length = first & 0x3F, packets[at + 1]
    if length < 192:
        return tag, at + 2, at + 2 + length
    if length < 224:
        return tag, at + 3, at + 3 + ((length - 192) << 8) + packets[at + 2] + 192
    if length < 255:
        return tag, at + 2, None  # in parts
    return tag, at + 6, at + 6 + int.from_bytes(packets[at + 2 : at + 6])
