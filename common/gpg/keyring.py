"""The secret keys of a GnuPG home: which there are, where each is, and how one is destroyed.

gpg-agent keeps each in a file of its own, named by its keygrip. Without the file, and with an agent that was ended
since, what was sealed to the key opens no more. What other copies of the file there are, nobody here can know.
"""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path

from common.durable import sync_folder, sync_stream
from common.gpg.runner import gpg_environment, run_gpg

_FILES = "private-keys-v1.d"
_ON_CARD = b"shadowed-private-key"
_PROTECTED = b"protected-private-key"


class NotDestroyed(Exception):
    """The key was not destroyed. The message says why and what to do."""


class Where(StrEnum):
    """Where a key's secret is."""

    HERE = "here"
    CARD = "card"
    GONE = "gone"


@dataclass(frozen=True)
class Key:
    """A key of a certificate: 40 hex digits each; the first day of its validity, and the first day after it."""

    fingerprint: str
    keygrip: str
    is_primary: bool
    encrypts: bool
    begins: date
    ends: date | None
    where: Where


def keys_of(home: Path, certificate: str) -> tuple[Key, ...]:
    """The keys of the certificate of this fingerprint, primary first; none when the home does not have it."""
    return tuple(_read(home, _listed(home, f"0x{certificate}")))


def any_on_card(home: Path) -> bool:
    """True when the secret of some key of a home is on a smart card."""
    return any(_ON_CARD in file.read_bytes() for file in (home / _FILES).glob("*.key"))


def secret_certificates(home: Path) -> tuple[str, ...]:
    """The fingerprints of all certificates of a home of which at least one key's secret is in a file there."""
    found: dict[str, bool] = {}
    for key in _read(home, _listed(home)):
        primary = key.fingerprint if key.is_primary else next(reversed(found))
        found[primary] = found.get(primary, False) or key.where is Where.HERE
    return tuple(fingerprint for fingerprint, is_here in found.items() if is_here)


def _listed(home: Path, *certificate: str) -> list[list[str]]:
    how = ("--no-autostart", "--with-colons", "--with-keygrip")
    listed = run_gpg(home, *how, "--list-keys", *certificate).stdout.decode(errors="replace")
    return [line.split(":") for line in listed.splitlines()]


def _read(home: Path, rows: list[list[str]]) -> Iterator[Key]:
    key: list[str] = []
    fingerprint = ""
    for row in rows:
        if row[0] in ("pub", "sub"):
            key = row
        elif row[0] == "fpr" and key:
            fingerprint = row[9]
        elif row[0] == "grp" and key:
            yield Key(
                fingerprint=fingerprint,
                keygrip=row[9],
                is_primary=key[0] == "pub",
                encrypts="e" in key[11],
                begins=_day(key[5]),
                ends=_day(key[6]) if key[6] else None,
                where=_where(home, row[9]),
            )
            key = []


def _day(seconds: str) -> date:
    return datetime.fromtimestamp(int(seconds), UTC).date()


def _where(home: Path, keygrip: str) -> Where:
    """By the file itself: the agent would also tell of what it still remembers."""
    try:
        content = _file(home, keygrip).read_bytes()
    except FileNotFoundError:
        return Where.GONE
    return Where.CARD if _ON_CARD in content else Where.HERE


def is_unprotected(home: Path, key: Key) -> bool:
    """Whether a key's secret is in a file here that opens without a passphrase."""
    return key.where is Where.HERE and _PROTECTED not in _file(home, key.keygrip).read_bytes()


def _file(home: Path, keygrip: str) -> Path:
    return home / _FILES / f"{keygrip}.key"


def destroy(home: Path, key: Key) -> None:
    """Overwrite a key's file, remove it, and end the agent. Durable when this returns; a key that is gone stays so.

    Raises NotDestroyed for a key on a card, or when the file cannot be removed.
    """
    if key.where is Where.CARD:
        raise NotDestroyed("This key is on a smart card. Delete it there, or destroy the card.")
    file = _file(home, key.keygrip)
    try:
        if key.where is Where.HERE:
            with file.open("r+b") as stream:
                stream.write(bytes(file.stat().st_size))
                sync_stream(stream)
            file.unlink()
        sync_folder(file.parent)
    except OSError as error:
        raise NotDestroyed(
            f"The key’s file could not be removed ({error.strerror}). Mend that and try again."
        ) from error
    finally:
        end_agent(home)


def end_agent(home: Path) -> None:
    """End a home's agent: it forgets passphrases and keys. gpg starts another when one is needed."""
    command = ["gpgconf", "--homedir", os.fspath(home), "--kill", "gpg-agent"]
    subprocess.run(command, env=gpg_environment(), capture_output=True, check=False)
