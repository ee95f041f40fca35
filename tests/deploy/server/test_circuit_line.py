"""Tor's line: read to its end and no further, taken only as tor writes it, and turned into a name."""

import socket
import subprocess
import sys

import pytest

from deploy.run import servers
from deploy.server.circuit_line import Greeting, NoCircuit, name

LINE = b"PROXY TCP6 fc00:dead:beef:4dad::2:b5e7 ::1 46567 80\r\n"
WRONG = [
    b"",
    b"\r\n",
    b"GET / HTTP/1.1\r\n",
    LINE[:-2] + b"\n",
    LINE.replace(b"TCP6", b"TCP4"),
    LINE.replace(b"fc00:dead:beef:4dad", b"fc00:dead:beef:4dae"),
    LINE.replace(b"::2:", b"::1:2:"),
    LINE.replace(b"::1 ", b"::2 "),
    LINE.replace(b"b5e7", b"b5e7a"),
    b"PROXY TCP4 10.0.0.1 10.0.0.2 1 80\r\n",
    b"PROXY UNKNOWN\r\n",
    b" " + LINE,
    LINE.replace(b" 80", b""),
]


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def test_a_circuit_has_one_name_and_another_circuit_another():
    names = {name(LINE.replace(b"b5e7", b"%x" % number)) for number in range(500)}
    assert len(names) == 500
    assert name(LINE) == name(LINE.replace(b" 46567 ", b" 1 "))
    assert len(name(LINE)) == 32


def test_the_name_is_of_this_run_alone():
    print_name = f"from deploy.server.circuit_line import name; print(name({LINE!r}))"
    there = [
        subprocess.run(
            [sys.executable, "-P", "-c", print_name],
            env=servers.base_environment(),
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for _ in range(2)
    ]
    assert len({*there, name(LINE)}) == 3


@pytest.mark.parametrize("line", WRONG)
def test_a_line_that_tor_does_not_write_is_refused(line):
    with pytest.raises(NoCircuit):
        name(line)


def test_the_line_is_read_in_any_pieces_and_nothing_after_it(ends):
    ours, theirs = ends
    greeting = Greeting()
    assert greeting.read(ours) is None
    for byte in LINE[:-1]:
        theirs.send(bytes([byte]))
        assert greeting.read(ours) is None
    theirs.send(LINE[-1:] + b"GET / HTTP/1.1\r\n")
    assert greeting.read(ours) == name(LINE)
    assert ours.recv(100) == b"GET / HTTP/1.1\r\n"


def test_a_line_without_end_is_not_read_for_ever(ends):
    ours, theirs = ends
    theirs.sendall(b"P" * 1000)
    with pytest.raises(NoCircuit):
        Greeting().read(ours)


def test_a_connection_that_ends_before_its_line_is_refused(ends):
    ours, theirs = ends
    theirs.send(LINE[:10])
    theirs.shutdown(socket.SHUT_WR)
    greeting = Greeting()
    assert greeting.read(ours) is None
    with pytest.raises(NoCircuit):
        greeting.read(ours)


def test_the_socket_is_for_its_own_user_alone(short_folder):
    path = short_folder() / "http"
    with servers.listen_unix(path):
        assert path.stat().st_mode & 0o777 == 0o600
        with pytest.raises(servers.NoSocket, match="Choose another folder"):
            servers.listen_unix(path)


def test_circuits_are_expected_on_a_unix_socket_and_not_on_loopback(short_folder, tmp_path):
    option = "--proxy-protocol"
    with (
        servers.listen_unix(short_folder() / "http") as behind_tor,
        servers.listen("x", 0, "--x") as loopback,
    ):
        assert option in servers.command(servers.source_interface(tmp_path, behind_tor))
        assert option not in servers.command(servers.source_interface(tmp_path, loopback))
        assert option not in servers.command(servers.collection(tmp_path, behind_tor))
