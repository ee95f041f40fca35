"""One server as a child process: how it is started, what it says, and how it ends.

Promises: it runs in a process group of its own, tells that it is ready by sd_notify(3), gives its one-time
link through a pipe (never by argument, environment or disk), and its group is killed before its id is
released.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from deploy.run import servers
from deploy.run.servers import Server

LAST_LINES = 20
_CHUNK = 65536
# The last line of a traceback, where the error is one that this project raises with a message for people.
_OWN_ERROR = re.compile(r"(?:common|keys|source_interface|journalist_interface)\.[\w.]+: (.+)")


class Child:
    """A started server. `on_line`, when set, gets the server's name and each line that it writes."""

    def __init__(self, server: Server, notify_path: Path) -> None:
        self.server = server
        self.link = ""
        self.on_line: Callable[[str, str], None] | None = None
        self._notified = False
        self._lines: deque[str] = deque(maxlen=LAST_LINES)
        self._rest = b""
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(str(notify_path))
        self._notify.setblocking(False)
        self._link_reader, link_writer = os.pipe()
        self._output, output_writer = os.pipe()
        os.set_blocking(self._output, False)
        told = {"NOTIFY_SOCKET": str(notify_path), servers.PARENT: str(os.getpid())}
        if server.gives_link:
            told[servers.LINK_FD] = str(link_writer)
        try:
            self._process = subprocess.Popen(
                servers.command(server),
                env=servers.environment(server) | told,
                cwd=servers.PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=output_writer,
                stderr=output_writer,
                pass_fds=(server.listener.fileno(), *([link_writer] if server.gives_link else [])),
                process_group=0,
            )
        finally:
            os.close(link_writer)
            os.close(output_writer)
            server.listener.close()

    @property
    def ready(self) -> bool:
        return self._notified and (bool(self.link) or not self.server.gives_link)

    def sources(self) -> Iterator[tuple[int, Callable[[], bool]]]:
        """What to watch for reading, each with what to call then; it answers False at its end."""
        yield self._notify.fileno(), self._read_notification
        yield self._output, self._read_output
        yield self._link_reader, self._read_link

    def _read_notification(self) -> bool:
        if b"READY=1" in self._notify.recv(4096).split(b"\n"):
            self._notified = True
        return True

    def _read_link(self) -> bool:
        chunk = os.read(self._link_reader, 4096)  # one short line
        self.link += chunk.decode().strip()
        return bool(chunk)

    def _read_output(self) -> bool:
        try:
            chunk = os.read(self._output, _CHUNK)
        except BlockingIOError:
            return True
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        for line in whole:
            text = line.decode("utf-8", "replace").rstrip()
            self._lines.append(text)
            if self.on_line is not None:
                self.on_line(self.server.name, text)
        return bool(chunk)

    def read_rest(self) -> None:
        """Take in what an ended server still has in its pipe, as far as it is there."""
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self._output, _CHUNK):
                self._rest += chunk
        self._lines.extend(
            line.decode("utf-8", "replace").rstrip() for line in self._rest.split(b"\n") if line
        )
        self._rest = b""

    def last_words(self) -> str:
        """What it said of its end: the message, where it is an error of our own; else its last lines."""
        for line in self._lines:
            if named := _OWN_ERROR.match(line):
                return " " + named[1]
        if not any(self._lines):
            return " It said nothing."
        return " The last it said:\n" + "\n".join(f"    {line}" for line in self._lines)

    def has_ended(self) -> bool:
        """Whether the server's first process has ended; it is not reaped, so its id stays its own."""
        return self._result() is not None

    def how_ended(self) -> str:
        result = self._result()
        if result is None:
            return "still running"
        if result.si_code == os.CLD_EXITED:
            return f"exit code {result.si_status}"
        return signal.Signals(result.si_status).name

    def _result(self) -> os.waitid_result | None:
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)

    def ask_to_end(self) -> None:
        os.kill(self._process.pid, signal.SIGTERM)  # not reaped yet, so the id is still its own

    def end_group(self) -> None:
        """Kill whatever is left of the server and its workers, then release its id and its pipes."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._notify.close()
        os.close(self._link_reader)
        os.close(self._output)
