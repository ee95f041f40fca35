"""An operator with a key of their own, set-ups that have something in them, and a real tor to ask for a name."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from common.config import Limits, load_registry, read_root
from common.days import today
from common.report.padding import REPLY_CIPHERTEXT_BYTES
from common.store.database import open_store
from common.store.inbox import Inbox
from common.store.outbox import Outbox
from common.store.repository import Store
from common.store.settlement import Settlement
from common.store.values import Addressed, SealedReply
from common.transport.settled_hours import this_hour
from deploy.backup.layout import Layout, in_data_folder, on_host
from deploy.host.settings import HERE
from keys.unit.unit_keys import GNUPG_HOME

SERVICES = ("source", "collection")
FRIEND = "descriptor:x25519:" + "A" * 52


@dataclass(frozen=True)
class Operator:
    """`gnupg` opens what is sealed to `certificate`."""

    certificate: Path
    gnupg: Path


@pytest.fixture(scope="session")
def operator(unit_keys) -> Operator:
    return Operator(unit_keys.folder / "certificate.asc", unit_keys.folder / GNUPG_HOME)


@pytest.fixture(scope="session")
def stranger(other_unit_keys) -> Operator:
    return Operator(other_unit_keys.folder / "certificate.asc", other_unit_keys.folder / GNUPG_HOME)


def hidden_services(folder: Path) -> dict[str, str]:
    """Let a real tor that stays off the network read or make its keys in `folder`; the names of its services."""
    torrc = folder.with_name("torrc")
    lines = [
        f"DataDirectory {folder.with_name('tor-data')}",
        "DisableNetwork 1",
        "SocksPort 0",
        "Log notice stdout",
    ]
    for service in SERVICES:
        lines += [f"HiddenServiceDir {folder / service}", "HiddenServicePort 80 unix:/nonexistent"]
    torrc.write_text("\n".join([*lines, ""]))
    hostnames, said = {service: folder / service / "hostname" for service in SERVICES}, ""
    words = ["tor", "--defaults-torrc", "/dev/null", "-f", str(torrc)]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as tor:
        assert tor.stdout is not None
        for line in tor.stdout:
            said += line
            if "Bootstrapped 0%" in line:  # what it says when it has read its settings and made its keys
                break
        tor.terminate()
        said += tor.communicate(timeout=30)[0]
    assert all(map(_is_whole, hostnames.values())), said
    return {service: file.read_text().strip() for service, file in hostnames.items()}


def _is_whole(hostname: Path) -> bool:
    return hostname.exists() and hostname.read_text().endswith(".onion\n")


@pytest.fixture(scope="session")
def onion_keys(short_folder) -> tuple[Path, dict[str, str]]:
    """Two onion services as tor has made them, and their names."""
    folder = short_folder() / "onions"
    folder.mkdir(mode=0o700)
    names = hidden_services(folder)
    clients = folder / "collection" / "authorized_clients"
    (clients / "unit.auth").write_text(f"{FRIEND}\n")
    return folder, names


@pytest.fixture
def host(tmp_path, onion_keys, registry_bytes, root_key) -> Layout:
    """A host under a root of its own, as deploy/install leaves it and tor has started on it once."""
    root = tmp_path / "host"
    layout = on_host(root)
    (root / "etc").mkdir(parents=True)
    for table in ("passwd", "group"):
        (root / "etc" / table).write_text("")
    for folder in (layout.settings, layout.database.parent):
        folder.mkdir(parents=True)
    (layout.settings / "server.toml").write_bytes((HERE / "server.toml").read_bytes())
    (layout.settings / "registry.json").write_bytes(registry_bytes)
    (layout.settings / "registry-root.pub").write_text(root_key.public.hex())
    (layout.settings / "pepper").write_bytes(os.urandom(32))
    assert layout.onions is not None
    layout.onions.parent.mkdir(parents=True)
    subprocess.run(["cp", "-a", onion_keys[0], layout.onions], check=True)
    opened = open_store(f"sqlite:///{layout.database}", layout.blobs)
    opened.engine.dispose()
    return layout


@pytest.fixture(scope="session")
def demo(tmp_path_factory, registry_bytes, root_key) -> Layout:
    """The server's part of a data folder. For tests that leave it well."""
    layout = in_data_folder(tmp_path_factory.mktemp("demo") / "data")
    layout.settings.mkdir(parents=True)
    lines = ['registry = "registry.json"', 'registry_root = "registry-root.pub"', 'pepper = "pepper"']
    lines += ['database = "sqlite:///candour.sqlite"', 'blobs = "blobs"', ""]
    (layout.settings / "server.toml").write_text("\n".join(lines))
    (layout.settings / "registry.json").write_bytes(registry_bytes)
    (layout.settings / "registry-root.pub").write_text(root_key.public.hex())
    (layout.settings / "pepper").write_bytes(os.urandom(32))
    store_of(layout).engine.dispose()
    return layout


def store_of(layout: Layout) -> Store:
    return open_store(f"sqlite:///{layout.database}", layout.blobs)


@pytest.fixture(scope="session")
def open_layout():
    """Opens the store of a set-up; closes it at the end."""
    opened = []

    def look(layout: Layout) -> Store:
        opened.append(store_of(layout))
        return opened[-1]

    yield look
    for store in opened:
        store.engine.dispose()


@pytest.fixture(scope="session")
def put() -> Callable[..., str]:
    """Accepts a message into a store, of the day before yesterday; gives the envelope's id."""

    def put(store: Store, content: bytes = b"sealed") -> str:
        reply = SealedReply(os.urandom(16), os.urandom(REPLY_CIPHERTEXT_BYTES))
        day = today() - timedelta(days=2)
        (blob_id,) = store.receive(
            [Addressed(os.urandom(16), "test-unit")],
            reply,
            day,
            lambda outputs: os.write(outputs[0], content),
        )
        return blob_id

    return put


@pytest.fixture(scope="session")
def settle_in() -> Callable[[Layout, Store], None]:
    """A settled hour comes to a set-up."""

    def settle(layout: Layout, store: Store) -> None:
        outbox = Outbox(layout.blobs.with_name("outbox"), layout.blobs)
        registry = load_registry(
            layout.settings / "registry.json", read_root(layout.settings / "registry-root.pub")
        )
        Settlement(
            store, Inbox(layout.blobs.with_name("inbox")), outbox, registry, Limits(keep_free_bytes=0)
        ).run(this_hour())

    return settle


@pytest.fixture(scope="session")
def names_by_tor():
    return hidden_services


@pytest.fixture(scope="session")
def rows_of():
    """All rows of a set-up, as its database keeps them."""
    import sqlite3
    from contextlib import closing

    def look(layout: Layout) -> dict[str, list[tuple[object, ...]]]:
        with closing(sqlite3.connect(f"file:{layout.database}?mode=ro", uri=True)) as connection:
            return {
                name: connection.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall()  # noqa: S608
                for name in ("envelope", "reply")
            }

    return look
