"""`tor`: a page and an upload over a private Tor network, beside an onion service that answers at once.

Both services are on that network's one host, by the same lines of torrc, and the same client asks both, each time
over a new circuit: which relays a circuit has makes more of a difference than what is behind it.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter

from deploy.onions import torrc
from deploy.run.servers import PROJECT
from deploy.workshop.bench.browser import Browser
from deploy.workshop.bench.figures import Figure, in_turn, ratio
from deploy.workshop.bench.stage import Stage
from deploy.workshop.testnet.hosting import Hosted, hosted
from deploy.workshop.testnet.network import private_network
from deploy.workshop.testnet.tor import Tor

_PAGES = 20  # of each, before they take turns
_UPLOAD_BYTES = 20_000_000
_TIMES = 7


def run(_: Stage) -> Iterator[Figure]:
    """Latency of a page, and throughput of an upload."""
    with tempfile.TemporaryDirectory(prefix="cb-", dir="/tmp") as short, ExitStack() as stack:
        folder = Path(short)
        network = stack.enter_context(private_network(folder / "net"))
        beside, lines = stack.enter_context(_trivial(folder))
        host = stack.enter_context(hosted(network, folder / "var", folder / "onions", lines))
        address = (beside / torrc.SOURCE / "hostname").read_text("ascii").strip()
        host.tor.wait_until_published(address)
        client, trivial = network.join("client", ["SocksPort auto"]), f"http://{address}"
        ours, its = in_turn(_TIMES, lambda: _pages(client, host.source), lambda: _pages(client, trivial))
        yield ratio("tor", "latency of a page, of a trivial onion's", ours, its, 1.3, at_most=True)
        ours, its = in_turn(_TIMES, lambda: _upload(client, host), lambda: _upload_nowhere(client, trivial))
        yield ratio("tor", "throughput of 20 MB, of a trivial onion's", ours, its, 0.80, at_most=False)


def _pages(client: Tor, address: str) -> float:
    """Seconds of so many pages, one after another, over a connection that is there."""
    browser = Browser(address, client.socks_port)
    browser.get("/")
    started = perf_counter()
    for _ in range(_PAGES):
        browser.get("/")
    took = perf_counter() - started
    browser.close()
    return took


def _upload(client: Tor, host: Hosted) -> float:
    browser = Browser(host.source, client.socks_port)
    browser.begin()
    started = perf_counter()
    browser.send_file("/report", 1, _UPLOAD_BYTES, [bytes(_UPLOAD_BYTES)])
    took = perf_counter() - started
    browser.close()
    return took


def _upload_nowhere(client: Tor, address: str) -> float:
    browser = Browser(address, client.socks_port)
    browser.get("/")
    started = perf_counter()
    browser.send_file("/report", 1, _UPLOAD_BYTES, [bytes(_UPLOAD_BYTES)], 200)
    took = perf_counter() - started
    browser.close()
    return took


@contextmanager
def _trivial(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """The onion that stands beside: the folder of its folders, and its lines of torrc."""
    onions = folder / "beside"
    onions.mkdir(mode=0o700)
    torrc.make_folders(onions)
    path = onions / f"candour-{torrc.SOURCE}" / "http.sock"
    command = [sys.executable, "-m", "deploy.workshop.bench.trivial", os.fspath(path)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE) as process:
        try:
            if process.stdout is not None:
                process.stdout.readline()
            yield onions, _like_the_source(torrc.moved_lines(onions))
        finally:
            process.terminate()


def _like_the_source(lines: list[str]) -> list[str]:
    """The lines of the first service, without the one that begins each connection: nobody would read it."""
    begin, end, *_ = (at for at, line in enumerate(lines) if line.startswith("HiddenServiceDir "))
    return [line for line in lines[begin:end] if not line.startswith("HiddenServiceExportCircuitID ")]
