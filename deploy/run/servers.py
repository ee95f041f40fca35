"""The three servers: which application, how many workers and threads, what each is told, how it is started.

Promises: every server listens on 127.0.0.1 only, or on a Unix socket that its own user alone may open. The listening
socket is opened here and inherited, so a port in use is known at once and by name, and no other program can slip in
between.
"""

import errno
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.errors import DeployError

LOOPBACK = "127.0.0.1"
LINK_FD = "CANDOUR_LINK_FD"  # where the desk's one-time link goes: the number of an inherited pipe
PARENT = "CANDOUR_PARENT"  # the id of the process that starts the server and ends with it
PROJECT = Path(__file__).resolve().parents[2]
# glibc, mallopt(3): what is larger than any piece of an upload goes back to the system when it is over. Left to itself,
# malloc would keep tens of megabytes for each thread, once one of them had given a long text back.
_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2 * 1024 * 1024), "MALLOC_TRIM_THRESHOLD_": str(4 * 1024 * 1024)}


class PortTaken(DeployError):
    """The port cannot be listened on. The message says which option chooses another."""


class NoSocket(DeployError):
    """The Unix socket cannot be listened on. The message says why."""


@dataclass(frozen=True)
class Server:
    """How one server is run, and the socket that it listens on."""

    name: str
    application: str
    workers: int
    threads: int
    listener: socket.socket
    environment: Mapping[str, str] = field(default_factory=dict)
    gives_link: bool = False
    tells_circuits: bool = False  # tor is in front of it, and tells the circuit of each connection
    config: str = "deploy.server.gunicorn_config"  # the module that has gunicorn's settings

    @property
    def address(self) -> str:
        if self.listener.family == socket.AF_UNIX:
            return f"unix:{self.listener.getsockname()}"
        return f"http://{LOOPBACK}:{port_of(self.listener)}"


def source_interface(settings: Path, listener: socket.socket) -> Server:
    """The reporters' pages. Many threads: a slow upload holds one for as long as it lasts.

    On a Unix socket (`listen_unix`) tor is in front of it, which must be told `HiddenServiceExportCircuitID haproxy`.
    """
    return Server(
        name="source interface",
        application="source_interface.app:create_app()",
        workers=2,
        threads=256,
        listener=listener,
        environment={"CANDOUR_SERVER": str(settings)},
        tells_circuits=listener.family == socket.AF_UNIX,
    )


def collection(settings: Path, listener: socket.socket) -> Server:
    """Where couriers call. One worker: the nonces it has seen are in its memory."""
    return Server(
        name="collection",
        application="journalist_interface.collection.app:create_app()",
        workers=1,
        threads=16,
        listener=listener,
        environment={"CANDOUR_SERVER": str(settings)},
    )


def desk(settings: Path, listener: socket.socket) -> Server:
    """The unit's workstation; it lets in whoever holds its one-time link."""
    return Server(
        name="desk",
        application="journalist_interface.desk.app:create_app()",
        workers=1,
        threads=8,
        listener=listener,
        environment={"CANDOUR_DESK": str(settings), "CANDOUR_DESK_PORT": str(port_of(listener))},
        gives_link=True,
    )


def identity(settings: Path, listener: socket.socket) -> Server:
    """The identity holders' workstation. One worker at a time: each ends when it has seen a passphrase."""
    return Server(
        name="identity holders' desk",
        application="journalist_interface.identity.app:create_app()",
        workers=1,
        threads=4,
        listener=listener,
        environment={"CANDOUR_DESK": str(settings), "CANDOUR_DESK_PORT": str(port_of(listener))},
        gives_link=True,
    )


def listen(name: str, port: int, option: str) -> socket.socket:
    """A socket that listens on `port` for the server `name`; port 0 takes any free one. Raises PortTaken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            reason = f"Port {port} is in use by another program or another Candour, and the {name} wants it."
        else:
            reason = f"The {name} cannot listen on port {port}: {error.strerror}."
        raise PortTaken(f"{reason} Choose another with {option}.") from error
    return listener


def listen_unix(path: Path) -> socket.socket:
    """A Unix socket at `path`, which must be free; only this user may connect. Raises NoSocket."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        os.fchmod(listener.fileno(), 0o600)  # which the file is made with, less the umask
        listener.bind(str(path))
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise NoSocket(f"{path} cannot be listened on: {error.strerror}. Choose another folder.") from error
    return listener


def port_of(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port


def command(server: Server) -> list[str]:
    """The command line that serves on the server's listener, which the process must inherit."""
    words = [sys.executable, "-P", "-m", "gunicorn", "--config", f"python:{server.config}"]
    words += ["--workers", str(server.workers), "--threads", str(server.threads)]
    words += ["--bind", f"fd://{server.listener.fileno()}", "--name", f"candour {server.name}"]
    words += ["--proxy-protocol", "v1"] if server.tells_circuits else []
    return [*words, server.application]


def base_environment() -> dict[str, str]:
    """Our environment, without gunicorn's own back door, and with the project importable."""
    inherited = {key: value for key, value in os.environ.items() if key != "GUNICORN_CMD_ARGS"}
    others = [entry for entry in inherited.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return inherited | {"PYTHONPATH": os.pathsep.join(dict.fromkeys([str(PROJECT), *others]))}


def environment(server: Server) -> dict[str, str]:
    """What the server finds in its environment; no secret."""
    return base_environment() | dict(server.environment) | _MEMORY
