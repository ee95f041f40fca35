"""The private Tor network, with real tors."""

import os
import select
import signal
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests

from deploy.run import servers
from deploy.workshop.testnet.errors import NetworkFailed, TorMissing
from deploy.workshop.testnet.network import AUTHORITIES, FLAGS, RELAYS, private_network
from deploy.workshop.testnet.tor import Tor
from tests.deploy.workshop.testnet.processes import pidfds, tors_of, wait_for_ends

pytestmark = pytest.mark.tor

CIRCUIT = "PROXY TCP6 fc00:dead:beef:4dad:"  # what HiddenServiceExportCircuitID puts before a connection


class Answers(socketserver.StreamRequestHandler):
    """Answers any request with the line that tor sent before it."""

    def handle(self) -> None:
        circuit = self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        head = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(circuit)}\r\n\r\n"
        self.wfile.write(head.encode() + circuit)


@contextmanager
def answering(path: Path) -> Iterator[None]:
    with socketserver.ThreadingUnixStreamServer(str(path), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def test_every_relay_is_in_the_first_consensus_as_guard_and_hsdir_and_exit(tor_network):
    with tor_network.tors[0].controller() as controller:
        statuses = list(controller.get_network_statuses())
    assert len(statuses) == AUTHORITIES + RELAYS
    assert all(set(status.flags) >= FLAGS for status in statuses)


def test_an_onion_service_on_a_unix_socket_answers_through_another_clients_socks_port(
    tor_network, short_folder
):
    folder = short_folder()
    onion = folder / "onion"
    lines = [
        f"HiddenServiceDir {onion}",
        f"HiddenServicePort 80 unix:{folder}/web",
        "HiddenServiceExportCircuitID haproxy",
    ]
    with answering(folder / "web"), ExitStack() as stack:
        host = tor_network.join("answering", lines)
        stack.callback(host.stop)
        client = tor_network.join("asking", ["SocksPort 127.0.0.1:auto"])
        stack.callback(client.stop)
        address = (onion / "hostname").read_text().strip()
        host.wait_until_published(address)
        proxies = {"http": f"socks5h://127.0.0.1:{client.socks_port}"}
        answer = requests.get(f"http://{address}/", proxies=proxies, timeout=60)
        assert answer.text.startswith(CIRCUIT)
        assert host.socks_port is None


def listening(ids: set[int], table: str) -> list[tuple[str, str]]:
    """(address in hexadecimal, state) of each of the processes' sockets in /proc/net/`table`."""
    inodes = set()
    for number in ids:
        for fd in Path(f"/proc/{number}/fd").iterdir():
            target = str(fd.readlink())
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    rows = [line.split() for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    return [(row[1].partition(":")[0], row[3]) for row in rows if row[9] in inodes]


def test_nothing_listens_on_any_address_but_the_loopback(tor_network):
    client = tor_network.join("listening", ["SocksPort 127.0.0.1:auto"])
    try:
        ids = {tor.pid for tor in tor_network.tors if not tor.ended}
        listeners = [address for address, state in listening(ids, "tcp") if state == "0A"]
        assert len(listeners) == 2 * AUTHORITIES + RELAYS + 1  # relay and directory ports, and the SOCKS port
        assert set(listeners) == {"0100007F"}
        assert not any(listening(ids, table) for table in ("tcp6", "udp", "udp6"))
        for tor in tor_network.tors:
            if not tor.ended:
                assert tor.control_socket.parent.stat().st_mode & 0o077 == 0
    finally:
        client.stop()


def test_a_controller_that_is_closed_does_not_take_the_tor_with_it(tor_network):
    with tor_network.tors[0].controller() as controller:
        controller.get_info("version")
    with tor_network.tors[0].controller() as controller:  # a tor that ended would no longer answer
        assert controller.get_info("status/circuit-established") == "1"


def test_a_tor_that_fails_is_quoted_and_ends(tor_network):
    with pytest.raises(NetworkFailed, match=r"(?s)wrong has stopped.*Unknown option 'Nonsense'"):
        tor_network.join("wrong", ["Nonsense 1"])
    with pytest.raises(NetworkFailed, match="mend-me was too slow: it is at 0 %"):
        tor_network.join("mend-me", ["DisableNetwork 1"], seconds=1)
    assert not [line for line in tors_of(tor_network.folder).values() if "mend-me" in line or "wrong" in line]


def test_a_name_may_be_taken_again_once_its_tor_has_stopped(tor_network):
    first = tor_network.join("again", ["SocksPort 127.0.0.1:auto"])
    with pytest.raises(NetworkFailed, match="Choose another name"):
        tor_network.join("again")
    first.stop()
    second = tor_network.join("again")
    assert (first.ended, second.ready) == (True, True)
    second.stop()
    second.stop()


def test_when_the_start_fails_midway_every_tor_ends(tmp_path, monkeypatch):
    started: list[int] = []
    start = Tor.start

    def start_noted(tor: Tor) -> None:
        start(tor)
        started.append(os.pidfd_open(tor.pid))
        if tor.name == "relay2":
            raise KeyboardInterrupt

    monkeypatch.setattr(Tor, "start", start_noted)
    with pytest.raises(KeyboardInterrupt), private_network(tmp_path / "net"):
        pass
    assert len(started) == AUTHORITIES + 2
    wait_for_ends(started, 0)
    for end in started:
        os.close(end)


STARTER = """
import signal, sys, threading
from pathlib import Path
from deploy.workshop.testnet.tor import Tor
from tests.deploy.workshop.testnet.processes import pidfds, tors_of, wait_for_ends
folder = Path(sys.argv[1])
tors = [Tor(name, folder / name, folder / (name + ".c"), sys.argv[2:], threading.Condition()) for name in "abc"]
for tor in tors:
    tor.start()
    while not tor.phase.startswith("0 %"):
        pass
print("started", flush=True)
signal.pause()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_tors_end_with_the_process_that_started_them(short_folder, number):
    folder = short_folder()
    lines = ["DisableNetwork 1", "SocksPort 0"]
    with subprocess.Popen(
        [sys.executable, "-P", "-c", STARTER, str(folder), *lines],
        env=servers.base_environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as starter:
        try:
            assert starter.stdout is not None
            assert starter.stdout.readline() == "started\n"
            with pidfds(tors_of(folder)) as ends:
                assert len(ends) == 3
                assert not select.select(ends, [], [], 0)[0]
                starter.send_signal(number)
                wait_for_ends(ends, 10)
        finally:
            starter.kill()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(NetworkFailed, match="Choose a new folder"), private_network(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_without_tor_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(TorMissing, match=r"tor and tor-gencert.*sudo apt-get install tor"),
        private_network(tmp_path),
    ):
        pass
