"""gpg at work in a ceremony: a key made, a subkey added, a certificate given out.

The passphrase goes down a pipe, never into an argument. The clock that gpg writes into what it makes is midnight.
"""

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from common.gpg.epochs import Span
from common.gpg.runner import midnight, run_gpg

_CREATED = re.compile(rb"^\[GNUPG:\] KEY_CREATED [BP] ([0-9A-F]{40})", re.MULTILINE)
_MOST_KEYS = 256  # of a certificate: twenty years of months


class CeremonyFailed(Exception):
    """The keys could not be made. Nothing was enrolled; mend what the message names and begin again."""


def request(name: str, comment: str, passphrase: str | None, day: date, *, encrypts: bool) -> str:
    """gpg's batch input for a key without an end, for make_key. Raises CeremonyFailed for what gpg would misread."""
    if any(char in value for value in (name, comment, passphrase or "") for char in "\r\n\0"):
        raise CeremonyFailed("A name or passphrase has one line.")
    check_passphrase(passphrase)
    subkey = ["Subkey-Type: ecdh", "Subkey-Curve: cv25519", "Subkey-Usage: encrypt"]
    return "\n".join(
        [
            "Key-Type: eddsa",  # gpg wants it first
            *([] if passphrase else ["%no-protection"]),
            "Key-Curve: ed25519",
            "Key-Usage: cert",
            *(subkey if encrypts else []),
            f"Name-Real: {name}",
            f"Name-Comment: {comment}",
            f"Creation-Date: {midnight(day).rstrip('!')}",
            "Expire-Date: 0",
            "%commit",
            "",
        ]
    )


def check_passphrase(passphrase: str | None) -> None:
    """Raises CeremonyFailed for one that could not be typed again as it is."""
    if passphrase is not None and (not passphrase or passphrase != passphrase.strip()):
        raise CeremonyFailed("A passphrase is not empty, and neither begins nor ends with a space.")


def make_key(home: Path, batch: str, passphrase: str | None) -> str:
    """The fingerprint of a new key. Raises CeremonyFailed.

    An agent that remembers nothing forgets the passphrase after a second, and a slow gpg then asks for it again. So it
    does not stand in the batch, which tells it once, and each time it is asked for it comes down the pipe.
    """
    made = run_gpg(home, "--gen-key", passphrase=passphrase or "", given=batch.encode())
    created = _CREATED.search(made.stderr)
    if not created:
        raise CeremonyFailed("GnuPG did not make the certificate. Try a folder whose path is short.")
    return created[1].decode("ascii")


def add_epochs(home: Path, certificate: str, spans: Sequence[Span], passphrase: str | None) -> None:
    """Add a subkey for each of these months. Raises CeremonyFailed; those before it are then made already."""
    for span in spans:
        made = run_gpg(
            home,
            *("--quick-add-key", certificate, "cv25519", "encr", midnight(span.ends).rstrip("!")),
            passphrase=passphrase or "",
            clock=midnight(span.begins),
        )
        if made.returncode != 0:
            raise CeremonyFailed(
                "GnuPG did not add a month’s key. Is the primary key here, and the passphrase right?"
            )


def change_passphrase(
    home: Path, certificate: str, old: str, new: str | None, *, begun: bool = False
) -> None:
    """Protect all secret keys of a certificate by another passphrase; `old` is empty where there is none.

    `begun`: the first of them have the new one already, and maybe all. An earlier change was cut short, then.
    Keys whose secret is gone, or on a card, are passed over. Raises CeremonyFailed; gpg may then have changed some.
    """
    check_passphrase(new)
    # The old one is asked once. The new one too; but where there was none before, once for each key.
    # Where the first have the new one already, that opens them; the others ask for the old one, each for itself.
    lines = [*([old] if old else []), *[new or ""] * _MOST_KEYS]
    if begun:
        lines = [new or ""] * 2 + [old or new or ""] * _MOST_KEYS
    done = run_gpg(home, "--passwd", certificate, answers="".join(f"{line}\n" for line in lines))
    if (
        b"[GNUPG:] SUCCESS keyedit.passwd" not in done.stderr
    ):  # gpg's exit code is 0 for a wrong passphrase too
        raise CeremonyFailed("GnuPG did not change the passphrase. Is the old one right? Try again.")


def public_part(home: Path, certificate: str) -> str:
    """A certificate, ASCII armoured. Raises CeremonyFailed."""
    given = run_gpg(home, "--armor", "--export", certificate).stdout.decode("ascii", errors="replace")
    if "BEGIN PGP PUBLIC KEY BLOCK" not in given:
        raise CeremonyFailed("GnuPG did not give the certificate out. Try again in an empty folder.")
    return given
