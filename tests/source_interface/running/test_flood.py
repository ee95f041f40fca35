"""A flood over one circuit: it is delayed, then refused, and whoever comes by another does not notice."""

import itertools
import statistics
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import pytest

from common.conversation import codename
from common.conversation.mailbox import MESSAGE_SLOTS
from deploy.server.fair_queue import REQUESTS
from source_interface.circuits import DERIVATIONS, UPLOADS

pytestmark = pytest.mark.quiet

BUSY = 0x7A91C3D5
LOG_INS, PAGES = 7, 5  # so many log-ins, and after each so many pages
UNNOTICED = 0.01  # seconds; over Tor a page takes a hundred times as long


@pytest.fixture(scope="module")
def two_behind_tor(start_server):
    """Two servers that have nothing in common but the machine."""
    servers = [start_server(behind_tor=True) for _ in range(2)]
    yield servers
    for server in servers:
        server.kill()


@pytest.fixture
def fresh():
    """Numbers of circuits that are used for the first time."""
    return itertools.count(1000)


def seconds(ask):
    started = time.monotonic()
    ask()
    return time.monotonic() - started


def most_of(rate, lasted):
    """What two workers take together; one more each for what was under way at the end."""
    return 2 * (rate.burst + lasted / rate.every + 1)


class Flood:
    """One circuit that logs in, starts and uploads as fast as it is let. `seen`: the status of each answer."""

    EACH = 8  # threads; 24 streams of the 32 that tor allows

    def __init__(self, server) -> None:
        self.server, self.over = server, threading.Event()
        self.seen: dict[str, list[int]] = {"log-in": [], "start": [], "upload": []}
        self.pool = ThreadPoolExecutor(3 * self.EACH)

    def __enter__(self):
        self.running = [
            self.pool.submit(self.go_on, kind, ask)
            for kind, ask in (("log-in", self.log_in()), ("start", self.start()), ("upload", self.upload()))
            for _ in range(self.EACH)
        ]
        return self

    def go_on(self, kind, ask):
        try:
            while not self.over.is_set():
                status = ask()
                if not self.over.is_set():
                    self.seen[kind].append(status)
        except OSError:
            assert self.over.is_set(), "the server ended it, at its own end"

    def log_in(self):
        reporter = self.server.reporter(BUSY)
        reporter.get("/return")
        page, cookie = reporter.last, reporter.cookie

        def ask():
            again = self.server.reporter(BUSY)
            again.last, again.cookie = page, cookie
            return again.post("/return", {"codename": codename.generate().text}).status

        return ask

    def start(self):
        reporter = self.server.reporter(BUSY)
        reporter.get("/routing")
        page, cookie = reporter.last, reporter.cookie

        def ask():
            again = self.server.reporter(BUSY)
            again.last, again.cookie = page, cookie
            return again.begin().status

        return ask

    def upload(self):
        reporter = self.server.reporter(BUSY)
        reporter.start()
        page, cookie, slots = reporter.last, reporter.cookie, deque(range(MESSAGE_SLOTS))

        def ask():
            again = self.server.reporter(BUSY)
            again.last, again.cookie = page, cookie
            slot = slots.popleft()
            status = again.write("Flood.", [("a.bin", bytes(20_000))], slot=str(slot)).status
            if status != 303:
                slots.append(slot)
            return status

        return ask

    def __exit__(self, *_):
        self.over.set()
        self.pool.shutdown(wait=True)
        for one in self.running:
            one.result()


def test_who_comes_past_tor_is_not_served(two_behind_tor, hear):
    server = two_behind_tor[0]
    with server.connect_by(None) as past_tor:
        past_tor.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert hear(past_tor) == b""
    assert server.path.stat().st_mode & 0o777 == 0o600
    assert server.reporter(7).get("/").status == 200
    assert server.said.read_text() == "A connection that tells of no circuit was refused.\n"


def test_a_flood_of_one_circuit_is_delayed_then_refused_and_others_do_not_notice(two_behind_tor, fresh):
    quiet, server = two_behind_tor

    def page(at):
        return seconds(lambda: at.reporter(next(fresh)).get("/"))

    def log_in(at):
        return seconds(lambda: at.reporter(next(fresh)).come_back(codename.generate().text))

    log_ins: dict[object, list[float]] = {quiet: [], server: []}
    pages: dict[object, list[float]] = {quiet: [], server: []}
    with Flood(server) as flood:
        started = time.monotonic()
        for _ in range(LOG_INS):  # by turns, as the machine is busy with other tests at times
            for at in (quiet, server):
                log_ins[at].append(log_in(at))
                pages[at] += [page(at) for _ in range(PAGES)]
        lasted = time.monotonic() - started
        flood.over.set()
        assert seconds(server.stop) < 14, "who is delayed is not waited for"
    assert statistics.median(pages[server]) < 2 * statistics.median(pages[quiet]) + UNNOTICED
    assert statistics.median(log_ins[server]) < 2 * statistics.median(log_ins[quiet]) + UNNOTICED
    for kind, seen in flood.seen.items():
        assert set(seen) <= {303, 429}, kind
        assert 429 in seen, kind
    taken = {kind: seen.count(303) for kind, seen in flood.seen.items()}
    assert taken["log-in"] + taken["start"] <= most_of(DERIVATIONS, lasted)
    assert taken["upload"] <= most_of(UPLOADS, lasted)
    assert sum(map(len, flood.seen.values())) <= most_of(REQUESTS, lasted)
    said = server.said.read_text()
    for trace in ("7a91", "c3d5", str(BUSY), "fc00", "PROXY"):
        assert trace not in said
