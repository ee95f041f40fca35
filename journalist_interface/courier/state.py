"""The courier's state folder: envelopes on their way, and what was carried. All of it is ciphertext, or ids and days.

lock                    held by the one courier at work
registry-version(.lock) the highest version of the registry that was seen here
boot                    which start of this machine the parts are from
incoming/<id>.part      downloaded so far
incoming/<id>           downloaded whole; durable, but for small ones
carried                 the envelopes that were brought to a stick and are listed still, one a line
delivered/<bundle>      the items of a bundle of the desk's that are delivered, one a line
untold, told            what the desk is to be told of its posts, and was told (telling.py)
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from common.durable import append, locked, sync_file, write_whole
from common.envelope_id import is_envelope_id
from common.transport.parcel import SMALL_BYTES
from journalist_interface.courier.errors import AnotherCourier
from journalist_interface.courier.outcomes import Telling

_PART = ".part"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class State:
    """The folder. Use it within `State.held`."""

    def __init__(self, folder: Path) -> None:
        self.incoming = folder / "incoming"
        self._delivered = folder / "delivered"
        for made in (folder, self.incoming, self._delivered):
            made.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._carried = folder / "carried"
        self.telling = Telling(folder)
        self._forget_after_reboot(folder / "boot")

    @classmethod
    @contextmanager
    def held(cls, folder: Path) -> Iterator["State"]:
        """The state, for one courier at a time. Raises AnotherCourier."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(folder / "lock", AnotherCourier()):
            yield cls(folder)

    def part(self, envelope_id: str) -> Path:
        """Where an envelope grows while it is downloaded."""
        return self.incoming / f"{envelope_id}{_PART}"

    def whole(self, envelope_id: str) -> Path:
        """Where an envelope lies once it is downloaded."""
        return self.incoming / envelope_id

    def keep_small(self, envelope_id: str, content: bytes) -> None:
        """An envelope of at most SMALL_BYTES, in one piece. Not durable yet: the stick's bundle makes it so."""
        part = self.part(envelope_id)
        part.write_bytes(content)
        part.chmod(0o600)
        part.rename(self.whole(envelope_id))

    def finish(self, envelope_id: str) -> None:
        """The part is complete: make it durable, and give it its name, which may be lost in a power cut."""
        part = self.part(envelope_id)
        sync_file(part, 0o600)
        part.rename(self.whole(envelope_id))

    def drop(self, envelope_id: str) -> None:
        """Remove what is here of an envelope."""
        self.part(envelope_id).unlink(missing_ok=True)
        self.whole(envelope_id).unlink(missing_ok=True)

    def keep_only(self, envelope_ids: Collection[str]) -> None:
        """Remove all envelopes but these."""
        kept = frozenset(envelope_ids)
        for entry in list(self.incoming.iterdir()):
            name = entry.name.removesuffix(_PART)
            if is_envelope_id(name) and name not in kept:
                entry.unlink()

    def carried(self) -> frozenset[str]:
        """The envelopes that were brought to a stick before."""
        try:
            return frozenset(self._carried.read_text("ascii").split())
        except FileNotFoundError:
            return frozenset()

    def note_carried(self, envelope_ids: Collection[str]) -> None:
        """Remember these, and no others, as carried. Durable when this returns."""
        write_whole(self._carried, "".join(f"{one}\n" for one in sorted(envelope_ids)).encode("ascii"))

    def delivered(self, bundle: str) -> frozenset[str]:
        """The items of a bundle of the desk's that were delivered before."""
        try:
            return frozenset((self._delivered / bundle).read_text("ascii").split("\n")[:-1])
        except FileNotFoundError:
            return frozenset()

    def note_delivered(self, bundle: str, item: str) -> None:
        """Remember that an item is delivered, or not taken, and needs no second try."""
        append(self._delivered / bundle, f"{item}\n".encode("ascii"))

    def forget_bundle(self, bundle: str) -> None:
        """The bundle is gone from the stick."""
        (self._delivered / bundle).unlink(missing_ok=True)

    def _forget_after_reboot(self, noted: Path) -> None:
        """Parts and small envelopes survive the courier, but not a power cut: they may never have reached the disk."""
        now = _BOOT_ID.read_text("ascii") if _BOOT_ID.exists() else ""
        if now and noted.exists() and noted.read_text("ascii") == now:
            return
        for entry in list(self.incoming.iterdir()):
            if entry.suffix == _PART or entry.stat().st_size <= SMALL_BYTES:
                entry.unlink()
        noted.write_text(now, "ascii")
