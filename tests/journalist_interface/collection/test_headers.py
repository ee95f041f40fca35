"""No response of the collection, as deploy starts it, tells the server's version, its clock, or any file's time."""

import os
import re
import signal
import socket
import subprocess
from contextlib import suppress

import pytest

from deploy.run import servers

TELLTALE = re.compile(
    rb"^(?:server|date|etag|last-modified|expires|age|x-powered-by|via):", re.IGNORECASE | re.MULTILINE
)
PRODUCT = re.compile(rb"gunicorn|werkzeug|flask|python", re.IGNORECASE)


@pytest.fixture
def port(world):
    """Of a collection that runs. A call waits in the listener until it is ready."""
    listener = servers.listen("collection", 0, "--port")
    server = servers.collection(world.folder / "server.toml", listener)
    told = servers.environment(server) | {servers.PARENT: str(os.getpid())}
    with (
        listener,
        subprocess.Popen(
            servers.command(server), env=told, cwd=servers.PROJECT, pass_fds=[listener.fileno()]
        ) as running,
    ):
        yield servers.port_of(listener)
        running.send_signal(signal.SIGQUIT)


def on_the_wire(port, request):
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request)
        with suppress(ConnectionResetError):
            while piece := connection.recv(65536):
                answer += piece
    assert answer.startswith(b"HTTP/1.1 "), request
    head = answer.partition(b"\r\n\r\n")[0]
    assert not TELLTALE.search(head), head
    assert not PRODUCT.search(answer), answer
    return int(answer.split()[1])


def test_no_response_tells_version_clock_or_time_of_a_file(world, port, call):
    caller = call("north", f"http://127.0.0.1:{port}")
    caller.learn_mark()
    envelope = world.put("north", bytes(16384))
    statuses = set()
    for method, path, more in (
        ("GET", "/v1/envelopes", {}),
        ("GET", f"/v1/envelopes/{envelope}", {}),
        ("HEAD", f"/v1/envelopes/{envelope}", {}),
        ("GET", f"/v1/envelopes/{envelope}", {"Range": "bytes=5-9"}),
        ("GET", f"/v1/envelopes/{envelope}", {"Range": "bytes=99999-"}),
        ("GET", f"/v1/envelopes/{envelope}", {"If-Modified-Since": "Thu, 01 Jan 2099 00:00:00 GMT"}),
        ("GET", "/v1/envelopes?most=x", {}),
        ("PUT", "/v1/envelopes", {}),
        ("GET", "/nope", {}),
    ):
        signed = caller.sign(
            caller.prepare(method, path, Connection="close", Host=f"127.0.0.1:{port}", **more)
        )
        fields = "".join(f"{name}: {value}\r\n" for name, value in signed.headers.items())
        statuses.add(on_the_wire(port, f"{method} {signed.path_url} HTTP/1.1\r\n{fields}\r\n".encode()))
    assert statuses == {200, 206, 400, 404, 405, 416}
    for request in (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"no request\r\n\r\n"):
        assert 400 <= on_the_wire(port, request) < 500
