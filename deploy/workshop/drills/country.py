"""A throw-away country: real keys, a registry that a real root signed, a server's folder, in one private folder.

A unit serves one force, and the charity has its desk. Nothing here has a passphrase but what a drill gives one, and
nothing outlives the drill. The folder's path is short, for gpg-agent's sockets.
"""

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

from common.config import ServerConfig, read_server_config
from common.days import today
from common.gpg.certificate import look
from common.gpg.epochs import Epoch, epochs_of, month_after, month_of
from common.gpg.keyring import end_agent, keys_of
from common.gpg.opening import Opener, OpeningFailed
from common.gpg.runner import midnight, run_gpg
from common.registry.units import Service, Status, UnitKind
from common.transport.courier_key import CourierCard, NewCourier, new_courier
from deploy.workshop.drills.rehearsal import Rehearsal
from keys.cards import UnitCard, write_card
from keys.registry.draft import Draft, write_draft
from keys.registry.publication import publish
from keys.registry.root import new_root
from keys.registry.signature import sign_registry
from keys.unit.unit_keys import CERTIFICATE, GNUPG_HOME, UNIT_CARD, new_unit

UNIT, UNIT_NAME = "west-unit", "Western Anti-Corruption Unit"
DESK, DESK_NAME = "charity-desk", "The Charity’s Desk"
FORCE = "west-mercia"
_LIFE = timedelta(days=180)
_MONTHS_BACK = 2  # the unit's first month, so that one is well past its end


@dataclass(frozen=True)
class Country:
    """The folder, in which a drill works with relative paths, as the pages have them."""

    folder: Path

    @property
    def west(self) -> Path:
        """The unit's keys."""
        return self.folder / "west"

    @property
    def server(self) -> Path:
        """The servers' settings and data."""
        return self.folder / "server"

    @property
    def root(self) -> bytes:
        """The root's public key, 32 bytes."""
        return bytes.fromhex((self.folder / "root.pub").read_text("ascii"))

    def config(self) -> ServerConfig:
        """The servers' settings, as one that starts now reads them."""
        return read_server_config(self.server / "server.toml")

    def epochs(self) -> list[Epoch]:
        """The unit's months."""
        fingerprint = look((self.west / CERTIFICATE).read_text("ascii")).fingerprint
        return epochs_of(keys_of(self.west / GNUPG_HOME, fingerprint))


@contextmanager
def throw_away(template: Path | None = None) -> Iterator[Country]:
    """A country for one drill, and the working folder; `template` is copied where there is one."""
    with tempfile.TemporaryDirectory(prefix="drill-", dir="/tmp", ignore_cleanup_errors=True) as name:
        country = Country(Path(name) / "c")
        try:
            if template is None:
                make(country.folder)
            else:
                copy_home(template, country.folder)
            with chdir(country.folder):
                yield country
        finally:
            end_agents(Path(name))


def make(folder: Path) -> None:
    """Fill a new folder."""
    for name in ("", "server", "server/blobs", "desk", "courier", "stick", "west", "charity"):
        (folder / name).mkdir(mode=0o700)
    public = new_root(folder / "root.key")
    (folder / "root.pub").write_text(f"{public.hex()}\n", "ascii")
    with ThreadPoolExecutor() as pool:  # gpg takes its time, and each has a home of its own
        first = month_after(month_of(today()), -_MONTHS_BACK)
        units = [
            pool.submit(_make_unit, folder / "west", UNIT, UNIT_NAME, _MONTHS_BACK + 2, first),
            pool.submit(_make_unit, folder / "charity", DESK, DESK_NAME, 2, month_of(today())),
        ]
        west, charity = (unit.result() for unit in units)
    made: NewCourier = new_courier(folder / "courier" / "courier.key")
    draft = Draft.of_the_country(today() + _LIFE)
    draft = draft.with_card(west, UnitKind.UNIT).with_card(charity, UnitKind.DESK)
    draft = draft.with_card(CourierCard(UNIT, made.key_id, made.public_key), UnitKind.UNIT)
    unit = replace(draft.unit(UNIT), status=Status.ENROLLED, serves=(Service(FORCE),))
    draft = draft.with_unit(unit).with_unit(replace(draft.unit(DESK), status=Status.ENROLLED))
    write_draft(folder / "registry.draft", draft)
    signed = sign_registry(draft.to_sign(1, today()), folder / "root.key")
    (folder / "registry-1.json").write_bytes(signed)
    for place in ("server", "desk", "courier"):
        (folder / place / "registry-root.pub").write_text(f"{public.hex()}\n", "ascii")
        publish(signed, public, folder / place)
    (folder / "server" / "pepper").write_bytes(secrets.token_bytes(32))
    (folder / "server" / "server.toml").write_text(_SERVER, "ascii")
    (folder / "courier" / "courier.toml").write_text(_COURIER.format(unit=UNIT, key_id=made.key_id), "ascii")
    end_agents(folder)


_SERVER = """\
registry = "registry.json"
registry_root = "registry-root.pub"
pepper = "pepper"
database = "sqlite:///candour.sqlite"
blobs = "blobs"
"""
_COURIER = """\
collection = "http://127.0.0.1:1"
unit = "{unit}"
key = "courier.key"
key_id = "{key_id}"
registry = "registry.json"
registry_root = "registry-root.pub"
state = "state"
"""


def _make_unit(folder: Path, unit_id: str, name: str, months: int, first: date) -> UnitCard:
    made = new_unit(folder, unit_id, name, passphrase=None, months=months, first=first)
    card = UnitCard(unit_id, name, made.certificate, made.fingerprint, made.reply_public_key)
    write_card(folder / UNIT_CARD, card)
    return card


def copy_home(source: Path, target: Path) -> None:
    """A copy of a folder of keys, as a thief makes it: all but the agents' sockets."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("S.*", "*.lock"))


def end_agents(folder: Path) -> None:
    """End the gpg-agent of each home in a folder."""
    for home in folder.rglob("private-keys-v1.d"):
        end_agent(home.parent)


def seal_on(day: date, text: str, certificate: Path, output: Path) -> None:
    """What somebody sealed to a certificate on a day, by plain gpg."""
    with tempfile.TemporaryDirectory(dir=output.parent) as home:
        run_gpg(
            Path(home),
            *("--no-keyring", "--no-autostart", "--trust-model", "always", "--encrypt"),
            *("--hidden-recipient-file", str(certificate), "--output", str(output)),
            given=text.encode(),
            clock=midnight(day),
        ).check_returncode()


def opens(sealed: Path, home: Path) -> bool:
    """Whether the keys of a GnuPG home open a sealed file."""
    content = bytearray()
    try:
        Opener(home).open(sealed, content.extend, ask=False)
    except OpeningFailed:
        return False
    return bool(content)


def point_courier(settings: Path, address: str) -> None:
    """Let a courier's settings name where the collection listens, without a proxy."""
    kept = [
        line for line in settings.read_text("ascii").splitlines() if not line.startswith(("coll", "socks"))
    ]
    settings.write_text("\n".join([f'collection = "{address}"', *kept, ""]), "ascii")


def next_version(rehearsal: Rehearsal, country: Country, version: int, root_key: str = "root") -> None:
    """Read out what the draft changes, sign it, and put it in place everywhere, as CEREMONY.md has it."""
    keys = "./candour keys registry"
    old, new = f"registry-{version - 1}.json", f"registry-{version}.json"
    rehearsal.note("The signer and the witness together; the witness reads the difference aloud:")
    for line in rehearsal.run(f"{keys} diff {old} registry.draft").splitlines():
        rehearsal.note(f"  “{line}”")
    rehearsal.run(f"{keys} sign registry.draft {new} --root-key {root_key}.key --version {version}")
    rehearsal.run(f"{keys} publish {new} desk/ courier/ --root {root_key}.pub")
    signed = (country.folder / new).read_bytes()
    rehearsal.on_host(
        f"deploy/install --registry {new}",
        lambda: publish(signed, country.root, country.server),
    )
