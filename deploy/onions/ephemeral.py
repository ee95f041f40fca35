"""A pair of onions for as long as a context lasts, on whatever tor this machine has. For `candour up --onion`.

Promises: tor makes the onions' keys, tells nobody, and forgets them: the services live as long as the control
connection, so they end with this process however it ends. The courier's key is made here, goes to tor by that
connection, and is taken out at the end; left there by a kill, it opens nothing any more. Nothing of it is in an
argument, a file or a log.
Source: Tor's control-spec, "ADD_ONION", "ONION_CLIENT_AUTH_ADD". Stem passes neither proof of work nor these flags,
so the lines are written here.
"""

import base64
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from stem.control import Controller

from common.transport.onion import KEY_BYTES, public_line, public_of
from deploy.onions.control import Control, ask, connected
from deploy.onions.errors import NotPublished, TorRefused, TorUnreachable
from deploy.onions.publication import SECONDS, watched

MAX_STREAMS = 32
_BASE = f"ADD_ONION NEW:ED25519-V3 MaxStreams={MAX_STREAMS}"
_FLAGS = "DiscardPK,MaxStreamsCloseCircuit"


@dataclass(frozen=True)
class Pair:
    """Two onions that answer, `….onion`, and the SOCKS proxy that reaches both."""

    source: str
    collection: str
    socks: str  # socks5h://127.0.0.1:…
    proof_of_work: bool  # whether tor defends the source onion by it


@contextmanager
def onion_pair(controls: Sequence[Control], source_port: int, collection_port: int) -> Iterator[Pair]:
    """Onions that lead to two ports of 127.0.0.1; only this tor has the key to the collection's.

    Raises TorUnreachable, TorRefused, NotPublished.
    """
    with connected(*controls) as controller, watched(controller) as uploads:
        socks = _socks(controller)
        source, proof_of_work = _add_source(controller, source_port)
        key = secrets.token_bytes(KEY_BYTES)
        collection = _add(
            controller, f"{_BASE} Flags={_FLAGS},V3Auth {_port(collection_port)} ClientAuthV3={_client(key)}"
        )
        for address in (source, collection):
            if not uploads.wait(address, SECONDS):
                raise NotPublished(
                    f"No relay has taken {address} within {SECONDS:.0f} s. See that tor is connected, and start again."
                )
        private = base64.b64encode(key).decode("ascii")
        ask(controller, f"ONION_CLIENT_AUTH_ADD {_name(collection)} x25519:{private}")
        try:
            yield Pair(source, collection, socks, proof_of_work)
        finally:
            with suppress(TorRefused):  # tor has ended: then so has all it knew
                ask(controller, f"ONION_CLIENT_AUTH_REMOVE {_name(collection)}")


def _add_source(controller: Controller, port: int) -> tuple[str, bool]:
    line = f"{_BASE} Flags={_FLAGS} {_port(port)}"
    try:
        return _add(controller, f"{line} PoWDefensesEnabled=1"), True
    except (
        TorRefused
    ):  # a tor before 0.4.9, or one built without it; the second answer tells if it was not that
        return _add(controller, line), False


def _add(controller: Controller, line: str) -> str:
    answers = dict(answer.partition("=")[::2] for answer in ask(controller, line))
    return f"{answers['ServiceID']}.onion"


def _port(port: int) -> str:
    return f"Port=80,127.0.0.1:{port}"


def _client(key: bytes) -> str:
    return public_line(public_of(key)).rpartition(":")[2]


def _name(address: str) -> str:
    return address.removesuffix(".onion")


def _socks(controller: Controller) -> str:
    """Tor's SOCKS port on this machine. Raises TorUnreachable."""
    (answer,) = ask(controller, "GETINFO net/listeners/socks")
    for listener in answer.partition("=")[2].replace('"', "").split():
        host, _, port = listener.rpartition(":")
        if host == "127.0.0.1" and port.isdigit():
            return f"socks5h://{host}:{port}"
    raise TorUnreachable(
        "This tor has no SOCKS port on 127.0.0.1 for the courier. Set SocksPort in its torrc."
    )
