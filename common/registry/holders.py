"""Who holds an identity key: two of them open what is sealed to it, and one alone cannot.

The key's passphrase is random and nobody's. It is shared by SLIP-39 (Shamir's scheme over GF(256)), two of as many as
there are holders, so that one share tells nothing of it. Each holder has a box: the share and a signing key of that
holder's own, under that holder's passphrase alone (Argon2id, RFC 9106; ChaCha20-Poly1305, RFC 8439). All boxes lie
beside the key; what keeps one holder from another's box is that passphrase, so it has to be long.
"""

import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from shamir_mnemonic import MnemonicError, combine_mnemonics, generate_mnemonics

from common import canonical
from common.canonical import NotCanonical
from common.secret import Secret

NEEDED = 2
MOST_HOLDERS = 16
SHORTEST_PASSPHRASE = 16  # characters

GNUPG_HOME = "gnupg"
HOLDERS = "holders"  # the folder of their boxes, beside the GnuPG home

_PURPOSE = "candour identity holder 1"
_MEMORY_KIB, _PASSES, _LANES = 64 * 1024, 3, 4  # RFC 9106, section 4, the second recommended option
_MOST_MEMORY_KIB, _MOST_PASSES = 1024 * 1024, 16
_SALT_BYTES, _NONCE_BYTES = 16, 12


class WrongPassphrase(Exception):
    """The passphrase is not the one of this holder's box."""


class DamagedBox(Exception):
    """A holder's box is missing or damaged. Put its copy back in place."""


class NotTwo(Exception):
    """These are not the boxes of two holders of one key. Two different holders are needed."""


@dataclass(frozen=True)
class Holder:
    """An open box. `share`: the words of SLIP-39."""

    name: str
    share: Secret = field(repr=False)
    key: Ed25519PrivateKey = field(repr=False)


def draw(names: tuple[str, ...]) -> tuple[Secret, tuple[Holder, ...]]:
    """A random passphrase for a new identity key, and its holders, who have not sealed their boxes yet."""
    drawn = secrets.token_bytes(32)
    [shares] = generate_mnemonics(1, [(NEEDED, len(names))], drawn)
    holders = tuple(
        Holder(name, Secret(words.encode()), Ed25519PrivateKey.generate())
        for name, words in zip(names, shares, strict=True)
    )
    return _as_passphrase(drawn), holders


def together(one: Holder, other: Holder) -> Secret:
    """The passphrase of the identity key that two hold. Raises NotTwo."""
    try:
        return _as_passphrase(combine_mnemonics([one.share.reveal().decode(), other.share.reveal().decode()]))
    except MnemonicError as error:
        raise NotTwo from error


def _as_passphrase(drawn: bytes) -> Secret:
    return Secret(drawn.hex().encode("ascii"))


def seal_box(holder: Holder, passphrase: str) -> bytes:
    """A holder's box, as a file holds it."""
    outside = {
        "box": _PURPOSE,
        "name": holder.name,
        "salt": canonical.encode(secrets.token_bytes(_SALT_BYTES)),
        "nonce": canonical.encode(secrets.token_bytes(_NONCE_BYTES)),
        "memory_kib": _MEMORY_KIB,
        "passes": _PASSES,
        "lanes": _LANES,
    }
    inside = {
        "share": holder.share.reveal().decode(),
        "key": canonical.encode(holder.key.private_bytes_raw()),
    }
    cipher = ChaCha20Poly1305(_derived(outside, passphrase))
    nonce = canonical.octets(outside, "nonce", _NONCE_BYTES)
    sealed = cipher.encrypt(nonce, canonical.dump(inside), canonical.dump(outside))
    return canonical.dump({"outside": outside, "sealed": canonical.encode(sealed)})


def open_box(untrusted: bytes, name: str, passphrase: str) -> Holder:
    """The holder of this name, by the passphrase. Raises WrongPassphrase or DamagedBox."""
    try:
        document = canonical.load(untrusted)
        outside, sealed = canonical.inner(document, "outside"), canonical.octets(document, "sealed")
        if canonical.text(outside, "box") != _PURPOSE or canonical.text(outside, "name") != name:
            raise NotCanonical("a box of something else")
        nonce = canonical.octets(outside, "nonce", _NONCE_BYTES)
        cipher = ChaCha20Poly1305(_derived(outside, passphrase))
    except NotCanonical as error:
        raise DamagedBox from error
    try:
        inside = canonical.load(cipher.decrypt(nonce, sealed, canonical.dump(outside)))
    except InvalidTag as error:
        raise WrongPassphrase from error
    return Holder(
        name,
        Secret(canonical.text(inside, "share").encode()),
        Ed25519PrivateKey.from_private_bytes(canonical.octets(inside, "key", 32)),
    )


def _derived(outside: Mapping[str, Any], passphrase: str) -> bytes:
    """32 bytes. The box says what they cost; what would take the machine down is refused."""
    cost = {name: canonical.whole(dict(outside), name) for name in ("memory_kib", "passes", "lanes")}
    within = (
        8 * cost["lanes"] <= cost["memory_kib"] <= _MOST_MEMORY_KIB
        and 1 <= cost["passes"] <= _MOST_PASSES
        and 1 <= cost["lanes"] <= 16
    )
    if not within:
        raise NotCanonical("not the cost of a box")
    return hash_secret_raw(
        secret=unicodedata.normalize("NFKC", passphrase).encode(),
        salt=canonical.octets(dict(outside), "salt", _SALT_BYTES),
        time_cost=cost["passes"],
        memory_cost=cost["memory_kib"],
        parallelism=cost["lanes"],
        hash_len=32,
        type=Type.ID,
    )
