"""What the views of the collection share: the listing, the inbox, the registry, the nonces, and who is calling."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from flask import current_app, g

from common.config import Limits
from common.registry.file import RegistryFile
from common.registry.units import Unit
from common.store.inbox import Inbox
from common.store.outbox import Outbox
from journalist_interface.collection.errors import NO_ROOM, Refused
from journalist_interface.collection.freshness import Freshness

EXTENSION = "candour"


@dataclass(frozen=True)
class Services:
    """The parts of one running collection. It has no database, and reads no pepper."""

    outbox: Outbox
    inbox: Inbox
    registry: RegistryFile
    freshness: Freshness
    limits: Limits
    _locks: defaultdict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))

    @contextmanager
    def delivering(self, unit: str) -> Iterator[None]:
        """Deliveries of one unit come one after another: so what lies in the inbox is what its quota is counted by."""
        with self._locks[unit]:  # setdefault is one step of the interpreter: no two threads get two locks
            yield

    def check_room(self, wanted: int) -> None:
        """Whether the inbox may take so many bytes more, by the listing. Raises Refused.

        The disk is not asked: what it has free changes with each report and each withdrawal.
        """
        if self.inbox.taken_bytes() + wanted > self.outbox.room():
            raise Refused(507, NO_ROOM)


def services() -> Services:
    """The collection that answers this request."""
    found: Services = current_app.extensions[EXTENSION]
    return found


def calling_unit() -> str:
    """The id of the unit whose courier signed this request."""
    unit: str = g.unit
    return unit


def the_unit() -> Unit:
    """The unit whose courier signed this request, as the registry has it now. Raises UnknownUnit."""
    return services().registry.current().recipient(calling_unit())
