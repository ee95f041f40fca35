"""A reporter's browser in as few lines and as little time as will do: cookies, forms, one connection kept open."""

import re
import secrets
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection  # noqa: TID251  it speaks to the servers that the bench has started
from typing import Any

import socks

from deploy import data_folder
from deploy.run.servers import LOOPBACK

_ADDRESSEES = re.compile(rb'name="addressees" value="([^"]+)"')
_CSRF = re.compile(rb'name="csrf" value="([^"]+)"')
_SLIP = re.compile(rb"<li><span>([a-z-]+)</span>")
# What a reporter answers who is then sent to the demo's unit, and goes on.
BEGIN = {"force": data_folder.FORCE_ID, "involved": "no", "holders": data_folder.UNIT_ID}
_BOUNDARY = "candour-bench-boundary"
_FILE_HEAD = (
    f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="file.bin"\r\n'
    "Content-Type: application/octet-stream\r\n\r\n"
).encode()
_FORM = "application/x-www-form-urlencoded"
_MULTIPART = f"multipart/form-data; boundary={_BOUNDARY}"


class Surprise(Exception):
    """A server answered otherwise than a bench expects; its figures would mean nothing."""


@dataclass(frozen=True)
class Answer:
    """A response."""

    status: int
    location: str
    body: bytes = field(repr=False)
    wire: int  # bytes of head and body


class _OverTor(HTTPConnection):
    """Connections through Tor's SOCKS port, over the circuit of a name; Tor resolves the host."""

    def __init__(self, socks_port: int, circuit: str, host: str, **named: Any) -> None:
        super().__init__(host, **named)
        self._socks_port = socks_port
        self._circuit = circuit  # Tor keeps apart who names himself differently (tor(1), SocksPort)

    def connect(self) -> None:
        """Called by the first request, and again after `close`."""
        self.sock = socks.create_connection(
            (self.host, self.port),
            timeout=self.timeout,
            proxy_type=socks.SOCKS5,
            proxy_addr=LOOPBACK,
            proxy_port=self._socks_port,
            proxy_rdns=True,
            proxy_username=self._circuit,
            proxy_password=self._circuit,
        )


class Browser:
    """One reporter. Call `begin` or `come_back`, then `send`."""

    def __init__(self, address: str, socks_port: int | None = None, circuit: str = "") -> None:
        """Over Tor, by a circuit that is shared with those who name it alike; without a name, by one of its own."""
        host = urllib.parse.urlsplit(address).netloc.replace("localhost", "127.0.0.1")
        circuit = circuit or secrets.token_hex(8)
        kind = HTTPConnection if socks_port is None else partial(_OverTor, socks_port, circuit)
        self._connection = kind(host, timeout=120, blocksize=1 << 20)
        self._cookie = ""
        self.csrf = ""
        self._addressees = ""

    def get(self, path: str) -> Answer:
        """A page."""
        return self._ask("GET", path, None, {})

    def post(self, path: str, fields: dict[str, str]) -> Answer:
        """A small form, with the session's token."""
        body = urllib.parse.urlencode({"csrf": self.csrf} | fields).encode()
        return self._ask("POST", path, body, {"Content-Type": _FORM})

    def begin(self) -> None:
        """Start a report: a new codename."""
        self.read_token("/routing")
        self._expect(self.post("/routing", BEGIN), 303)
        self.read_token("/report")

    def come_back(self, codename: str) -> None:
        """Open the conversation of a codename."""
        self.read_token("/return")
        self._expect(self.post("/return", {"codename": codename}), 303)

    def read_token(self, path: str) -> None:
        """Load a page for its token."""
        page = self.get(path)
        found = _CSRF.search(page.body)
        if found is None:
            raise Surprise(f"{path} has no form")
        self.csrf = found[1].decode()
        if form := _ADDRESSEES.search(page.body):
            self._addressees = form[1].decode()

    def codename(self) -> str:
        """The codename that /sent shows."""
        return " ".join(word.decode() for word in _SLIP.findall(self.get("/sent").body))

    def send(self, path: str, slot: int, text: str) -> None:
        """A message without files; returns when it is acknowledged."""
        self._expect(self.try_to_send(path, slot, text), 303)

    def try_to_send(self, path: str, slot: int, text: str) -> Answer:
        """A message without files, whatever comes of it."""
        parts = self._fields(slot, text) + f"--{_BOUNDARY}--\r\n".encode()
        return self._ask("POST", path, parts, {"Content-Type": _MULTIPART})

    def send_file(self, path: str, slot: int, size: int, chunks: Iterable[bytes], status: int = 303) -> None:
        """A message with one file of `size` bytes; returns when it is acknowledged, by `status`."""
        head = self._fields(slot, "A file.") + _FILE_HEAD
        tail = f"\r\n--{_BOUNDARY}--\r\n".encode()

        def body() -> Iterable[bytes]:
            yield head
            yield from chunks
            yield tail

        length = str(len(head) + size + len(tail))
        headers = {"Content-Type": _MULTIPART, "Content-Length": length}
        self._expect(self._ask("POST", path, body(), headers), status)

    def opening_of_upload(self, path: str, slot: int, host: str) -> bytes:
        """The beginning of a large upload, up to its file's first byte: for whoever sends the rest slowly."""
        head = self._fields(slot, "Slowly.") + _FILE_HEAD
        return (
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {self._cookie}\r\nContent-Type: {_MULTIPART}\r\n"
            f"Content-Length: 1000000000\r\n\r\n"
        ).encode() + head

    def close(self) -> None:
        """Hang up; the next request connects anew."""
        self._connection.close()

    def _fields(self, slot: int, text: str) -> bytes:
        fields = {"csrf": self.csrf, "slot": str(slot), "addressees": self._addressees}
        fields |= {"seen_hints": "1", "text": text}
        return "".join(
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        ).encode()

    def _ask(
        self, method: str, path: str, body: bytes | Iterable[bytes] | None, headers: dict[str, str]
    ) -> Answer:
        if self._cookie:
            headers = headers | {"Cookie": self._cookie}
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        content = response.read()
        for name, value in response.getheaders():
            if name.lower() == "set-cookie":
                self._cookie = value.partition(";")[0]
        wire = len(content) + sum(len(name) + len(value) + 4 for name, value in response.getheaders())
        return Answer(response.status, response.headers.get("Location", ""), content, wire)

    def _expect(self, answer: Answer, status: int) -> None:
        if answer.status != status:
            raise Surprise(f"a server answered {answer.status} where {status} was expected")
