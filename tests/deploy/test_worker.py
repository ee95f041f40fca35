"""A few idle connections keep nobody waiting: the worker as gunicorn runs it, with real sockets."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
ASK = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
CONFIG = """
from deploy import worker
worker.HEAD_SECONDS = 1.0
worker.SILENT_SECONDS = 1
worker_class = worker.Worker
workers, threads, control_socket_disable = 1, 4, True
def when_ready(server):
    print("ready", flush=True)
"""
APPLICATION = """
def application(environ, start_response):
    try:
        body = environ["wsgi.input"].read()
    except OSError:
        body = b"cut"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A server with four threads, which gives a head and a silence one second."""
    (tmp_path / "config.py").write_text(CONFIG)
    (tmp_path / "application.py").write_text(APPLICATION)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.fileno()
        with subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", "config.py", "-b", f"fd://{number}", "application"],
            cwd=tmp_path,
            env={"PYTHONPATH": f"{PROJECT}:{tmp_path}", "PATH": "/usr/bin:/bin"},
            stdout=subprocess.PIPE,
            pass_fds=[number],
            text=True,
        ) as server:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
            yield listener.getsockname()[1]
            server.terminate()


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
