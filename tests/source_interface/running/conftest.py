"""The real server: gunicorn as deploy starts it, on a free port of the loopback, ended by its own process group."""

import ctypes
import os
import signal
import socket
import struct
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from deploy.run import servers

TOGETHER = b"POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nCookie: candour=%s\r\nContent-Type: %s\r\n"


def eventually(condition, what="it"):
    """Wait until something holds. For what nobody tells us about."""
    until = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < until, f"{what} did not come about"
        time.sleep(0.005)


_LIBC = ctypes.CDLL(None, use_errno=True)
_INOTIFY = _LIBC.inotify_init1(os.O_NONBLOCK)  # one for all: a user has few, and each gpg-agent takes one


class Watch:
    """What happens to the names in a folder: inotify(7)."""

    CREATED, DELETED = 0x00000100 | 0x00000080, 0x00000200 | 0x00000040
    _all: ClassVar[dict[int, "Watch"]] = {}

    def __init__(self, folder: Path) -> None:
        self.created: list[str] = []
        self.deleted: list[str] = []
        self._number = _LIBC.inotify_add_watch(_INOTIFY, os.fsencode(folder), self.CREATED | self.DELETED)
        assert self._number >= 0, os.strerror(ctypes.get_errno())
        self._all[self._number] = self

    def look(self):
        with suppress(BlockingIOError):
            while events := os.read(_INOTIFY, 65536):
                while events:
                    number, mask, _, length = struct.unpack_from("iIII", events)
                    name = events[16 : 16 + length].rstrip(b"\0").decode()
                    if watch := self._all.get(number):
                        (watch.created if mask & self.CREATED else watch.deleted).append(name)
                    events = events[16 + length :]
        return self

    def close(self):
        _LIBC.inotify_rm_watch(_INOTIFY, self._number)
        del self._all[self._number]


class Server:
    """A source interface that runs. `folder` holds all it may write to: data, home, tmp, and what it says.

    `behind_tor`: it listens on a Unix socket, where each connection begins with the line that tells its circuit.
    `config`: what gunicorn is told besides, in Python. `threads`: of each worker, where they are to be others.
    """

    def __init__(
        self,
        settings: Path,
        folder: Path,
        reporter_at,
        *,
        behind_tor: bool = False,
        config: str = "",
        threads: int = 0,
    ) -> None:
        self.folder, self.data, self._reporter_at = folder, settings.parent, reporter_at
        self.home, self.tmp, self.said = folder / "home", folder / "tmp", folder / "said"
        for path in (self.home, self.tmp):
            path.mkdir(exist_ok=True)
        self.tmp_watch, self.home_watch = Watch(self.tmp), Watch(self.home)
        self.port, self.path = 0, folder / "http"
        if behind_tor:
            listener = servers.listen_unix(self.path)
        else:
            listener = servers.listen("source interface", 0, "--port")
            self.port = servers.port_of(listener)
        server = servers.source_interface(settings, listener)
        command = servers.command(replace(server, threads=threads or server.threads))
        if config:
            (folder / "config.py").write_text(f"from deploy.server.gunicorn_config import *\n{config}\n")
            command[command.index("--config") + 1] = str(folder / "config.py")
        notify_path = folder / "notify"
        notify_path.unlink(missing_ok=True)
        told = {"NOTIFY_SOCKET": str(notify_path), servers.PARENT: str(os.getpid())}
        told |= {"HOME": str(self.home), "TMPDIR": str(self.tmp)}
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, self.said.open("ab") as said:
            notify.bind(str(notify_path))
            notify.settimeout(60)
            self.process = subprocess.Popen(
                command,
                env=servers.environment(server) | told,
                cwd=servers.PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                pass_fds=[listener.fileno()],
                process_group=0,
            )
            listener.close()
            while b"READY=1" not in notify.recv(4096):
                pass
        eventually(lambda: len(self.workers()) == 2, "both workers")

    def reporter(self, circuit: int | None = None):
        """A browser; behind tor, on the circuit of this number."""
        if circuit is None:
            return self._reporter_at(self.port)
        return self._reporter_at(lambda: self.connect_by(circuit))

    def connect_by(self, circuit: int | None) -> socket.socket:
        """A connection as tor makes one for a stream of the circuit; without a circuit it says nothing first."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(60)
        connection.connect(str(self.path))
        if circuit is not None:
            high, low = circuit >> 16, circuit & 0xFFFF
            line = f"PROXY TCP6 fc00:dead:beef:4dad::{high:x}:{low:x} ::1 {low} 80\r\n"
            connection.sendall(line.encode())
        return connection

    def processes(self) -> list[int]:
        """Master, workers and every gpg of theirs."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[2]) == self.process.pid and fields[0] != "Z":
                    found.append(int(stat.parent.name))
        return found

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(child) for child in children]

    def tasks(self, pid: int) -> list[str]:
        """The threads of a process."""
        return [task.name for task in Path(f"/proc/{pid}/task").iterdir()]

    def gpgs(self) -> list[int]:
        """Each is the child of a thread of a worker."""
        found = []
        for task in [task for worker in self.workers() for task in Path(f"/proc/{worker}/task").glob("*")]:
            with suppress(OSError):
                found += [
                    int(pid)
                    for pid in (task / "children").read_text().split()
                    if Path(f"/proc/{pid}/comm").read_text() == "gpg\n"
                ]
        return found

    def memory(self) -> int:
        """Bytes that are resident now, in master, workers and every gpg; what they share is counted in each.

        Not counted is a worker's child that is about to become a gpg: its memory is still the worker's, vfork(2).
        """
        total = 0
        for pid in [self.process.pid, *self.workers(), *self.gpgs()]:
            with suppress(OSError, StopIteration):
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                total += int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) * 1024
        return total

    @contextmanager
    def peak(self):
        """Measures the most memory in use beyond what it is now. Gives a list that ends up with it."""
        before, most, over = self.memory(), [0], threading.Event()

        def sample():
            while not over.wait(0.01):
                most[0] = max(most[0], self.memory() - before)

        thread = threading.Thread(target=sample)
        thread.start()
        try:
            yield most
        finally:
            over.set()
            thread.join()

    def staging(self) -> list[Path]:
        return sorted((self.data / "blobs" / "staging").iterdir())

    def blobs(self) -> list[Path]:
        return sorted(path for path in self.data.glob("blobs/??/*") if path.is_file())

    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def say(self, request: bytes, *, end: bool = True) -> bytes:
        """Send raw bytes, say no more, and hear the answer to its end."""
        with self.connect() as connection:
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(request)
                if end:
                    with suppress(OSError):  # it has ended already
                        connection.shutdown(socket.SHUT_WR)
            return heard(connection)

    def head(self, reporter, path: str, length: int | None, *more: bytes) -> bytes:
        """The head of a message's request, as this reporter's browser sends it."""
        kind = b"multipart/form-data; boundary=----geckoformboundary5d1f"
        lines = TOGETHER % (path.encode(), self.port, reporter.cookie.encode(), kind)
        lines += b"Content-Length: %d\r\n" % length if length is not None else b""
        return lines + b"".join(line + b"\r\n" for line in more) + b"\r\n"

    def stop(self) -> None:
        """Ask it to end, kill whatever is left, and see that it left nothing where nothing may be."""
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(15)
        self.kill()
        made = self.tmp_watch.look().created + self.home_watch.look().created
        assert made == [], "a server makes no temporary file"

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def heard(connection: socket.socket) -> bytes:
    answer = b""
    with suppress(ConnectionResetError):
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


@pytest.fixture(scope="session")
def start_server(short_folder, tmp_path_factory, registry_bytes, root_key, reporter_at):
    """Starts servers on data folders of their own, or once more on one that is there."""
    running: list[Server] = []

    def start(data: Path | None = None, limits: str = "", **how) -> Server:
        if data is None:
            data = tmp_path_factory.mktemp("running")
            (data / "registry.json").write_bytes(registry_bytes)
            (data / "registry-root.pub").write_text(root_key.public.hex())
            (data / "pepper").write_bytes(os.urandom(32))
            paths = {"registry": "registry.json", "registry_root": "registry-root.pub", "pepper": "pepper"}
            paths |= {"database": "sqlite:///candour.sqlite", "blobs": "blobs"}
            settings = [f'{key} = "{value}"' for key, value in paths.items()]
            (data / "server.toml").write_text(
                "\n".join([*settings, "[limits]", "keep_free_bytes = 0", limits])
            )
        running.append(Server(data / "server.toml", short_folder(), reporter_at, **how))
        return running[-1]

    yield start
    for server in running:
        server.stop()
        server.tmp_watch.close()
        server.home_watch.close()


@pytest.fixture(scope="session")
def server(start_server) -> Server:
    """One server for all tests that leave it well."""
    return start_server()


@pytest.fixture
def fresh_server(start_server):
    """A server of this test's own."""
    server = start_server()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def wait_until():
    return eventually


@pytest.fixture(scope="session")
def watch():
    return Watch


@pytest.fixture(scope="session")
def hear():
    return heard
