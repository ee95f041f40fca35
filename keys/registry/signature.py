"""Signing the registry, offline, after a look at everything in it."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from common import signing
from common.contexts import Context
from common.days import midnight_of, today
from common.gpg.certificate import UnfitCertificate, look
from common.registry import registry as registries
from common.registry.registry import Registry, RegistryRefused
from common.registry.units import Unit
from common.version import VERSION
from keys.private_key import read_private_key


class UnfitRegistry(Exception):
    """The registry must not be signed like this. Mend what the message names."""


def sign_registry(draft: Registry, root_key_file: Path, passphrase: str | None = None) -> bytes:
    """The registry file's bytes. Raises UnfitRegistry, RegistryRefused, or NoSuchKey."""
    if draft.expires <= draft.issued:
        raise UnfitRegistry("It would expire before it is issued.")
    for unit in draft.units:
        _check_certificates(unit)
    registries.check_content(draft)
    root = read_private_key(root_key_file, passphrase)
    signed = signing.sign(registries.to_body(replace(draft, signed_with=VERSION)), Context.REGISTRY, root)
    # What is written must be what the servers will read.
    registries.verify(signed, root.public_key().public_bytes_raw(), draft.issued)
    return signed


def check_version_is_new(out: Path, signed: bytes, version: int, root: bytes) -> None:
    """Raises UnfitRegistry where `out`, or a registry beside it, has this version or a higher one, and is another.

    Of two that are signed under one number each place keeps the one that it saw first.
    """
    signed_before: list[tuple[int, Path]] = []
    for file in {out, *out.parent.glob("*.json")}:
        with suppress(OSError, RegistryRefused):  # it is not there, or of no concern
            there = file.read_bytes()
            if there != signed:
                signed_before.append((registries.verify_signature(there, root).version, file))
    highest, file = max(signed_before, default=(0, out))
    if highest >= version:
        raise UnfitRegistry(
            f"{file} is signed, and has version {highest}. Sign this as {highest + 1} or higher, into a new file."
        )


def _check_certificates(unit: Unit) -> None:
    """Each certificate is the one its fingerprint says; those of an enrolled unit can be sealed to."""
    for certificate, fingerprint in (
        (unit.certificate, unit.fingerprint),
        (unit.identity_certificate, unit.identity_fingerprint),
    ):
        if not certificate and not fingerprint:
            continue
        try:
            seen = look(certificate)
        except UnfitCertificate:
            seen = None
        if seen is None or seen.fingerprint != fingerprint:
            raise UnfitRegistry(f"The certificate of {unit.id} is not the one that its fingerprint names.")
        if unit.is_enrolled and not seen.is_open:
            raise UnfitRegistry(f"The certificate of {unit.id} is expired, revoked, or cannot be sealed to.")
        if unit.is_enrolled and seen.since > midnight_of(today()):  # where gpg's clock stands for who seals
            raise UnfitRegistry(
                f"The certificate of {unit.id} can be sealed to from tomorrow on, for its key was made today. Sign it "
                "tomorrow; another time, have the new key made a day before the old one ends."
            )
