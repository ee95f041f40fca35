"""The whole way over a private Tor network: a reporter's browser, a courier with its key, and one without.

The host's tor runs the lines of the host's own torrc; behind it are the real servers on unix sockets.
"""

import os
import re
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from itertools import cycle, islice
from pathlib import Path
from shutil import rmtree
from statistics import median
from time import perf_counter

import pytest
from marionette_driver.marionette import Marionette

from common.conversation import codename
from common.conversation.mailbox import MESSAGE_SLOTS
from common.transport.parcel import SMALL_BYTES
from deploy import data_folder
from deploy.onions import couriers
from deploy.workshop.bench.browser import BEGIN, Answer, Browser
from deploy.workshop.testnet.hosting import Hosted, hosted
from deploy.workshop.testnet.network import Network
from deploy.workshop.testnet.tor import Tor
from journalist_interface.courier.client import CollectionClient
from journalist_interface.courier.config import read_courier_config
from journalist_interface.courier.demo_round import settle
from journalist_interface.courier.enrolment import AUTH_FOLDER, enrol
from journalist_interface.courier.errors import Unreachable
from journalist_interface.courier.retries import Patience
from tests.journeys.conftest import PROJECT, Page
from tests.journeys.steps import answer, come_back, report

WORDS = "A search was run for a friend, and paid for."
ANSWER = "Thank you. We have read it, and the file has arrived whole."
LARGE = 20_000_000
FLOODERS, MOST_EACH = 18, 400
VISITORS = 4
_LINK = re.compile(r"http://127\.0\.0\.1:\d+/enter/\S+")


@dataclass
class Onions:
    """Candour behind onions. `courier` and `reporter` are tors of theirs, each on a machine of its own."""

    data: Path
    host: Hosted
    reporter: Tor
    courier: Tor

    def calling(self, tor: Tor, attempts: int) -> CollectionClient:
        """The demo's courier in this process, through one of the tors."""
        config = read_courier_config(
            data_folder.courier_settings(self.data), f"socks5h://127.0.0.1:{tor.socks_port}"
        )
        patience = Patience(attempts=attempts, first_pause=0.1)
        return CollectionClient(self.host.collection, config.identity, config.socks, patience)

    @property
    def blobs(self) -> Path:
        return self.data / "server" / "blobs"

    def round(self) -> None:
        """`candour courier round`, through the courier's own tor."""
        data_folder.point_couriers_at(
            self.data, self.host.collection, f"socks5h://127.0.0.1:{self.courier.socks_port}"
        )
        done = subprocess.run(
            [sys.executable, "-m", "deploy", "courier", "round", "--data", str(self.data)],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def onions(tor_network: Network) -> Iterator[Onions]:
    folder = Path(tempfile.mkdtemp(prefix="co-", dir="/tmp"))
    try:
        with hosted(tor_network, folder / "var", folder / "onions") as host:
            # As an operator and a courier do it: a line goes from one to the other, and tor is told.
            settings = data_folder.courier_settings(folder / "var")
            enrolled = enrol(settings, host.collection.removeprefix("http://"), "machine-1", None)
            couriers.admit(host.onions, "machine-1", enrolled.line)
            with host.tor.controller() as controller:
                assert couriers.reload(controller, host.onions) > 0
            auth = settings.parent / AUTH_FOLDER
            courier = tor_network.join("courier", ["SocksPort auto", f"ClientOnionAuthDir {auth}"])
            reporter = tor_network.join("reporter", ["SocksPort auto"])
            yield Onions(folder / "var", host, reporter, courier)
            for tor in (courier, reporter):
                tor.stop()
    finally:
        rmtree(folder)


@pytest.fixture
def tor_firefox(_marionette: Marionette, onions: Onions) -> Iterator[Page]:
    """The browser, with its way to everything but this machine's desk through the reporter's tor."""
    prefs = {
        "network.proxy.type": 1,
        "network.proxy.socks": "127.0.0.1",
        "network.proxy.socks_port": onions.reporter.socks_port,
        "network.proxy.socks_version": 5,
        "network.proxy.socks_remote_dns": True,
        "network.dns.blockDotOnion": False,
    }
    _marionette.set_prefs(prefs, default_branch=False)
    yield Page(_marionette)
    _marionette.delete_all_cookies()
    _marionette.navigate("about:blank")
    _marionette.set_prefs(dict.fromkeys(prefs), default_branch=False)


@contextmanager
def desk(data: Path) -> Iterator[str]:
    """`candour desk`, offline as it is: its one-time link."""
    with subprocess.Popen(
        [sys.executable, "-m", "deploy", "desk", "--data", str(data), "--port", "0"],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield next(found[0] for line in process.stdout if (found := _LINK.search(line)))
        finally:
            process.terminate()
            assert process.wait(30) == 0


def test_the_whole_round_over_onions_with_a_file_of_20_mb(tor_firefox: Page, onions: Onions, tmp_path: Path):
    large = tmp_path / "recording.bin"
    large.write_bytes(os.urandom(LARGE))
    codename = report(tor_firefox, onions.host.source, WORDS, large)
    assert len(codename.split()) == 7
    onions.round()

    # The desk knows no network.
    tor_firefox.marionette.set_prefs({"network.proxy.type": 0}, default_branch=False)
    with desk(onions.data) as link:
        tor_firefox.go(link)
        tor_firefox.find("ol.list h2 a").click()
        conversation = tor_firefox.address
        assert tor_firefox.text(".message .words") == WORDS
        tor_firefox.all(".files form button")[0].click()
        assert Path(tor_firefox.find(".path").text).read_bytes() == large.read_bytes()
        tor_firefox.go(conversation)
        answer(tor_firefox, ANSWER)
    onions.round()

    tor_firefox.marionette.set_prefs({"network.proxy.type": 1}, default_branch=False)
    come_back(tor_firefox, onions.host.source, codename)
    assert tor_firefox.text(".answer .words") == ANSWER
    assert tor_firefox.address.startswith(onions.host.source)


def test_without_its_key_a_courier_cannot_even_reach_the_collection(onions: Onions):
    with pytest.raises(Unreachable, match="SOCKS proxy does not lead to the collection"):
        onions.calling(onions.reporter, attempts=1).listing()
    assert onions.calling(onions.courier, attempts=3).listing() is not None


def test_a_collection_cut_in_the_middle_goes_on_where_it_was(onions: Onions, tmp_path: Path):
    sender = Browser(onions.host.source, onions.reporter.socks_port)
    sender.begin()
    sender.send_file("/report", 1, LARGE // 2, [os.urandom(LARGE // 2)])
    sender.close()
    settle(onions.data)
    client = onions.calling(onions.courier, attempts=5)
    (waiting,) = (one for one in client.listing().envelopes if one.size > SMALL_BYTES)
    positions: list[int] = []
    cut: list[int] = []

    def at(position: int) -> None:
        positions.append(position)
        if position > LARGE // 8 and not cut:
            cut.append(position)
            with onions.courier.controller() as controller:
                for circuit in controller.get_circuits():
                    controller.close_circuit(circuit.id)

    part = tmp_path / "part"
    client.download(waiting, part, at)
    (broken_at,) = cut
    after = positions[positions.index(broken_at) + 1 :]
    assert after[0] >= broken_at
    assert part.read_bytes() == (onions.blobs / waiting.id[:2] / waiting.id).read_bytes()


@pytest.mark.quiet
def test_a_flood_of_one_circuit_leaves_others_within_twice_their_quiet_latency(
    onions: Onions, tor_network: Network
):
    flooder = tor_network.join("flooder", ["SocksPort auto"])
    before = latencies(onions)
    over, began = threading.Event(), threading.Barrier(FLOODERS + 1)
    with ThreadPoolExecutor(FLOODERS) as pool:
        floods = [
            pool.submit(flood, Browser(onions.host.source, flooder.socks_port, "one"), kind, began, over)
            for kind in islice(cycle(("log-in", "start", "upload")), FLOODERS)
        ]
        try:
            began.wait(60)
            during = latencies(onions)
        finally:
            over.set()
        statuses = Counter(status for one in floods for status in one.result())
    flooder.stop()
    after = latencies(onions)
    assert statuses[429] > FLOODERS, f"the flood was none: {statuses}"
    assert set(statuses) <= {303, 429}, statuses
    assert during.page <= 2 * max(before.page, after.page), (before, during, after)
    assert during.log_in <= 2 * max(before.log_in, after.log_in), (before, during, after)


@dataclass(frozen=True)
class Latencies:
    """Medians, in seconds."""

    page: float
    log_in: float


def latencies(onions: Onions) -> Latencies:
    """Of a page and of a log-in, as a visitor on a circuit of their own sees them."""
    page, log_in = [], []
    for _ in range(VISITORS):
        visitor = Browser(onions.host.source, onions.reporter.socks_port)
        visitor.get("/")  # builds the circuit
        for _ in range(3):
            started = perf_counter()
            visitor.read_token("/return")
            page.append(perf_counter() - started)
            started = perf_counter()
            assert visitor.post("/return", {"codename": codename.generate().text}).status == 303
            log_in.append(perf_counter() - started)
        visitor.close()
    return Latencies(median(page), median(log_in))


def flood(browser: Browser, kind: str, began: threading.Barrier, over: threading.Event) -> list[int]:
    """Ask for what costs most, again and again; what was answered."""
    statuses = []
    if kind == "upload":
        browser.begin()
    began.wait(60)
    for number in range(MOST_EACH):
        if over.is_set():
            break
        try:
            statuses.append(ask(browser, kind, number).status)
        except (OSError, HTTPException):
            browser.close()  # the server has closed a connection that was quiet; the next is a new one
    browser.close()
    return statuses


def ask(browser: Browser, kind: str, number: int) -> Answer:
    if kind == "upload":
        return browser.try_to_send("/conversation/write", number % MESSAGE_SLOTS, "Again and again.")
    path, fields = (
        ("/routing", BEGIN) if kind == "start" else ("/return", {"codename": codename.generate().text})
    )
    browser.read_token(path)
    return browser.post(path, fields)
