"""A codename is in no process's memory any more, once its visit is over and the workers have been replaced."""

import os
import select
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from common.conversation import codename
from common.conversation.derivation import conversation_secrets, derive_root
from common.secret import Secret

pytestmark = pytest.mark.slow

AFTER = 30  # requests with a codename
FEW_TIMES = f"""
from deploy.server import worker_renewal
worker_renewal.LEAST_SECONDS = 0
worker_renewal.TIMES = ({AFTER}, {AFTER})
"""


def memory_of(pid):
    """All that a process can write to, part by part."""
    with Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            where, may, *_ = line.split()
            begin, end = (int(number, 16) for number in where.split("-"))
            if "w" in may and "[v" not in line:
                memory.seek(begin)
                with suppress(OSError):  # of a thread's stack that is being given back
                    yield memory.read(end - begin)


def found_in(server, needles):
    """The names of what is in the memory of the master or of a worker now."""
    return {
        name
        for pid in (server.process.pid, *server.workers())
        for part in memory_of(pid)
        for name, needle in needles.items()
        if needle in part
    }


def secrets_of(server, words):
    root = derive_root(codename.read(" ".join(words)), Secret((server.data / "pepper").read_bytes()))
    keys = conversation_secrets(root)
    return {
        "the codename": " ".join(words).encode(),
        "the codename in a form": "+".join(words).encode(),
        "the codename in a session": '", "'.join(words).encode(),
        "the root": root.reveal(),
        "the root in a session": root.reveal().hex().encode(),
        "the receipt key": keys.receipt_key.reveal(),
        "the mailbox key": keys.mailbox_key.reveal(),
        "the reply seed": keys.reply_seed.reveal(),
        "what was written": b"It happened at the Halcyon underpass.",
    }


class Ends:
    """Waits until processes have ended."""

    def __init__(self, pids):
        self._poll, self._stack = select.poll(), ExitStack()
        self.left = set(pids)
        self._pids = {}
        for pid in pids:
            descriptor = os.pidfd_open(pid)
            self._stack.callback(os.close, descriptor)
            self._pids[descriptor] = pid
            self._poll.register(descriptor, select.POLLIN)

    def look(self, milliseconds=0):
        for descriptor, _ in self._poll.poll(milliseconds):
            self._poll.unregister(descriptor)
            self.left.discard(self._pids[descriptor])
        return self.left


@pytest.fixture
def started(start_server):
    """Starts a server with this configuration, which ends with the test."""
    made = []

    def start(config, **more):
        made.append(start_server(config=config, **more))
        return made[-1]

    yield start
    for server in made:
        server.kill()


def test_after_a_visit_its_codename_is_in_no_process_once_the_workers_are_replaced(started):
    server = started(FEW_TIMES, threads=8)
    first = server.workers()
    reporter = server.reporter()
    words = reporter.report("It happened at the Halcyon underpass.")
    reporter.come_back(words)
    reporter.post("/leave")
    needles = secrets_of(server, words)
    assert len(found_in(server, needles)) > 3, "the hunt finds what is there"
    ends, other = Ends(first), server.reporter()
    other.start()
    for _ in range(20 * AFTER):  # of another visit, which is never refused
        assert other.get("/report").status == 200
        assert len(server.workers()) <= 3
        if not ends.look():
            break
    assert not ends.left
    assert found_in(server, needles | {"this": b"source_interface"}) == {"this"}
    assert server.said.read_text() == ""


def test_requests_that_are_under_way_go_on_while_their_worker_is_replaced(started, wait_until, hear):
    """Uploads, and connections on which nothing was asked yet. One worker goes at a time."""
    server = started(f"{FEW_TIMES}\ngraceful_timeout = 0", behind_tor=True, threads=32)
    ends, reporters = Ends(server.workers()), [server.reporter(number) for number in range(3)]
    other = server.reporter(9)
    other.start()
    with ExitStack() as stack:
        kept = [stack.enter_context(server.connect_by(number)) for number in range(20, 28)]
        uploads = []
        for number, reporter in enumerate(reporters):
            reporter.start()
            path, body = reporter.message("A long one.", [("film.mp4", os.urandom(200_000))])
            connection = stack.enter_context(server.connect_by(number))
            head = server.head(reporter, path, len(body), b"Connection: close")
            connection.sendall(head + body[:100_000])
            uploads.append((connection, body[100_000:]))
        wait_until(lambda: other.get("/report").status == 200 and len(server.workers()) == 3, "a successor")
        for _ in range(30):
            assert other.get("/report").status == 200
            assert len(server.workers()) == 3
        assert len(ends.look()) == 2
        for connection in kept:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert hear(connection).startswith(b"HTTP/1.1 200 ")
        for connection, rest in uploads:
            connection.sendall(rest)
            assert hear(connection).startswith(b"HTTP/1.1 303 ")
    assert all(len(reporter.codename()) == 7 for reporter in reporters)
    wait_until(lambda: other.get("/report").status == 200 and not ends.look(), "their end")
    assert server.said.read_text() == ""
