"""A collection with two units, run for real: outbox, inbox, keys, sockets; and the store that it cannot reach."""

import hashlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from http_message_signatures import HTTPMessageSigner, MappingKeyResolver, algorithms
from werkzeug.serving import WSGIRequestHandler, make_server

from common import signing
from common.config import ServerConfig, read_server_config
from common.contexts import Context
from common.conversation.mailbox import TAG_BYTES
from common.days import today
from common.registry import registry as registries
from common.registry.forces import Force, Name, Nation
from common.registry.registry import Registry
from common.registry.units import Service, Status, Unit, UnitKind
from common.report.padding import REPLY_CIPHERTEXT_BYTES
from common.store.database import open_store
from common.store.inbox import Inbox
from common.store.outbox import Outbox
from common.store.repository import Store
from common.store.settlement import Settlement
from common.store.values import Addressed, SealedReply, Withdrawal
from common.transport import post
from common.transport.settled_hours import this_hour
from journalist_interface.collection.app import create_app

PROJECT = Path(__file__).resolve().parents[3]
UNITS = ("north", "south")


def _force(name: str) -> Force:
    return Force(f"{name}-force", (Name(f"{name.title()} Police"),), Nation.ENGLAND, name.title())


def _desk() -> Unit:
    """The charity's desk, without which no registry is sound."""
    certificate = "not looked at here"
    return Unit(
        "charity", "Charity", UnitKind.DESK, Status.ENROLLED, (), certificate, "D" * 40, bytes(32), {}
    )


@dataclass(frozen=True)
class Reply:
    """An answer as its desk signed it."""

    candidates: tuple[bytes, ...]
    ciphertext: bytes
    document: bytes


@dataclass
class World:
    """The server's folder, and all the keys there are."""

    folder: Path
    config: ServerConfig
    store: Store
    root_key: Ed25519PrivateKey
    reply_keys: dict[str, Ed25519PrivateKey]
    courier_keys: dict[str, Ed25519PrivateKey]  # by unit; the key id is `<unit>-courier`

    def write_registry(
        self,
        version: int = 1,
        expires: date | None = None,
        without: tuple[str, ...] = (),
        suspended: tuple[str, ...] = (),
    ) -> None:
        """Sign a registry and put it in place whole; `without`: units whose courier is not enrolled."""
        body = registries.to_body(
            Registry(
                version=version,
                issued=min(today(), expires or today()),
                expires=expires or today() + timedelta(days=30),
                forces=tuple(_force(name) for name in UNITS),
                units=(
                    *(self._unit(name, name not in without, name in suspended) for name in UNITS),
                    _desk(),
                ),
            )
        )
        fresh = self.config.registry.with_suffix(".new")
        fresh.write_bytes(signing.sign(body, Context.REGISTRY, self.root_key))
        fresh.rename(self.config.registry)

    def _unit(self, name: str, enrolled: bool, suspended: bool) -> Unit:
        courier = self.courier_keys[name].public_key().public_bytes_raw()
        return Unit(
            id=name,
            name=name.title(),
            kind=UnitKind.UNIT,
            status=Status.SUSPENDED if suspended else Status.ENROLLED,
            serves=(Service(f"{name}-force"),),
            certificate="not looked at here",
            fingerprint=str(UNITS.index(name)) * 40,
            reply_key=self.reply_keys[name].public_key().public_bytes_raw(),
            couriers={f"{name}-courier": courier} if enrolled else {},
        )

    def put(self, unit: str, content: bytes) -> str:
        """An envelope that is listed for a unit; its id."""
        identity, _ = self.put_unlisted(unit, content)
        self.settle()
        return identity

    def put_large(self, unit: str, size: int) -> str:
        """A listed envelope of many bytes."""

        def write(output: int) -> None:
            block = secrets.token_bytes(1024 * 1024)
            for _ in range(size // len(block)):
                os.write(output, block)

        identity, _ = self._put(unit, write)
        self.settle()
        return identity

    def put_unlisted(self, unit: str, content: bytes) -> tuple[str, bytes]:
        """An envelope that arrived since the last settled hour, and its receipt tag."""
        return self._put(unit, lambda output: os.write(output, content))

    def _put(self, unit: str, write: Callable[[int], object]) -> tuple[str, bytes]:
        header = SealedReply(secrets.token_bytes(TAG_BYTES), secrets.token_bytes(REPLY_CIPHERTEXT_BYTES))
        tag = secrets.token_bytes(TAG_BYTES)
        (identity,) = self.store.receive(
            [Addressed(tag, unit)], header, today(), lambda outputs: write(outputs[0])
        )
        return identity, tag

    def limit(self, **changed: int) -> None:
        """Other limits, for what starts from now on."""
        self.config = replace(self.config, limits=replace(self.config.limits, **changed))

    def withdraw(self, tag: bytes) -> Withdrawal | None:
        """What a reporter does."""
        return self.store.withdraw(tag)

    def settle(self, hour: str = "") -> None:
        """A settled hour comes: this one."""
        outbox = Outbox(self.config.outbox, self.config.blobs)
        try:
            registry = self.config.load_registry()
            inbox = Inbox(self.config.inbox)
            Settlement(self.store, inbox, outbox, registry, self.config.limits).run(hour or this_hour())
        finally:
            outbox.close()

    def listed(self, unit: str) -> list[str]:
        """The ids that are listed for a unit."""
        outbox = Outbox(self.config.outbox, self.config.blobs)
        try:
            return [envelope.id for envelope in outbox.waiting(unit, most=100_000)]
        finally:
            outbox.close()

    def delivered(self, unit: str) -> list[str]:
        """The names of what lies in the inbox of a unit."""
        folder = self.config.inbox / unit
        return sorted(file.name for file in folder.iterdir()) if folder.exists() else []

    def new_reply(
        self,
        unit: str = "north",
        *,
        signed_by: str = "",
        day: date | None = None,
        tags: tuple[bytes, ...] = (),
    ) -> Reply:
        """An answer of a unit's desk, into slots of its own."""
        tags = tags or tuple(secrets.token_bytes(TAG_BYTES) for _ in range(3))
        sealed = secrets.token_bytes(REPLY_CIPHERTEXT_BYTES)
        key = self.reply_keys[signed_by or unit]
        return Reply(tags, sealed, post.sign_reply(unit, day or today(), tags, sealed, key))

    def new_receipts(self, unit: str, held: dict[str, bytes], *, signed_by: str = "") -> bytes:
        """A desk's word that it holds envelopes: id -> content."""
        digests = {one: hashlib.sha256(content).hexdigest() for one, content in held.items()}
        return post.sign_receipts(unit, today(), digests, self.reply_keys[signed_by or unit])

    def replies_under(self, tags: Sequence[bytes]) -> dict[bytes, bytes]:
        """What lies in reply slots."""
        return self.store.mailbox([b"-" * TAG_BYTES], list(tags)).replies


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    folder = tmp_path / "server"
    folder.mkdir()
    root_key = Ed25519PrivateKey.generate()
    (folder / "pepper").write_bytes(secrets.token_bytes(32))
    (folder / "root.pub").write_text(root_key.public_key().public_bytes_raw().hex())
    (folder / "server.toml").write_text(
        'database = "sqlite:///candour.sqlite"\nblobs = "blobs"\nregistry = "registry.json"\n'
        'registry_root = "root.pub"\npepper = "pepper"\n[limits]\nkeep_free_bytes = 0\nreserve_for_reports_bytes = 0\n'
    )
    config = read_server_config(folder / "server.toml")
    store = open_store(config.database, config.blobs)
    made = World(
        folder,
        config,
        store,
        root_key,
        {name: Ed25519PrivateKey.generate() for name in UNITS},
        {name: Ed25519PrivateKey.generate() for name in UNITS},
    )
    made.write_registry()
    made.settle()
    yield made
    store.engine.dispose()


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """No access log here either."""


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    """The app on a free port of loopback, in threads."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def collection_of(world: World) -> Iterator[str]:
    """A collection that starts now, in this process: its address."""
    app = create_app(world.config)
    try:
        with serving(app) as address:
            yield address
    finally:
        app.extensions["candour"].outbox.close()


@pytest.fixture
def base(world: World) -> Iterator[str]:
    """The address of a collection that runs in this process."""
    with collection_of(world) as address:
        yield address


@dataclass
class Gunicorn:
    """A collection as it runs in life, on a listener of its own that outlives its workers."""

    address: str
    process: subprocess.Popen[bytes]

    def worker(self) -> int:
        """The worker's process id."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])


@contextmanager
def running_gunicorn(world: World) -> Iterator[Gunicorn]:
    """The collection under gunicorn: one worker, 16 threads. A call waits in the listener until it is ready."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "--workers",
        "1",
        "--threads",
        "16",
        "--worker-class",
        "gthread",
    ]
    command += [
        "--preload",
        "--log-level",
        "warning",
        "--no-control-socket",
        "--bind",
        f"fd://{listener.fileno()}",
    ]
    with listener:
        process = subprocess.Popen(
            [*command, "journalist_interface.collection.app:create_app()"],
            cwd=PROJECT,
            env=os.environ | {"CANDOUR_SERVER": str(world.folder / "server.toml")},
            pass_fds=[listener.fileno()],
        )
        try:
            yield Gunicorn(f"http://127.0.0.1:{listener.getsockname()[1]}", process)
        finally:
            process.send_signal(signal.SIGQUIT)  # at once, not when its callers hang up
            process.wait()


@pytest.fixture
def gunicorn(world: World) -> Iterator[Gunicorn]:
    with running_gunicorn(world) as running:
        yield running


@dataclass
class Caller:
    """Signs and sends requests, as RFC 9421 says, without any code of the courier's."""

    base: str
    key_id: str
    key: Ed25519PrivateKey
    mark: str = ""
    session: requests.Session = field(default_factory=requests.Session)

    def prepare(self, method: str, path: str, body: bytes = b"", **headers: str) -> requests.PreparedRequest:
        """A request that is not signed yet."""
        return requests.Request(method, self.base + path, data=body or None, headers=headers).prepare()

    def sign(self, request: requests.PreparedRequest, **changed: Any) -> requests.PreparedRequest:
        """Sign a request; `changed`: what is not as it should be."""
        covered = ["@method", "@authority", "@path", *(["@query"] if "?" in str(request.url) else [])]
        values: dict[str, Any] = {
            "key_id": self.key_id,
            "created": datetime.now(UTC),
            "nonce": self.mark + secrets.token_hex(16),
            "tag": "candour-courier",
            "covered_component_ids": covered,
            "body": request.body or None,
        }
        resolver = MappingKeyResolver(public_keys={}, private_keys={(values | changed)["key_id"]: self.key})
        HTTPMessageSigner(signature_algorithm=algorithms.ED25519, key_resolver=resolver).sign(
            request, **(values | changed)
        )
        return request

    def send(self, request: requests.PreparedRequest) -> requests.Response:
        """Send a request as it is."""
        return self.session.send(request, allow_redirects=False, timeout=60)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> requests.Response:
        """A request as it should be, and its answer."""
        self.learn_mark()
        return self.send(self.sign(self.prepare(method, path, body, **headers)))

    def learn_mark(self) -> None:
        """A collection that has just started tells its start mark."""
        if not self.mark:
            answer = self.send(self.sign(self.prepare("GET", "/v1/envelopes")))
            self.mark = answer.json()["nonce"]


@pytest.fixture
def call(world: World, base: str) -> Iterator[Callable[..., Caller]]:
    """Callers of the collection in this process: `call("north")`."""
    made: list[Caller] = []

    def caller(unit: str, address: str = base) -> Caller:
        made.append(Caller(address, f"{unit}-courier", world.courier_keys[unit]))
        return made[-1]

    yield caller
    for one in made:
        one.session.close()


@pytest.fixture
def north(call: Callable[..., Caller]) -> Caller:
    """The courier of the unit `north`."""
    return call("north")
