"""`candour deploy`: what an operator does on the host, and for it. Each command is imported when it is called."""

from pathlib import Path

import click

from deploy.options import data_option


@click.group("deploy")
def operating() -> None:
    """What an operator does on the host."""


@operating.command("admit")
@click.argument("name")
@click.argument("line", metavar="descriptor:x25519:…")
def admit(name: str, line: str) -> None:
    """Let a courier's machine reach the collection, by the line that `candour courier enrol` printed there."""
    from deploy.onions.gate import admit_here

    admit_here(name, line)


@operating.command("dismiss")
@click.argument("name")
def dismiss(name: str) -> None:
    """Let a courier's machine no longer reach the collection."""
    from deploy.onions.gate import dismiss_here

    dismiss_here(name)


@operating.command("couriers")
def couriers() -> None:
    """List the couriers' machines that may reach the collection."""
    from deploy.onions.gate import list_here

    list_here()


@operating.command()
@click.option("--onion", "address", required=True, metavar="ADDRESS", help="The source onion's address.")
@click.option(
    "--to",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The folder to make: must not exist.",
)
@click.option(
    "--registry",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The signed registry, with --registry-root in place of --data.",
)
@click.option(
    "--registry-root", type=click.Path(path_type=Path), metavar="FILE", help="The registry's root key."
)
@data_option
def site(address: str, to: Path, registry: Path | None, registry_root: Path | None, data: Path) -> None:
    """Make the information page for the clear net: static, with address, QR code and fingerprints."""
    from deploy.site.command import run_site

    if (registry is None) != (registry_root is None):
        raise click.UsageError("--registry and --registry-root belong together: name both, or neither.")
    run_site(address, to.absolute(), data, (registry, registry_root) if registry and registry_root else None)
