"""What the network's relays give to anybody who asks for an onion: its descriptor, fetched through a live tor.

Promises: it is fetched over circuits from the relays that keep it, as a client does, and not taken from what tor
means to publish. So it proves what a stranger sees. Source: Tor's control-spec, "HSFETCH"; rend-spec-v3.
"""

import re
import time
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from stem.control import Controller, EventType
from stem.descriptor.hidden_service import HiddenServiceDescriptorV3

from deploy.onions.control import ask

SECONDS = 30.0
_POW = re.compile(r"^pow-params v1 ", re.MULTILINE)


@dataclass(frozen=True)
class Seen:
    """What somebody without a key reads in a descriptor."""

    readable: bool  # whether it says where the onion is introduced
    proof_of_work: bool


def fetch(controller: Controller, address: str, seconds: float = SECONDS) -> Seen | None:
    """The descriptor of `address`; None if no relay has given it in time. Raises TorRefused."""
    onion = address.removesuffix(".onion")
    events: SimpleQueue[Any] = SimpleQueue()
    controller.add_event_listener(events.put, EventType.HS_DESC_CONTENT)
    try:
        ask(controller, f"HSFETCH {onion}")
        limit = time.monotonic() + seconds
        with suppress(Empty):
            while (left := limit - time.monotonic()) > 0:
                event = events.get(timeout=left)
                if event.address == onion and event.descriptor is not None and str(event.descriptor):
                    return _seen(str(event.descriptor), address)
    finally:
        controller.remove_event_listener(events.put)
    return None


def _seen(untrusted: str, address: str) -> Seen:
    try:
        inner = str(HiddenServiceDescriptorV3.from_str(untrusted).decrypt(address))
    except ValueError:  # stem cannot decrypt it: it asks for a client's key
        return Seen(readable=False, proof_of_work=False)
    return Seen(readable=True, proof_of_work=_POW.search(inner) is not None)
