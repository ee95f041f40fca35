"""A few connections keep nobody waiting, each of a circuit: the worker as gunicorn runs it, with real sockets."""

import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPResponse
from pathlib import Path

import pytest

from deploy.run import servers

pytestmark = pytest.mark.quiet

PROJECT = Path(__file__).resolve().parents[3]
ONE = b"PROXY TCP6 fc00:dead:beef:4dad::3a7c:b5e7 ::1 46567 80\r\n"
OTHER = b"PROXY TCP6 fc00:dead:beef:4dad::3a7c:b5e8 ::1 46568 80\r\n"
ASK = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
CONFIG = """
from common.transport import pace
from deploy.server import worker
worker.HEAD_SECONDS = pace.OVER_SECONDS = 1.0
worker_class = worker.Worker
workers, threads, control_socket_disable = 1, 4, True
graceful_timeout, keepalive = 20, 60
def when_ready(server):
    print("ready", flush=True)
"""
IN_NO_HURRY = "pace.OVER_SECONDS = 60.0"
LARGE = 4 * 1024 * 1024
APPLICATION = """
import tempfile
def application(environ, start_response):
    if environ["PATH_INFO"] in ("/large", "/file"):
        start_response("200 OK", [("Content-Length", str(4 << 20))])
        if environ["PATH_INFO"] == "/large":
            return [bytes(4 << 20)]
        file = tempfile.TemporaryFile()
        file.truncate(4 << 20)
        return environ["wsgi.file_wrapper"](file)
    if environ["PATH_INFO"] == "/page":
        start_response("200 OK", [("Content-Length", "16384")])
        return [bytes(16384)]
    if environ["PATH_INFO"] == "/circuit":
        start_response("200 OK", [("Content-Length", "32")])
        return [environ["candour.circuit"].encode()]
    if environ["PATH_INFO"] == "/environ":
        told = repr(environ).encode()
        start_response("200 OK", [("Content-Length", str(len(told)))])
        return [told]
    if environ["PATH_INFO"] == "/wait":
        told = b"stop" if environ["candour.stopping"].wait(60) else b"late"
        start_response("200 OK", [("Content-Length", "4")])
        return [told]
    try:
        body = environ["wsgi.input"].read()
    except OSError:
        body = b"cut"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


@contextmanager
def serving(
    folder: Path, listener: socket.socket, *options: str, more: str = ""
) -> Iterator[subprocess.Popen[str]]:
    """A server with four threads, which gives a head one second, and looks at the pace over one; `more`: settings."""
    (folder / "config.py").write_text(CONFIG + more)
    (folder / "application.py").write_text(APPLICATION)
    bind = ["-b", f"fd://{listener.fileno()}"]
    with subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "config.py", *bind, *options, "application"],
        cwd=folder,
        env={"PYTHONPATH": f"{PROJECT}:{folder}", "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[listener.fileno()],
        text=True,
    ) as server:
        assert server.stdout is not None
        while server.stdout.readline() != "ready\n":
            assert server.poll() is None
        try:
            yield server
        finally:
            server.terminate()


@pytest.fixture
def more(request: pytest.FixtureRequest) -> str:
    """Settings of the server of this test: `@pytest.mark.parametrize("more", [...], indirect=True)`."""
    return getattr(request, "param", "")


@pytest.fixture
def port(tmp_path: Path, more: str) -> Iterator[int]:
    """A server on a port, without circuits."""
    with socket.create_server(("127.0.0.1", 0)) as listener, serving(tmp_path, listener, more=more):
        yield listener.getsockname()[1]


class BehindTor:
    """A server on a Unix socket. `connect` does what tor does for a stream of a circuit."""

    def __init__(self, path: Path, server: subprocess.Popen[str]) -> None:
        self.path, self.server = path, server

    def connect(self, first: bytes = b"") -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(30)
        connection.connect(str(self.path))
        connection.sendall(first)
        return connection

    def ask(self, first: bytes, path: bytes = b"/circuit") -> bytes:
        """The body of the answer; nothing when there is none."""
        with self.connect(first) as connection:
            connection.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path)
            return heard(connection).partition(b"\r\n\r\n")[2]


@pytest.fixture
def behind_tor(tmp_path: Path, short_folder, more: str) -> Iterator[BehindTor]:
    path = short_folder() / "http"
    with (
        servers.listen_unix(path) as listener,
        serving(tmp_path, listener, "--proxy-protocol", "v1", more=more) as server,
    ):
        yield BehindTor(path, server)


def heard(connection: socket.socket) -> bytes:
    answer = b""
    with suppress(ConnectionResetError):
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def answer_on(connection: socket.socket) -> bytes:
    """The body of the answer on a connection that does not end with it."""
    response = HTTPResponse(connection)
    response.begin()
    return response.read()


def page(port: int) -> float:
    """Seconds until a page has come."""
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as browser:
        browser.sendall(ASK)
        assert browser.recv(64).startswith(b"HTTP/1.1 200")
    return time.monotonic() - started


def test_connections_that_are_not_closed_by_their_client_keep_nobody_waiting(port):
    with ExitStack() as held:
        for _ in range(3):  # one fewer than there are threads
            idle = held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            idle.sendall(ASK)
            assert idle.recv(64).startswith(b"HTTP/1.1 200")
        assert page(port) < 1.5, "lingering over one connection takes two seconds"


def test_a_head_that_does_not_come_is_not_waited_for(port):
    with ExitStack() as held:
        stalled = [
            held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30)) for _ in range(8)
        ]
        for connection in stalled:
            connection.sendall(b"GET / HTTP/1.1\r\nHo")
        assert page(port) < 15
        for connection in stalled[:4]:
            assert connection.recv(1) == b""


def test_a_body_that_falls_silent_is_cut(port):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as browser:
        browser.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        answer = browser.recv(4096)
        assert answer.startswith(b"HTTP/1.1 200")
        while not answer.endswith(b"cut"):
            more = browser.recv(4096)
            assert more
            answer += more


def test_two_connections_of_a_circuit_have_its_name_and_one_of_another_has_another(behind_tor):
    assert len(behind_tor.ask(ONE)) == 32
    assert behind_tor.ask(ONE) == behind_tor.ask(ONE) != behind_tor.ask(OTHER)


def test_two_requests_on_one_connection_are_of_one_circuit(behind_tor):
    with behind_tor.connect(ONE) as connection:
        ask = b"GET /circuit HTTP/1.1\r\nHost: x\r\n\r\n"
        connection.sendall(ask)
        first = b""
        while not first.partition(b"\r\n\r\n")[2]:
            first += connection.recv(4096)
        connection.sendall(ask + ask.replace(b"Host", b"Connection: close\r\nHost"))
        named = {answer[-32:] for answer in (first, *heard(connection).split(b"HTTP/1.1 ")[1:])}
    assert named == {behind_tor.ask(ONE)}


@pytest.mark.parametrize(
    "first", [b"", OTHER.replace(b"dead", b"beef"), b"PROXY TCP4 1.2.3.4 5.6.7.8 1 80\r\n"]
)
def test_a_connection_without_tors_line_is_refused(behind_tor, first):
    assert behind_tor.ask(first) == b""
    assert behind_tor.ask(ONE)


def test_a_visitor_cannot_tell_of_another_circuit(behind_tor):
    assert b"not understood" in behind_tor.ask(ONE + OTHER)
    told = b"GET /circuit HTTP/1.1\r\nHost: x\r\nCandour-Circuit: a\r\nCandour.Circuit: a\r\nConnection: close\r\n\r\n"
    with behind_tor.connect(ONE + told) as connection:
        assert heard(connection).endswith(behind_tor.ask(ONE))


def test_the_application_is_not_told_the_number_of_the_circuit(behind_tor):
    told = behind_tor.ask(ONE, b"/environ")
    assert b"candour.circuit" in told
    for trace in (b"3a7c", b"b5e7", b"46567", b"fc00", b"PROXY", str(0x3A7CB5E7).encode()):
        assert trace not in told


def test_streams_that_say_nothing_hold_no_thread(behind_tor):
    with ExitStack() as held:
        for number in range(40):
            line = ONE.replace(b"3a7c", b"%x" % (number % 2))
            held.enter_context(behind_tor.connect(line if number % 4 else line[:20]))
        started = time.monotonic()
        assert behind_tor.ask(ONE)
        assert time.monotonic() - started < 8.0  # four threads would wait a second for each head, ten in all
        silent = held.enter_context(behind_tor.connect(ONE))
        assert silent.recv(1) == b"", "its time is over"


def test_one_circuit_cannot_hold_all_threads_and_delays_end_with_the_server(behind_tor):
    """Of four threads a circuit may have one."""
    wait = b"GET /wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with ExitStack() as held:
        slow = [held.enter_context(behind_tor.connect(ONE + wait)) for _ in range(8)]
        for _ in range(3):
            assert behind_tor.ask(OTHER)
        behind_tor.server.terminate()
        assert heard(slow[0]).endswith(b"stop"), "what waits is told of the end"
        assert behind_tor.server.wait(10) == 0
        assert [heard(connection) for connection in slow[1:]] == [b""] * 7


def ended(connection: socket.socket, seconds: float = 10.0) -> bool:
    """True once the server has ended the connection, whatever has not been read of it."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    return bool(poll.poll(1000 * seconds))


def drip(connection: socket.socket, seconds: float, size: int = 1) -> bytes:
    """Send `size` bytes twenty times a second; the answer, as soon as there is one."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if select.select([connection], [], [], 0.05)[0]:
            return heard(connection)
        connection.sendall(b"a" * size)
    return b""


@pytest.mark.parametrize("more", [IN_NO_HURRY], indirect=True)
def test_answers_that_nobody_reads_hold_no_thread(port):
    ask = b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n" * 200
    with ExitStack() as held:
        for _ in range(12):  # three for each thread
            deaf = held.enter_context(socket.socket())
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            deaf.connect(("127.0.0.1", port))
            deaf.sendall(ask)
        for _ in range(30):  # while all the deaf would have been served until they are full
            assert page(port) < 20  # whoever holds a thread may do so for 60


def test_who_asks_again_and_again_and_reads_nothing_is_ended(behind_tor):
    with behind_tor.connect(ONE + b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n" * 3) as deaf:
        assert ended(deaf)
        assert heard(deaf).count(b"HTTP/1.1 200") == 1


@pytest.mark.parametrize("path", [b"/large", b"/file"])
@pytest.mark.parametrize("reads", [0, 1], ids=["not at all", "in a drip"])
def test_an_answer_that_is_hardly_read_is_cut(behind_tor, path, reads):
    with behind_tor.connect(ONE + b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path) as connection:
        started = time.monotonic()
        while not ended(connection, 0.05):
            assert time.monotonic() < started + 45  # the worker looks after one second; others, after 60
            if reads:
                connection.recv(reads)
        assert len(heard(connection)) < LARGE


@pytest.mark.parametrize("path", [b"/large", b"/file"])
def test_a_large_answer_may_take_as_long_as_it_moves(behind_tor, path):
    """Three seconds, where the pace is looked at each second: a byte in 16 is more than the kernels hold between us."""
    with behind_tor.connect(ONE + b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path) as connection:
        came = 0
        while came < LARGE:
            time.sleep(0.045)
            size = len(connection.recv(LARGE // 64, socket.MSG_WAITALL))
            assert size
            came += size


@pytest.mark.parametrize(
    "begun",
    [
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\nsome came with the head",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nsome",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0;",
    ],
    ids=["length", "length, begun", "chunk", "size of a chunk"],
)
def test_a_body_that_drips_is_cut(port, begun):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(begun)
        assert drip(connection, 45).endswith(b"cut")


def test_a_head_that_drips_is_ended(port):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        started = time.monotonic()
        assert drip(connection, 60, size=100) == b""
        assert time.monotonic() < started + 45


@pytest.mark.parametrize("kind", [b"Content-Length: 2000", b"Transfer-Encoding: chunked"])
def test_a_body_that_keeps_the_pace_is_read_to_its_end(port, kind):
    body = b"7d0\r\n%s\r\n0\r\n\r\n" if b"chunked" in kind else b"%s"
    body %= bytes(range(250)) * 8
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n\r\n" % kind)
        for at in range(0, len(body), 40):
            time.sleep(0.05)  # 800 bytes a second: two and a half seconds, of which each is looked at
            connection.sendall(body[at : at + 40])
        assert heard(connection).endswith(b"\r\n\r\n" + bytes(range(250)) * 8)


def test_what_came_with_the_head_ends_where_the_next_request_begins(port):
    first = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nfirst"
    second = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 6\r\n\r\nsecond"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(first + second)
        answers = heard(connection).split(b"HTTP/1.1 200")
    assert [answer.partition(b"\r\n\r\n")[2] for answer in answers[1:]] == [b"first", b"second"]


POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 600000\r\n\r\n"


@pytest.mark.parametrize("more", [IN_NO_HURRY + "\nworker.ROOM_SECONDS = 0.5"], indirect=True)
def test_when_threads_are_few_the_slowest_is_cut_first(port):
    with ExitStack() as held:
        paces = [1000, 1, 1000, 1000]  # all four threads
        uploads = [
            held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30)) for _ in paces
        ]
        for upload in uploads:
            upload.sendall(POST)
        until = time.monotonic() + 45
        answered: list[socket.socket] = []
        while not answered:
            assert time.monotonic() < until
            answered = select.select(uploads, [], [], 0.05)[0]
            for upload, size in zip(uploads, paces, strict=True):
                upload.sendall(bytes(size))
        assert answered == [uploads[1]]
        assert answer_on(uploads[1]) == b"cut"
        assert page(port) < 20


@pytest.mark.parametrize("more", [IN_NO_HURRY + "\nworker.ROOM_SECONDS, threads = 0.5, 48"], indirect=True)
def test_when_threads_are_few_it_is_first_at_the_cost_of_the_circuit_that_holds_most(behind_tor):
    """Of 48 threads one circuit holds two, and is the fastest; 35 others hold one each."""
    with ExitStack() as held:
        greedy = [held.enter_context(behind_tor.connect(ONE + POST)) for _ in range(2)]
        others = [
            held.enter_context(behind_tor.connect(ONE.replace(b"3a7c", b"%x" % number) + POST))
            for number in range(1, 36)
        ]
        until = time.monotonic() + 45
        answered: list[socket.socket] = []
        while not answered:
            assert time.monotonic() < until
            answered = select.select(greedy + others, [], [], 0.05)[0]
            for upload in greedy:
                upload.sendall(bytes(1000))
        assert len(answered) == 1
        assert answered[0] in greedy
        assert select.select(others, [], [], 1.0)[0] == []


@pytest.mark.parametrize("more", ["worker_connections = 24"], indirect=True)
def test_idle_connections_hold_no_thread_and_when_there_are_too_many_the_oldest_goes(port):
    ask = b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n"

    def asked(connection: socket.socket) -> int:
        connection.sendall(ask)
        answer = connection.recv(65536)
        length = answer.index(b"\r\n\r\n") + 4 + 16384
        while len(answer) < length:
            answer += connection.recv(65536)
        return int(re.match(rb"HTTP/1.1 (\d+) ", answer)[1])  # type: ignore[index]

    with ExitStack() as held:
        idle = [
            held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30)) for _ in range(60)
        ]
        for number, connection in enumerate(idle):
            if number % 2:  # the others never say anything
                with suppress(BrokenPipeError, ConnectionResetError, ValueError):
                    asked(connection)
        assert page(port) < 1.0
        assert ended(idle[1])
        last = held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
        assert asked(last) == asked(last) == 200


def worker_of(server: subprocess.Popen[str]) -> int:
    """The process number of its one worker, once there is one."""
    until = time.monotonic() + 45
    while not (found := Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()):
        assert time.monotonic() < until
    return int(found[0])


@contextmanager
def stopped(process: int) -> Iterator[None]:
    """What happens meanwhile, the process finds all at once."""
    os.kill(process, signal.SIGSTOP)
    try:
        until = time.monotonic() + 45
        while Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            assert time.monotonic() < until
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def answered(connection: socket.socket) -> bool:
    """Ask on a connection, which is kept; False when it has been ended."""
    connection.sendall(b"GET /circuit HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = b""
    while len(answer.partition(b"\r\n\r\n")[2]) < 32:
        came = connection.recv(4096)
        if not came:
            return False
        answer += came
    return answer.startswith(b"HTTP/1.1 200")


FEW = "worker_connections, worker.HEAD_SECONDS, pace.OVER_SECONDS = 24, 60.0, 60.0"


@pytest.mark.parametrize("more", [FEW], indirect=True)
def test_connections_that_speak_as_they_are_ended_to_make_place_end_nothing_else(behind_tor):
    """Twenty may be there: an upload, and nineteen that say nothing until others come."""
    third = ONE.replace(b"3a7c", b"1")
    with ExitStack() as held:
        upload = held.enter_context(
            behind_tor.connect(OTHER + b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf")
        )
        silent = [held.enter_context(behind_tor.connect(ONE)) for _ in range(19)]
        assert behind_tor.ask(third), "all before are there"
        process = worker_of(behind_tor.server)
        with stopped(process):
            for _ in range(4):
                held.enter_context(behind_tor.connect(ONE))
            for connection in silent:
                with suppress(BrokenPipeError):  # the first went for the one that asked
                    connection.sendall(ASK)
        assert behind_tor.ask(third)
        upload.sendall(b"half")
        answer = b""
        while not answer.endswith(b"halfhalf"):
            answer += (came := upload.recv(4096))
            assert came
        assert worker_of(behind_tor.server) == process


@pytest.mark.parametrize("more", [FEW], indirect=True)
@pytest.mark.parametrize("path", [b"/page", b"/wait"], ids=["does not read", "waits its turn"])
def test_the_circuit_that_takes_all_places_makes_place_for_others(behind_tor, path):
    """Twenty places: three visitors keep one each, and one circuit wants them all."""
    with ExitStack() as held:
        visitors = [
            held.enter_context(behind_tor.connect(OTHER.replace(b"3a7c", b"%x" % number)))
            for number in range(3)
        ]
        for visitor in visitors:
            assert answered(visitor)
        for _ in range(40):
            greedy = held.enter_context(behind_tor.connect(ONE))
            with suppress(BrokenPipeError, ConnectionResetError):
                greedy.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path)
                if path == b"/page":
                    assert greedy.recv(1)
                    greedy.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path)
        for number in range(10, 15):
            assert behind_tor.ask(OTHER.replace(b"3a7c", b"%x" % number)), "who comes is let in"
        for visitor in visitors:
            assert answered(visitor), "who came before is still there"


@pytest.mark.parametrize("more", [FEW], indirect=True)
def test_without_circuits_who_does_not_read_makes_place_for_others(port):
    ask = b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n"
    with ExitStack() as held:
        for _ in range(40):
            deaf = held.enter_context(socket.socket())
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            deaf.connect(("127.0.0.1", port))
            with suppress(BrokenPipeError, ConnectionResetError):
                deaf.sendall(ask)
                assert deaf.recv(1)
                deaf.sendall(ask)
        for _ in range(5):
            assert page(port) < 20  # whoever holds a thread may do so for 60


NEVER_READ = b"POST /page HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n"  # by the application


@contextmanager
def refused_uploads(connect: Callable[[], socket.socket], how_many: int) -> Iterator[list[socket.socket]]:
    """Uploads that have been answered, and of which most has yet to come."""
    with ExitStack() as held:
        uploads = [held.enter_context(connect()) for _ in range(how_many)]
        for upload in uploads:
            upload.sendall(NEVER_READ)
            assert len(answer_on(upload)) == 16384
        yield uploads


@pytest.mark.parametrize("more", [IN_NO_HURRY], indirect=True)
def test_refused_uploads_are_lingered_over_without_a_thread(behind_tor):
    with refused_uploads(lambda: behind_tor.connect(ONE), 12) as uploads:  # three for each thread
        assert len(behind_tor.ask(ONE)) == 32
        assert not any(ended(upload, 0) for upload in uploads)
        uploads[0].sendall(bytes(100_000_000))
        assert uploads[0].recv(1) == b"", "and ended in order"


FEW_LINGER = IN_NO_HURRY + "\nfrom deploy.server import lingering\nlingering.MOST = 3"


@pytest.mark.parametrize("more", [FEW_LINGER], indirect=True)
def test_when_too_many_are_lingered_over_the_oldest_of_the_greediest_circuit_goes(behind_tor):
    with (
        refused_uploads(lambda: behind_tor.connect(OTHER), 1) as others,
        refused_uploads(lambda: behind_tor.connect(ONE), 4) as greedy,
    ):
        for upload in greedy[:2]:
            assert ended(upload)
        assert not any(ended(upload, 0) for upload in (*others, *greedy[2:]))


@pytest.mark.parametrize(
    "more", [IN_NO_HURRY + "\nfrom deploy.server import lingering\nlingering.BYTES = 1 << 20"], indirect=True
)
@pytest.mark.parametrize("kind", [b"Content-Length: 999999999999", b"Transfer-Encoding: chunked"])
def test_whoever_sends_for_ever_is_ended(port, kind):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"POST /page HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n" % kind)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while True:
                connection.sendall(b"ffff\r\n" + bytes(65535) + b"\r\n")
    assert page(port)


def test_a_slow_rest_of_a_refused_upload_is_cut_off(behind_tor):
    with refused_uploads(lambda: behind_tor.connect(ONE), 1) as [upload], suppress(BrokenPipeError):
        while not ended(upload, 0.05):
            upload.sendall(b"a")


@pytest.mark.parametrize("more", [IN_NO_HURRY + "\ngraceful_timeout = 600"], indirect=True)
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGQUIT])
def test_a_server_that_is_to_end_does_not_wait_for_refused_uploads(behind_tor, sent):
    with refused_uploads(lambda: behind_tor.connect(ONE), 2):
        behind_tor.server.send_signal(sent)
        assert behind_tor.server.wait(60) == 0
