"""From the stick onto the desk: each item of a bundle is taken, or set aside by name with the reason.

Nothing is half done when this is killed: items are copied aside and checked, moved into place once all are durable,
and their rows committed in one transaction after that. Importing again finds what is known and goes on. What is not
taken gets no receipt, so the servers keep it and it can be carried again.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from common.days import today
from common.envelope_id import forwarded_id, is_forwarded_id
from common.transport import bundle, bundle_item
from common.transport.bundle import Bundle, BundleRefused
from common.transport.bundle_item import Item, ItemRefused
from journalist_interface.desk.opening.inspection import Looked, look_into_new
from journalist_interface.desk.services import Desk

_KEEP_FREE = 256 * 1024 * 1024  # bytes of the desk's disk that an import leaves


@dataclass(frozen=True)
class Taken:
    """A bundle that was taken: how many of its envelopes were new, and how many were here already.

    `aside`: a sentence for each item that was not taken; it names the item.
    """

    name: str
    new: int
    known: int
    aside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refused:
    """A bundle of which nothing was taken, and the sentence that says why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Imported:
    """What an import did."""

    taken: tuple[Taken, ...]
    refused: tuple[Refused, ...]
    looked: Looked


def waiting_on(stick: Path) -> list[str]:
    """The names of the finished bundles of envelopes on the stick."""
    return [folder.name for folder in bundle.found(stick, "envelopes")]


def import_all(desk: Desk) -> Imported:
    """Take what holds of every finished bundle of envelopes on the stick, then open what is new once.

    Raises RegistryRefused, or StickBusy.
    """
    _, unit = desk.settings.load_registry()
    signers = tuple(unit.couriers.values())
    taken, refused = [], []
    with desk.alone():
        desk.files.clear_staging()
        for folder in bundle.found(desk.settings.stick, "envelopes"):
            try:
                taken.append(_take(desk, folder, signers, today()))
            except BundleRefused as error:
                refused.append(Refused(folder.name, str(error)))
            except OSError as error:
                reason = BundleRefused(f"it cannot be read, or nothing can be kept ({error.strerror})")
                refused.append(Refused(folder.name, str(reason)))
            finally:
                desk.files.clear_staging()
        looked = look_into_new(desk)
    return Imported(tuple(taken), tuple(refused), looked)


def _take(desk: Desk, folder: Path, signers: tuple[bytes, ...], day: date) -> Taken:
    untrusted = bundle.read_manifest(folder, "envelopes", desk.settings.unit, signers)
    aside = [str(refused) for refused in untrusted.refused]
    known = desk.cabinet.envelopes.known([item.name for item in untrusted.items])
    here: list[Item] = []  # known, and its sealed file is there
    copied: list[Item] = []
    for item in untrusted.items:
        try:
            _check(item, known)
            if item.name in known and desk.files.envelope(item.name).is_file():
                here.append(item)
            else:
                _copy_aside(desk, untrusted, item)
                copied.append(item)
        except ItemRefused as refused:
            aside.append(str(refused))
    desk.files.put_envelopes([item.name for item in copied], day)
    new = [item for item in copied if item.name not in known]
    came_back = [item.name for item in copied if item.name in known]
    desk.cabinet.envelopes.receive(new, untrusted.day, day)
    desk.cabinet.sealed_to.forget(came_back)  # what came back is sealed as it once came
    desk.cabinet.posts.note_bundle(untrusted, [*(item.name for item in here), *came_back], day)
    return Taken(folder.name, len(new), len(here) + len(came_back), tuple(aside))


def _check(item: Item, known: dict[str, str]) -> None:
    """Raises ItemRefused for an envelope whose name says another content than the manifest does."""
    if is_forwarded_id(item.name) and item.name != forwarded_id(item.sha256):
        raise ItemRefused(item.name, "it was passed on, and its name is not that of its content")
    if known.get(item.name, item.sha256) != item.sha256:
        raise ItemRefused(item.name, "it is known here with another content, which stays as it is")


def _copy_aside(desk: Desk, untrusted: Bundle, item: Item) -> None:
    """Bring an item onto the desk's disk, durable and checked. Raises ItemRefused."""
    if item.size + _KEEP_FREE > desk.files.free_bytes():
        raise ItemRefused(item.name, "this desk's disk has no room for it")
    try:
        bundle_item.copy_item(untrusted.folder, item, desk.files.staging / item.name)
    except OSError as error:
        raise ItemRefused(item.name, f"copying it failed ({error.strerror})") from error
