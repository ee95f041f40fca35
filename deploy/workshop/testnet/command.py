"""`candour testnet`: the private Tor network in the foreground, for a person with a browser."""

import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from deploy.run.progress import step
from deploy.run.servers import LOOPBACK
from deploy.run.supervisor import STOP_SIGNALS
from deploy.workshop.testnet.network import AUTHORITIES, RELAYS, private_network
from deploy.workshop.testnet.programs import check_programs
from deploy.workshop.testnet.tor import Tor


def run_testnet(folder: Path | None) -> None:
    """Run it until a stop is asked for. Without `folder`, nothing of it stays."""
    check_programs()
    with ExitStack() as stack:
        place = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="candour-testnet-")))
        stack.enter_context(_stopped_by_signals())
        with step("Starting a private Tor network"):
            network = stack.enter_context(private_network(place))
        with step("Joining it with a client and with a host of onion services"):
            client = network.join("client", [f"SocksPort {LOOPBACK}:auto"])
            services = network.join(
                "services", [f"SocksPort {LOOPBACK}:auto"]
            )  # for the courier of `up --onion`
        print(_what_next(client, services), flush=True)
        network.watch()


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """A signal that asks for a stop ends the block, once; what is stopping is not cut short by another."""

    def stop(number: int, frame: FrameType | None) -> None:
        for each in STOP_SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        print("Stopping.", file=sys.stderr, flush=True)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in STOP_SIGNALS}
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _what_next(client: Tor, services: Tor) -> str:
    return f"""
A private Tor network is up: {AUTHORITIES} authorities and {RELAYS} relays, all on {LOOPBACK}. It knows nothing of
the real one, and hides nobody: for trying out only.

A client. Give a browser this SOCKS 5 proxy, and let it ask the proxy for names (in Firefox's about:config,
network.proxy.socks_remote_dns is true and network.dns.blockDotOnion is false):
    {LOOPBACK}:{client.socks_port}
Its control socket:
    {client.control_socket}

A host of onion services. Publish the demo through it, in another terminal:
    ./candour up --onion --tor-control {services.control_socket}

Ctrl-C stops it all."""
