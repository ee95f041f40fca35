"""The supervisor with real gunicorn processes: ready, dead, slow, stopped, killed."""

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from deploy.run import servers
from deploy.run.servers import PortTaken, Server
from deploy.run.supervisor import ServerFailed, StopAsked, Supervisor

pytestmark = pytest.mark.slow

APPLICATIONS = """
import os, resource, signal, sys

class App:
    def __init__(self, answer):
        self.answer = answer
        self.config = {"ONE_TIME_LINK": "/enter/abc"}

    def __call__(self, environ, start_response):
        start_response("200 OK", [])
        return [self.answer(environ).encode()]

def good():
    return App(lambda environ: str(os.getpid()))

def describe():
    def answer(environ):
        status = open("/proc/self/status").read()
        dumpable = __import__("ctypes").CDLL(None).prctl(3, 0, 0, 0, 0)
        return repr((dumpable, resource.getrlimit(resource.RLIMIT_CORE), "CANDOUR_LINK_FD" in os.environ))
    return App(answer)

def broken():
    raise RuntimeError("the pepper is missing")

def deaf():
    # Never ready, and SIGTERM does not move it.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("thinking", file=sys.stderr, flush=True)
    signal.pause()

def failing():
    def answer(environ):
        raise ValueError("what the reporter typed: " + environ["QUERY_STRING"])
    return App(answer)

def dying():
    # Its first request ends the whole server.
    def answer(environ):
        print("out of ink", file=sys.stderr, flush=True)
        os.kill(os.getppid(), signal.SIGKILL)
        return "bye"
    return App(answer)
"""


@pytest.fixture
def make_server(tmp_path: Path):
    (tmp_path / "applications.py").write_text(APPLICATIONS, encoding="utf-8")
    path = os.pathsep.join([str(servers.PROJECT), str(tmp_path)])

    def make(factory: str, *, gives_link: bool = False, workers: int = 1) -> Server:
        listener = servers.listen(factory, 0, "--port")
        return Server(
            name=factory,
            application=f"applications:{factory}()",
            workers=workers,
            threads=2,
            listener=listener,
            environment={"PYTHONPATH": path},
            gives_link=gives_link,
        )

    return make


def get(address: str) -> str:
    with urllib.request.urlopen(address, timeout=10) as answer:
        return answer.read().decode()


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def quiet(name: str, line: str) -> None:
    """No test here looks at what a ready server says."""


def test_every_server_is_ready_and_none_is_left_after(make_server):
    first, second = make_server("good", workers=2), make_server("good")
    addresses = [first.address, second.address]
    with Supervisor(quiet) as supervisor:
        supervisor.start(first)
        supervisor.start(second)
        supervisor.wait_until_ready()
        workers = [int(get(address)) for address in addresses]
        assert all(map(is_alive, workers))
    assert not any(map(is_alive, workers))


def test_the_one_time_link_comes_through_the_pipe_alone(make_server):
    server = make_server("good", gives_link=True)
    with Supervisor(quiet) as supervisor:
        supervisor.start(server)
        supervisor.wait_until_ready()
        assert supervisor.link(server) == "/enter/abc"


def test_a_server_process_leaves_no_core_and_cannot_be_inspected(make_server):
    server = make_server("describe", gives_link=True)
    address = server.address
    with Supervisor(quiet) as supervisor:
        supervisor.start(server)
        supervisor.wait_until_ready()
        assert get(address) == "(0, (0, 0), False)"


def test_a_server_that_cannot_start_is_named_with_its_last_words(make_server):
    with (
        pytest.raises(ServerFailed, match=r"(?s)broken.*the pepper is missing"),
        Supervisor(quiet) as supervisor,
    ):
        supervisor.start(make_server("good"))
        supervisor.start(make_server("broken"))
        supervisor.wait_until_ready()


def test_a_server_that_is_never_ready_is_named_and_killed(make_server, monkeypatch):
    monkeypatch.setattr("deploy.run.supervisor.GRACE_SECONDS", 0.2)
    with pytest.raises(ServerFailed, match="deaf was not ready"), Supervisor(quiet) as supervisor:
        supervisor.start(make_server("deaf"))
        supervisor.wait_until_ready(seconds=1.5)


def test_when_one_server_dies_all_end(make_server):
    good, dying = make_server("good"), make_server("dying")
    good_address, dying_address = good.address, dying.address
    with pytest.raises(ServerFailed, match=r"dying has stopped \(SIGKILL\)"), Supervisor(quiet) as supervisor:
        supervisor.start(good)
        supervisor.start(dying)
        supervisor.wait_until_ready()
        worker = int(get(good_address))
        get(dying_address)
        supervisor.wait()
    assert not is_alive(worker)


def test_what_a_request_holds_is_never_logged(make_server):
    server = make_server("failing")
    address, port = server.address, servers.port_of(server.listener)
    lines: list[str] = []

    def collect(name: str, line: str) -> None:
        lines.append(line)
        if len(lines) == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    with Supervisor(collect) as supervisor:
        supervisor.start(server)
        supervisor.wait_until_ready()
        with pytest.raises(urllib.error.HTTPError, match="500"):
            get(f"{address}/crimson?turquoise")
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"turquoise crimson\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 400")
        supervisor.wait()
    assert "ValueError at" in lines[0]
    assert "not HTTP" in lines[1]
    assert not any(word in line for line in lines for word in ("turquoise", "crimson", "typed"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_wait(make_server, number):
    with Supervisor(quiet) as supervisor:
        supervisor.start(make_server("good"))
        supervisor.wait_until_ready()
        os.kill(os.getpid(), number)
        supervisor.wait()
        assert supervisor.asked_to_stop


def test_a_signal_ends_the_start_too(make_server, monkeypatch):
    monkeypatch.setattr("deploy.run.supervisor.GRACE_SECONDS", 0.2)
    with Supervisor(quiet) as supervisor:
        supervisor.start(make_server("deaf"))
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(StopAsked):
            supervisor.wait_until_ready()


def test_old_signal_handlers_come_back():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)]
    with Supervisor(quiet) as supervisor:
        folder = supervisor.folder
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)] == before
    assert not folder.exists()


def test_servers_end_when_the_supervisor_is_killed(make_server, tmp_path):
    script = tmp_path / "supervise.py"
    script.write_text(
        "import os\n"
        "from deploy.run import servers\n"
        "from deploy.run.supervisor import Supervisor\n"
        "with Supervisor(print) as supervisor:\n"
        "    server = servers.Server('good', 'applications:good()', 1, 1, servers.listen('good', 0, '-'),\n"
        "                            {'PYTHONPATH': os.environ['PYTHONPATH']})\n"
        "    print(server.address, supervisor.folder, flush=True)\n"
        "    supervisor.start(server)\n"
        "    supervisor.wait_until_ready()\n"
        "    print('ready', flush=True)\n"
        "    supervisor.wait()\n",
        encoding="utf-8",
    )
    path = os.pathsep.join([str(servers.PROJECT), str(tmp_path)])
    with subprocess.Popen(
        [sys.executable, script], env=os.environ | {"PYTHONPATH": path}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        address, folder = process.stdout.readline().split()
        assert process.stdout.readline() == "ready\n"
        worker = int(get(address))
        watched = os.pidfd_open(worker)
        process.kill()
    try:
        ended, _, _ = select.select([watched], [], [], 20)
        assert ended, "the worker outlived its supervisor"
    finally:
        os.close(watched)
        shutil.rmtree(folder)


def test_a_port_in_use_names_the_option():
    with servers.listen("desk", 0, "--desk-port") as taken:
        port = servers.port_of(taken)
        with pytest.raises(PortTaken, match=rf"Port {port} is in use .* or another Candour.* --desk-port"):
            servers.listen("desk", port, "--desk-port")
