"""A courier with its settings, its stick and its collection; and lines between them that can be cut."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from common.days import today
from common.envelope_id import forwarded_id
from common.transport import bundle, bundle_item, forwarding, post
from common.transport.bundle import Bundle
from common.transport.forwarding import Forward, Slip
from journalist_interface.courier.cli import courier as command
from journalist_interface.courier.client import CollectionClient
from journalist_interface.courier.config import CourierConfig, read_courier_config
from journalist_interface.courier.pickup import Collected, collect
from journalist_interface.courier.progress import Progress
from journalist_interface.courier.retries import Patience
from journalist_interface.courier.state import State
from tests.journalist_interface.collection.conftest import (
    PROJECT,
    Reply,
    World,
    base,
    gunicorn,
    world,
)

__all__ = ["base", "gunicorn", "world"]

QUICK = Patience(attempts=3, first_pause=0.01, longest_pause=0.02, connect_timeout=10, read_timeout=20)
RUN = "from journalist_interface.courier.cli import courier; courier()"


@dataclass
class Courier:
    """A courier of the unit `north`, and its stick."""

    folder: Path
    stick: Path
    world: World
    address: str

    @property
    def settings(self) -> Path:
        return self.folder / "courier.toml"

    def write_settings(self, address: str, **more: str) -> None:
        """Let the courier call there."""
        values = {
            "collection": address,
            "unit": "north",
            "key": "courier.key",
            "key_id": "north-courier",
            "registry": os.path.relpath(self.world.config.registry, self.folder),
            "registry_root": os.path.relpath(self.world.folder / "root.pub", self.folder),
            "state": "state",
        } | more
        self.settings.write_text("".join(f'{key} = "{value}"\n' for key, value in values.items()))

    def config(self) -> CourierConfig:
        return read_courier_config(self.settings)

    def run(self, *arguments: str | Path, **environment: str) -> Result:
        """The command, in this process."""
        words = ["--config", str(self.settings), *map(str, arguments)]
        return CliRunner().invoke(command, words, env=environment, catch_exceptions=False)

    def collect(self, *more: str) -> Result:
        return self.run("collect", "--to", self.stick, *more)

    def deliver(self) -> Result:
        return self.run("deliver", "--from", self.stick)

    def collect_impatiently(self) -> Collected:
        """Collect, giving up soon."""
        config = self.config()
        client = CollectionClient(config.collection, config.identity, config.socks, QUICK)
        with State.held(config.state) as state:
            return collect(client, state, self.stick, config, Progress())

    def start(self, *arguments: str | Path, program: str = RUN) -> "subprocess.Popen[str]":
        """The command, in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-c", program, "--config", str(self.settings), *map(str, arguments)],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def bundles(self) -> list[Bundle]:
        """The bundles on the stick, each with a manifest that holds and files that are what it says."""
        public = self.config().identity.public
        read = [
            bundle.read_manifest(folder, "envelopes", "north", (public,))
            for folder in bundle.found(self.stick, "envelopes")
        ]
        for one in read:
            assert all(bundle_item.describe(one.folder / item.name) == item for item in one.items)
        return read

    def carried(self) -> dict[str, bytes]:
        """What is on the stick: envelope id -> its bytes."""
        return {
            item.name: (one.folder / item.name).read_bytes() for one in self.bundles() for item in one.items
        }

    def seal(self, *posts: Reply | bytes, token: str = "0" * 8, unit: str = "north") -> Path:
        """A bundle of posts on the stick, as the desk of `unit` makes one."""
        documents = [one if isinstance(one, bytes) else one.document for one in posts]
        named = {post.identity(document): document for document in documents}
        return self.put_bundle("posts", named, token=token, unit=unit)

    def pass_on(self, *envelopes: bytes, to: str = "south", token: str = "0" * 8) -> tuple[Path, Reply]:
        """A bundle of forwards on the stick, and its handover."""
        key, handover = self.world.reply_keys["north"], self.world.new_reply()
        sealed = {forwarded_id(sha256(content).hexdigest()): content for content in envelopes}
        slips = tuple(
            forwarding.sign_slip(
                Slip(name, "north", to, today(), len(content), sha256(content).hexdigest()), key
            )
            for name, content in sealed.items()
        )
        document = forwarding.dump(Forward(slips, handover.document))
        return self.put_bundle("forwards", {"0" * 32: document} | sealed, token=token), handover

    def put_bundle(
        self, kind: bundle.Kind, items: dict[str, bytes], token: str = "0" * 8, unit: str = "north"
    ) -> Path:
        """A bundle on the stick, signed by the desk of `unit`."""
        folder = self.stick / bundle.folder_name(kind, today(), token)
        folder.mkdir()
        for name, content in items.items():
            (folder / name).write_bytes(content)
        described = tuple(bundle_item.describe(folder / name) for name in items)
        bundle.write_manifest(Bundle(folder, kind, "north", today(), described), self.world.reply_keys[unit])
        return folder

    def said(self) -> tuple[set[str], set[tuple[str, str]]]:
        """What the bundles on the stick tell the desk of its posts: delivered, and returned with the reason."""
        delivered = {one for read in self.bundles() for one in read.delivered}
        return delivered, {(one.post, one.why) for read in self.bundles() for one in read.returned}

    def take_stick(self) -> None:
        """The stick is brought to the desk, or lost, and another takes its place."""
        self.stick.rename(self.stick.with_name(secrets.token_hex(4)))
        self.stick.mkdir()


@pytest.fixture
def courier(world: World, base: str, tmp_path: Path) -> Courier:
    made = Courier(tmp_path / "courier", tmp_path / "stick", world, base)
    made.folder.mkdir()
    made.stick.mkdir()
    pem = world.courier_keys["north"].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (made.folder / "courier.key").write_bytes(pem)
    made.write_settings(base)
    return made


@dataclass
class Line:
    """A TCP line to the collection. It can cut, hold, and look at what passes."""

    upstream: tuple[str, int]
    listener: socket.socket
    cut_after: int | None = None  # bytes towards the courier, on each connection
    before_request: Callable[[bytes], bool] = lambda _: True  # False: cut instead of passing it on
    passed: int = 0  # bytes towards the courier
    connections: int = 0
    held: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    _sockets: list[socket.socket] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                self.connections += 1
                far = socket.create_connection(self.upstream)
                self._sockets += [near, far]
                for work in (self._up, self._down):
                    thread = threading.Thread(target=work, args=(near, far))
                    self._threads.append(thread)
                    thread.start()

    def _up(self, near: socket.socket, far: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := near.recv(65536):
                if not self.before_request(chunk):
                    break
                far.sendall(chunk)
        _hang_up(near, far)

    def _down(self, near: socket.socket, far: socket.socket) -> None:
        here = 0
        with contextlib.suppress(OSError):
            while chunk := far.recv(4096):
                near.sendall(chunk)
                here += len(chunk)
                self.passed += len(chunk)
                if self.cut_after is not None and here >= self.cut_after:
                    break
        _hang_up(near, far)

    def hold(self) -> None:
        """Let nothing pass until the line is closed."""
        self.held.set()
        self.released.wait()

    def close(self) -> None:
        self.released.set()
        _hang_up(self.listener, *self._sockets)
        self.listener.close()
        for thread in self._threads:
            thread.join()
        for end in self._sockets:
            end.close()


def _hang_up(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def line_to() -> Iterator[Callable[[str], Line]]:
    """Lines to an address."""
    made: list[tuple[Line, threading.Thread]] = []

    def lay(address: str) -> Line:
        host, port = address.removeprefix("http://").split(":")
        line = Line((host, int(port)), socket.create_server(("127.0.0.1", 0)))
        thread = threading.Thread(target=line.serve)
        thread.start()
        made.append((line, thread))
        return line

    yield lay
    for line, thread in made:
        line.close()
        thread.join()


@pytest.fixture
def line(courier: Courier, line_to: Callable[[str], Line]) -> Line:
    """The line that this courier calls through."""
    made = line_to(courier.address)
    courier.write_settings(made.address)
    return made


@pytest.fixture
def kill() -> Callable[["subprocess.Popen[str]"], None]:
    """SIGKILL: nothing of the courier's runs any more."""

    def end(process: "subprocess.Popen[str]") -> None:
        process.send_signal(signal.SIGKILL)
        process.communicate()

    return end
