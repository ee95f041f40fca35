"""From the stick onto the desk: each bundle whole, or refused with the reason.

Nothing is half done when this is killed: items are copied aside and checked, moved into place once all are durable,
and their rows committed in one transaction after that. Importing again finds what is known and goes on.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from common import bundle
from common.bundle import Bundle, BundleRefused, Item
from common.days import today
from journalist_interface.desk.opening import Looked, look_into_new
from journalist_interface.desk.workplace import Desk

_KEEP_FREE = 256 * 1024 * 1024  # bytes of the desk's disk that an import leaves


@dataclass(frozen=True)
class Taken:
    """A bundle that was taken: how many of its envelopes were new, and how many were here already."""

    name: str
    new: int
    known: int


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
    """Take every finished bundle of envelopes on the stick, then open what is new once.

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
                refused.append(
                    Refused(folder.name, str(BundleRefused(f"copying it failed ({error.strerror})")))
                )
            finally:
                desk.files.clear_staging()
        looked = look_into_new(desk)
    return Imported(tuple(taken), tuple(refused), looked)


def _take(desk: Desk, folder: Path, signers: tuple[bytes, ...], day: date) -> Taken:
    untrusted = bundle.read_manifest(folder, "envelopes", desk.settings.unit, signers)
    new, missing = _split(desk, untrusted)
    wanted = [*new, *missing]
    if sum(item.size for item in wanted) + _KEEP_FREE > desk.files.free_bytes():
        raise BundleRefused("this desk's disk has no room for it")
    for item in wanted:
        bundle.copy_item(untrusted, item, desk.files.staging / item.name)
    desk.files.put_envelopes([item.name for item in wanted], day)
    desk.cabinet.envelopes.receive(new, untrusted.day, day)
    desk.cabinet.sealed_to.forget([item.name for item in missing])  # what came back is sealed as it once came
    return Taken(folder.name, len(new), len(untrusted.items) - len(new))


def _split(desk: Desk, untrusted: Bundle) -> tuple[list[Item], list[Item]]:
    """The envelopes that are new, and those that are known but whose sealed file is gone from the disk."""
    known = desk.cabinet.envelopes.known([item.name for item in untrusted.items])
    for item in untrusted.items:
        if known.get(item.name, item.sha256) != item.sha256:
            raise BundleRefused(f"the item {item.name} is known here with another content")
    new = [item for item in untrusted.items if item.name not in known]
    missing = [
        item
        for item in untrusted.items
        if item.name in known and not desk.files.envelope(item.name).is_file()
    ]
    return new, missing
