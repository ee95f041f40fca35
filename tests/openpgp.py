"""OpenPGP packets as a hostile sender puts them together: whatever gpg would never write (RFC 9580).

What is sealed begins with the session key of a message that gpg itself made, so that the unit's own key opens it.
"""

import hashlib
import io
import os
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from common.gpg.runner import gpg_environment

SESSION_KEY, PASSPHRASE, COMPRESSED, MARKER, LITERAL, SEALED = 1, 3, 8, 10, 11, 18
ZIP, ZLIB, BZIP2 = 1, 2, 3


def packet(tag: int, body: bytes) -> bytes:
    """A packet with its header in the present form (RFC 9580, 4.2.1)."""
    return bytes([0xC0 | tag, 0xFF]) + len(body).to_bytes(4) + body


def literal(content: bytes, name: bytes = b"", kind: bytes = b"b") -> bytes:
    """Content as it is (5.9)."""
    return packet(LITERAL, kind + bytes([len(name)]) + name + bytes(4) + content)


def compressed(packets: bytes, algorithm: int = ZLIB, content: bytes | None = None) -> bytes:
    """Packets, or what a caller compressed by other means (5.6)."""
    return packet(
        COMPRESSED, bytes([algorithm]) + (zlib.compress(packets, 9) if content is None else content)
    )


def bomb(unit: bytes, times: int) -> bytes:
    """The same packets again and again, compressed with zlib without ever being whole in memory."""
    squeeze = zlib.compressobj(9)
    block = unit * (1 + 100_000 // len(unit))
    pieces = [squeeze.compress(block) for _ in range(times * len(unit) // len(block))]
    return compressed(b"", content=b"".join(pieces) + squeeze.flush())


def by_passphrase() -> bytes:
    """A session key that is derived from a passphrase (5.3): AES-256, SHA-256, salted and iterated."""
    return packet(PASSPHRASE, bytes([4, 9, 3, 8]) + b"saltsalt" + b"\x60")


@dataclass(frozen=True)
class Recipient:
    """A session key, and the packet that gives it to a key: what anybody can make who has the certificate."""

    packet: bytes
    key: bytes

    def seal(self, packets: bytes, before: bytes = b"") -> bytes:
        """These packets, whatever they are, as gpg would encrypt them (5.13); `before`: further session keys."""
        return before + self.packet + packet(SEALED, b"\x01" + self._encrypted(packets))

    def _encrypted(self, packets: bytes) -> bytes:
        start = os.urandom(16)
        content = start + start[-2:] + packets + b"\xd3\x14"
        content += hashlib.sha1(content).digest()  # noqa: S324  the format's
        cipher = Cipher(algorithms.AES256(self.key), modes.CFB(bytes(16))).encryptor()
        return cipher.update(content) + cipher.finalize()


def recipient(home: Path, sealed: bytes) -> Recipient:
    """What a message that gpg sealed to one key of this home begins with."""
    shown = subprocess.run(
        ["gpg", "--homedir", home, "--batch", "--show-session-key", "--decrypt"],
        input=sealed,
        capture_output=True,
        check=True,
        env=gpg_environment(),
    ).stderr.decode()
    [key] = [line.rpartition(":")[2].strip(" '") for line in shown.splitlines() if "session key:" in line]
    return Recipient(_first_packet(sealed), bytes.fromhex(key))


def _first_packet(message: bytes) -> bytes:
    """gpg writes a session key with an old header and one octet of length."""
    stream = io.BytesIO(message)
    tag, length = stream.read(2)
    assert tag == 0x84, hex(tag)
    return message[: 2 + length]
