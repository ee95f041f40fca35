"""`candour up` and `candour desk`: the demo's servers, or the desk alone, in the foreground until Ctrl-C.

Promises: whatever ends it, a signal, a server that dies or an error, nothing that it started is left
running, gpg-agent and onions included. The one-time link goes from the desk to the screen and nowhere else.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING

from deploy import data_folder
from deploy.errors import DeployError
from deploy.run import gpg_agent, servers
from deploy.run.progress import step
from deploy.run.servers import Server
from deploy.run.supervisor import StopAsked, Supervisor
from deploy.workshop.demo import holders as demo_holders
from deploy.workshop.demo import new_demo, tracebacks

if TYPE_CHECKING:
    from deploy.onions.control import Control
    from deploy.onions.ephemeral import Pair


class IdentityRefused(DeployError):
    """The folder of identity holders cannot be used. The message says why and what to do."""


@dataclass(frozen=True)
class Ports:
    """Where the servers listen on 127.0.0.1; 0 takes any free port."""

    source: int
    collection: int
    desk: int


def run_demo(data: Path, ports: Ports, tor: "Sequence[Control]" = ()) -> None:
    """Make the data folder if need be, and run all three servers until a stop is asked for.

    `tor`: where to look for the tor that leads to them by onions; nowhere, if empty.
    """
    data_folder.check_place(data)
    in_full = tracebacks.are_asked_for(data, onion=bool(tor))
    if data_folder.is_made(data):
        with data_folder.held(
            data / "server"
        ):  # else it would be said of its ports that another program has them
            pass
    with ExitStack() as listeners:
        at_source = listeners.enter_context(servers.listen("source interface", ports.source, "--source-port"))
        at_collection = listeners.enter_context(
            servers.listen("collection", ports.collection, "--collection-port")
        )
        at_desk = listeners.enter_context(servers.listen("desk", ports.desk, "--desk-port"))
        source = servers.source_interface(data_folder.server_settings(data), at_source)
        collection = servers.collection(data_folder.server_settings(data), at_collection)
        desk = servers.desk(data_folder.desk_settings(data), at_desk)
        if in_full:
            source, collection, desk = map(tracebacks.shown_by, (source, collection, desk))
        # Two names for one machine: leaving the source interface clears cookies by name, the desk's must stay.
        source_address = f"http://localhost:{servers.port_of(at_source)}"
        desk_address = desk.address
        pair = listeners.enter_context(_onions(tor, at_source, at_collection)) if tor else None
        with Supervisor(_show) as supervisor:
            if not data_folder.is_made(data):
                with step(f"Making demo units and their keys in {data}"):
                    new_demo.make(data, collection.address, supervisor.folder)
            supervisor.keep(data_folder.held(data / "server"))
            supervisor.keep(data_folder.held(data / "desk"))
            if pair:
                data_folder.point_couriers_at(data, f"http://{pair.collection}", pair.socks)
            else:
                data_folder.point_couriers_at(data, collection.address)
            if _start(supervisor, [source, collection, desk], data_folder.gnupg_home(data)):
                shown = source_address + (_onions_in_words(pair) if pair else "")
                print(_what_next(data, shown, desk_address + supervisor.link(desk)), flush=True)
                if in_full:
                    print(f"\n{tracebacks.NOTE}", flush=True)
                _until_stopped(supervisor)


def run_desk(data: Path, port: int, unit_id: str = data_folder.UNIT_ID) -> None:
    """Run one desk of a data folder alone until a stop is asked for. Raises DataFolderRefused."""
    data_folder.check_is_made(data)
    settings = data_folder.desk_settings(data, unit_id)
    if unit_id not in data_folder.unit_ids(data):
        known = ", ".join(data_folder.unit_ids(data))
        raise data_folder.DataFolderRefused(
            f"There is no desk of {unit_id} in {data}. Choose one of: {known}."
        )
    with ExitStack() as listeners:
        listener = listeners.enter_context(servers.listen("desk", port, "--port"))
        desk = servers.desk(settings, listener)
        address = desk.address
        with Supervisor(_show) as supervisor:
            supervisor.keep(data_folder.held(settings.parent))
            if _start(supervisor, [desk], data_folder.gnupg_home(data, unit_id)):
                link = _desk_link(address + supervisor.link(desk), unit_id)
                print(f"\n{link}\n\nCtrl-C stops the desk.", flush=True)
                _until_stopped(supervisor)


def run_identity(folder: Path, port: int) -> None:
    """Run the desk of identity holders, whose keys are in `folder`, until told to stop. Raises IdentityRefused."""
    settings = folder / "identity.toml"
    if not settings.is_file():
        raise IdentityRefused(
            f"{folder} has no identity.toml. keys/CEREMONY.md, step 10, says how to make it."
        )
    with ExitStack() as listeners:
        listener = listeners.enter_context(servers.listen("identity holders' desk", port, "--port"))
        desk = servers.identity(settings, listener)
        address = desk.address
        with Supervisor(_show) as supervisor:
            supervisor.keep(data_folder.held(folder))
            if _start(supervisor, [desk], folder / "gnupg"):
                link = address + supervisor.link(desk)
                print(f"\nThe identity holders’ desk. This link lets in one browser, once:\n    {link}\n")
                print("Ctrl-C stops it.", flush=True)
                _until_stopped(supervisor)


def _start(supervisor: Supervisor, chosen: list[Server], gnupg_home: Path) -> bool:
    """Start the servers, and wait for them; False when a stop was asked for meanwhile."""
    supervisor.keep(gpg_agent.reachable(gnupg_home, supervisor.folder))
    *most, last = [server.name for server in chosen]
    try:
        with step(f"Starting the {', '.join(most)} and {last}" if most else f"Starting the {last}"):
            for server in chosen:
                supervisor.start(server)
            supervisor.wait_until_ready()
    except StopAsked:
        return False
    return True


def _until_stopped(supervisor: Supervisor) -> None:
    supervisor.wait()
    print("Stopping.", file=sys.stderr, flush=True)


def _show(name: str, line: str) -> None:
    print(f"{name}: {line}", file=sys.stderr, flush=True)


@contextmanager
def _onions(tor: "Sequence[Control]", source: socket, collection: socket) -> "Iterator[Pair]":
    from deploy.onions.ephemeral import onion_pair

    with ExitStack() as stack:
        with step("Publishing two onions"):
            pair = stack.enter_context(onion_pair(tor, servers.port_of(source), servers.port_of(collection)))
        yield pair


def _onions_in_words(pair: "Pair") -> str:
    pow_words = "" if pair.proof_of_work else "This tor is too old to ask for proof of work in a flood. "
    return f"""
or over Tor, in Tor Browser, for as long as this runs:
    http://{pair.source}
{pow_words}A tor that is asked for an onion in passing does not tell its circuits apart, so one circuit
that wants too much is not held back here. deploy/install sets up a host where it is."""


def _desk_link(link: str, unit_id: str = data_folder.UNIT_ID) -> str:
    return f"The desk of {unit_id}. This link lets in one browser, once:\n    {link}"


def _what_next(data: Path, source_address: str, desk_link: str) -> str:
    option = "" if data == data_folder.DEFAULT_DATA else f" --data {data}"
    others = "\n".join(
        f"    ./candour desk --unit {other}{option}" for other in data_folder.unit_ids(data)[1:]
    )
    holders = "\n".join(f"    {name}: {passphrase}" for name, passphrase in demo_holders.PASSPHRASES.items())
    return f"""
The source interface, for the reporter. Send a report here, about “{data_folder.FORCE_NAME}”:
    {source_address}

{_desk_link(desk_link)}

Carry everything waiting to the desk and back, in another terminal, after each report and each answer:
    ./candour courier round{option}

A report about another force, or about those who would open it, goes elsewhere. Each has a desk of its own:
{others}

What a reporter adds in confidence, only two identity holders open. Their desk, and what the demo's two type:
    ./candour desk --identity {data_folder.identity_folder(data)}
{holders}

The demo's other keys have no passphrase: for trying out only, never for a real report. Ctrl-C stops it all."""
