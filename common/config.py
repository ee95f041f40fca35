"""What the servers are told: one TOML file, read once at start, checked, and never changed.

Paths in it are relative to the file's own folder. It holds no secret: the pepper is a file of its own, which only the
source interface reads.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from common.conversation.derivation import PEPPER_BYTES
from common.days import today
from common.registry.registry import Registry, RegistryRefused, verify
from common.secret import Secret
from common.signing import PUBLIC_KEY_BYTES

MOST_GRACE_DAYS = 90


class BadConfiguration(Exception):
    """The configuration cannot be used. Mend the file that the message names and start again."""


@dataclass(frozen=True)
class Limits:
    """What a reporter may send at once, and what the servers keep free. Bytes, characters, seconds."""

    max_file_bytes: int = 4 * 1024**3
    max_report_bytes: int = 8 * 1024**3
    max_files: int = 100
    max_text_chars: int = 200_000
    keep_free_bytes: int = 1024**3
    session_idle_seconds: int = 3600
    session_longest_seconds: int = 8 * 3600  # from its beginning, however busy it is
    derivations_at_once: int = 1  # in each worker process
    reserve_for_reports_bytes: int = 4 * 1024**3

    @property
    def keep_free_of_small(self) -> int:
        """What text alone and answers leave free: one that fills the disk with files does not close it to words."""
        return self.keep_free_bytes // 16

    @property
    def largest_sealed_bytes(self) -> int:
        """What the largest report takes, padded and sealed, and a little more."""
        return self.max_report_bytes + self.max_report_bytes // 8 + 1024 * 1024

    def kept_from_posts(self, disk_bytes: int) -> int:
        """What everything that units post has to leave free on a disk of this size: it never closes it to reports.

        The reserve is at most a sixteenth of the disk, so that a small one takes answers too.
        """
        return self.keep_free_bytes + min(self.reserve_for_reports_bytes, disk_bytes // 16)


@dataclass(frozen=True)
class ServerConfig:
    """The settings of the source interface and the collection. Reading them does not read the pepper."""

    service_name: str
    database: str  # URL
    blobs: Path
    inbox: Path  # what couriers delivered; the collection writes it
    outbox: Path  # what couriers may collect; the settlement writes it
    registry: Path
    registry_root: bytes  # Ed25519, 32 bytes
    pepper_file: Path = field(repr=False)  # for the source interface alone
    run: Path  # the servers' own folder: an empty GnuPG home, the registry's highest version
    limits: Limits
    registry_grace_days: int = 0  # for how long the servers go on with a registry that has expired

    @cached_property
    def pepper(self) -> Secret:
        """What its file held when it was first asked for: the collection, which may not read it, never asks.

        Raises BadConfiguration.
        """
        pepper = read_bytes(self.pepper_file)
        if len(pepper) != PEPPER_BYTES:
            raise BadConfiguration(f"The pepper in {self.pepper_file} must be {PEPPER_BYTES} bytes.")
        return Secret(pepper)

    def load_registry(self) -> Registry:
        """The registry as it is on disk now. Raises RegistryRefused."""
        return load_registry(self.registry, self.registry_root, self.registry_grace_days)


def load_registry(file: Path, root: bytes, grace_days: int = 0) -> Registry:
    """The registry in a file. Raises RegistryRefused."""
    try:
        return verify(file.read_bytes(), root, today(), grace_days)
    except OSError as error:
        raise RegistryRefused("it is not there, or cannot be read") from error


def read_server_config(file: Path) -> ServerConfig:
    """The settings in `server.toml`. Raises BadConfiguration."""
    table = read_table(file)
    blobs = within(file, table, "blobs")
    return ServerConfig(
        service_name=str(table.get("service_name", "Candour")),
        database=_database(file, text(file, table, "database")),
        blobs=blobs,
        inbox=within(file, table, "inbox") if "inbox" in table else blobs.with_name("inbox"),
        outbox=within(file, table, "outbox") if "outbox" in table else blobs.with_name("outbox"),
        registry=within(file, table, "registry"),
        registry_root=read_root(within(file, table, "registry_root")),
        pepper_file=within(file, table, "pepper"),
        run=file.parent / "run",
        limits=_limits(file, table.get("limits", {})),
        registry_grace_days=_days(file, table, "registry_grace_days"),
    )


def read_table(file: Path) -> Mapping[str, Any]:
    """A TOML file. Raises BadConfiguration."""
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadConfiguration(f"The configuration {file} is missing or is not TOML.") from error


def text(file: Path, table: Mapping[str, Any], key: str) -> str:
    """A text of the table. Raises BadConfiguration."""
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise BadConfiguration(f"{file} must say what `{key}` is.")
    return value


def within(file: Path, table: Mapping[str, Any], key: str) -> Path:
    """A path of the table, relative to the file's folder. Raises BadConfiguration."""
    return file.parent / text(file, table, key)


def read_bytes(file: Path) -> bytes:
    """A small file. Raises BadConfiguration."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadConfiguration(f"{file} cannot be read.") from error


def read_root(file: Path) -> bytes:
    """The registry's root public key: 64 hex digits in a file. Raises BadConfiguration."""
    try:
        root = bytes.fromhex(read_bytes(file).decode("ascii").strip())
    except ValueError as error:
        raise BadConfiguration(f"{file} must hold the registry's root key: 64 hex digits.") from error
    if len(root) != PUBLIC_KEY_BYTES:
        raise BadConfiguration(f"{file} must hold the registry's root key: 64 hex digits.")
    return root


def _days(file: Path, table: Mapping[str, Any], key: str) -> int:
    value = table.get(key, 0)
    if type(value) is not int or not 0 <= value <= MOST_GRACE_DAYS:
        raise BadConfiguration(f"`{key}` in {file} is a whole number, from 0 to {MOST_GRACE_DAYS}.")
    return value


def _limits(file: Path, table: Any) -> Limits:
    known = {item.name for item in fields(Limits)}
    if not isinstance(table, dict) or not set(table) <= known:
        raise BadConfiguration(f"[limits] in {file} may hold only: {', '.join(sorted(known))}.")
    if any(type(value) is not int or value < 0 for value in table.values()):
        raise BadConfiguration(f"[limits] in {file} holds whole numbers only.")
    return Limits(**table)


def _database(file: Path, untrusted_url: str) -> str:
    """The URL, a path in it taken from the file's folder. The collection reads it, so this needs no SQLAlchemy."""
    try:
        url = urlsplit(untrusted_url, allow_fragments=False)
        is_url = bool(url.scheme) and untrusted_url.startswith(f"{url.scheme}://") and (url.port or 1) > 0
    except ValueError:  # not chained: it may show a password
        is_url = False
    if not is_url:
        raise BadConfiguration(f"`database` in {file} must be a URL such as sqlite:///candour.sqlite.")
    path = url.path.removeprefix("/")
    if url.scheme.partition("+")[0] != "sqlite" or not path:
        return untrusted_url
    query = f"?{url.query}" if url.query else ""
    return f"{url.scheme}:///{file.parent / path}{query}"
