"""A unit's key onto an OpenPGP card (gpg's keytocard): from then on the home has a stub, and the secret is on the card.

Such a card has one place for an encryption key: one month's key, or the case key. gpg's own pinentry asks for the
passphrase and the card's admin PIN: neither passes through here. What gpg asks is answered by its name (doc/DETAILS,
GET_LINE).
"""

import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from common.gpg.certificate import look
from common.gpg.epochs import epochs_of
from common.gpg.keyring import Key, Where, keys_of
from common.gpg.runner import ANSWERS, Pinentry, gpg_command, start_gpg
from keys.gpg_key import CeremonyFailed
from keys.unit.unit_keys import CASE_CERTIFICATE, GNUPG_HOME, read_unit_card

_ENCRYPTION_SLOT = "2"
_NO_CARD = {
    "4": "No card is in the reader. Put the card in, and do it again.",
    "5": "No card reader is there. Plug it in, and do it again.",
    "6": "gpg’s own card program is not installed. Install Debian’s scdaemon, and do it again.",
}


def to_card(folder: Path, month: date | None) -> None:
    """Move the key of a month, or the case key (None), to the card in the reader; the file here becomes a stub.

    Raises CeremonyFailed: nothing was moved then.
    """
    home = folder / GNUPG_HOME
    certificate, key = _find(folder, month)
    if key.where is not Where.HERE:
        raise CeremonyFailed("This key is not in this home: it is on a card already, or was destroyed.")
    words = (*ANSWERS, "--edit-key", certificate)
    with start_gpg(gpg_command(home, *words, pinentry=Pinentry.PERSON)) as gpg:
        trouble = _converse(gpg, iter([f"key {key.fingerprint}", "keytocard", "save"]))
    if _find(folder, month)[1].where is not Where.CARD:
        raise CeremonyFailed(
            _NO_CARD.get(trouble, "gpg did not move the key. Is the card of its kind, and the PIN right?")
        )


def _find(folder: Path, month: date | None) -> tuple[str, Key]:
    home = folder / GNUPG_HOME
    if month is None:
        certificate = look((folder / CASE_CERTIFICATE).read_text("ascii")).fingerprint
        return certificate, next(key for key in keys_of(home, certificate) if key.encrypts)
    certificate = read_unit_card(folder).fingerprint
    for epoch in epochs_of(keys_of(home, certificate)):
        if epoch.month == month:
            return certificate, epoch.key
    raise CeremonyFailed(f"There is no key of {month:%B %Y} here. Name a month that was made.")


def _converse(gpg: subprocess.Popen[bytes], commands: Iterator[str]) -> str:
    """Answer what gpg asks, to its end. The number that it gives for trouble with the card, if any."""
    assert gpg.stdin is not None  # noqa: S101  # they are pipes
    assert gpg.stderr is not None  # noqa: S101
    trouble = ""
    for line in gpg.stderr:
        _, _, status = line.decode(errors="replace").partition("[GNUPG:] ")
        word, _, rest = status.strip().partition(" ")
        if word == "CARDCTRL" and rest[:1] in _NO_CARD:
            trouble = rest[:1]
        if word in ("GET_LINE", "GET_BOOL"):
            gpg.stdin.write(_answer(rest, commands).encode("ascii") + b"\n")
            gpg.stdin.flush()
    return trouble


def _answer(asked: str, commands: Iterator[str]) -> str:
    if asked.startswith("keyedit.prompt"):
        return next(commands, "quit")
    if asked.startswith("cardedit.genkeys.storekeytype"):
        return _ENCRYPTION_SLOT
    if asked.startswith(("cardedit.genkeys.replace_key", "keyedit.save.okay")):
        return "y"
    return ""
