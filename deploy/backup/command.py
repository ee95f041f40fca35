"""`candour backup` and `candour restore`, as a person types them."""

import os
from pathlib import Path

import click

from common.phrases import count
from deploy.backup.layout import Layout, in_data_folder, on_host
from deploy.host import fitness
from deploy.host.place import Place
from deploy.options import chosen, is_host, where_options


@click.command()
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE_OR_DIR",
    help="A new file, or the folder for one.",
)
@click.option(
    "--recipient",
    type=click.Path(path_type=Path),
    required=True,
    metavar="CERT.asc",
    help="The operator's certificate, whose key is kept elsewhere.",
)
@where_options
def backup(to: Path, recipient: Path, data: Path | None, root: Path | None, host: bool) -> None:
    """Save a host, or a demo's server, into one sealed file. It may go on serving meanwhile.

    In the file is all that a clean machine needs to come back at the same addresses: rows, sealed envelopes, settings,
    registry, pepper, and the onions' keys. It is sealed to the operator's certificate and can be opened by nobody else.
    What couriers delivered since the last settled hour is not in it: their units send it again.

    A backup keeps what the server deletes later: withdrawn reports, collected ones, answers past their time. Keep few,
    and destroy old ones.
    """
    from deploy.backup.save import save

    place, folder = chosen(data, root, host=host)
    saved = save(_layout(place, folder), to.absolute(), recipient.absolute())
    click.echo(f"{saved.file}\n  {count(saved.envelopes, 'envelope')}; SHA-256 {saved.sha256}")
    click.echo("Note that number down, carry the file off this machine, and destroy backups that are older.")
    if saved.lost:
        raise click.ClickException(
            f"This disk has lost what a row says is there: {count(saved.lost, 'envelope')}. The backup holds all the "
            "others."
        )


def _layout(place: Place | None, data: Path | None) -> Layout:
    if place is None and data is None and is_host(Place(Path("/"))):
        place = Place(Path("/"))
    if place is not None:
        return on_host(place.root)
    if data is None:
        from deploy.data_folder import DEFAULT_DATA

        data = DEFAULT_DATA
    return in_data_folder(data)


@click.command()
@click.option(
    "--from", "source", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The backup."
)
@click.option(
    "--gnupg",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    metavar="DIR",
    help="The GnuPG home with the operator's key.  [default: your own]",
)
@where_options
def restore(source: Path, gnupg: Path | None, data: Path | None, root: Path | None, host: bool) -> None:
    """Put a backup in place on a clean machine. Say where: --host, --root DIR, or --data DIR for a demo.

    Everything in the file is checked first, and nothing that is there already is overwritten. On a host: restore, then
    deploy/install, which finds settings and keys and leaves them.
    """
    from deploy.backup.restore import restore as bring_back

    place, folder = chosen(data, root, host=host)
    if place is not None:
        fitness.check_root()
        layout = on_host(place.root)
    elif folder is not None:
        layout = in_data_folder(folder)
    else:
        raise click.UsageError("Say where to: --host, --root DIR or --data DIR.")
    restored = bring_back(layout, source, gnupg or _own_home())
    click.echo(f"Restored, as of {restored.day}: {count(restored.envelopes, 'envelope')}.")
    click.echo("Anyone can make a file for you. Start nothing before you have compared:")
    rows = [
        ("SHA-256", restored.sha256),
        ("registry root", restored.registry_root),
        ("registry", restored.registry),
    ]
    for name, value in [*rows, *((f"{name} onion", address) for name, address in restored.addresses)]:
        click.echo(f"  {name:<17} {value}")
    click.echo(_NEXT_ON_HOST if layout.kind == "host" else _NEXT_IN_DEMO)


def _own_home() -> Path:
    return Path(os.environ.get("GNUPGHOME") or Path.home() / ".gnupg")


_RETURNED = """\
What was withdrawn, collected or deleted after that day is here again; what arrived after it is not. The desk knows an
envelope that it has had; a withdrawn one it does not. What units delivered on that day or later they send again. What
is past its time goes at the first start."""

_NEXT_ON_HOST = f"""\
{_RETURNED}
Next: make sure that the old machine is off: one address, one machine. Then run deploy/install, with --registry FILE
--registry-root FILE if there is a newer registry, and `candour doctor`."""

_NEXT_IN_DEMO = f"""\
{_RETURNED}
Next: `candour up`, with the demo's courier/ and desk/ folders beside server/."""
