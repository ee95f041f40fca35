"""Whatever comes over the wire: an answer or an end, nothing kept, nothing said, and the next reporter is served."""

import errno
import os
import re
import signal
import socket

import pytest

pytestmark = pytest.mark.slow

PLANTED = b"Zanzibar-on-the-wire"


@pytest.fixture
def reporter(server):
    """A reporter with the form open; afterwards the server is as well as before, and has said nothing."""
    reporter, blobs = server.reporter(), server.blobs()
    reporter.start()
    yield reporter
    assert server.blobs() == blobs
    assert server.staging() == []
    assert server.reporter().get("/").status == 200
    assert PLANTED not in server.said.read_bytes()


def status(answer):
    return int(answer.split(b" ", 2)[1]) if answer else 0


def test_both_workers_share_the_sessions_key(server):
    first, second = server.workers()
    reporter = server.reporter()
    for stopped in (first, second, first):
        os.kill(stopped, signal.SIGSTOP)  # the other must answer
        try:
            if not reporter.cookie:
                reporter.start()
            assert reporter.get("/report").status == 200
        finally:
            os.kill(stopped, signal.SIGCONT)


def test_a_length_that_is_too_long(server, reporter):
    path, body = reporter.message(PLANTED.decode())
    answer = server.say(server.head(reporter, path, len(body) + 10) + body)
    assert status(answer) == 400
    assert b"Send it again" in answer
    assert PLANTED in answer  # the words come back to the browser that listens


def test_a_length_that_is_too_short(server, reporter):
    """The message is refused, and what lies beyond the length is never talked about (`reporter` looks at the log)."""
    path, body = reporter.message(
        PLANTED.decode() + "\r\n\r\n" + "GET /help HTTP/1.1\r\nHost: x\r\n\r\n" + PLANTED.decode()
    )
    for length in (
        0,
        10,
        body.index(PLANTED),
        body.rindex(b"GET /help"),
        body.rindex(PLANTED),
        len(body) - 4,
    ):
        answer = server.say(server.head(reporter, path, length) + body)
        assert status(answer) in (400, 403), length


def test_lengths_that_are_none(server, reporter):
    path, body = reporter.message(PLANTED.decode())
    for length in (b"-1", b"x", b"1e3", b"+5", b"0x10", b"9" * 30, b"", b"5, 5"):
        head = server.head(reporter, path, None, b"Content-Length: " + length)
        assert status(server.say(head + body)) in (0, 400, 403, 411, 413), length


def chunked(body, size=1000):
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


def test_chunks_that_are_broken(server, reporter):
    path, body = reporter.message(PLANTED.decode(), [("f", b"x" * 5000)])
    head = server.head(reporter, path, None, b"Transfer-Encoding: chunked")
    good = chunked(body)
    for bad in (
        good,  # the last chunk is missing
        good + b"0\r\n",
        good[:-2],
        good[: len(good) // 2],
        good.replace(b"3e8\r\n", b"zz\r\n", 1),
        good.replace(b"3e8\r\n", b"fffffffffffffffff\r\n", 1),
        good.replace(b"3e8\r\n", b"-1\r\n", 1),
        good.replace(b"3e8\r\n", b"3e9\r\n", 1) + b"0\r\n\r\n",
        b"0\r\n\r\n",
        b"",
    ):
        answer = server.say(head + bad)
        assert status(answer) in (0, 400, 403, 503), bad[:20]
    both = server.head(reporter, path, len(body), b"Transfer-Encoding: chunked")
    assert status(server.say(both + good + b"0\r\n\r\n")) in (0, 400)
    odd = server.head(reporter, path, None, b"Transfer-Encoding: gzip")
    assert status(server.say(odd + body)) in (400, 501)


def test_whole_chunks_are_a_form(server):
    reporter = server.reporter()
    reporter.start()
    path, body = reporter.message("In chunks.")
    head = server.head(reporter, path, None, b"Transfer-Encoding: chunked")
    answer = server.say(head + chunked(body, 7) + b"0\r\n\r\n")
    assert status(answer) == 303
    assert reporter.get("/sent").status == 200


def test_bytes_that_come_one_by_one(server, hear):
    reporter = server.reporter()
    reporter.start()
    path, body = reporter.message("Slowly.")
    with server.connect() as connection:
        for byte in server.head(reporter, path, len(body), b"Connection: close") + body:
            connection.send(bytes([byte]))
        answer = hear(connection)
    assert status(answer) == 303


def test_requests_that_are_none(server, reporter):
    host = b"Host: 127.0.0.1\r\n"
    for request in (
        b"",
        b"\r\n" * 1000,
        b"GET",
        b"GET / HTTP/9.9\r\n" + host + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(200),
        PLANTED * 10_000,
        b"GET /" + PLANTED * 1000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + PLANTED + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + PLANTED * 200_000,
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 100_000,
        b"GET / HTTP/1.1\r\nX y: " + PLANTED + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nCookie: a\r\n " + PLANTED + b"\r\n\r\n",
        b"POST /report HTTP/1.1\r\n" + host + b"Expect: " + PLANTED + b"\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    ):
        answer = server.say(request)
        assert status(answer) in (0, 200, 400, 404, 414, 417, 431, 501, 505), request[:40]
        assert b"<script" not in answer
        assert b"Traceback" not in answer


def test_a_body_is_never_taken_for_a_second_request(server, reporter):
    second = b"GET /help HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    body = b"GET /safety HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    for method, path in ((b"GET", b"/"), (b"POST", b"/nowhere"), (b"BREW", b"/"), (b"OPTIONS", b"/start")):
        head = b"%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n" % (method, path, len(body))
        answer = server.say(head + body + second, end=False)
        assert len(re.findall(rb"HTTP/1.1 \d{3} ", answer)) <= 2
        assert b"Staying safe \xe2\x80\x93" not in answer  # the title of /safety


def test_methods(server, reporter):
    for method, expected in (
        (b"HEAD", 200),
        (b"BREW", 405),
        (b"TRACE", 405),
        (b"CONNECT", 405),
        (b"get", 400),
    ):
        answer = server.say(method + b" / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert status(answer) in (expected, 400), method
        if method == b"HEAD":
            assert answer.endswith(b"\r\n\r\n")


def test_headers_tell_no_software_and_no_cookie_goes_out_unasked(server, reporter):
    answer = server.say(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    head = answer.partition(b"\r\n\r\n")[0].lower()
    assert b"set-cookie" not in head
    assert not re.search(rb"werkzeug|flask|python", head)


def test_a_server_can_be_reached_from_this_machine_only(server):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
        try:
            route.connect(("192.0.2.1", 9))  # sends nothing: only asks which address of ours would be used
        except OSError:
            pytest.skip("this machine has no address but the loopback")
        address = route.getsockname()[0]
    with socket.socket() as elsewhere:
        elsewhere.settimeout(5)
        assert elsewhere.connect_ex((address, server.port)) == errno.ECONNREFUSED
