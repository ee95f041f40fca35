"""A new root for the registry, and how a place comes to trust it.

While the old root is still good, it names its successor, and the successor agrees: a *succession* is a small file
that both have signed. A place that trusts the old root follows it, together with a registry of the new one. Versions
go on rising across the change, so that no older registry comes back by it.

When the old root is stolen its word is worth nothing: whoever has it could sign a succession as well. Then people
put the new root in place by its digits, as they heard them from those who made it.

Servers, couriers and desks never follow by themselves: a root is trusted because somebody at that place said so.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common import canonical, signing
from common.canonical import NotCanonical
from common.config import BadConfiguration, read_root
from common.contexts import Context
from common.days import today
from common.durable import write_whole
from common.registry import registry
from common.registry.registry import MOST_VERSION, Registry, RegistryRefused
from keys.registry.publication import FILE_NAME, PUBLIC, ROOT_NAME, NotPublished

_ONLY_A_THIEF = MOST_VERSION - 1000  # no ceremony comes so far: whoever signs it wants that none is higher


class SuccessionRefused(Exception):
    """This succession does not hold here. Nothing was changed."""


@dataclass(frozen=True)
class Succession:
    """From registry `version` on, what `old` signed is signed by `new` (Ed25519 public keys, 32 bytes)."""

    old: bytes
    new: bytes
    version: int


def succeed(old: Ed25519PrivateKey, new: Ed25519PrivateKey, version: int) -> bytes:
    """The file of a succession. Raises SuccessionRefused where both are one key."""
    publics = [key.public_key().public_bytes_raw() for key in (old, new)]
    if publics[0] == publics[1]:
        raise SuccessionRefused("The old root and the new one are the same key. Make a new one first.")
    body = {"old": canonical.encode(publics[0]), "new": canonical.encode(publics[1]), "version": version}
    signatures = {
        name: canonical.load(signing.sign(body, context, key))["signature"]
        for name, context, key in (
            ("by_old", Context.SUCCESSION_BY_OLD_ROOT, old),
            ("by_new", Context.SUCCESSION_BY_NEW_ROOT, new),
        )
    }
    return canonical.dump({"body": body, **signatures})


def read_succession(untrusted: bytes) -> Succession:
    """The succession in a file, whose two signatures hold. Raises SuccessionRefused."""
    try:
        document = canonical.load(untrusted)
        body = canonical.inner(document, "body")
        found = Succession(
            canonical.octets(body, "old", signing.PUBLIC_KEY_BYTES),
            canonical.octets(body, "new", signing.PUBLIC_KEY_BYTES),
            canonical.whole(body, "version"),
        )
        _verify(document, "by_old", Context.SUCCESSION_BY_OLD_ROOT, found.old)
        _verify(document, "by_new", Context.SUCCESSION_BY_NEW_ROOT, found.new)
    except (NotCanonical, signing.BadSignature) as error:
        raise SuccessionRefused(
            "This is no succession, or it was altered. Get it again from whoever signs the registry."
        ) from error
    return found


def _verify(document: dict[str, Any], name: str, context: Context, key: bytes) -> None:
    signed = {"body": canonical.inner(document, "body"), "signature": canonical.text(document, name)}
    signing.verify(canonical.dump(signed), context, key)


def follow(folder: Path, signed: bytes, succession: Succession) -> None:
    """Put the new root and its registry into a folder that trusts the old one. Can be repeated.

    Raises SuccessionRefused, RegistryRefused, NotPublished, or BadConfiguration where the folder trusts no root.
    """
    if read_root(folder / ROOT_NAME) not in (succession.old, succession.new):
        raise SuccessionRefused(
            f"{folder} trusts another root than the one that this succession begins with. Nothing was changed: find "
            "out whose root that is. If an earlier change was missed here, follow that one first."
        )
    new = registry.verify(signed, succession.new, today())
    if new.version < succession.version:
        raise NotPublished(f"The new root signs from version {succession.version} on: take a newer registry.")
    _put_both(folder, signed, new, (succession.old, succession.new))


def replace_root(folder: Path, signed: bytes, root: bytes) -> None:
    """Put a root and its registry into a folder, whatever root it trusted. People answer for `root`.

    Raises RegistryRefused or NotPublished.
    """
    new = registry.verify(signed, root, today())
    known = [root]
    with suppress(BadConfiguration):  # none is there, or none that could be trusted
        known.append(read_root(folder / ROOT_NAME))
    _put_both(folder, signed, new, tuple(known))


def _put_both(folder: Path, signed: bytes, new: Registry, roots: tuple[bytes, ...]) -> None:
    """The root first: should this be cut short between the two, nothing is taken in until it was repeated."""
    old = _in_place(folder / FILE_NAME, roots)
    if (
        old is not None
        and old.version < _ONLY_A_THIEF
        and (old.version > new.version or (old.version == new.version and old != new))
    ):
        raise NotPublished(
            f"{folder / FILE_NAME} has version {old.version}, and this is {new.version}. Servers remember the "
            "highest that they saw: sign this one with a higher version."
        )
    root = next(key for key in roots if _signed_by(signed, key))
    write_whole(folder / ROOT_NAME, f"{root.hex()}\n".encode("ascii"), PUBLIC)
    write_whole(folder / FILE_NAME, signed, PUBLIC)


def _in_place(file: Path, roots: tuple[bytes, ...]) -> Registry | None:
    if not file.exists():
        return None
    untrusted = file.read_bytes()
    return next(
        (registry.verify_signature(untrusted, key) for key in roots if _signed_by(untrusted, key)), None
    )


def _signed_by(untrusted: bytes, key: bytes) -> bool:
    try:
        registry.verify_signature(untrusted, key)
    except RegistryRefused:
        return False
    return True
