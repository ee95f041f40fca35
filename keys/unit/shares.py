"""A primary key in the hands of several: m of n people bring it back, and fewer learn nothing of it.

The secret key lies in a box: a file under a random key (ChaCha20-Poly1305, RFC 8439) that is used once and kept by
nobody. That key is shared by SLIP-39 (Shamir's scheme over GF(256), words with a checksum). The box alone is worth
nothing, so that everyone may have a copy; so are the words without it. What opens the key within, its passphrase, is in
the box too: people who forget it, or leave, do not take the key along.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from shamir_mnemonic import MnemonicError, combine_mnemonics, generate_mnemonics
from shamir_mnemonic.share import Share

from common import canonical
from common.contexts import Context
from common.durable import write_new
from common.gpg.keyring import Where, destroy, keys_of
from common.gpg.runner import private_home, run_gpg
from keys.cards import UnitCard, write_card
from keys.gpg_key import CeremonyFailed, change_passphrase, public_part
from keys.unit.unit_keys import (
    CERTIFICATE,
    GNUPG_HOME,
    UNIT_CARD,
    make_case_and_reply_key,
    read_unit_card,
    refuse_existing,
)

BOX = "primary.box"
_NONCE = bytes(12)  # its key seals one box


@dataclass(frozen=True)
class _Boxed:
    card: UnitCard
    secret: bytes = field(repr=False)  # OpenPGP, RFC 9580, section 10.2: the primary key without subkeys
    passphrase: str = field(repr=False)


def split(
    folder: Path, out: Path, *, need: int, of: int, passphrase: str | None, remove: bool = False
) -> list[Path]:
    """Write a box and `of` share files, any `need` of which open it, to the new folder `out`: the share files.

    `remove`: destroy the primary key's secret in the unit's home, once the files were read back and do open.
    Raises CeremonyFailed, UnfitRegistry, NotDestroyed, or OSError.
    """
    if not 2 <= need <= of <= 16:
        raise CeremonyFailed("Two at least are needed, of sixteen at most. Choose other numbers.")
    card, home = read_unit_card(folder), folder / GNUPG_HOME
    keys = keys_of(home, card.fingerprint)
    if not keys or keys[0].where is not Where.HERE:
        raise CeremonyFailed("The primary key is not in this home, so that it cannot be split here.")
    given = run_gpg(home, "--export-secret-keys", f"{card.fingerprint}!", passphrase=passphrase or "")
    if given.returncode != 0 or not given.stdout:
        raise CeremonyFailed("GnuPG did not give the primary key out. Is the passphrase right?")
    boxed = _Boxed(card, given.stdout, passphrase or "")
    key = secrets.token_bytes(32)
    out.mkdir(mode=0o700)
    write_new(
        out / BOX, ChaCha20Poly1305(key).encrypt(_NONCE, _document(boxed), Context.PRIMARY_KEY_BOX.octets)
    )
    [shares] = generate_mnemonics(1, [(need, of)], key)
    files = [out / f"share-{number}-of-{of}.txt" for number in range(1, of + 1)]
    for number, (file, words) in enumerate(zip(files, shares, strict=True), 1):
        write_new(file, _sheet(card, number, need, of, words).encode())
    for some in (files[:need], files[-need:]):
        if _open_box(out / BOX, some) != boxed:
            raise CeremonyFailed("What was written does not read back. Destroy it and begin again.")
    if remove:
        destroy(home, keys[0])
    return files


def restore(folder: Path, box: Path, shares: Sequence[Path], passphrase: str | None) -> UnitCard:
    """Bring a primary key back, into the unit's own home or, where there is none, into a new one.

    A new home has no month's key and gets another case key and another key that signs answers: what was sealed to
    lost keys stays lost. `passphrase` is then the new one; None leaves the old one. Raises CeremonyFailed or OSError.
    """
    boxed = _open_box(box, shares)
    home = folder / GNUPG_HOME
    if home.is_dir():
        _import(home, boxed)
        return read_unit_card(folder)
    refuse_existing(folder)
    if (folder / UNIT_CARD).exists():
        raise CeremonyFailed(f"There is a card in {folder} already. Name an empty folder.")
    private_home(home)
    _import(home, boxed)
    if passphrase is not None and passphrase != boxed.passphrase:
        change_passphrase(home, boxed.card.fingerprint, boxed.passphrase, passphrase)
    protection = passphrase or boxed.passphrase or None
    certificate = public_part(home, boxed.card.fingerprint)
    (folder / CERTIFICATE).write_text(certificate, "ascii")
    reply_key = make_case_and_reply_key(folder, boxed.card.id, boxed.card.name, protection)
    card = replace(boxed.card, certificate=certificate, reply_key=reply_key)
    write_card(folder / UNIT_CARD, card)
    return card


def _import(home: Path, boxed: _Boxed) -> None:
    run_gpg(home, "--import", passphrase=boxed.passphrase, given=boxed.secret)
    keys = keys_of(home, boxed.card.fingerprint)
    if not keys or keys[0].where is Where.GONE:
        raise CeremonyFailed("GnuPG did not take the primary key. Try a folder whose path is short.")


def _open_box(box: Path, shares: Sequence[Path]) -> _Boxed:
    words = [_words(file) for file in shares]
    try:
        key = combine_mnemonics(words)
    except MnemonicError as error:
        raise CeremonyFailed(
            "These shares do not open it: too few of them, one twice, or of another split."
        ) from error
    try:
        document = canonical.load(
            ChaCha20Poly1305(key).decrypt(_NONCE, box.read_bytes(), Context.PRIMARY_KEY_BOX.octets)
        )
    except (InvalidTag, ValueError) as error:
        raise CeremonyFailed(f"{box} is not the box of these shares, or it is damaged.") from error
    card = UnitCard(
        id=canonical.text(document, "id"),
        name=canonical.text(document, "name"),
        certificate=canonical.text(document, "certificate"),
        fingerprint=canonical.text(document, "fingerprint"),
        reply_key=canonical.octets(document, "reply_key"),
    )
    return _Boxed(card, canonical.octets(document, "secret"), canonical.text(document, "passphrase"))


def _words(file: Path) -> str:
    """The words in a share's file. What is wrong with one is told by the file's name: never a word of it."""
    lines = file.read_text("utf-8").splitlines()
    words = " ".join(word for line in lines if not line.startswith("#") for word in line.lower().split())
    try:
        Share.from_mnemonic(words)
    except MnemonicError:
        pass
    else:
        return words
    raise CeremonyFailed(f"{file} is no share: a word is wrong or missing. Compare it with the paper.")


def _document(boxed: _Boxed) -> bytes:
    return canonical.dump(
        {
            "id": boxed.card.id,
            "name": boxed.card.name,
            "certificate": boxed.card.certificate,
            "fingerprint": boxed.card.fingerprint,
            "reply_key": canonical.encode(boxed.card.reply_key),
            "secret": canonical.encode(boxed.secret),
            "passphrase": boxed.passphrase,
        }
    )


def _sheet(card: UnitCard, number: int, need: int, of: int, words: str) -> str:
    listed = words.split()
    rows = [" ".join(listed[start : start + 4]) for start in range(0, len(listed), 4)]
    return "\n".join(
        [
            f"# Share {number} of {of} of the primary key of {card.name} ({card.id}).",
            f"# {need} shares and the file {BOX} bring the key back. Show this to nobody before that day.",
            "# Print it or copy it by hand, check it word by word, and destroy the file.",
            *rows,
            "",
        ]
    )
