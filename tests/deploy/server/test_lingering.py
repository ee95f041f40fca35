"""How long a connection is lingered over, and how much of it is heard, with a clock of the test's own."""

import socket
from collections.abc import Iterator
from math import inf

import pytest

from common.transport import pace
from deploy.server import lingering
from deploy.server.lingering import Lingering
from deploy.server.paced_socket import PacedSocket

PIECE = 1000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(lingering, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def pair() -> Iterator[tuple[PacedSocket, socket.socket]]:
    """The server's side, and the other one."""
    ours, theirs = socket.socketpair()
    with PacedSocket(ours) as server, theirs:
        theirs.setblocking(False)
        yield server, theirs


def is_shut(theirs: socket.socket) -> bool:
    try:
        return theirs.recv(1) == b""
    except BlockingIOError:
        return False


@pytest.mark.usefixtures("clock")
def test_nothing_is_shut_down_before_the_request_has_come_to_its_end(pair):
    server, theirs = pair
    ending = Lingering(server, 2 * PIECE)
    for _ in range(2):
        theirs.send(bytes(PIECE))
        assert ending.go_on()
        assert not is_shut(theirs)
    assert ending.go_on()
    assert is_shut(theirs)
    theirs.close()
    assert not ending.go_on()


def test_whoever_does_not_close_is_waited_for_a_short_while(pair, clock):
    ending = Lingering(pair[0], 0)
    clock[0] += lingering.END_SECONDS - 0.1
    assert ending.go_on()
    clock[0] += lingering.END_SECONDS
    assert not ending.go_on()


def test_whoever_sends_for_ever_is_ended_by_the_time(pair, clock):
    server, theirs = pair
    ending = Lingering(server, inf)
    while clock[0] < lingering.SECONDS - 1:
        clock[0] += 1
        theirs.send(bytes(PIECE))
        assert ending.go_on()
    clock[0] += 1
    theirs.send(bytes(PIECE))
    assert not ending.go_on()


@pytest.mark.usefixtures("clock")
def test_whoever_sends_for_ever_is_ended_by_the_bytes(pair, monkeypatch):
    monkeypatch.setattr(lingering, "BYTES", 10 * PIECE)
    server, theirs = pair
    ending = Lingering(server, inf)
    heard = 0
    while ending.go_on():
        heard += PIECE
        assert heard <= 10 * PIECE
        theirs.send(bytes(PIECE))
    assert heard == 10 * PIECE


@pytest.mark.parametrize(("rate", "goes_on"), [(1, True), (0.9, False)])
def test_a_slow_sender_is_cut_off(pair, clock, rate, goes_on):
    server, theirs = pair
    ending = Lingering(server, inf)
    outcomes = set()
    for _ in range(int(2 * pace.OVER_SECONDS) + 2):
        clock[0] += 1
        theirs.send(bytes(int(rate * pace.LEAST_BYTES_A_SECOND)))
        outcomes.add(ending.go_on())
    assert (False not in outcomes) is goes_on


@pytest.mark.usefixtures("clock")
def test_what_the_kernel_does_not_take_of_an_answer_is_sent_while_the_rest_is_heard(pair):
    server, theirs = pair
    server.keeps = True
    answer = bytes(range(256)) * 4000  # 1 MB; the other side reads none of it, and goes on sending
    server.sendall(answer[:10])
    server.sendall(answer[10:])
    ending = Lingering(server, 100 * PIECE)
    for _ in range(100):
        theirs.send(bytes(PIECE))
        assert ending.go_on()
    read = b""
    while len(read) < len(answer):
        read += theirs.recv(65536)
        assert ending.go_on()
    assert read == answer
    assert ending.go_on()
    assert is_shut(theirs)


def test_a_server_that_is_to_end_waits_a_short_while(pair, clock):
    ending = Lingering(pair[0], inf)
    ending.hurry()
    clock[0] += lingering.END_SECONDS + 0.1
    assert not ending.go_on()
