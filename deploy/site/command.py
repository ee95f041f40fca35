"""`candour deploy site`: writes the information page, whole or not at all."""

import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import click

from common.config import BadConfiguration, load_registry, read_root, read_server_config
from common.registry.registry import Registry, RegistryRefused
from deploy import data_folder
from deploy.errors import DeployError
from deploy.site.address import OnionAddress
from deploy.site.files import PAGE, make_files

_DEFAULT_NAME = "Candour"
_SERVED_FILE, _SERVED_FOLDER = 0o644, 0o755  # the web server is another user


class SiteRefused(DeployError):
    """The page was not made. The message says why and what to do."""


def run_site(untrusted_address: str, to: Path, data: Path, signed: tuple[Path, Path] | None) -> None:
    """Make the page in `to`. `signed`: a registry and its root key, in place of those of `data`."""
    address = OnionAddress.parse(untrusted_address)
    try:
        registry, service_name = _registry(data, signed)
    except (RegistryRefused, BadConfiguration) as error:
        raise SiteRefused(
            f"{error} The page was not made: name the current registry and its root key with --registry and "
            "--registry-root."
        ) from error
    write(make_files(address, registry, service_name), to)
    click.echo(f"The information page for {address.host} is in {to}:")
    click.echo(f"  {PAGE}/      what is served, over HTTPS: copy it to the web server")
    click.echo("  nginx.conf, apache.conf   the web server's side: use the one that fits")
    click.echo("Make it anew whenever the registry changes: it shows the units' fingerprints.")


def _registry(data: Path, signed: tuple[Path, Path] | None) -> tuple[Registry, str]:
    if signed:
        file, root = signed
        return load_registry(file, read_root(root)), _DEFAULT_NAME
    config = read_server_config(data_folder.server_settings(data))
    return config.load_registry(), config.service_name


def write(files: Mapping[PurePosixPath, bytes], to: Path) -> None:
    """Write all files under `to`, or nothing. Raises SiteRefused."""
    fresh = to.with_name(to.name + ".new")
    try:
        if to.exists() and (not to.is_dir() or any(to.iterdir())):
            raise SiteRefused(
                f"There is something in {to} already. Remove it, or name another folder with --to."
            )
        if fresh.exists():
            shutil.rmtree(fresh)
        fresh.mkdir(parents=True)
        fresh.chmod(_SERVED_FOLDER)
        for path, content in files.items():
            file = fresh / path
            file.parent.mkdir(exist_ok=True)
            file.parent.chmod(_SERVED_FOLDER)
            file.write_bytes(content)
            file.chmod(_SERVED_FILE)
        fresh.rename(to)
    except OSError as error:
        shutil.rmtree(fresh, ignore_errors=True)
        raise SiteRefused(
            f"The page could not be written to {to}: {error.strerror}. Mend that and try again."
        ) from error
