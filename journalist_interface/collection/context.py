"""What the views of the collection share: the store, the registry, the memory of nonces, and who is calling."""

from dataclasses import dataclass

from flask import current_app, g

from common.registry_file import RegistryFile
from common.store.repository import Store
from journalist_interface.collection.freshness import Freshness

EXTENSION = "candour-collection"


@dataclass(frozen=True)
class Collection:
    """The parts of one running collection."""

    store: Store
    registry: RegistryFile
    freshness: Freshness
    keep_free_bytes: int = 0


def here() -> Collection:
    """The collection that answers this request."""
    collection: Collection = current_app.extensions[EXTENSION]
    return collection


def calling_unit() -> str:
    """The id of the unit whose courier signed this request."""
    unit: str = g.unit
    return unit
