"""A few connections keep nobody waiting, each of a circuit: the worker as gunicorn runs it, with real sockets."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from deploy import servers

PROJECT = Path(__file__).resolve().parents[2]
ONE = b"PROXY TCP6 fc00:dead:beef:4dad::3a7c:b5e7 ::1 46567 80\r\n"
OTHER = b"PROXY TCP6 fc00:dead:beef:4dad::3a7c:b5e8 ::1 46568 80\r\n"
ASK = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
CONFIG = """
from common import pace
from deploy import worker
worker.HEAD_SECONDS = pace.OVER_SECONDS = 1.0
worker_class = worker.Worker
workers, threads, control_socket_disable = 1, 4, True
graceful_timeout = 20
def when_ready(server):
    print("ready", flush=True)
"""
APPLICATION = """
def application(environ, start_response):
    if environ["PATH_INFO"] == "/circuit":
        start_response("200 OK", [("Content-Length", "32")])
        return [environ["candour.circuit"].encode()]
    if environ["PATH_INFO"] == "/environ":
        told = repr(environ).encode()
        start_response("200 OK", [("Content-Length", str(len(told)))])
        return [told]
    if environ["PATH_INFO"] == "/wait":
        told = b"stop" if environ["candour.stopping"].wait(60) else b"late"
        start_response("200 OK", [("Content-Length", "4")])
        return [told]
    try:
        body = environ["wsgi.input"].read()
    except OSError:
        body = b"cut"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


@contextmanager
def serving(folder: Path, listener: socket.socket, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A server with four threads, which gives a head and a silence one second."""
    (folder / "config.py").write_text(CONFIG)
    (folder / "application.py").write_text(APPLICATION)
    bind = ["-b", f"fd://{listener.fileno()}"]
    with subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "config.py", *bind, *options, "application"],
        cwd=folder,
        env={"PYTHONPATH": f"{PROJECT}:{folder}", "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[listener.fileno()],
        text=True,
    ) as server:
        assert server.stdout is not None
        while server.stdout.readline() != "ready\n":
            assert server.poll() is None
        try:
            yield server
        finally:
            server.terminate()


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A server on a port, without circuits."""
    with socket.create_server(("127.0.0.1", 0)) as listener, serving(tmp_path, listener):
        yield listener.getsockname()[1]


class BehindTor:
    """A server on a Unix socket. `connect` does what tor does for a stream of a circuit."""

    def __init__(self, path: Path, server: subprocess.Popen[str]) -> None:
        self.path, self.server = path, server

    def connect(self, first: bytes = b"") -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(30)
        connection.connect(str(self.path))
        connection.sendall(first)
        return connection

    def ask(self, first: bytes, path: bytes = b"/circuit") -> bytes:
        """The body of the answer; nothing when there is none."""
        with self.connect(first) as connection:
            connection.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path)
            return heard(connection).partition(b"\r\n\r\n")[2]


@pytest.fixture
def behind_tor(tmp_path: Path, short_folder) -> Iterator[BehindTor]:
    path = short_folder() / "http"
    with (
        servers.listen_unix(path) as listener,
        serving(tmp_path, listener, "--proxy-protocol", "v1") as server,
    ):
        yield BehindTor(path, server)


def heard(connection: socket.socket) -> bytes:
    answer = b""
    with suppress(ConnectionResetError):
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def page(port: int) -> float:
    """Seconds until a page has come."""
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as browser:
        browser.sendall(ASK)
        assert browser.recv(64).startswith(b"HTTP/1.1 200")
    return time.monotonic() - started


def test_connections_that_are_not_closed_by_their_client_keep_nobody_waiting(port):
    with ExitStack() as held:
        for _ in range(3):  # one fewer than there are threads
            idle = held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            idle.sendall(ASK)
            assert idle.recv(64).startswith(b"HTTP/1.1 200")
        assert page(port) < 1.5, "lingering over one connection takes two seconds"


def test_a_head_that_does_not_come_is_not_waited_for(port):
    with ExitStack() as held:
        stalled = [
            held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30)) for _ in range(8)
        ]
        for connection in stalled:
            connection.sendall(b"GET / HTTP/1.1\r\nHo")
        assert page(port) < 15
        for connection in stalled[:4]:
            assert connection.recv(1) == b""


def test_a_body_that_falls_silent_is_cut(port):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as browser:
        browser.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        answer = browser.recv(4096)
        assert answer.startswith(b"HTTP/1.1 200")
        while not answer.endswith(b"cut"):
            more = browser.recv(4096)
            assert more
            answer += more


def test_two_connections_of_a_circuit_have_its_name_and_one_of_another_has_another(behind_tor):
    assert len(behind_tor.ask(ONE)) == 32
    assert behind_tor.ask(ONE) == behind_tor.ask(ONE) != behind_tor.ask(OTHER)


def test_two_requests_on_one_connection_are_of_one_circuit(behind_tor):
    with behind_tor.connect(ONE) as connection:
        ask = b"GET /circuit HTTP/1.1\r\nHost: x\r\n\r\n"
        connection.sendall(ask)
        first = b""
        while not first.partition(b"\r\n\r\n")[2]:
            first += connection.recv(4096)
        connection.sendall(ask + ask.replace(b"Host", b"Connection: close\r\nHost"))
        named = {answer[-32:] for answer in (first, *heard(connection).split(b"HTTP/1.1 ")[1:])}
    assert named == {behind_tor.ask(ONE)}


@pytest.mark.parametrize(
    "first", [b"", OTHER.replace(b"dead", b"beef"), b"PROXY TCP4 1.2.3.4 5.6.7.8 1 80\r\n"]
)
def test_a_connection_without_tors_line_is_refused(behind_tor, first):
    assert behind_tor.ask(first) == b""
    assert behind_tor.ask(ONE)


def test_a_visitor_cannot_tell_of_another_circuit(behind_tor):
    assert b"Bad Request" in behind_tor.ask(ONE + OTHER)
    told = b"GET /circuit HTTP/1.1\r\nHost: x\r\nCandour-Circuit: a\r\nCandour.Circuit: a\r\nConnection: close\r\n\r\n"
    with behind_tor.connect(ONE + told) as connection:
        assert heard(connection).endswith(behind_tor.ask(ONE))


def test_the_application_is_not_told_the_number_of_the_circuit(behind_tor):
    told = behind_tor.ask(ONE, b"/environ")
    assert b"candour.circuit" in told
    for trace in (b"3a7c", b"b5e7", b"46567", b"fc00", b"PROXY", str(0x3A7CB5E7).encode()):
        assert trace not in told


def test_streams_that_say_nothing_hold_no_thread(behind_tor):
    with ExitStack() as held:
        for number in range(40):
            line = ONE.replace(b"3a7c", b"%x" % (number % 2))
            held.enter_context(behind_tor.connect(line if number % 4 else line[:20]))
        started = time.monotonic()
        assert behind_tor.ask(ONE)
        assert time.monotonic() - started < 3.0  # four threads would wait a second for each head, ten in all
        silent = held.enter_context(behind_tor.connect(ONE))
        assert silent.recv(1) == b"", "its time is over"


def test_one_circuit_cannot_hold_all_threads_and_delays_end_with_the_server(behind_tor):
    """Of four threads a circuit may have one."""
    wait = b"GET /wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with ExitStack() as held:
        slow = [held.enter_context(behind_tor.connect(ONE + wait)) for _ in range(8)]
        for _ in range(3):
            assert behind_tor.ask(OTHER)
        behind_tor.server.terminate()
        assert heard(slow[0]).endswith(b"stop"), "what waits is told of the end"
        assert behind_tor.server.wait(10) == 0
        assert [heard(connection) for connection in slow[1:]] == [b""] * 7
