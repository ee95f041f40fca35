"""What the commands of `candour keys` share: errors told in a sentence, checked arguments, passphrases, digits."""

from pathlib import Path
from typing import Any

import click

from common import phrases
from common.config import BadConfiguration
from common.gpg.certificate import UnfitCertificate
from common.gpg.keyring import NotDestroyed
from common.gpg.sealing import SealingFailed
from common.names import is_one_line, is_short_name
from common.registry.holders import SHORTEST_PASSPHRASE
from common.registry.registry import RegistryRefused
from keys.gpg_key import CeremonyFailed
from keys.private_key import NoSuchKey
from keys.registry.draft import BadDraft
from keys.registry.publication import NotPublished
from keys.registry.signature import UnfitRegistry
from keys.registry.succession import SuccessionRefused

_EXPECTED = (
    BadConfiguration,
    BadDraft,
    CeremonyFailed,
    NoSuchKey,
    NotDestroyed,
    NotPublished,
    UnfitCertificate,
    UnfitRegistry,
    RegistryRefused,
    SealingFailed,
    SuccessionRefused,
    OSError,
)


class Group(click.Group):
    """Errors that people can mend are told in a sentence, without a traceback."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(context)
        except _EXPECTED as error:
            raise click.ClickException(_sentence(error)) from error


def _sentence(error: Exception) -> str:
    if isinstance(error, FileExistsError):
        return f"{error.filename} is there already, and nothing is ever overwritten. Name another."
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}."
    said = str(error) or str(error.__doc__)
    first = said.split(" ", 1)[0]
    if first.isalpha():  # neither a path nor a short name, which mean what they say letter by letter
        said = said[0].upper() + said[1:]
    return said + ("" if said.endswith(".") else ".")


def short_name(_: click.Context, __: click.Parameter, value: str) -> str:
    """Checks a short name."""
    if not is_short_name(value):
        raise click.BadParameter("use up to 64 small letters, digits and hyphens, such as west-mercia.")
    return value


def one_line(_: click.Context, __: click.Parameter, value: str) -> str:
    """Checks a name that people read."""
    if not is_one_line(value):
        raise click.BadParameter("use one line of text.")
    return value


def path(**options: bool) -> click.Path:
    """An argument that is a path."""
    return click.Path(path_type=Path, **options)


def new_passphrase(what: str) -> str:
    """One that somebody chooses now for `what`, typed twice. Raises CeremonyFailed for one that is soon guessed.

    Whoever has a copy of what it protects can try as many as they like. One that is in use already is not judged.
    """
    asked = f"Passphrase for {what}, {SHORTEST_PASSPHRASE} characters or more"
    chosen = str(click.prompt(asked, hide_input=True, confirmation_prompt="Once more"))
    if len(chosen) < SHORTEST_PASSPHRASE or chosen != chosen.strip():
        raise CeremonyFailed(
            f"A passphrase has {SHORTEST_PASSPHRASE} characters or more, and no space around it: it is all that keeps "
            "a thief of the file from the key. Five or six random words are good. Nothing was changed; begin again."
        )
    return chosen


def grouped(digits: str) -> str:
    """Digits in groups of four, capital letters, as they are read out."""
    return phrases.grouped(digits).upper()
