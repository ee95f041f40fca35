"""The mailbox of a conversation: its slots, and the sealing and opening of what lies in them.

A codename has 256 receipt tags, 256 reply tags and 128 header tags, each kind from a key of its own. A tag is 16 bytes
of what HKDF-SHA256 expands that key to (RFC 5869): who has the key knows all of them at once, who has not sees random
numbers. A message takes one of the first 128 receipt slots, and where it is sealed twice, its second copy the one 128
above; its header has the tag of the same number. A unit has the key of the reply tags alone.

Every item is exactly 8 KiB of plaintext, sealed with HPKE (RFC 9180, single shot, base mode; KEM ML-KEM-768 +
X25519, HKDF-SHA256, ChaCha20-Poly1305) to a key pair that follows from the codename. The ciphertext is bound to
no tag, so that a reply can take whichever of its candidate slots is free.
"""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from common.contexts import Context
from common.conversation.derivation import REPLY_SEED_BYTES
from common.report.padding import REPLY_CIPHERTEXT_BYTES, REPLY_PLAINTEXT_BYTES
from common.secret import Secret

SLOTS = 256
MESSAGE_SLOTS = SLOTS // 2  # receipt slots of messages; the others are those of their second copies
TAG_BYTES = 16
CANDIDATES = 3  # slots a reply may take: the offline desk cannot see which are free

_MLKEM_SEED_BYTES = 64
_MLKEM_PUBLIC_BYTES = 1184
REPLY_PUBLIC_KEY_BYTES = _MLKEM_PUBLIC_BYTES + 32

_SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


class NotForThisMailbox(Exception):
    """This item does not open with this codename."""


class AnswerTooLong(ValueError):
    """The answer is too long for one message. Shorten it, or send it as two answers."""

    def __init__(self, over: int) -> None:
        super().__init__(f"The answer is too long by about {over} characters. Shorten it, or send it as two.")
        self.over = over


def tags(key: Secret, count: int = SLOTS) -> list[bytes]:
    """The first `count` tags (16 bytes each) of a receipt key, a mailbox key or a header tag key, by slot."""
    drawn = HKDFExpand(SHA256(), length=count * TAG_BYTES, info=Context.TAGS.octets).derive(key.reveal())
    return [drawn[begin : begin + TAG_BYTES] for begin in range(0, len(drawn), TAG_BYTES)]


def second_slot(slot: int) -> int:
    """The receipt slot of the second copy of the message in `slot`."""
    return slot + MESSAGE_SLOTS


def draw_candidates(mailbox_key: Secret, used: frozenset[int] = frozenset()) -> tuple[int, ...]:
    """Three random reply slots that a reply may take, none of them in `used`.

    Raises ValueError when fewer than three are left.
    """
    free = [slot for slot in range(SLOTS) if slot not in used]
    if len(free) < CANDIDATES:
        raise ValueError("this conversation has no reply slots left")
    return tuple(secrets.SystemRandom().sample(free, CANDIDATES))


class ReplyKey:
    """The private half of a mailbox, rebuilt from the reply seed (96 bytes) on every visit."""

    def __init__(self, reply_seed: Secret) -> None:
        seed = reply_seed.reveal()
        if len(seed) != REPLY_SEED_BYTES:
            raise ValueError(f"a reply seed has {REPLY_SEED_BYTES} bytes")
        self._mlkem = MLKEM768PrivateKey.from_seed_bytes(seed[:_MLKEM_SEED_BYTES])
        self._x25519 = X25519PrivateKey.from_private_bytes(seed[_MLKEM_SEED_BYTES:])

    def public(self) -> bytes:
        """1,216 bytes: ML-KEM-768 public key, then the X25519 one."""
        return self._mlkem.public_key().public_bytes_raw() + self._x25519.public_key().public_bytes_raw()

    def open(self, untrusted_ciphertext: bytes) -> bytes:
        """The 8 KiB within. Raises NotForThisMailbox."""
        if len(untrusted_ciphertext) != REPLY_CIPHERTEXT_BYTES:
            raise NotForThisMailbox
        private = MLKEM768X25519PrivateKey(self._mlkem, self._x25519)
        try:
            return _SUITE.decrypt(untrusted_ciphertext, private, info=Context.MAILBOX_ITEM.octets)
        except (InvalidTag, ValueError) as error:
            raise NotForThisMailbox from error


def pad_item(document: bytes) -> bytes:
    """A document as the 8 KiB that are sealed: JSON allows white space after it. Raises AnswerTooLong."""
    over = len(document) - REPLY_PLAINTEXT_BYTES
    if over > 0:
        raise AnswerTooLong(over)
    return document.ljust(REPLY_PLAINTEXT_BYTES)


def seal(plaintext: bytes, reply_public_key: bytes) -> bytes:
    """Exactly 8 KiB of plaintext -> exactly 9,328 bytes that only the codename opens.

    Raises ValueError for another size or a key that is none.
    """
    if len(plaintext) != REPLY_PLAINTEXT_BYTES:
        raise ValueError(f"an item of a mailbox has exactly {REPLY_PLAINTEXT_BYTES} bytes")
    if len(reply_public_key) != REPLY_PUBLIC_KEY_BYTES:
        raise ValueError(f"a reply public key has {REPLY_PUBLIC_KEY_BYTES} bytes")
    public = MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(reply_public_key[:_MLKEM_PUBLIC_BYTES]),
        X25519PublicKey.from_public_bytes(reply_public_key[_MLKEM_PUBLIC_BYTES:]),
    )
    ciphertext = _SUITE.encrypt(plaintext, public, info=Context.MAILBOX_ITEM.octets)
    if len(ciphertext) != REPLY_CIPHERTEXT_BYTES:
        raise RuntimeError("HPKE's overhead is not what padding.py says")
    return ciphertext
