"""What breaks in the middle leaves nothing; what was acknowledged stays, whatever breaks."""

import os
import signal
import socket
import struct
from typing import Any

import pytest

from common.days import today

pytestmark = pytest.mark.slow

MIB = 1024 * 1024


@pytest.fixture
def half(server):
    """A message with a file of some size, whose request has been written as far as is asked."""
    opened = []
    reporters: dict[int, Any] = {}

    def begin(at, size=4 * MIB, text="Cut short.", at_server=server):
        reporter = reporters.setdefault(at_server.port, at_server.reporter())
        if reporter.cookie:
            reporter.get("/report")
        else:
            reporter.start()
        path, body = reporter.message(
            text, [("big.bin", os.urandom(1024) * (size // 1024)), ("last.txt", b"end")]
        )
        connection = at_server.connect()
        opened.append(connection)
        point = at if at >= 0 else len(body) + at
        connection.sendall(at_server.head(reporter, path, len(body), b"Connection: close") + body[:point])
        return reporter, connection, body[point:]

    yield begin
    for connection in opened:
        connection.close()


def test_a_connection_cut_at_any_point_leaves_nothing(server, half, hear):
    before = server.blobs()
    _, _, rest = half(0, size=1024)
    length = len(rest)
    points = [0, 1, 60, 200, 300, 400, 500, 600, length // 2, length - 200, length - 60, length - 30]
    for point in [*points, *(-n for n in (8, 5, 4, 3, 2, 1)), *(MIB, 2 * MIB, 4 * MIB)]:
        reporter, connection, _ = half(point, size=1024 if point < length else 4 * MIB)
        connection.shutdown(socket.SHUT_WR)
        answer = hear(connection)
        assert b" 303 " not in answer.split(b"\r\n")[0], point
        assert server.blobs() == before, point
        assert server.staging() == [], point
        assert reporter.get("/sent").goes_to == "/report", point
    assert server.gpgs() == []


def test_a_connection_that_is_reset_leaves_nothing(server, half, watch, wait_until):
    before = server.blobs()
    for point in (MIB, 3 * MIB, -1):
        seen = watch(server.data / "blobs" / "staging")
        _, connection, _ = half(point)
        wait_until(lambda seen=seen: seen.look().created, "the staging file")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        wait_until(lambda seen=seen: seen.look().deleted, "the end of the staging file")
        assert server.staging() == []
        assert server.blobs() == before
        seen.close()
    wait_until(lambda: server.gpgs() == [], "the end of every gpg")


def test_gpg_killed_in_the_middle_leaves_nothing_and_is_said(server, half, hear, wait_until):
    before = server.blobs()
    reporter, connection, rest = half(8 * MIB, size=16 * MIB, text="Of some length.")
    wait_until(lambda: server.gpgs() and server.staging(), "gpg at work")
    os.kill(server.gpgs()[0], signal.SIGKILL)
    connection.sendall(rest)
    answer = hear(connection)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Try again in a few minutes" in answer
    assert b"Of some length." in answer
    assert server.blobs() == before
    assert server.staging() == []
    assert reporter.get("/sent").goes_to == "/report"


def test_a_killed_server_sweeps_at_its_start_and_has_all_that_it_acknowledged(start_server, half, wait_until):
    first = start_server()
    kept = [first.reporter() for _ in range(3)]
    words = [reporter.report(f"Report {number}") for number, reporter in enumerate(kept)]
    for _ in range(3):
        half(8 * MIB, size=16 * MIB, at_server=first)
    wait_until(lambda: len(first.staging()) == 3, "three uploads under way")
    first.kill()
    left = {path.name for path in first.staging()}
    assert left
    again = start_server(first.data)
    assert again.staging() == []
    assert len(again.blobs()) == 3
    for codename in words:
        page = again.reporter().come_back(codename)
        assert page.text.count("nobody has said yet") == 1
        assert f"{today().day} {today():%B %Y}" in page.text
    assert kept[0].cookie
    stranger = again.reporter()
    stranger.cookie = kept[0].cookie
    assert stranger.get("/conversation").status == 403
    again.kill()


def test_a_worker_killed_in_the_middle_is_replaced_and_the_next_is_served(fresh_server, half, wait_until):
    words = fresh_server.reporter().report("Before.")
    half(8 * MIB, size=16 * MIB, at_server=fresh_server)
    wait_until(fresh_server.staging, "an upload under way")
    killed = fresh_server.workers()
    for worker in killed:
        os.kill(worker, signal.SIGKILL)
    wait_until(lambda: len(set(fresh_server.workers()) - set(killed)) == 2, "new workers")
    assert "nobody has said yet" in fresh_server.reporter().come_back(words).text
    assert len(fresh_server.blobs()) == 1
