"""What a courier is told: one TOML file. Paths in it are relative to the file's own folder."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from common.config import BadConfiguration, read_root, read_table, text, within
from common.registry.registry import RegistryRefused, UnknownUnit
from common.registry.units import Unit
from common.registry.version import load_newest
from journalist_interface.courier.identity import Identity, read_identity


@dataclass(frozen=True)
class CourierConfig:
    """The settings of one courier, of one unit."""

    collection: str  # base URL, without a slash at its end
    unit: str
    identity: Identity
    registry: Path
    registry_root: bytes = field(repr=False)
    state: Path
    socks: str | None  # socks5h://…: names are resolved by Tor

    def its_unit(self) -> Unit:
        """The unit, by the registry as it is on disk now. Raises RegistryRefused, also for one that is older than one
        seen here before.
        """
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        registry = load_newest(self.registry, self.registry_root, self.state)
        try:
            return registry.unit(self.unit)
        except UnknownUnit as error:
            raise RegistryRefused(f"it does not know the unit {self.unit}") from error


def read_courier_config(file: Path, socks: str | None = None) -> CourierConfig:
    """The settings in courier.toml; `socks` goes before the file's own. Raises BadConfiguration, BadCourierKey."""
    table = read_table(file)
    collection = _base_url(file, text(file, table, "collection"))
    proxy = _socks(socks if socks is not None else _optional(file, table, "socks"))
    if proxy is None and (urlsplit(collection).hostname or "").endswith(".onion"):
        raise BadConfiguration(
            "An onion is reached through Tor. Name its port with --socks, or as `socks` in courier.toml."
        )
    return CourierConfig(
        collection=collection,
        unit=text(file, table, "unit"),
        identity=read_identity(within(file, table, "key"), text(file, table, "key_id")),
        registry=within(file, table, "registry"),
        registry_root=read_root(within(file, table, "registry_root")),
        state=within(file, table, "state"),
        socks=proxy,
    )


def _optional(file: Path, table: Mapping[str, Any], key: str) -> str | None:
    return text(file, table, key) if key in table else None


def _base_url(file: Path, untrusted: str) -> str:
    try:
        url = urlsplit(untrusted)
        plain = url.scheme in ("http", "https") and url.hostname and url.port != 0
    except ValueError:
        plain = False
    if not plain or url.username or url.query or url.fragment or url.path not in ("", "/"):
        raise BadConfiguration(
            f"`collection` in {file} must be an address such as http://….onion, without a path."
        )
    return untrusted.rstrip("/")


def _socks(untrusted: str | None) -> str | None:
    if untrusted is None:
        return None
    try:
        url = urlsplit(untrusted)
        fit = url.scheme == "socks5h" and url.hostname and url.port
    except ValueError:
        fit = False
    if not fit:
        raise BadConfiguration(
            "The proxy must be like socks5h://127.0.0.1:9050: with socks5h, Tor resolves the names, and nobody else "
            "learns them."
        )
    return untrusted
