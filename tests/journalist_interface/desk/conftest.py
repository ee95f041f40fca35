"""A unit with real keys, a courier that writes real bundles, and the desk's application over them."""

import html
import itertools
import json
import multiprocessing
import os
import re
import secrets
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from werkzeug.test import TestResponse

from common.conversation.derivation import ConversationSecrets, conversation_secrets
from common.conversation.links import Conversation
from common.conversation.mailbox import ReplyKey
from common.days import today
from common.gpg.sealing import Sealer
from common.registry.forces import Force, Name, Nation
from common.registry.registry import Registry
from common.registry.units import Service, Status, Unit, UnitKind
from common.report import archive
from common.report.archive import FilePart
from common.report.report import Report
from common.secret import Secret
from common.transport import bundle, bundle_item
from common.transport.bundle import Bundle, Returned
from common.transport.courier_key import new_courier
from journalist_interface.desk.app import create_app
from journalist_interface.desk.services import Desk, open_desk
from keys.private_key import read_private_key
from keys.registry.root import new_root
from keys.registry.signature import sign_registry
from keys.unit.unit_keys import NewUnit, new_unit
from tests.conftest import MONTHS, ShortFolders
from tests.once import Once

PORT = 8083
UNIT = "demo-unit"
OTHER = "other-unit"


class Pull:
    """Bytes that are pulled as from a file."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = b""

    def read(self, size: int, /) -> bytes:
        while len(self._rest) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._rest += piece
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


LINK = "f" * 64


@dataclass(frozen=True)
class Reporter:
    """A conversation's secrets, as a codename gives them."""

    secrets: ConversationSecrets = field(repr=False)

    @property
    def key(self) -> ReplyKey:
        return ReplyKey(self.secrets.reply_seed)

    @property
    def conversation(self) -> Conversation:
        return Conversation(self.secrets.mailbox_key, self.key.public())

    @property
    def identity(self) -> str:
        return self.conversation.identity


@dataclass(frozen=True)
class House:
    """Keys that are made once for all tests: a unit, another one, a courier of each, the registry's root."""

    folder: Path
    unit: NewUnit
    other: NewUnit
    courier: Ed25519PrivateKey = field(repr=False)
    other_courier: Ed25519PrivateKey = field(repr=False)
    registry: bytes
    root: bytes


@dataclass
class World:
    """A desk's folder and a stick, and the hands that fill the stick."""

    folder: Path
    house: House
    sealer: Sealer

    @property
    def settings(self) -> Path:
        return self.folder / "desk.toml"

    @property
    def stick(self) -> Path:
        return self.folder.parent / "stick"

    def desk(self) -> Desk:
        return open_desk(self.settings)

    def reporter(self) -> Reporter:
        return Reporter(conversation_secrets(Secret(secrets.token_bytes(32))))

    def seal_bytes(self, content: Iterable[bytes], certificate: str | None = None) -> Path:
        """A sealed file of a random name, to this unit's certificate or another."""
        recipient = self.folder.parent / f"{secrets.token_hex(8)}.asc"
        recipient.write_text(certificate or self.house.unit.certificate, "ascii")
        sealed = self.folder.parent / secrets.token_hex(16)
        self.sealer.seal(Pull(content), [recipient], sealed)
        recipient.unlink()
        return sealed

    def seal(
        self,
        reporter: Reporter,
        text: str = "Words.",
        files: Iterable[tuple[str, Iterable[bytes]]] = (),
        *,
        first: bool = True,
        day: date | None = None,
        kept_from: str = "",
        involved: bool = False,
        link: str = LINK,
        sequence: int = 0,
    ) -> Path:
        """A report, sealed as the source interface does it."""
        report = Report(
            *(text, UNIT, day or today(), first, reporter.conversation, link, sequence),
            kept_from=kept_from,
            involved=involved,
        )
        parts = [FilePart(name, iter(chunks)) for name, chunks in files]
        return self.seal_bytes(archive.write(parts, lambda: report))

    def bundle(
        self,
        *sealed: Path,
        unit: str = UNIT,
        key: Ed25519PrivateKey | None = None,
        before_signing: Callable[[Path], None] | None = None,
        day: date | None = None,
        delivered: Iterable[str] = (),
        returned: Iterable[Returned] = (),
    ) -> Path:
        """A finished bundle on the stick, of copies of these sealed files."""
        day = day or today()
        folder = self.stick / bundle.folder_name("envelopes", day, secrets.token_hex(4))
        folder.mkdir(parents=True)
        for file in sealed:
            shutil.copyfile(file, folder / file.name)
        if before_signing:
            before_signing(folder)
        items = tuple(bundle_item.describe(file) for file in sorted(folder.iterdir()))
        said = tuple(delivered), tuple(returned)
        written = Bundle(folder, "envelopes", unit, day, items, *said)
        bundle.write_manifest(written, key or self.house.courier)
        return folder


def _make_units(folder: Path) -> tuple[NewUnit, NewUnit, NewUnit]:
    def make(name: str, unit_id: str, called: str) -> NewUnit:
        (folder / name).mkdir(mode=0o700)
        return new_unit(folder / name, unit_id, called, passphrase=None, months=MONTHS)

    return (
        make("unit", UNIT, "Demo Unit"),
        make("other", OTHER, "Other Unit"),
        make("charity", "charity", "Charity"),
    )


@pytest.fixture(scope="session")
def house(once: Once, short_folder: ShortFolders) -> House:
    """Keys, made once. The folder's path is short: gpg-agent's socket lies in it."""
    folder = short_folder()
    unit, other, made = once.copy("desk", _make_units, folder)
    courier = new_courier(folder / "courier.key")
    other_courier = new_courier(folder / "other-courier.key")
    root = new_root(folder / "root.key")

    def enrolled(identity: str, made: NewUnit, key_id: str, public: bytes) -> Unit:
        return Unit(
            id=identity,
            name=f"The Unit of {identity}",
            kind=UnitKind.UNIT,
            status=Status.ENROLLED,
            serves=(Service(f"{identity}-force"),),
            certificate=made.certificate,
            fingerprint=made.fingerprint,
            reply_key=made.reply_public_key,
            couriers={key_id: public},
        )

    charity = replace(enrolled("charity", made, "none", b""), kind=UnitKind.DESK, serves=(), couriers={})
    draft = Registry(
        version=7,
        issued=today(),
        expires=today() + timedelta(days=365),
        forces=tuple(
            Force(f"{identity}-force", (Name(f"{identity} Constabulary"),), Nation.ENGLAND, "Somewhere")
            for identity in (UNIT, OTHER)
        ),
        units=(
            charity,
            enrolled(UNIT, unit, courier.key_id, courier.public_key),
            enrolled(OTHER, other, other_courier.key_id, other_courier.public_key),
        ),
    )
    return House(
        folder=folder,
        unit=unit,
        other=other,
        courier=read_private_key(folder / "courier.key"),
        other_courier=read_private_key(folder / "other-courier.key"),
        registry=sign_registry(draft, folder / "root.key"),
        root=root,
    )


@pytest.fixture
def world(house: House, tmp_path: Path) -> World:
    """A fresh desk of the unit, with an empty stick. It shares the unit's GnuPG home with other tests."""
    folder = tmp_path / "desk"
    folder.mkdir(mode=0o700)
    (tmp_path / "stick").mkdir()
    settings = {
        "unit": UNIT,
        "gnupg": str(house.folder / "unit" / "gnupg"),
        "database": "desk.sqlite",
        "sealed": "sealed",
        "saved": "saved",
        "reply_key": str(house.folder / "unit" / "reply.key.gpg"),
        "registry": "registry.json",
        "registry_root": "registry-root.pub",
        "stick": "../stick",
    }
    (folder / "desk.toml").write_text(
        "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
    )
    (folder / "registry.json").write_bytes(house.registry)
    (folder / "registry-root.pub").write_text(house.root.hex())
    return World(folder, house, Sealer(tmp_path / "sealing"))


@dataclass
class Browser:
    """The reviewer's browser: it came in by the one-time link, and sends forms as a browser does."""

    app: Flask
    base: str = f"http://127.0.0.1:{PORT}"

    def __post_init__(self) -> None:
        self.client = self.app.test_client()

    def enter(self) -> "Browser":
        answer = self.client.get(self.app.config["ONE_TIME_LINK"], base_url=self.base)
        assert answer.status_code == 303
        return self

    def get(self, path: str, **more) -> TestResponse:
        return self.client.get(path, base_url=self.base, **more)

    def csrf(self) -> str:
        found = re.search(
            r'name="csrf" value="([0-9a-f]{64})"', self.get("/export").text + self.get("/import").text
        )
        return found.group(1) if found else self.app.extensions["candour.entry"].csrf()

    def post(self, path: str, data: dict[str, str] | None = None, **more) -> TestResponse:
        form = {"csrf": self.csrf()} | (data or {})
        return self.client.post(path, data=form, base_url=self.base, **more)

    def fields(self, page: str) -> dict[str, str]:
        """The hidden fields of a page's forms."""
        found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page)
        return {name: html.unescape(value) for name, value in found}


@pytest.fixture
def browser(world: World) -> Browser:
    """A browser inside the desk."""
    return Browser(create_app(world.settings, PORT)).enter()


@pytest.fixture
def outside(world: World) -> Browser:
    """A browser that has not come in."""
    return Browser(create_app(world.settings, PORT))


def everything_in(folder: Path) -> bytes:
    """The bytes of all files of a folder, and their names."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return b"".join(str(path).encode() + b"\n" + path.read_bytes() for path in files)


@pytest.fixture(name="everything_in")
def _everything_in() -> Callable[[Path], bytes]:
    return everything_in


def _run_until(at: int, work: Callable[[], None], watched: Path, pipe: Connection) -> None:
    """In a process of its own: do the work, and stop for good just before step `at`."""
    steps = itertools.count(1)

    def on_event(event: str, arguments: tuple[object, ...]) -> None:
        if event not in ("open", "os.rename", "os.mkdir", "os.remove", "subprocess.Popen"):
            return
        if event != "subprocess.Popen" and not str(arguments[0]).startswith(str(watched)):
            return
        if next(steps) == at:
            pipe.send(event)
            threading.Event().wait()

    sys.addaudithook(on_event)
    work()
    pipe.send(None)


@pytest.fixture
def kill_at() -> Callable[[int, Callable[[], None], Path], str | None]:
    """Do a piece of work in another process, and kill it with SIGKILL just before its step `at`.

    Its steps are the files that it opens, renames, makes or removes under a folder, and the programs that it starts:
    Python itself tells of them (sys.addaudithook, PEP 578). Returns the step, or None when the work was done before.
    """

    def run(at: int, work: Callable[[], None], watched: Path) -> str | None:
        forked = multiprocessing.get_context("fork")
        here, there = forked.Pipe(duplex=False)
        process = forked.Process(target=_run_until, args=(at, work, watched, there))
        process.start()
        there.close()
        try:
            step: str | None = here.recv()
        finally:
            if process.is_alive() and process.pid:
                os.kill(process.pid, signal.SIGKILL)
            process.join()
            here.close()
        return step

    return run
