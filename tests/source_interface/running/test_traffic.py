"""What a watcher of the traffic sees of the running server: bytes on the wire, heads included."""

import re
from types import SimpleNamespace

import pytest

from common.config import read_server_config
from common.conversation import codename
from common.report.padding import PAGE_BYTES, PAGE_STEP, REDIRECT_BYTES
from common.store.database import open_store

ADDED_BY_GUNICORN = re.compile(rb"Connection: [^\r]*\r\n")


@pytest.fixture
def house(server):
    """The server's data, for the fixtures that post answers as a collection does."""
    config = read_server_config(server.data / "server.toml")
    store = open_store(config.database, config.blobs)
    yield SimpleNamespace(config=config, store=store)
    store.engine.dispose()


@pytest.fixture
def on_the_wire(server):
    """All bytes of the response to a GET, on a connection of its own."""

    def ask(path, cookie="", *, host="127.0.0.1"):
        head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
        head += f"Cookie: candour={cookie}\r\n" if cookie else ""
        return server.say(head.encode() + b"\r\n", end=False)

    return ask


def without_gunicorns(response):
    head, _, body = response.partition(b"\r\n\r\n")
    fields = ADDED_BY_GUNICORN.findall(head)
    assert len(fields) == 1
    return len(head) + 4 + len(body) - sum(map(len, fields))


def test_a_conversation_with_answers_costs_as_many_bytes_as_one_without(server, on_the_wire, answer):
    reporter = server.reporter()
    words = reporter.report()
    reporter.post("/noted")
    seen = [on_the_wire("/conversation", reporter.cookie)]
    for slot in (1, 2, 3):
        answer(words, f"Answer {slot}. " + "w" * 3_000, slot=slot, number=slot)
        if slot != 2:
            seen.append(on_the_wire("/conversation", reporter.cookie))
    assert [page.count(b'class="answer"') for page in seen] == [0, 1, 3]
    assert len({len(page) for page in seen}) == 1
    assert len({page.index(b"\r\n\r\n") for page in seen}) == 1, "and so do the heads alone"
    unused = server.reporter()
    unused.come_back(codename.generate().words)
    assert len(on_the_wire("/conversation", unused.cookie)) == len(seen[0])


def test_all_pages_cost_as_many_bytes_as_each_other(server, on_the_wire):
    reporter = server.reporter()
    reporter.start()
    pages = [
        "/",
        "/start",
        "/report",
        "/safety",
        "/help",
        "/certificate",
        "/certificate/test-unit",
        "/return",
        "/conversation",
        "/nope",
    ]
    for path in pages:
        assert without_gunicorns(on_the_wire(path, reporter.cookie)) == PAGE_BYTES, path
    ended = on_the_wire("/conversation", "x")
    assert ended.startswith(b"HTTP/1.1 403 ")
    assert without_gunicorns(ended) == PAGE_BYTES
    redirect = on_the_wire("/sent", reporter.cookie)
    assert redirect.startswith(b"HTTP/1.1 303 ")
    assert without_gunicorns(redirect) == REDIRECT_BYTES < PAGE_BYTES < PAGE_BYTES * PAGE_STEP


def test_a_first_visit_is_three_requests_and_forty_thousand_bytes_at_most(on_the_wire):
    first = on_the_wire("/")
    loaded = re.findall(rb'<(?:link|img|source|input)[^>]* (?:href|src)="(?!data:,")([^"]+)"', first)
    assert len(loaded) == 1
    assert not re.search(rb"url\(|@import", on_the_wire(loaded[0].decode()))
    assert 1 + len(loaded) <= 3
    assert len(first) + sum(len(on_the_wire(path.decode())) for path in loaded) <= 40_000


def test_no_address_however_odd_is_redirected(on_the_wire):
    for path in (
        "//start",
        "//evil.example/start",
        "/start/",
        "http://evil.example",
        "http://evil.example/start/",
    ):
        answer = on_the_wire(path, host="evil.example")
        assert re.match(rb"HTTP/1.1 (200|400|404) ", answer), path
        assert b"ocation:" not in answer, path
        assert b"evil.example" not in answer, path
