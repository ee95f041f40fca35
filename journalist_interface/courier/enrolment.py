"""What a courier's machine needs before it can call: two keys of its own, settings, and a tor that has one of them.

Promises: both private keys are made here and stay here, each in a file of mode 0600; nothing that is there is
overwritten, and doing it again shows the same keys once more. What goes out is public.
"""

import os
import secrets
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.config import read_table, text, within
from common.durable import write_new
from common.transport.courier_key import CourierCard, key_id_of, new_courier
from common.transport.onion import (
    KEY_BYTES,
    NotAClientKey,
    NotAnOnion,
    private_line,
    public_line,
    public_of,
    quoted,
    read_private_line,
)
from journalist_interface.courier.errors import BadCourierKey, CourierError
from journalist_interface.courier.identity import Identity, read_identity

SOCKS_PORT = 9250  # not 9050: a tor of Debian's own may be there
AUTH_FOLDER, CARD, KEY, TORRC = "onion-auth", "courier-card.json", "courier.key", "torrc"


class NoUnit(CourierError):
    """Whose courier this is must be said once. Name its unit with --unit."""

    def __init__(self) -> None:
        super().__init__(str(self.__doc__))


@dataclass(frozen=True)
class Enrolled:
    """What others need of this courier, and where its own things are."""

    name: str  # of this machine, at the onion's host
    line: str  # for the onion's host
    card: Path  # for whoever signs the registry
    key_id: str  # under which the registry names it
    public_key: bytes  # Ed25519, 32 bytes: what the card is compared by
    torrc: Path
    settings: str  # what courier.toml must say for this onion


def enrol(config_file: Path, address: str, name: str, unit: str | None) -> Enrolled:
    """Make what is missing beside `config_file`. `address`: `….onion`, checked. Raises NoUnit, BadCourierKey."""
    folder = config_file.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    table = read_table(config_file) if config_file.exists() else None
    unit = text(config_file, table, "unit") if table is not None else unit
    if unit is None:
        raise NoUnit
    identity = _identity(config_file, table)
    name, line = _let_in(folder / AUTH_FOLDER, address, name)
    card, torrc = folder / CARD, folder / TORRC
    _write_once(card, CourierCard(unit, identity.key_id, identity.public).document())
    _write_once(torrc, _torrc(folder).encode())
    settings = f'collection = "http://{address}"\nsocks = "socks5h://127.0.0.1:{SOCKS_PORT}"\n'
    if table is None:
        (folder / "state").mkdir(mode=0o700, exist_ok=True)
        _write_once(config_file, (settings + _SETTINGS.format(unit, identity.key_id)).encode())
    return Enrolled(name, line, card, identity.key_id, identity.public, torrc, settings)


_SETTINGS = f"""\
unit = "{{}}"
key = "{KEY}"
key_id = "{{}}"
registry = "registry.json"
registry_root = "registry-root.pub"
state = "state"
"""


def _identity(config_file: Path, table: Mapping[str, Any] | None) -> Identity:
    """The key that signs requests: the one that there is, or a new one."""
    if table is not None:
        return read_identity(within(config_file, table, "key"), text(config_file, table, "key_id"))
    file = config_file.parent / KEY
    if not file.exists():
        new_courier(file)
    found = read_identity(file, "")
    return Identity(key_id_of(found.public), found.key)


def _let_in(folder: Path, address: str, name: str) -> tuple[str, str]:
    """The name and public line of the key for the onion `address`; the key is made if there is none."""
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)  # tor refuses a folder that others can read
    for file in sorted(folder.glob("*.auth_private")):
        try:
            onion, private = read_private_line(file.read_text("ascii"))
        except (NotAClientKey, NotAnOnion, UnicodeDecodeError) as error:
            raise BadCourierKey(
                f"{file} is not a key for an onion, or is damaged. Move it away and run the command again."
            ) from error
        if onion == address:
            return file.stem, public_line(public_of(private))
    private = secrets.token_bytes(KEY_BYTES)  # any 32 bytes are a key (RFC 7748, section 5)
    write_new(folder / f"{name}.auth_private", private_line(address, private).encode() + b"\n")
    return name, public_line(public_of(private))


def _torrc(folder: Path) -> str:
    return f"""\
# The courier's own tor, which alone has the key to the collection's onion. Start it with:
#   tor -f {shlex.quote(str(folder / TORRC))}
DataDirectory {quoted(folder / "tor")}
ClientOnly 1
SocksPort 127.0.0.1:{SOCKS_PORT}
ClientOnionAuthDir {quoted(folder / AUTH_FOLDER)}
"""


def _write_once(file: Path, content: bytes) -> None:
    if not os.path.lexists(file):
        write_new(file, content)
