"""Keeping a conversation for a case: what is sealed to a month's key is sealed anew to the unit's case key.

What is opened goes from one gpg to the other through a pipe, and is never on a disk. The new file is opened once, and
takes the old one's place only if it holds the same and a key opens it that belongs to no month.
"""

import hashlib
import os
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.days import today
from common.gpg.epochs import epochs_of
from common.gpg.keyring import keys_of
from common.gpg.opening import OpeningFailed
from common.gpg.sealing import SealingFailed
from journalist_interface.desk.opening.inspection import CannotOpen, open_sealed
from journalist_interface.desk.services import Desk, NotHere

_CHUNK = 1024 * 1024
_MOST_ANSWER = 1024 * 1024


@dataclass(frozen=True)
class Kept:
    """How much was re-sealed."""

    messages: int
    answers: int


def keep(desk: Desk, conversation: str) -> Kept:
    """Re-seal all of a conversation to the case key. What is so already is left; what was cut short goes on.

    Raises NotHere, NoCaseKey, StickBusy, CannotOpen, SealingFailed or RegistryRefused.
    """
    _, unit = desk.settings.load_registry()
    certificate = desk.settings.read_case_certificate()
    months = {epoch.fingerprint for epoch in epochs_of(keys_of(desk.settings.gnupg, unit.fingerprint))}
    with desk.alone():
        if not desk.cabinet.sealed_to.keep(conversation):
            raise NotHere
        messages, answers = desk.cabinet.sealed_to.to_reseal(conversation, months)
        recipient = certificate.encode("ascii")
        for envelope, size in messages:
            key, sha256 = _reseal(desk, desk.files.envelope(envelope), size, recipient, months)
            desk.cabinet.sealed_to.note_resealed(envelope, key, sha256, today())
        for answer in answers:
            key, _ = _reseal(desk, desk.files.answer(answer), _MOST_ANSWER, recipient, months)
            desk.cabinet.sealed_to.learn([], [(answer, key)])
    return Kept(len(messages), len(answers))


def _reseal(desk: Desk, place: Path, most: int, recipient: bytes, months: set[str]) -> tuple[str, str]:
    """Seal a sealed file anew. The fingerprint of the key that opens it now, and the SHA-256 of the new file."""
    part = desk.files.staging / secrets.token_hex(16)
    try:
        before, after = hashlib.sha256(), hashlib.sha256()
        _through_a_pipe(desk, place, most, recipient, part, before)
        try:
            key = desk.opener.open(part, after.update, most, ask=True)
        except OpeningFailed as error:
            raise SealingFailed from error
        if before.digest() != after.digest() or key in months:
            raise SealingFailed
        with part.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        desk.files.replace(part, place)
    finally:
        part.unlink(missing_ok=True)
    return key, sha256


def _through_a_pipe(desk: Desk, place: Path, most: int, recipient: bytes, part: Path, digest: Any) -> None:
    inlet, outlet = os.pipe()
    source, sink = os.fdopen(inlet, "rb"), os.fdopen(outlet, "wb", buffering=0)

    def seal() -> None:
        with source:  # closed when gpg ends early, so that the other side does not wait
            desk.sealer.seal(source, [recipient], part)

    with ThreadPoolExecutor(1) as threads:
        with sink:
            sealing = threads.submit(seal)
            failure = _feed(desk, place, most, sink.write, digest)
        try:
            sealing.result()
        except SealingFailed:
            if failure is None:
                raise
    if isinstance(failure, CannotOpen):
        raise failure
    if failure is not None:
        raise SealingFailed from failure


def _feed(
    desk: Desk, place: Path, most: int, write: Callable[[memoryview], int | None], digest: Any
) -> Exception | None:
    """Open a file into a pipe. What went wrong is given back, since the other side must be waited for first."""

    def take(chunk: bytes) -> None:
        digest.update(chunk)
        rest = memoryview(chunk)
        while rest:
            rest = rest[write(rest) or 0 :]

    try:
        open_sealed(desk, place, take, most)
    except (CannotOpen, BrokenPipeError) as error:
        return error
    return None
