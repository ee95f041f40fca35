"""A private Tor network for as long as a `with` lasts.

Promises: when `private_network` gives it, the consensus holds every relay and authority as Guard, HSDir and Exit, and
each of them has it. (Their own first circuits they need not have: only what joins builds circuits that matter.)
Nothing of it listens but on 127.0.0.1 and on unix sockets. When the `with` is left, however it is left, every tor has
ended; when this process is killed, the kernel ends them (see `link.py`).

How it starts fast: no clock is guessed. The authorities wait for a vote that is minutes away until each of them says
that it knows every descriptor; then they are told to vote now. What a tor has asked for in vain it asks for again after
a growing pause, so the relays are told to ask at once, and so is whoever takes long.
"""

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from deploy.run.gpg_agent import LONGEST_SOCKET
from deploy.workshop.testnet.authority import make_authority
from deploy.workshop.testnet.errors import NetworkFailed
from deploy.workshop.testnet.ports import hold_port
from deploy.workshop.testnet.programs import check_programs
from deploy.workshop.testnet.tor import KNOWS_RELAYS, READY, Tor, stop_all
from deploy.workshop.testnet.torrc import (
    Authority,
    authority_lines,
    client_lines,
    network_lines,
    offset_of_next_vote,
    relay_lines,
)

AUTHORITIES, RELAYS = 3, 4
FLAGS = {"Guard", "HSDir", "Exit", "Running", "Valid"}
START_SECONDS = 120.0  # on an idle machine it takes about 12
VOTE_SECONDS = 12.0  # of which about 6 are the vote itself
NUDGE_SECONDS = 5.0
JOIN_SECONDS = 60.0


class Network:
    """A network that is up. `lines`: what makes a tor's torrc belong to it."""

    def __init__(self, folder: Path, sockets: Path, authorities: Sequence[Authority]) -> None:
        self.folder = folder
        self.lines = tuple(network_lines(authorities))
        self._sockets = sockets
        self._tors: list[Tor] = []
        self._changed = threading.Condition()

    @property
    def tors(self) -> tuple[Tor, ...]:
        """Every tor that was started here: authorities, relays, and what has joined."""
        return tuple(self._tors)

    def join(self, name: str, lines: Sequence[str] = (), *, seconds: float = JOIN_SECONDS) -> Tor:
        """Start a client, or a host of onion services, with `lines` in its torrc; return when it has a circuit.

        Its data are in `folder / name`; a name whose tor has been stopped starts again with the same data.
        A folder that a line names (`HiddenServiceDir`, `ClientOnionAuthDir`) must be private, mode 0700, and its
        parent must be there. Raises NetworkFailed with tor's last words.
        """
        tor = self._start(name, client_lines(lines))
        try:
            self._wait_until_at(READY, [tor], time.monotonic() + seconds)
        except BaseException:
            tor.stop()
            raise
        return tor

    def watch(self) -> None:
        """Wait for as long as all goes well. Raises NetworkFailed when a tor has ended by itself."""
        with self._changed:
            self._changed.wait_for(lambda: any(tor.ended for tor in self._tors))
        _raise_for_ended(self._tors)

    def stop(self) -> None:
        """End every tor; return when all have ended."""
        stop_all(self._tors)

    def _start(self, name: str, lines: Sequence[str]) -> Tor:
        if any(tor.name == name and not tor.ended for tor in self._tors):
            raise NetworkFailed(f"A tor named {name} runs already. Choose another name, or stop that one.")
        control_socket = self._sockets / name
        if "/" in name or len(os.fsencode(control_socket)) > LONGEST_SOCKET:
            raise NetworkFailed(f"{name!r} cannot be the name of a tor. Choose a short word.")
        tor = Tor(name, self.folder / name, control_socket, [*self.lines, *lines], self._changed)
        self._tors.append(tor)
        tor.start()
        return tor

    def _bring_up(self, authorities: Sequence[Authority], relay_ports: Sequence[int], seconds: float) -> None:
        limit = time.monotonic() + seconds
        offset = offset_of_next_vote(time.time(), soon=False)
        voters = {a: self._start(a.name, authority_lines(a, offset)) for a in authorities}
        relays = [
            self._start(f"relay{number}", relay_lines(f"relay{number}", port))
            for number, port in enumerate(relay_ports, start=1)
        ]
        everybody = [*voters.values(), *relays]
        self._wait(
            everybody, lambda: all(len(t.known_relays) == len(everybody) for t in voters.values()), limit
        )
        self._vote(voters, limit)
        for relay in relays:
            relay.reload()
        self._wait_until_at(KNOWS_RELAYS, everybody, limit)
        self._check_consensus(next(iter(voters.values())), len(everybody))

    def _vote(self, voters: dict[Authority, Tor], limit: float) -> None:
        """Have the authorities agree on a consensus; once more when a vote came too late for the others."""
        tors = list(voters.values())
        ready = False
        while not ready:
            offset = offset_of_next_vote(time.time(), soon=True)
            for authority, tor in voters.items():
                tor.reload([*self.lines, *authority_lines(authority, offset)])
            ready = self._wait(tors, lambda: any(tor.ready for tor in tors), limit, VOTE_SECONDS)

    def _wait_until_at(self, progress: int, tors: Sequence[Tor], limit: float) -> None:
        """Return when all have come so far; one that takes long is told to try again what has failed."""
        while not self._wait(tors, lambda: all(t.is_at(progress) for t in tors), limit, NUDGE_SECONDS):
            for tor in tors:
                if not tor.is_at(progress):
                    tor.reload()

    def _wait(
        self, tors: Sequence[Tor], done: Callable[[], bool], limit: float, seconds: float = START_SECONDS
    ) -> bool:
        """Whether `done` within `seconds`. Raises NetworkFailed at `limit`, or when one of `tors` ends first."""
        with self._changed:
            left = min(seconds, limit - time.monotonic())
            self._changed.wait_for(lambda: done() or any(tor.ended for tor in tors), left)
            if done():
                return True
        _raise_for_ended(tors)
        if time.monotonic() < limit:
            return False
        slow = next((tor for tor in tors if not tor.ready), tors[0])
        raise NetworkFailed(
            f"{slow.name} was too slow: it is at {slow.phase}. Try again when this machine is less busy."
            f"{slow.last_words()}"
        )

    @staticmethod
    def _check_consensus(authority: Tor, relays: int) -> None:
        with authority.controller() as controller:
            statuses = list(controller.get_network_statuses())
        whole = [status for status in statuses if set(status.flags) >= FLAGS]
        if len(whole) != relays:
            raise NetworkFailed(
                f"The first consensus holds {len(whole)} useful relays, and {relays} are here. Try again."
                f"{authority.last_words()}"
            )


def _raise_for_ended(tors: Sequence[Tor]) -> None:
    for tor in tors:
        if tor.ended:
            raise NetworkFailed(
                f"{tor.name} has stopped. Mend what it says, and start again.{tor.last_words()}"
            )


@contextmanager
def private_network(folder: Path) -> Iterator[Network]:
    """A network whose data are in `folder`, which is new or empty. It is left with its logs when the network ends.

    Raises TorMissing, and NetworkFailed when it does not come up.
    """
    check_programs()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise NetworkFailed(f"{folder} is not empty. Choose a new folder for the network.")
    with ExitStack() as stack:
        # Not TMPDIR: the path of a socket must be short. The folder is ours alone (0700).
        sockets = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="candour-", dir="/tmp")))
        ports = [(hold_port(stack), hold_port(stack)) for _ in range(AUTHORITIES)]
        relay_ports = [hold_port(stack) for _ in range(RELAYS)]
        authorities = _make_authorities(folder.absolute(), ports)
        network = Network(folder.absolute(), sockets, authorities)
        stack.callback(network.stop)
        network._bring_up(authorities, relay_ports, START_SECONDS)  # noqa: SLF001
        yield network


def _make_authorities(folder: Path, ports: Sequence[tuple[int, int]]) -> list[Authority]:
    def make(number: int) -> Authority:
        name = f"authority{number}"
        return make_authority(folder / name, name, *ports[number - 1])

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:  # making RSA keys is all the work there is
        return list(pool.map(make, range(1, len(ports) + 1)))
