"""A private Tor network for as long as a `with` lasts."""

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from deploy.agent import LONGEST_SOCKET
from deploy.testnet.authority import make_authority
from deploy.testnet.errors import NetworkFailed, TorMissing
from deploy.testnet.ports import hold_port
from deploy.testnet.tor import Tor, stop_all
from deploy.testnet.torrc import (
    INITIAL_INTERVAL,
    authority_lines,
    client_lines,
    network_lines,
    relay_lines,
)

AUTHORITIES, RELAYS = 3, 4
START_SECONDS = 60.0
JOIN_SECONDS = 30.0


class Network:
    def __init__(self, folder: Path, sockets: Path, lines: Sequence[str]) -> None:
        self.folder = folder
        self.sockets = sockets
        self.lines = tuple(lines)
        self.tors: list[Tor] = []
        self._changed = threading.Condition()

    def start(self, name: str, lines: Sequence[str]) -> Tor:
        tor = Tor(name, self.folder / name, self.sockets, [*self.lines, *lines], self._changed)
        self.tors.append(tor)
        return tor

    def join(self, name: str, lines: Sequence[str] = (), seconds: float = JOIN_SECONDS) -> Tor:
        tor = self.start(name, client_lines(lines))
        self.wait_until_ready([tor], seconds)
        return tor

    def wait_until_ready(self, tors: Sequence[Tor], seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: all(tor.ready for tor in tors) or any(tor.ended for tor in tors), seconds
            )
        for tor in tors:
            if tor.ended or not tor.ready:
                raise NetworkFailed(f"{tor.name}: {tor.phase} {tor.ended} {tor.last_words()}")


T0 = time.monotonic()
def log(*a): print(f"{time.monotonic()-T0:6.2f}", *a, flush=True)

@contextmanager
def private_network(folder: Path) -> Iterator[Network]:
    with ExitStack() as stack:
        sockets = folder
        ports = [hold_port(stack) for _ in range(2 * AUTHORITIES + RELAYS)]
        names = [f"authority{n}" for n in range(1, AUTHORITIES + 1)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            authorities = list(
                pool.map(lambda name: make_authority(folder / name, name, ports.pop(), ports.pop()), names)
            )
        log("keys")
        now = time.time()
        lead = float(os.environ.get("LEAD", "2"))
        offset = int(now + lead + 4) % INITIAL_INTERVAL
        network = Network(folder, sockets, network_lines(authorities, offset))
        stack.callback(lambda: stop_all(network.tors))
        for a in authorities:
            network.start(a.name, [*authority_lines(a), "SocksPort 0"])
        for n in range(1, RELAYS + 1):
            network.start(f"relay{n}", [*relay_lines(f"relay{n}", ports.pop()), "SocksPort 0"])
        log("started")
        if os.environ.get("ALL"):
            network.wait_until_ready(network.tors[:3], 60)
            log("auths")
            if os.environ.get("HUP"):
                for t in network.tors[3:]:
                    if not t.ready: log('hup', t.name); t._process.send_signal(1)
            for t in network.tors:
                network.wait_until_ready([t], 60)
                log("ready", t.name)
        yield network
