"""One tor process on the private network: how it is started, how far it is, and how it ends.

Promises: it ends with the process that started it, however that one dies (see `link.py`); `stop` leaves nothing of
it running.
"""

import os
import re
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from stem.control import Controller

from deploy.run.servers import LOOPBACK
from deploy.workshop.testnet.errors import NetworkFailed
from deploy.workshop.testnet.link import Link
from deploy.workshop.testnet.torrc import process_lines

GRACE_SECONDS = 5.0
KNOWS_RELAYS, READY = 75, 100  # control-spec, "Bootstrap phases": enough_dirinfo, done
_LAST_LINES = 12


class Tor:
    """One tor, which `start` starts. `folder` is its data folder, `changed` is notified of each of its steps."""

    def __init__(
        self,
        name: str,
        folder: Path,
        control_socket: Path,
        lines: Sequence[str],
        changed: threading.Condition,
    ) -> None:
        self.name = name
        self.folder = folder
        self.log = folder.with_name(f"{name}.log")
        self.control_socket = control_socket
        self._torrc = folder / "torrc"
        self._changed = changed
        self._link = Link(changed)
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(mode=0o700, exist_ok=True)
        self._write(lines)

    def start(self) -> None:
        """Start it; it ends with this process. Once only."""
        inherited = self._link.theirs.fileno()
        command = ["tor", "-f", str(self._torrc)]
        command += ["--defaults-torrc", str(self.folder / "none"), "--ignore-missing-torrc"]
        # Not __OwningControllerProcess besides: a stem controller in the process that it names would take
        # the ownership over, and the tor would end when that controller is closed.
        command += ["--__OwningControllerFD", str(inherited)]
        with self.log.open("wb") as log:  # what tor says before it opens its log
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[inherited],
                process_group=0,
            )
        self._link.open()

    def reload(self, lines: Sequence[str] | None = None) -> None:
        """Have it read its torrc again, with `lines` in place of those before, and try again what has failed."""
        if lines is not None:
            self._write(lines)
        if self._link.phase:  # before it has said anything, the signal would end it
            self._send(signal.SIGHUP)

    def _write(self, lines: Sequence[str]) -> None:
        own = process_lines(self.folder, self.log, self.control_socket)
        self._torrc.write_text("\n".join([*own, *lines, ""]), encoding="utf-8")

    def _send(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)  # does nothing once it has been reaped

    @property
    def pid(self) -> int:
        """Its process id."""
        if self._process is None:
            raise NetworkFailed(f"{self.name} has not been started. Start it first.")
        return self._process.pid

    @property
    def ready(self) -> bool:
        """Whether it runs and has built a circuit."""
        return self.is_at(READY)

    def is_at(self, progress: int) -> bool:
        """Whether it runs and has bootstrapped that far, in per cent."""
        return self._link.progress >= progress and not self.ended

    @property
    def ended(self) -> bool:
        """Whether it has let go of us."""
        return self._link.ended

    @property
    def known_relays(self) -> frozenset[str]:
        """The fingerprints of the relays whose descriptors it has got since it started."""
        return frozenset(self._link.known_relays)

    @cached_property
    def socks_port(self) -> int | None:
        """Its first SOCKS port on 127.0.0.1, when its lines ask for one."""
        with self.controller() as controller:
            listeners = controller.get_info("net/listeners/socks")
        found = re.search(rf'"{re.escape(LOOPBACK)}:(\d+)"', listeners)
        return int(found[1]) if found else None

    @property
    def phase(self) -> str:
        """How far it has bootstrapped, in tor's words."""
        return self._link.phase or "nothing yet"

    def uploads(self, address: str) -> int:
        """How often a relay has stored the descriptor of the onion service `address`, which this tor hosts."""
        return self._link.uploads.get(address.removesuffix(".onion"), 0)

    def wait_until_published(self, address: str, seconds: float = 30, *, more_than: int = 0) -> None:
        """Return once a relay has stored its descriptor, or one more than `more_than`. Raises NetworkFailed."""
        with self._changed:
            self._changed.wait_for(lambda: self.uploads(address) > more_than or self.ended, seconds)
            if self.uploads(address) <= more_than:
                raise NetworkFailed(
                    f"{self.name} did not publish {address} within {seconds:.0f} s.{self.last_words()}"
                )

    @contextmanager
    def controller(self) -> Iterator[Controller]:
        """An authenticated controller of this tor."""
        with Controller.from_socket_file(str(self.control_socket)) as controller:
            controller.authenticate()
            yield controller

    def last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
        return f" Its log, {self.log}, ends:\n" + "\n".join(f"    {line}" for line in lines)

    def stop(self) -> None:
        """End it, and return when it has ended. Doing so twice does no harm."""
        stop_all([self])

    def _wait(self, seconds: float) -> None:
        """Wait for its end, or kill it; then release its id."""
        if self._process is None:
            self._link.close()
            return
        if self._process.returncode is None:
            end = os.pidfd_open(self._process.pid)  # not reaped yet, so the id is still its own
            try:
                if not select.select([end], [], [], max(0.0, seconds))[0]:
                    self._process.kill()
            finally:
                os.close(end)
        self._process.wait()
        self._link.close()


def stop_all(tors: Iterable[Tor]) -> None:
    """End all of them at once: SIGTERM, a bounded grace, SIGKILL."""
    waiting = list(tors)
    for tor in waiting:
        tor._send(signal.SIGTERM)  # noqa: SLF001
    limit = time.monotonic() + GRACE_SECONDS
    for tor in waiting:
        tor._wait(limit - time.monotonic())  # noqa: SLF001
