"""Large, slow and many: memory stays bounded, and a page is still shown to whoever comes."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from common.conversation import codename
from common.conversation.derivation import CURRENT

pytestmark = pytest.mark.quiet

MIB = 1024 * 1024
LARGE = 100 * MIB
PATIENT = 25.0  # seconds for a page, on a machine that is busy with tests; whoever drips may take 60


# A turn costs the memory that it always costs and a third of the time. Nobody is sent away, however busy it is here.
CHEAP_TURNS = """
from dataclasses import replace
from common.conversation import derivation
derivation.derive_root.__defaults__ = (replace(derivation.CURRENT, passes=1),)
derivation.Gate.__init__.__defaults__ = (1, 600.0)
"""


@pytest.fixture
def taking_turns(start_server):
    server = start_server(config=CHEAP_TURNS)
    yield server
    server.kill()


@pytest.fixture
def page_times(taking_turns):
    """Asks for pages again and again while something else goes on. Gives the seconds that each took."""
    over, took = threading.Event(), []

    def visitor():
        while not over.wait(0.05):
            started = time.monotonic()
            assert taking_turns.reporter().get("/").status == 200
            took.append(time.monotonic() - started)

    with ThreadPoolExecutor(1) as pool:
        visiting = pool.submit(visitor)
        yield took
        over.set()
        visiting.result()


def test_a_large_upload_is_never_held_in_memory(fresh_server, hear):
    server = fresh_server
    reporter = server.reporter()
    reporter.start()
    path, body = reporter.message("With a film.", [("film.mp4", b"@@")])
    before, _, after = body.partition(b"@@")
    block = os.urandom(MIB)
    with server.connect() as connection, server.peak() as most:
        length = len(before) + LARGE + len(after)
        connection.sendall(server.head(reporter, path, length, b"Connection: close") + before)
        for _ in range(LARGE // MIB):
            connection.sendall(block)
        connection.sendall(after)
        answer = hear(connection)
    assert answer.startswith(b"HTTP/1.1 303 ")
    [blob] = server.blobs()
    assert blob.stat().st_size > LARGE
    assert most[0] < 40 * MIB, f"{most[0] / MIB:.1f} MiB"


def test_twenty_uploads_that_drip_keep_nobody_waiting(server, hear):
    before, slow, reporter = len(server.blobs()), [], server.reporter()
    reporter.start()
    for slot in range(20):
        path, body = reporter.message("Dripping.", [("f.bin", os.urandom(600_000))], slot=str(slot))
        connection = server.connect()
        connection.sendall(server.head(reporter, path, len(body), b"Connection: close") + body[:300_000])
        slow.append((connection, body))
    for at in range(300_000, 300_010):
        for connection, body in slow:
            connection.sendall(body[at : at + 1])
        started = time.monotonic()
        assert server.reporter().get("/").status == 200
        assert time.monotonic() - started < PATIENT
    started = time.monotonic()
    assert len(server.reporter().report("Meanwhile.")) == 7
    assert time.monotonic() - started < PATIENT

    def finish(one):
        connection, body = one
        with connection:
            connection.sendall(body[300_010:])
            return hear(connection)[:13]

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(finish, slow)) == {b"HTTP/1.1 303 "}
    assert "It has arrived" in reporter.get("/sent").text
    assert len(server.blobs()) == before + 21


def test_connections_that_say_nothing_hold_nothing(server):
    silent = [server.connect() for _ in range(40)]
    started = time.monotonic()
    assert server.reporter().get("/").status == 200
    assert time.monotonic() - started < PATIENT
    for connection in silent:
        connection.close()


def test_words_given_back_to_anybody_take_bounded_memory(fresh_server):
    """Quotes grow five times in HTML, and one dove makes each character of a text four bytes wide.

    At the worst each of the twelve holds a text of 4 MB and a page of 6 MB that waits, and each of the two workers is
    making one page, which takes some 50 MB for a moment.
    """
    dove = "🕊".encode()
    body = b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n%s\r\n--x--\r\n' % (
        dove + b'"' * 4 * MIB
    )
    head = b"POST /report HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    connections = [fresh_server.connect() for _ in range(12)]

    def post(connection):
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        return connection.recv(12)  # and nothing more is read: the answer waits

    with fresh_server.peak() as most, ThreadPoolExecutor(12) as pool:
        assert set(pool.map(post, connections)) == {b"HTTP/1.1 403"}
    for connection in connections:
        connection.close()
    assert most[0] < (12 * 10 + 2 * 50 + 20) * MIB, f"{most[0] / MIB:.0f} MiB"


def test_fifty_log_ins_at_once_wait_their_turn_in_bounded_memory(taking_turns, page_times):
    server = taking_turns
    asking = server.reporter()
    asking.get("/return")
    page, cookie = asking.last, asking.cookie

    def log_in(words):
        browser = server.reporter()
        browser.last, browser.cookie = page, cookie
        opened = browser.post("/return", {"codename": " ".join(words)})
        return opened.status, opened.goes_to, browser.get("/conversation").status

    fifty = [codename.generate().words for _ in range(50)]
    with server.peak() as most, ThreadPoolExecutor(50) as pool:
        assert list(pool.map(log_in, fifty)) == [(303, "/conversation", 200)] * 50
    one = CURRENT.memory_kib * 1024
    assert most[0] < len(server.workers()) * one + 48 * MIB, f"{most[0] / MIB:.0f} MiB"
    assert most[0] > one / 2, "the measurement must see at least one derivation"
    assert len(page_times) > 5
    assert max(page_times) < PATIENT
