"""A host on the private network: the services of the host's own torrc, with something behind them that answers."""

import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploy.onions import couriers, torrc
from deploy.workshop.testnet.network import Network
from deploy.workshop.testnet.tor import Tor

ANSWER = b"HTTP/1.0 200 OK\r\n\r\nhere"

# SOCKS answers: RFC 1928, section 6, and Tor's ExtendedErrors (tor(1), SocksPort).
REACHED, NO_KEY, WRONG_KEY = 0x00, 0xF4, 0xF5
SOCKS = "SocksPort auto ExtendedErrors"


class _Answering(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Answering)
        self.server.heard.append(self.rfile.readline())
        self.wfile.write(ANSWER)


class Answering(socketserver.ThreadingUnixStreamServer):
    """Keeps the first line of whoever calls, and answers."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        self.heard: list[bytes] = []
        super().__init__(str(path), _Answering)


@dataclass
class Host:
    """A tor with both services. `onions` is the folder of their folders."""

    tor: Tor
    onions: Path
    heard: dict[str, list[bytes]] = field(default_factory=dict)

    def address(self, service: str) -> str:
        return (self.onions / service / "hostname").read_text("ascii").strip()


@pytest.fixture(scope="package")
def host(tor_network: Network, short_folder: Callable[[], Path]) -> Iterator[Host]:
    onions = short_folder()
    torrc.make_folders(onions)
    (onions / "collection/authorized_clients").mkdir(mode=0o700)
    couriers.lock(onions)
    with ExitStack() as stack:
        heard = {}
        for service in (torrc.SOURCE, torrc.COLLECTION):
            server = stack.enter_context(Answering(onions / f"candour-{service}" / "http.sock"))
            heard[service] = server.heard
            threading.Thread(target=server.serve_forever).start()
            stack.callback(server.shutdown)
        made = Host(tor_network.join("host", torrc.moved_lines(onions)), onions, heard)
        stack.callback(made.tor.stop)
        for service in heard:
            made.tor.wait_until_published(made.address(service))
        yield made


def call(client: Tor, address: str) -> tuple[int, bytes]:
    """Call port 80 of an onion through a client's SOCKS port: SOCKS's answer, and what the service says."""
    with socket.create_connection(("127.0.0.1", client.socks_port), timeout=60) as connection:
        connection.sendall(b"\x05\x01\x00")
        assert connection.recv(2) == b"\x05\x00"
        name = address.encode("ascii")
        connection.sendall(b"\x05\x01\x00\x03" + bytes([len(name)]) + name + (80).to_bytes(2, "big"))
        status = connection.recv(10)[1]
        if status != REACHED:
            return status, b""
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        with connection.makefile("rb") as stream:
            return status, stream.read()
