"""`candour keys root`: the registry's root key is made, replaced by another, and trusted. See
deploy/workshop/drills/."""

import os
from pathlib import Path

import click

from common.config import read_root
from keys.commands.registry import read_digits
from keys.commands.shared import Group, grouped, new_passphrase, path
from keys.private_key import read_private_key
from keys.registry.publication import ROOT_NAME
from keys.registry.root import new_root
from keys.registry.succession import follow, read_succession, replace_root, succeed

_FILE = path(exists=True, dir_okay=False)


@click.group("root", cls=Group)
def root_group() -> None:
    """The registry's root key."""


@root_group.command("new")
@click.argument("key_file", metavar="KEYFILE", type=path(dir_okay=False))
@click.option("--no-passphrase", is_flag=True, help="Protect nothing: for trying out only.")
def root_new(key_file: Path, no_passphrase: bool) -> None:
    """Make the root key. It stays offline; the servers and desks get its public half (.pub)."""
    public_file = key_file.with_suffix(".pub")
    for file in (key_file, public_file):
        if file.exists():
            raise FileExistsError(None, "exists", os.fspath(file))
    passphrase = None if no_passphrase else new_passphrase("the root key")
    public = new_root(key_file, passphrase)
    public_file.write_text(public.hex() + "\n")
    click.echo(f"The root key is in {key_file}, its public half in {public_file}: {grouped(public.hex())}")


@root_group.command("succeed")
@click.argument("old", metavar="OLDKEY", type=_FILE)
@click.argument("new", metavar="NEWKEY", type=_FILE)
@click.argument("out", type=path(dir_okay=False))
@click.option(
    "--version", required=True, type=click.IntRange(1), help="The first registry that the new root signs."
)
def root_succeed(old: Path, new: Path, out: Path, version: int) -> None:
    """Let the old root name the new one, and write that to the new file OUT. For a root that is not stolen."""
    if out.exists():
        raise FileExistsError(None, "exists", os.fspath(out))
    keys = [read_private_key(file, _passphrase(file)) for file in (old, new)]
    out.write_bytes(succeed(keys[0], keys[1], version))
    found = read_succession(out.read_bytes())
    click.echo(f"From version {version} on the registry is signed by the new root. Both agreed in {out}:")
    click.echo(f"  old  {grouped(found.old.hex())}\n  new  {grouped(found.new.hex())}")


def _passphrase(key_file: Path) -> str | None:
    if b"ENCRYPTED" not in key_file.read_bytes():
        return None
    return str(click.prompt(f"Passphrase of {key_file}", hide_input=True))


@root_group.command("trust")
@click.argument("registry", type=_FILE)
@click.argument("folders", nargs=-1, required=True, type=path(exists=True, file_okay=False))
@click.option(
    "--succession", "succession_file", type=_FILE, help="Both roots signed it: the old one vouches."
)
@click.option(
    "--root", metavar="HEX|FILE", help="The new root, as its makers read it out: nobody else vouches."
)
def root_trust(
    registry: Path, folders: tuple[Path, ...], succession_file: Path | None, root: str | None
) -> None:
    """Put a new root and its first REGISTRY into each of FOLDERS: of a server, a desk or a courier."""
    if (succession_file is None) == (root is None):
        raise click.UsageError("Give --succession FILE, or where the old root is not to be believed --root.")
    signed = registry.read_bytes()
    succession = read_succession(succession_file.read_bytes()) if succession_file else None
    given = read_digits(root) if root else b""
    for folder in folders:
        if succession:
            follow(folder, signed, succession)
        else:
            replace_root(folder, signed, given)
        click.echo(f"{folder} trusts {grouped(read_root(folder / ROOT_NAME).hex())}")
    click.echo("Start again what runs there: a root is read once, at the start.")
