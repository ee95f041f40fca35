"""No response of any kind tells the server's version, its clock, or when it was installed."""

import hashlib
import re

import pytest

TELLTALE = re.compile(
    rb"^(?:server|date|etag|last-modified|expires|age|x-powered-by|via):", re.IGNORECASE | re.MULTILINE
)
PRODUCT = re.compile(rb"gunicorn|werkzeug|flask|python|debian|candour/\d", re.IGNORECASE)
HOST = b"Host: x\r\n"
NO_REQUESTS = (
    b"\x16\x03\x01" + bytes(200) + b"\r\n\r\n",
    b"GET / HTTP/9.9\r\n" + HOST + b"\r\n",
    b"G(ET / HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET / HTTP/1.1\r\nX y: z\r\n\r\n",
    b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
    b"GET /" + b"y" * 20_000 + b" HTTP/1.1\r\n\r\n",
    b"POST /start HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: zstd\r\n\r\n",
    b"POST /start HTTP/1.1\r\n" + HOST + b"Expect: what\r\nContent-Length: 1\r\n\r\nx",
)


@pytest.fixture
def on_the_wire(server):
    """Head and body of the response to raw bytes, checked."""

    def ask(request):
        head, _, body = server.say(request, end=False).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1."), request[:60]
        assert not TELLTALE.search(head), head
        assert not PRODUCT.search(head + body), head
        return head, body

    return ask


def asked(line, *fields):
    return b"\r\n".join([line + b" HTTP/1.1", b"Host: x", b"Connection: close", *fields, b"", b""])


def test_no_response_of_any_kind_tells_version_clock_or_installation(server, on_the_wire):
    [style] = re.findall(rb'<link rel="stylesheet" href="([^"]+)"', on_the_wire(asked(b"GET /"))[1])
    old = b"If-Modified-Since: Thu, 01 Jan 2099 00:00:00 GMT"
    head = on_the_wire(asked(b"GET " + style))[0]
    assert head.startswith(b"HTTP/1.1 200 ")
    statuses = set()
    for request in (
        *(asked(b"GET " + path) for path in (b"/start", b"/nope", b"/certificate/test-unit.asc", b"/report")),
        *(asked(b"HEAD " + path) for path in (b"/", style)),
        *(asked(b"OPTIONS " + path) for path in (b"/start", b"*")),
        asked(b"PUT /start"),
        asked(b"GET /static/nope.css"),
        asked(b"GET " + style, old),
        asked(b"GET " + style, b"If-None-Match: *"),
        asked(b"GET " + style, b"Range: bytes=0-3"),
        asked(b"GET " + style, b"Range: bytes=99999999-"),
        asked(b"POST /start", b"Content-Length: 0", b"Content-Type: text/plain"),
        b"GET / HTTP/1.0\r\n\r\n",
    ):
        statuses.add(int(on_the_wire(request)[0].split()[1]))
    assert statuses >= {200, 403, 404, 405}
    reporter = server.reporter()
    reporter.start()
    path, body = reporter.message("Words.")
    sent = server.head(reporter, path, len(body), b"Connection: close", b"Expect: 100-continue") + body
    head, answer = on_the_wire(sent)
    assert head.startswith(b"HTTP/1.1 100 ")
    assert answer.startswith(b"HTTP/1.1 303 ")
    assert not TELLTALE.search(answer)


def test_what_is_no_request_gets_one_answer_that_repeats_nothing(on_the_wire):
    answers = {on_the_wire(request) for request in NO_REQUESTS}
    assert len(answers) == 1
    [(head, body)] = answers
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"not understood" in body


def test_a_style_sheet_of_another_content_has_another_address(on_the_wire):
    [style] = re.findall(rb'<link rel="stylesheet" href="([^"]+)"', on_the_wire(asked(b"GET /"))[1])
    assert re.fullmatch(rb"/static/candour-[0-9a-f]{16}\.css", style)
    head, body = on_the_wire(asked(b"GET " + style))
    assert hashlib.sha256(body).hexdigest()[:16].encode() in style
    assert b"\r\nCache-Control: private, max-age=28800\r\n" in head + b"\r\n"
