"""The command `candour keys identity`: the key that contact details given in confidence are sealed to."""

from pathlib import Path

import click

from common.gpg.keyring import end_agent
from common.registry.holders import GNUPG_HOME
from keys.commands.shared import Group, grouped, path, short_name
from keys.unit.identity_key import IDENTITY_CARD, check_holders, new_identity


@click.group("identity", cls=Group)
def identity_group() -> None:
    """The key to contact details given in confidence, and its holders."""


@identity_group.command("new")
@click.argument("folder", type=path(file_okay=False))
@click.option("--unit", "unit_id", required=True, callback=short_name, help="The unit's short name.")
@click.option("--holder", "names", required=True, multiple=True, metavar="NAME", help="A holder. Repeat it.")
def identity_new(folder: Path, unit_id: str, names: tuple[str, ...]) -> None:
    """Make a unit's identity key in FOLDER, on its holders' own offline workstation.

    Any two holders open what is sealed to it. Their NAMEs stand in the registry: a post will do. Each types a
    passphrase in turn, with nobody looking on.
    """
    check_holders(names)
    passphrases = {name: _passphrase(name) for name in names}
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        card = new_identity(folder, unit_id, passphrases)
    finally:
        if (folder / GNUPG_HOME).is_dir():
            end_agent(folder / GNUPG_HOME)
    click.echo(f"The keys are in {folder}. Certificate: {grouped(card.fingerprint)}")
    for name, public_key in card.holders.items():
        click.echo(f"{name} signs with: {grouped(public_key.hex())}")
    click.echo(
        f"Take {folder / IDENTITY_CARD} to whoever signs the registry, and read all of this out to them."
    )


def _passphrase(name: str) -> str:
    return str(click.prompt(f"{name}, your passphrase", hide_input=True, confirmation_prompt="Once more"))
