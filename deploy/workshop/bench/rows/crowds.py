"""`slow` and `flood`: what a page costs while many others drip their uploads, or wait to log in."""

import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import perf_counter
from urllib.parse import urlsplit

from common.conversation import codename
from common.conversation.mailbox import MESSAGE_SLOTS
from deploy.workshop.bench.browser import Browser, Surprise
from deploy.workshop.bench.figures import Figure, Series, plain, ratio
from deploy.workshop.bench.stage import Stage

_UPLOADS = 200
_A_SECOND = 1024  # bytes that each of them sends
_LOG_INS = 50
_PAGES = 60
_PAUSE = 0.02  # seconds between two looks at a page
_GATE_MB = 2 * 64 + 40  # two workers, one derivation each, and room for fifty waiting threads


def slow(stage: Stage) -> Iterator[Figure]:
    """200 uploads at 1 KB/s: a page's latency, and memory beside gpg's own."""
    quiet = _pages(stage)
    before = stage.memory_bytes(without="gpg")
    with _dripping(stage):
        during = _pages(stage)
        extra = stage.memory_bytes(without="gpg") - before
    yield ratio(
        "slow",
        f"a page while {_UPLOADS} uploads drip, of the same when quiet",
        during,
        quiet,
        2,
        at_most=True,
    )
    yield plain("slow", "memory an upload, beside gpg's own", [extra / _UPLOADS / 1e6], "MB", 1)


def flood(stage: Stage) -> Iterator[Figure]:
    """50 log-ins at once: a page's latency, each log-in's turn, and memory."""
    quiet = _pages(stage)
    before = stage.memory_bytes()
    peak = [0.0]
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.05):
            peak[0] = max(peak[0], stage.memory_bytes() - before)

    looking = threading.Thread(target=look)
    with ThreadPoolExecutor(_LOG_INS) as pool:
        visitors = [_at_the_door(stage) for _ in range(_LOG_INS)]
        looking.start()
        waits = [pool.submit(_log_in, visitor) for visitor in visitors]
        during = _pages(stage, until=lambda: all(wait.done() for wait in waits))
        took = [wait.result() for wait in waits]
    done.set()
    looking.join()
    yield ratio(
        "flood",
        f"a page while {_LOG_INS} log-ins wait, of the same when quiet",
        during,
        quiet,
        3,
        at_most=True,
    )
    yield plain("flood", "the longest wait for a log-in, none refused", [max(took)], "s", 30)
    yield plain("flood", "extra memory of all processes", [peak[0] / 1e6], "MB", _GATE_MB)


def _pages(stage: Stage, until: Callable[[], bool] = lambda: False) -> Series:
    """Seconds of a page, again and again."""
    browser = Browser(stage.source)
    browser.get("/")
    taken: list[float] = []
    while len(taken) < _PAGES and not (taken and until()):
        started = perf_counter()
        browser.get("/")
        taken.append(perf_counter() - started)
        time.sleep(_PAUSE)
    browser.close()
    return Series(tuple(taken))


def _at_the_door(stage: Stage) -> Browser:
    browser = Browser(stage.source)
    browser.read_token("/return")
    browser.close()  # its connection would be closed while it waits for the others
    return browser


def _log_in(browser: Browser) -> float:
    started = perf_counter()
    answer = browser.post("/return", {"codename": codename.generate().text})
    if answer.status != 303:
        raise Surprise(f"a log-in was answered with {answer.status}")
    return perf_counter() - started


@contextmanager
def _dripping(stage: Stage) -> Iterator[None]:
    """Uploads that go on slowly until the end, by one thread."""
    reporter = Browser(stage.source)
    reporter.begin()
    place = urlsplit(stage.source)
    sockets = []
    for slot in range(_UPLOADS):
        connection = socket.create_connection(("127.0.0.1", place.port or 80))
        connection.sendall(reporter.opening_of_upload("/report", slot % MESSAGE_SLOTS, place.netloc))
        connection.setblocking(False)
        sockets.append(connection)
    ended = threading.Event()

    def drip() -> None:
        with selectors.DefaultSelector() as ready:
            for connection in sockets:
                ready.register(connection, selectors.EVENT_WRITE)
            while not ended.wait(1):
                for key, _ in ready.select(0):
                    key.fileobj.send(bytes(_A_SECOND))  # type: ignore[union-attr]  # sockets, all of them

    dripper = threading.Thread(target=drip)
    dripper.start()
    try:
        time.sleep(5)  # a steady state: all uploads have their gpg
        yield
    finally:
        ended.set()
        dripper.join()
        for connection in sockets:
            connection.close()
        reporter.close()
