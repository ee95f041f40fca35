"""Candour's two services on a private network, as a host runs them: behind unix sockets, by the host's own torrc.

For tests and the bench. Promises: nothing of it listens but on unix sockets; all of it has ended when the `with` is
left.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy import data_folder
from deploy.onions import couriers, torrc
from deploy.run import servers
from deploy.run.supervisor import Supervisor
from deploy.workshop.demo import new_demo
from deploy.workshop.testnet.network import Network
from deploy.workshop.testnet.tor import Tor

NAME = "candour"


@dataclass(frozen=True)
class Hosted:
    """A host that is up. `onions` is the folder of the folders of its services."""

    onions: Path
    tor: Tor

    @property
    def source(self) -> str:
        """The source interface's address, `http://….onion`."""
        return self._address(torrc.SOURCE)

    @property
    def collection(self) -> str:
        """The collection's address, `http://….onion`."""
        return self._address(torrc.COLLECTION)

    def _address(self, service: str) -> str:
        return f"http://{(self.onions / service / 'hostname').read_text('ascii').strip()}"


@contextmanager
def hosted(network: Network, data: Path, onions: Path, more: Sequence[str] = ()) -> Iterator[Hosted]:
    """Run the servers of the demo's data folder `data` behind onions whose keys are made in `onions`, a new folder.

    Its path is short, because unix sockets are in it. Nobody is let into the collection yet. `more`: further lines of
    the torrc, after the services. Raises DeployError.
    """
    onions.mkdir(mode=0o700)
    torrc.make_folders(onions)
    (onions / torrc.COLLECTION / couriers.CLIENTS).mkdir(mode=0o700)
    couriers.lock(onions)
    with Supervisor(_show) as supervisor:
        if not data_folder.is_made(data):
            new_demo.make(data, "http://127.0.0.1:1", supervisor.folder)
        settings = data_folder.server_settings(data)
        at_source, at_collection = (
            servers.listen_unix(onions / f"candour-{service}" / "http.sock")
            for service in (torrc.SOURCE, torrc.COLLECTION)
        )
        supervisor.keep(data_folder.held(data / "server"))
        supervisor.start(servers.source_interface(settings, at_source))
        supervisor.start(servers.collection(settings, at_collection))
        supervisor.wait_until_ready()
        tor = network.join(NAME, [*torrc.moved_lines(onions), *more])
        try:
            host = Hosted(onions, tor)
            for address in (host.source, host.collection):
                tor.wait_until_published(address.removeprefix("http://"))
            yield host
        finally:
            tor.stop()


def _show(name: str, line: str) -> None:
    print(f"{name}: {line}", file=sys.stderr, flush=True)
