"""Who sends next to nothing is cut off and told so, and a connection that is kept costs next to nothing."""

import select
import socket
import time
from contextlib import ExitStack
from http.client import HTTPResponse

import pytest

from common.transport import pace

pytestmark = pytest.mark.quiet

HEAD = b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 60000\r\nContent-Type: %s\r\n\r\n"
SMALL = b"application/x-www-form-urlencoded"
MULTIPART = b"multipart/form-data; boundary=x"
IDLE = 300
SOON = 45.0  # seconds: far less than what other servers allow, whatever else this machine does
KIB = 1024


@pytest.fixture(scope="module")
def hasty(start_server):
    """A server that looks at the pace over one second."""
    server = start_server(config="from common.transport import pace\npace.OVER_SECONDS = 1.0")
    yield server
    server.kill()


@pytest.fixture
def dripped(hear):
    """The answers to what was begun on some connections, when a byte at a time comes on each."""

    def drip(*connections):
        answers: dict[socket.socket, bytes] = {}
        until = time.monotonic() + SOON
        while len(answers) < len(connections):
            assert time.monotonic() < until
            waiting = [one for one in connections if one not in answers]
            answered = select.select(waiting, [], [], 0.05)[0]
            answers |= {one: hear(one) for one in answered}
            for one in set(waiting) - set(answered):
                one.send(b"a")
        return [answers[one] for one in connections]

    return drip


def test_less_than_the_stated_rate_is_cut_off_with_the_rate_named(hasty, dripped):
    reporter = hasty.reporter()
    reporter.start()
    path, body = reporter.message("Slow words.", [("a.bin", bytes(100_000))])
    with hasty.connect() as connection:
        connection.sendall(hasty.head(reporter, path, len(body)) + body[:50_000])
        [answer] = dripped(connection)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert f"Less than {pace.LEAST_BYTES_A_SECOND} bytes a second".encode() in answer
    assert b"Slow words." in answer
    assert hasty.staging() == []


def test_whoever_drips_without_a_session_is_cut_off_wherever_it_is(hasty, dripped):
    begun = (
        HEAD % (b"/return", SMALL) + b"codename=",
        HEAD % (b"/start", SMALL),
        HEAD % (b"/report", MULTIPART) + b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\nabc',
        HEAD % (b"/nowhere", SMALL),
        (HEAD % (b"/return", SMALL)).replace(b"Content-Length: 60000", b"Transfer-Encoding: chunked")
        + b"ff;",
        HEAD.replace(b"POST", b"GET") % (b"/", SMALL),
    )
    with ExitStack() as held:
        connections = [held.enter_context(hasty.connect()) for _ in begun]
        for connection, first in zip(connections, begun, strict=True):
            connection.sendall(first)
        started = time.monotonic()
        answers = dripped(*connections)
        assert time.monotonic() - started < SOON
    assert answers[0].startswith(b"HTTP/1.1 40"), "no session, or cut"
    assert hasty.reporter().get("/").status == 200


def test_to_make_room_an_upload_is_cut_with_its_words_given_back(start_server):
    """All four threads of a worker are held."""
    server = start_server(config="from deploy.server import worker\nworker.ROOM_SECONDS = 0.2", threads=4)
    try:
        reporter = server.reporter()
        reporter.start()
        path, body = reporter.message("Slow words.", [("a.bin", bytes(100_000))])
        with ExitStack() as held:
            connections = [held.enter_context(server.connect()) for _ in range(8)]
            for connection in connections:
                connection.sendall(server.head(reporter, path, len(body)) + body[:50_000])
            answered = select.select(connections, [], [], 10)[0]
            response = HTTPResponse(answered[0])
            response.begin()
            answer = response.read()
        assert response.status == 503
        assert b"Many people are here at this moment" in answer
        assert b"Slow words." in answer
    finally:
        server.kill()


def test_connections_that_are_kept_hold_no_thread_and_little_memory(fresh_server):
    ask = b"GET /safety HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

    def asked(connection):
        connection.sendall(ask)
        answer = connection.makefile("rb")
        status, length = answer.readline(), 0
        while (line := answer.readline().lower()) != b"\r\n":
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        assert len(answer.read(length)) == length > 0
        return status

    def threads():
        return [len(fresh_server.tasks(worker)) for worker in fresh_server.workers()]

    with ExitStack() as held:
        kept = [held.enter_context(fresh_server.connect()) for _ in range(IDLE)]
        for connection in kept[:50]:
            asked(connection)
        started, before, threads_before = time.monotonic(), fresh_server.memory(), threads()
        for connection in kept[50:]:
            asked(connection)
        each = (fresh_server.memory() - before) / (IDLE - 50)
        assert each < 32 * KIB, f"{each / KIB:.0f} KiB"
        assert sum(threads()) - sum(threads_before) < 20
        left = max(0.0, started + 2.5 - time.monotonic())  # gunicorn would have ended them after two
        assert select.select(kept, [], [], left)[0] == []
        assert asked(kept[0]).startswith(b"HTTP/1.1 200")
